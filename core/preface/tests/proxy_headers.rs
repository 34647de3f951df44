//! PROXY headers, good and bad: rule 40, and the examples of the specification.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core_preface::proxy_header::{BINARY_MAX, Ends, Fault, ProxyHeader, TEXT_MAX, Version, write};
use proptest::prelude::*;

type Result = core::result::Result<Option<ProxyHeader>, Fault>;

fn ends(source: &str, destination: &str) -> Ends {
    Ends {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    }
}

fn found(len: usize, ends: Option<Ends>) -> Result {
    Ok(Some(ProxyHeader { len, ends }))
}

#[test]
fn lines_of_version_1() {
    let v4 = || Some(ends("192.168.0.1:56324", "192.168.0.11:443"));
    let v6 = || Some(ends("[2001:db8::1]:65535", "[::1]:0"));
    let most = format!("PROXY UNKNOWN {}\r\n", "f".repeat(TEXT_MAX - 16));
    let cases: [(&[u8], Result); 28] = [
        (
            b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET /",
            found(47, v4()),
        ),
        (b"PROXY TCP6 2001:db8::1 ::1 65535 0\r\n", found(36, v6())),
        (b"PROXY UNKNOWN\r\n", found(15, None)),
        (
            b"PROXY UNKNOWN ffff:f...f:ffff what ever\r\nX",
            found(41, None),
        ),
        (most.as_bytes(), found(TEXT_MAX, None)),
        (b"", Ok(None)),
        (b"P", Ok(None)),
        (b"PROXY", Ok(None)),
        (b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r", Ok(None)),
        (b"GET / HTTP/1.1\r\n", Err(Fault::Missing)),
        (b"POST / HTTP/1.1\r\n", Err(Fault::Missing)),
        (b"PROXY\r\n", Err(Fault::Missing)),
        (b"proxy TCP4", Err(Fault::Missing)),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n", Err(Fault::Line)),
        (b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", Err(Fault::Line)),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", Err(Fault::Line)),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", Err(Fault::Line)),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", Err(Fault::Line)),
        (b"PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n", Err(Fault::Line)),
        (b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", Err(Fault::Line)),
        (b"PROXY TCP4 ::1 ::1 1 2\r\n", Err(Fault::Line)),
        (b"PROXY TCP6 1.2.3.4 ::1 1 2\r\n", Err(Fault::Line)),
        (b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", Err(Fault::Line)),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", Err(Fault::Line)),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", Err(Fault::Line)),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", Err(Fault::Line)),
        (b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", Err(Fault::Kind)),
        (
            &[b"PROXY UNKNOWN ".as_slice(), &[b'f'; 200]].concat(),
            Err(Fault::TooLong),
        ),
    ];
    for (octets, expected) in cases {
        let text = String::from_utf8_lossy(octets);
        assert_eq!(ProxyHeader::parse(octets), expected, "{text}");
    }
}

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn binary(kind: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[kind, family], &len, body].concat()
}

const ENDS4: [u8; 12] = [192, 168, 0, 1, 192, 168, 0, 11, 0xdc, 0x04, 1, 187];

