//! What comes before a protocol: PROXY headers that come in pieces, and that are written again.

use core_preface::proxy_header::{BINARY_MAX, ProxyHeader, Version, write};

use crate::Target;

/// PROXY headers of both versions.
pub(crate) const PROXY_HEADERS: Target = Target {
    name: "proxy-headers",
    seeds: || {
        let binary = |rest: &[u8]| [b"\r\n\r\n\0\r\nQUIT\n", rest].concat();
        vec![
            b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 443\r\nGET /".to_vec(),
            b"PROXY TCP6 2001:db8::7 ::1 65535 0\r\n".to_vec(),
            b"PROXY UNKNOWN ffff:ff\r\n".to_vec(),
            binary(b"\x20\0\0\0"),
            binary(b"\x21\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\x9c\x40\x01\xbb"),
            binary(b"\x21\x11\0\x12\xc0\0\x02\x07\xc0\0\x02\x01\x9c\x40\x01\xbb\x02\0\x03a.b"),
            [&binary(b"\x21\x21\0\x24")[..], &[1; 36]].concat(),
        ]
    },
    repair: |header| fit_length(header),
    check,
};

/// Says in a header of version 2 how long it is.
fn fit_length(header: &mut [u8]) {
    let rest = u16::try_from(header.len().saturating_sub(16)).unwrap_or(u16::MAX);
    if let Some(length) = header.get_mut(14..16) {
        length.copy_from_slice(&rest.to_be_bytes());
    }
}

fn check(input: &[u8]) {
    let at_once = ProxyHeader::parse(input);
    let in_pieces = (0..=input.len())
        .map(|end| ProxyHeader::parse(&input[..end]))
        .find(|result| !matches!(result, Ok(None)));
    assert_eq!(in_pieces.unwrap_or(Ok(None)), at_once, "in pieces");
    if at_once == Ok(None) {
        assert!(input.len() < BINARY_MAX, "more is never needed");
    }
    let Ok(Some(header)) = at_once else {
        return;
    };
    assert!(header.len <= input.len(), "longer than what was read");
    for version in [Version::V1, Version::V2] {
        let mut again = Vec::new();
        write(version, header.ends.as_ref(), &mut again);
        let read = ProxyHeader::parse(&again).expect("well-formed");
        assert_eq!(read.expect("whole").ends, header.ends, "{version:?}");
    }
}
