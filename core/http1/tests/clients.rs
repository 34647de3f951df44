//! Who a request is from, and what servers are told of it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::IpAddr;

use core_http1::{FieldSlots, Limits, RequestHead};

const LIMITS: Limits = Limits {
    head_bytes: 32 * 1024,
    fields: 100,
};

/// 10.0.0.0/8 and ::1 are trusted.
fn is_trusted(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0] == 10,
        IpAddr::V6(ip) => ip.is_loopback(),
    }
}

fn client(peer: &str, fields: &str) -> String {
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let mut slots = FieldSlots::default();
    let head = RequestHead::parse(head.as_bytes(), &LIMITS, &mut slots);
    let head = head.unwrap().unwrap();
    head.client(peer.parse().unwrap(), is_trusted).to_string()
}

#[test]
fn list_is_believed_from_the_right_for_as_long_as_the_speaker_is_trusted() {
    let cases = [
        (
            "192.0.2.1",
            "X-Forwarded-For: 198.51.100.7\r\n",
            "192.0.2.1",
        ),
        ("192.0.2.1", "Forwarded: for=198.51.100.7\r\n", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        (
            "10.0.0.1",
            "X-Forwarded-For: 198.51.100.7\r\n",
            "198.51.100.7",
        ),
        (
            "10.0.0.1",
            "X-Forwarded-For: 1.1.1.1, 198.51.100.7\r\n",
            "198.51.100.7",
        ),
        (
            "10.0.0.1",
            "X-Forwarded-For: 1.1.1.1, 198.51.100.7, 10.9.9.9,\r\n",
            "198.51.100.7",
        ),
        // Everybody is trusted: the one furthest away.
        (
            "10.0.0.1",
            "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n",
            "10.0.0.3",
        ),
        // Several fields are one list.
        (
            "10.0.0.1",
            "X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 10.0.0.2\r\n",
            "1.1.1.1",
        ),
        // What is no address ends it: the last speaker is all that is known.
        (
            "10.0.0.1",
            "X-Forwarded-For: 1.1.1.1, unknown\r\n",
            "10.0.0.1",
        ),
        (
            "10.0.0.1",
            "X-Forwarded-For: 1.1.1.1, x, 10.0.0.2\r\n",
            "10.0.0.2",
        ),
        ("10.0.0.1", "X-Forwarded-For: 1.1.1.01\r\n", "10.0.0.1"),
        ("10.0.0.1", "X-Forwarded-For: \r\n", "10.0.0.1"),
        // With ports and brackets, as some write it.
        (
            "10.0.0.1",
            "X-Forwarded-For: 198.51.100.7:4711\r\n",
            "198.51.100.7",
        ),
        (
            "::1",
            "X-Forwarded-For: [2001:db8::7]:443\r\n",
            "2001:db8::7",
        ),
        ("::1", "X-Forwarded-For: [2001:db8::7]\r\n", "2001:db8::7"),
        ("::1", "X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7"),
        (
            "::1",
            "X-Forwarded-For: ::ffff:198.51.100.7\r\n",
            "198.51.100.7",
        ),
        // An alias is nobody's list (as everywhere in here).
        ("10.0.0.1", "X_Forwarded_For: 1.1.1.1\r\n", "10.0.0.1"),
        // Nor is the other field, which a proxy that speaks by this one leaves as the client wrote it.
        ("10.0.0.1", "Forwarded: for=1.1.1.1\r\n", "10.0.0.1"),
        (
            "10.0.0.1",
            "Forwarded: for=1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n",
            "2.2.2.2",
        ),
    ];
    for (peer, fields, expected) in cases {
        assert_eq!(client(peer, fields), expected, "{peer} with {fields}");
    }
}

#[test]
fn request_id_is_a_token_of_reasonable_length() {
    let id = |value: &str| {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: {value}\r\n\r\n");
        let mut slots = FieldSlots::default();
        let head = RequestHead::parse(head.as_bytes(), &LIMITS, &mut slots);
        let head = head.unwrap().unwrap();
        head.request_id().map(<[u8]>::to_vec)
    };
    for good in [
        "7",
        "0b5bc9a8-6a5f-4e0a-8c3e-4a1b2c3d4e5f",
        &"x".repeat(128),
    ] {
        assert_eq!(id(good).as_deref(), Some(good.as_bytes()));
    }
    for bad in ["", "a b", "a\"b", "a,b", "ä", &"x".repeat(129)] {
        assert_eq!(id(bad), None, "{bad}");
    }
}