#[test]
fn headers_of_version_2() {
    let v4 = || Some(ends("192.168.0.1:56324", "192.168.0.11:443"));
    let with = |more: &[u8]| binary(0x21, 0x11, &[&ENDS4, more].concat());
    let mut v6 = [0; 36];
    v6[15] = 1;
    v6[31] = 2;
    v6[33] = 80;
    let long = |len: usize| vec![0x04; len - 16].into_boxed_slice();
    // A NOOP element (§2.2.4) as long as the header may be.
    let most = u16::try_from(BINARY_MAX - 16 - 12 - 3)
        .unwrap()
        .to_be_bytes();
    let padding = [&[4, most[0], most[1]], &vec![0; BINARY_MAX - 31][..]].concat();
    let cases: [(&str, Vec<u8>, Result); 21] = [
        ("IPv4", with(b""), found(28, v4())),
        (
            "IPv6",
            binary(0x21, 0x21, &v6),
            found(52, Some(ends("[::1]:80", "[::2]:0"))),
        ),
        ("an element", with(b"\x02\0\x03a.b"), found(34, v4())),
        ("an empty element", with(b"\x04\0\0"), found(31, v4())),
        ("the longest", with(&padding), found(BINARY_MAX, v4())),
        ("LOCAL", binary(0x20, 0, b""), found(16, None)),
        (
            "LOCAL with anything",
            binary(0x20, 0xff, b"\x01\x02"),
            found(18, None),
        ),
        ("unspecified", binary(0x21, 0, b"xyz"), found(19, None)),
        ("Unix", binary(0x21, 0x31, &[0; 216]), found(232, None)),
        ("datagrams", binary(0x21, 0x12, &ENDS4), found(28, None)),
        (
            "a head that is not whole",
            with(b"")[..27].to_vec(),
            Ok(None),
        ),
        ("half a signature", SIGNATURE[..7].to_vec(), Ok(None)),
        (
            "another signature",
            b"\r\n\r\nGET".to_vec(),
            Err(Fault::Missing),
        ),
        ("version 1", binary(0x11, 0x11, &ENDS4), Err(Fault::Kind)),
        (
            "an unknown command",
            binary(0x22, 0x11, &ENDS4),
            Err(Fault::Kind),
        ),
        (
            "an unknown family",
            binary(0x21, 0x41, &ENDS4),
            Err(Fault::Kind),
        ),
        (
            "an unknown transport",
            binary(0x21, 0x13, &ENDS4),
            Err(Fault::Kind),
        ),
        (
            "addresses cut off",
            binary(0x21, 0x11, &ENDS4[..11]),
            Err(Fault::Length),
        ),
        (
            "an element that goes on",
            with(b"\x02\0\x04a.b"),
            Err(Fault::Length),
        ),
        ("half an element", with(b"\x02\0"), Err(Fault::Length)),
        (
            "too long",
            binary(0x21, 0x11, &long(BINARY_MAX + 1)),
            Err(Fault::TooLong),
        ),
    ];
    for (name, octets, expected) in cases {
        assert_eq!(ProxyHeader::parse(&octets), expected, "{name}");
    }
}

#[test]
fn checksum_of_version_2_must_be_right() {
    // By a program whose sum of "123456789" is 0xe3069283, as it must be.
    let sum = [0x1c, 0x1a, 0xe9, 0xc6];
    let header = |sum: [u8; 4]| {
        let element = [&[3, 0, 4][..], &sum].concat();
        binary(0x21, 0x11, &[&ENDS4, &element[..]].concat())
    };
    assert!(matches!(ProxyHeader::parse(&header(sum)), Ok(Some(_))));
    let wrong = header([sum[0] ^ 1, sum[1], sum[2], sum[3]]);
    assert_eq!(ProxyHeader::parse(&wrong), Err(Fault::Checksum));
    let short = binary(0x21, 0x11, &[&ENDS4[..], &[3, 0, 2, 0, 0]].concat());
    assert_eq!(ProxyHeader::parse(&short), Err(Fault::Length));
}

#[test]
fn ends_of_two_families_are_told_in_the_form_of_ipv6() {
    let mixed = ends("192.0.2.7:1000", "[2001:db8::1]:443");
    let mut line = Vec::new();
    write(Version::V1, Some(&mixed), &mut line);
    let line = String::from_utf8(line).unwrap();
    assert_eq!(line, "PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1000 443\r\n");
}

fn some_ends() -> impl Strategy<Value = Option<Ends>> {
    let v4 = any::<([u8; 4], u16, [u8; 4], u16)>().prop_map(|(from, port, to, at)| Ends {
        source: (from, port).into(),
        destination: (to, at).into(),
    });
    let v6 = any::<([u16; 8], u16, [u16; 8], u16)>().prop_map(|(from, port, to, at)| Ends {
        source: (from, port).into(),
        destination: (to, at).into(),
    });
    proptest::option::of(prop_oneof![v4, v6])
}

proptest! {
    #[test]
    fn what_is_written_is_read(ends in some_ends(), rest in any::<Vec<u8>>()) {
        for version in [Version::V1, Version::V2] {
            let mut octets = Vec::new();
            write(version, ends.as_ref(), &mut octets);
            let len = octets.len();
            for cut in 0..len {
                prop_assert_eq!(ProxyHeader::parse(&octets[..cut]), Ok(None));
            }
            octets.extend_from_slice(&rest);
            prop_assert_eq!(ProxyHeader::parse(&octets), found(len, ends));
        }
    }
}
