//! Reading a file as text, within limits.

use std::fs;
use std::ops::Range;
use std::path::Path;

/// What a file may be long, in octets. Far above what people write; a wrong path given as `-c`
/// (a disk, a log) ends here.
const FILE_OCTETS_MAX: u64 = 1 << 20;
/// Keys below keys below keys. TOML's reader limits brackets itself, but not dotted keys.
pub(super) const DEPTH_MAX: usize = 32;

/// The text of a file, or why there is none.
pub(super) fn read_text(path: &Path) -> Result<String, String> {
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > FILE_OCTETS_MAX {
        return Err(format!("it is longer than {FILE_OCTETS_MAX} octets"));
    }
    let octets = fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(octets).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..good).unwrap_or_default();
        let line = before.iter().filter(|&&octet| octet == b'\n').count() + 1;
        format!("line {line} is not UTF-8")
    })
}

/// Where a dotted key stands that has more parts than any key of ours, if one does. The reader of
/// TOML makes a table of each part and would exhaust the stack on a hostile file.
pub(super) fn too_deep(content: &str) -> Option<Range<usize>> {
    let mut start = 0;
    for line in content.split_inclusive('\n') {
        let mut dots = 0;
        let mut after_dot = false;
        for c in line.chars() {
            match c {
                '#' => break,
                '.' if after_dot => dots = 0, // An ellipsis in a string is no key.
                '.' => dots += 1,
                ' ' | '\t' | '"' | '\'' | '-' | '_' => continue,
                c if c.is_alphanumeric() => {}
                _ => dots = 0,
            }
            after_dot = c == '.';
            if dots > DEPTH_MAX {
                return Some(start..start + line.trim_end().len());
            }
        }
        start += line.len();
    }
    None
}
