//! What a server may answer: RFC 9112 §4 and §6.3 as tables.

use core_http1::{BodyLength, Expected, FieldSlots, Limits, ResponseHead};

const LIMITS: Limits = Limits {
    head_bytes: 32 * 1024,
    fields: 100,
};

/// Length of the body and whether the connection can be used again; `None` for a refused head.
fn outcome(head: &str, asked_head: bool) -> Option<(BodyLength, bool)> {
    let expected = if asked_head {
        Expected::HeadOnly
    } else {
        Expected::Content
    };
    let mut slots = FieldSlots::default();
    let response = ResponseHead::parse(head.as_bytes(), &LIMITS, expected, &mut slots).ok()?;
    let response = response.expect("complete");
    Some((response.body, response.keep_alive))
}

/// Rules 1 and 4 to 6, 10 to 12, as they are for servers.
#[test]
fn malformed_response_heads_are_refused() {
    for head in [
        "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/1.1 600 High\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        assert_eq!(outcome(head, false), None, "{head:?}");
    }
}

#[test]
fn what_is_no_http_is_refused_before_its_first_line_ends() {
    for (octets, refused) in [
        (b"\0\xff\0".as_slice(), true),
        (b"SSH-2.0-OpenSSH", true),
        (b"HTTQ", true),
        (b"HTT", false),
        (b"HTTP/1.1 2", false),
        (b"", false),
    ] {
        let mut slots = FieldSlots::default();
        let head = ResponseHead::parse(octets, &LIMITS, Expected::Content, &mut slots);
        assert_eq!(head.is_err(), refused, "{octets:?}");
    }
}

/// Rule 25.
#[test]
fn unsolicited_switch_of_protocols_is_refused() {
    assert_eq!(
        outcome(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            false
        ),
        None
    );
}

/// Rule 16.
#[test]
fn responses_without_a_body_have_none_whatever_they_say() {
    let cases = [
        (
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            false,
        ),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            false,
        ),
        ("HTTP/1.1 103 Early Hints\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            true,
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", true),
    ];
    for (head, asked_head) in cases {
        assert_eq!(
            outcome(head, asked_head),
            Some((BodyLength::Fixed(0), true)),
            "{head:?}"
        );
    }
}

/// Rules 13 and 20.
#[test]
fn body_length_and_reuse_are_understood() {
    let cases = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            BodyLength::Fixed(5),
            true,
        ),
        (
            "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n",
            BodyLength::Fixed(5),
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            BodyLength::Chunked,
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
            BodyLength::Fixed(5),
            false,
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", BodyLength::UntilClose, false),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
            BodyLength::Fixed(5),
            false,
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n",
            BodyLength::Fixed(5),
            true,
        ),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
            BodyLength::UntilClose,
            false,
        ),
    ];
    for (head, body, keep_alive) in cases {
        assert_eq!(outcome(head, false), Some((body, keep_alive)), "{head:?}");
    }
}

proptest::proptest! {
    /// Nothing that comes from a server makes the parser panic.
    #[test]
    fn any_octets_are_judged(bytes: Vec<u8>) {
        let mut slots = FieldSlots::default();
        let _ = ResponseHead::parse(&bytes, &LIMITS, Expected::Content, &mut slots);
    }
}

/// As for requests: a head that comes octet by octet is read once, not once for each octet.
#[test]
fn head_is_read_when_it_may_be_whole() {
    let looks = |head: &str| -> Vec<usize> {
        (1..=head.len())
            .filter(|&end| ResponseHead::may_be_whole(&head.as_bytes()[..end], end - 1, &LIMITS))
            .collect()
    };
    // Who does not speak HTTP is told by the first octets.
    let begin = [1, 2, 3, 4, 5];
    let head = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a:\r\n".repeat(50));
    assert_eq!(looks(&head), [&begin[..], &[head.len()]].concat());
    assert_eq!(looks("HTTP/1.1 200 OK\n"), [&begin[..], &[16]].concat());
}
