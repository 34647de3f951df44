//! What is refused, and what a good head is understood to say: RFC 9112 §2 to §6 as tables.

use core_http1::{BodyLength, Fault, FieldSlots, Limits, RequestHead, Version};

const LIMITS: Limits = Limits {
    head_bytes: 32 * 1024,
    fields: 100,
};

/// Status of the refusal, or `None` for a head that is served.
fn refusal(head: &[u8]) -> Option<u16> {
    let mut slots = FieldSlots::default();
    match RequestHead::parse(head, &LIMITS, &mut slots) {
        Ok(Some(_)) => None,
        Ok(None) => panic!("incomplete: {:?}", String::from_utf8_lossy(head)),
        Err(fault) => Some(fault.status()),
    }
}

/// A request whose only interesting part are the lines after the Host field.
fn with_lines(lines: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes()
}

#[track_caller]
fn all_refused(status: u16, heads: &[&[u8]]) {
    for head in heads {
        assert_eq!(
            refusal(head),
            Some(status),
            "{:?}",
            String::from_utf8_lossy(head)
        );
    }
}

#[track_caller]
fn all_served(heads: &[&[u8]]) {
    for head in heads {
        assert_eq!(refusal(head), None, "{:?}", String::from_utf8_lossy(head));
    }
}

/// Rule 1.
#[test]
fn bare_lf_in_head_is_400() {
    all_refused(
        400,
        &[
            b"GET / HTTP/1.1\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n\n",
            b"GET / HTTP/1.1\n\n",
        ],
    );
}

/// Rule 1.
#[test]
fn bare_cr_or_nul_in_head_is_400() {
    all_refused(
        400,
        &[
            b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\rX\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
            b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        ],
    );
}

