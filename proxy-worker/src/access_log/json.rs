//! Text in JSON (RFC 8259 §7), in printable ASCII only: no client can forge a line, or speak to a
//! terminal.

use std::io::Write as _;

/// Adds a member, behind others.
pub(super) fn member(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":\"");
    escape(value, out);
    out.push(b'"');
}

/// What is no UTF-8 shows as U+FFFD.
fn escape(octets: &[u8], out: &mut Vec<u8>) {
    for chunk in octets.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push(c, out));
        if !chunk.invalid().is_empty() {
            push(char::REPLACEMENT_CHARACTER, out);
        }
    }
}

fn push(c: char, out: &mut Vec<u8>) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        ' '..='~' => out.extend(u8::try_from(c)),
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a vector cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}
