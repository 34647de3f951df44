//! The server name in a TLS hello, wherever records and reads cut it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core_preface::{ClientHello, client_hello};

fn vector(octets: &[u8]) -> Vec<u8> {
    let len = u16::try_from(octets.len()).unwrap().to_be_bytes();
    [len.as_slice(), octets].concat()
}

fn extension(kind: u16, value: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().as_slice(), &vector(value)].concat()
}

fn server_name(name: &[u8]) -> Vec<u8> {
    let entry = [&[0], vector(name).as_slice()].concat();
    extension(0, &vector(&entry))
}

/// A handshake message with these extensions.
fn message(extensions: &[u8]) -> Vec<u8> {
    let fixed = [3; 34];
    let session = [&[32], [7; 32].as_slice()].concat();
    let suites = vector(&[0x13, 0x01, 0x13, 0x02]);
    let extensions = vector(extensions);
    let body = [&fixed, session.as_slice(), &suites, &[1, 0], &extensions].concat();
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1], &len[1..], body.as_slice()].concat()
}

/// The message in records that carry so many octets each.
fn records(message: &[u8], size: usize) -> Vec<u8> {
    let record = |carried: &[u8]| [&[22, 3, 1], vector(carried).as_slice()].concat();
    message.chunks(size).flat_map(record).collect()
}

fn named(name: &str) -> Vec<u8> {
    let extensions = [
        extension(43, b"\x02\x03\x04"),
        server_name(name.as_bytes()),
        extension(0x0a0a, b""),
    ];
    message(&extensions.concat())
}

#[test]
fn name_is_found_wherever_records_cut_the_hello() {
    let message = named("www.Example.org");
    for size in 1..=message.len() {
        let found = client_hello(&records(&message, size));
        let name = Some(ClientHello::Named("www.Example.org".into()));
        assert_eq!(found, name, "{size}");
    }
}

#[test]
fn verdict_comes_with_the_last_octet_that_is_needed() {
    let hello = records(&named("a"), 50);
    for end in 0..hello.len() {
        assert_eq!(client_hello(&hello[..end]), None, "{end}");
    }
    let with_more = [hello.as_slice(), b"\x17\x03\x03 early data"].concat();
    let name = Some(ClientHello::Named("a".into()));
    assert_eq!(client_hello(&with_more), name);
}

#[test]
fn hello_without_a_name_and_what_is_no_tls_at_all() {
    let nameless = Some(ClientHello::Nameless);
    assert_eq!(client_hello(&records(&message(&[]), 99)), nameless);
    let mut bare = message(&[]);
    // TLS 1.2 may leave the extensions out altogether.
    bare.truncate(bare.len() - 2);
    bare[3] -= 2;
    assert_eq!(client_hello(&records(&bare, 99)), nameless);
    for other in [
        b"GET / HTTP/1.1\r\n".as_slice(),
        b"SSH-2.0-x",
        b"\x16\x02",
        b"\0",
    ] {
        assert_eq!(client_hello(other), Some(ClientHello::Other));
    }
}

/// Rule 44: a name with a NUL is none, as one that is empty, too long or not alone.
#[test]
fn malformed_hellos_are_found_out() {
    let long = [b'a'; 254];
    let two = [server_name(b"a"), server_name(b"a")].concat();
    let pair = [&[0, 0, 1, b'a'], [0, 0, 1, b'b'].as_slice()].concat();
    let extensions = [
        server_name(b""),
        server_name(b"a\0b"),
        server_name(b"a b"),
        server_name("b\u{fc}cher".as_bytes()),
        server_name(&long),
        two,
        extension(0, &vector(&pair)),
        extension(0, &vector(b"\x01\0\x01a")),
        extension(0, b""),
        extension(0, b"\0\x09\0\0\x01a"),
        b"\0".to_vec(),
    ];
    for extensions in extensions {
        let found = client_hello(&records(&message(&extensions), 999));
        assert_eq!(found, Some(ClientHello::Malformed), "{extensions:?}");
    }
    let mut longer = message(&server_name(b"a"));
    longer.push(0);
    longer[3] += 1;
    for octets in [
        records(&longer, 999),
        b"\x16\x03\x01\0\0".to_vec(),
        b"\x16\x03\x01\x40\x01".to_vec(),
        b"\x16\x03\x01\0\x04\x02\0\0\0".to_vec(),
        b"\x16\x03\x01\0\x04\x01\x01\0\0".to_vec(),
        b"\x16\x03\x01\0\x01\x01\x15\x03\x01\0\x02\x01\0".to_vec(),
    ] {
        let found = client_hello(&octets);
        assert_eq!(found, Some(ClientHello::Malformed), "{octets:?}");
    }
}

#[test]
fn hello_that_never_ends_is_refused_in_time() {
    let padding = extension(21, &vec![0; 15_000]);
    let whole = records(&message(&padding), 9_999);
    assert_eq!(client_hello(&whole), Some(ClientHello::Nameless));
    // Each octet in a record of its own: headers count too.
    let slow = records(&message(&padding), 1);
    assert_eq!(client_hello(&slow[..16 * 1024]), None);
    let over = client_hello(&slow[..=16 * 1024]);
    assert_eq!(over, Some(ClientHello::Malformed));
}

proptest::proptest! {
    /// Nothing that comes from a client makes the parser panic, and more octets never change a
    /// verdict.
    #[test]
    fn any_octets_are_judged(tail: Vec<u8>, size in 1_usize..90, at: usize, with: u8) {
        client_hello(&tail);
        let mut octets = records(&named("www.example.org"), size);
        let at = at % octets.len();
        octets[at] = with;
        octets.extend(tail);
        let mut verdict = None;
        for end in 0..=octets.len() {
            let now = client_hello(&octets[..end]);
            if verdict.is_some() {
                proptest::prop_assert_eq!(&now, &verdict);
            }
            verdict = now;
        }
    }
}