/// Rule 2.
#[test]
fn one_empty_line_before_a_request_is_skipped_and_no_more() {
    let mut slots = FieldSlots::default();
    let head = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let request = RequestHead::parse(head, &LIMITS, &mut slots)
        .unwrap()
        .unwrap();
    assert_eq!(request.len, head.len());
    all_refused(
        400,
        &[
            b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    );
}

/// Rule 2.
#[test]
fn whitespace_before_the_first_field_is_400() {
    all_refused(
        400,
        &[
            b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            b"GET / HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n",
        ],
    );
}

/// Rule 3.
#[test]
fn request_line_is_method_sp_target_sp_version() {
    all_refused(
        400,
        &[
            b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
            b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            b"GET /\r\nHost: a\r\n\r\n",
            b"GET / a HTTP/1.1\r\nHost: a\r\n\r\n",
            b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/11.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
            b"GET / http/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1,1\r\nHost: a\r\n\r\n",
            b"\x16\x03\x01\r\n\r\n",
        ],
    );
    all_served(&[b"BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n"]);
}

#[test]
fn other_protocols_are_400_before_their_first_line_ends() {
    // A TLS greeting, SOCKS 5, the binary protocol of memcached.
    all_refused(400, &[b"\x16\x03\x01", b"\x05\x01\0", b"\x80"]);
}

/// Rule 3.
#[test]
fn other_versions_are_505() {
    all_refused(
        505,
        &[
            b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\n",
        ],
    );
}

/// Rule 4 (CVE-2023-25725).
#[test]
fn field_name_is_a_token_right_before_the_colon() {
    for line in [
        ": x",
        "X : y",
        "X\t: y",
        "X y: z",
        "X(: y",
        "no colon",
        "X\u{e4}: y",
        "\"X\": y",
    ] {
        assert_eq!(
            refusal(&with_lines(&format!("{line}\r\n"))),
            Some(400),
            "{line:?}"
        );
    }
}

/// Rule 5.
#[test]
fn folded_line_is_400() {
    assert_eq!(refusal(&with_lines("X: a\r\n b\r\n")), Some(400));
    assert_eq!(refusal(&with_lines("X: a\r\n\tb\r\n")), Some(400));
}

/// Rule 6.
#[test]
fn field_value_with_control_character_is_400() {
    for byte in (0_u8..0x20)
        .chain([0x7f])
        .filter(|byte| !matches!(byte, b'\t' | b'\r' | b'\n'))
    {
        let mut head = b"GET / HTTP/1.1\r\nHost: a\r\nX: a".to_vec();
        head.push(byte);
        head.extend_from_slice(b"b\r\n\r\n");
        assert_eq!(refusal(&head), Some(400), "{byte:#x}");
    }
    all_served(&[b"GET / HTTP/1.1\r\nHost: a\r\nX: a\tb \xe4\r\n\r\n"]);
}

/// Rule 6.
#[test]
fn only_sp_and_htab_are_trimmed_from_values() {
    for value in ["\u{b}5", "\u{c}5", "\u{a0}5", "5\u{85}"] {
        let head = with_lines(&format!("Content-Length: {value}\r\n"));
        assert_eq!(refusal(&head), Some(400), "{value:?}");
    }
    assert_eq!(refusal(&with_lines("Content-Length: \t 5 \t\r\n")), None);
}

/// Rule 7.
#[test]
fn http11_has_exactly_one_valid_host() {
    all_refused(
        400,
        &[
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n",
        ],
    );
    for host in [
        "", "a,b", "a b", "u@a", "a:0", "a:65536", "a:", "a:b", "a/b", "a?b", "[::1", "[::g]",
        "[::1]x", "::1", "a%zz", "a\\b", "\u{e4}",
    ] {
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(refusal(head.as_bytes()), Some(400), "{host:?}");
    }
    for host in [
        "a",
        "A.example.org.",
        "a:1",
        "a:65535",
        "192.0.2.1:80",
        "[::1]",
        "[::1]:8080",
    ] {
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(refusal(head.as_bytes()), None, "{host:?}");
    }
    all_served(&[b"GET / HTTP/1.0\r\n\r\n"]);
}

/// Rule 8.
#[test]
fn absolute_target_replaces_host() {
    let cases = [
        ("http://b.example/x?y", "/x", Some("y"), "b.example"),
        ("HTTPS://b:8443", "/", None, "b:8443"),
        ("http://b?q", "/", Some("q"), "b"),
    ];
    for (target, path, query, host) in cases {
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
        let mut slots = FieldSlots::default();
        let request = RequestHead::parse(&head, &LIMITS, &mut slots)
            .unwrap()
            .unwrap();
        assert_eq!(request.target.path, path, "{target}");
        assert_eq!(request.target.query, query, "{target}");
        assert_eq!(request.host, Some(host), "{target}");
    }
}

/// Rule 8 (CVE-2023-45539).
#[test]
fn other_target_forms_are_refused() {
    let refused = [
        ("GET", "*", 400),
        ("GET", "a.example:80", 400),
        ("GET", "path", 400),
        ("GET", "ftp://a/", 400),
        ("GET", "http://u@a/", 400),
        ("GET", "http:///x", 400),
        ("GET", "/a#b", 400),
        ("GET", "/\u{e4}", 400),
        ("GET", "/\u{7f}", 400),
        ("CONNECT", "a.example:443", 405),
        ("TRACE", "/", 405),
    ];
    for (method, target, status) in refused {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(refusal(head.as_bytes()), Some(status), "{method} {target}");
    }
    all_served(&[b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"]);
}

#[test]
fn limits_are_414_and_431_even_before_the_head_is_complete() {
    let long = "a".repeat(9 * 1024);
    let whole = format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(refusal(whole.as_bytes()), Some(414));
    assert_eq!(refusal(format!("GET /{long}").as_bytes()), Some(414));
    let wide = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "a".repeat(33 * 1024));
    assert_eq!(refusal(wide.as_bytes()), Some(431));
    assert_eq!(refusal(&with_lines(&"X: y\r\n".repeat(100))), Some(431));
    assert_eq!(refusal(&with_lines(&"X: y\r\n".repeat(99))), None);
}

/// Rule 38: a head that comes octet by octet is read once, not once for each octet.
#[test]
fn head_is_read_when_it_may_be_whole() {
    let head = with_lines(&"a:\r\n".repeat(50));
    let looks = |head: &[u8]| -> Vec<usize> {
        (1..=head.len())
            .filter(|end| RequestHead::may_be_whole(&head[..*end], end - 1, &LIMITS))
            .collect()
    };
    assert_eq!(looks(&head), [1, 2, 3, head.len()]);
    // What is wrong is not waited for.
    assert_eq!(looks(b"GET / HTTP/1.1\r\nHost: a\n"), [1, 2, 3, 24]);
    let endless = vec![b'x'; LIMITS.head_bytes];
    assert_eq!(looks(&endless), [1, 2, 3, LIMITS.head_bytes]);
}

/// Rule 10.
#[test]
fn transfer_encoding_with_content_length_is_400() {
    for lines in [
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\ntransfer-encoding: chunked\r\n",
    ] {
        assert_eq!(refusal(&with_lines(lines)), Some(400), "{lines:?}");
    }
}

/// Rule 11.
#[test]
fn transfer_encoding_is_exactly_chunked_and_only_in_http11() {
    let refused = [
        ("chunked, chunked", 400),
        (",chunked", 400),
        ("chunked,", 400),
        ("x-chunked", 400),
        ("identity", 400),
        ("\"chunked\"", 400),
        ("chunked;q=1", 400),
        ("", 400),
        ("chunked, gzip", 400),
        ("gzip", 501),
        ("gzip, chunked", 501),
    ];
    for (value, status) in refused {
        let head = with_lines(&format!("Transfer-Encoding: {value}\r\n"));
        assert_eq!(refusal(&head), Some(status), "{value:?}");
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(refusal(&with_lines(twice)), Some(400));
    assert_eq!(
        refusal(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Some(400)
    );
    assert_eq!(refusal(&with_lines("Transfer-Encoding: Chunked\r\n")), None);
}

/// Rule 12.
#[test]
fn content_length_is_one_number_of_digits() {
    for value in [
        "",
        "+5",
        "-5",
        "0x5",
        "5_0",
        "5,5",
        "5, 6",
        "5 5",
        "9223372036854775808",
        "1e3",
        "٥",
    ] {
        let head = with_lines(&format!("Content-Length: {value}\r\n"));
        assert_eq!(refusal(&head), Some(400), "{value:?}");
    }
    let twice = "Content-Length: 5\r\nContent-Length: 5\r\n";
    assert_eq!(refusal(&with_lines(twice)), Some(400));
    for value in ["0", "007", "9223372036854775807"] {
        let head = with_lines(&format!("Content-Length: {value}\r\n"));
        assert_eq!(refusal(&head), None, "{value:?}");
    }
}

/// Rules 13 and 20: a request never ends with its connection.
#[test]
fn body_length_and_persistence_are_understood() {
    let cases = [
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            BodyLength::Fixed(0),
            true,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            BodyLength::Fixed(0),
            true,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n",
            BodyLength::Fixed(7),
            true,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            BodyLength::Chunked,
            true,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n",
            BodyLength::Fixed(0),
            false,
        ),
        ("GET / HTTP/1.0\r\n\r\n", BodyLength::Fixed(0), false),
        (
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            BodyLength::Fixed(0),
            true,
        ),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
            BodyLength::Fixed(0),
            false,
        ),
    ];
    for (head, body, keep_alive) in cases {
        let mut slots = FieldSlots::default();
        let request = RequestHead::parse(head.as_bytes(), &LIMITS, &mut slots)
            .unwrap()
            .unwrap();
        assert_eq!(
            (request.body, request.keep_alive),
            (body, keep_alive),
            "{head:?}"
        );
    }
}

/// Rule 27.
#[test]
fn expectations_other_than_continue_are_417() {
    assert_eq!(refusal(&with_lines("Expect: 100-Continue\r\n")), None);
    assert_eq!(refusal(&with_lines("Expect: tea\r\n")), Some(417));
    let twice = "Expect: 100-continue\r\nExpect: 100-continue\r\n";
    assert_eq!(refusal(&with_lines(twice)), Some(417));
}

#[test]
fn http10_is_told_apart() {
    let mut slots = FieldSlots::default();
    let request = RequestHead::parse(b"GET / HTTP/1.0\r\n\r\n", &LIMITS, &mut slots);
    let request = request.unwrap().unwrap();
    assert_eq!((request.version, request.host), (Version::Http10, None));
}

proptest::proptest! {
    /// A head is judged alike however it is cut into reads: incomplete until its last octet, then
    /// the same; a refusal may come earlier, but never differs from the one of the whole.
    #[test]
    fn any_split_gives_the_same_result(which in 0_usize..6, cut in 0_usize..400) {
        let heads: [&[u8]; 6] = [
            b"GET /a?b HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nContent-Length: 3\r\n\r\nabc",
            b"\r\nPOST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
            b"GET / HTTP/3.0\r\nHost: a\r\n\r\n",
            b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ];
        let head = heads[which];
        let outcome = |bytes: &[u8]| -> Result<Option<usize>, Fault> {
            let mut slots = FieldSlots::default();
            Ok(RequestHead::parse(bytes, &LIMITS, &mut slots)?.map(|request| request.len))
        };
        let whole = outcome(head);
        match outcome(&head[..cut.min(head.len())]) {
            Ok(None) => {}
            early => proptest::prop_assert_eq!(early, whole),
        }
    }

    /// Nothing that comes from outside makes the parser panic.
    #[test]
    fn any_octets_are_judged(bytes: Vec<u8>) {
        let mut slots = FieldSlots::default();
        let _ = RequestHead::parse(&bytes, &LIMITS, &mut slots);
    }
}
