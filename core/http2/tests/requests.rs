//! Requests of HTTP/2 as text of HTTP/1.1: rules 28, 29 and 31.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core_http2::encode::{self, Framing};
use core_http2::{Malformed, encode::request};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use proptest::prelude::*;

/// Names and values.
type Fields = &'static [(&'static str, &'static str)];

/// A request by method, target and fields; its text, or what is wrong.
fn text(
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    has_body: bool,
) -> Result<(String, Framing), Malformed> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let mut out = Vec::new();
    let framing = encode::request(&head, has_body, &mut out)?;
    Ok((String::from_utf8(out).unwrap(), framing))
}

#[test]
fn requests_become_text() {
    let cases: &[(&str, &str, Fields, bool, &str, Framing)] = &[
        (
            "GET",
            "https://a.example/x?y=%20",
            &[("accept", "*/*"), ("te", "trailers")],
            false,
            "GET /x?y=%20 HTTP/1.1\r\nhost: a.example\r\naccept: */*\r\nte: trailers\r\n\r\n",
            Framing::Raw,
        ),
        // Rule 29: Host may say the same, in any case.
        (
            "GET",
            "http://a:80/",
            &[("host", "A:80")],
            false,
            "GET / HTTP/1.1\r\nhost: a:80\r\n\r\n",
            Framing::Raw,
        ),
        // Without :authority the field stands.
        (
            "OPTIONS",
            "*",
            &[("host", "b")],
            false,
            "OPTIONS * HTTP/1.1\r\nhost: b\r\n\r\n",
            Framing::Raw,
        ),
        // Rule 31: crumbs become one field.
        (
            "GET",
            "http://a/",
            &[
                ("cookie", "a=1"),
                ("x", "y"),
                ("cookie", "b=2"),
                ("cookie", "c=3"),
            ],
            false,
            "GET / HTTP/1.1\r\nhost: a\r\nx: y\r\ncookie: a=1; b=2; c=3\r\n\r\n",
            Framing::Raw,
        ),
        // Rule 31: a body of unknown length is chunked, one of known length is not.
        (
            "POST",
            "http://a/",
            &[],
            true,
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
            Framing::Chunked,
        ),
        (
            "POST",
            "http://a/",
            &[("content-length", "5")],
            true,
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n",
            Framing::Raw,
        ),
        (
            "CONNECT",
            "a:443",
            &[],
            false,
            "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n",
            Framing::Raw,
        ),
    ];
    for (method, target, fields, has_body, expected, framing) in cases {
        let (text, framed) = text(method, target, fields, *has_body).unwrap();
        assert_eq!((text.as_str(), framed), (*expected, *framing));
    }
}

#[test]
fn malformed_requests_are_refused() {
    use Malformed::{Authority, ConnectionField, Length, Path, Scheme, Te, Value};
    let cases: &[(&str, &str, Fields, Malformed)] = &[
        // Rule 28: what is about connections.
        (
            "GET",
            "http://a/",
            &[("connection", "close")],
            ConnectionField,
        ),
        (
            "GET",
            "http://a/",
            &[("transfer-encoding", "chunked")],
            ConnectionField,
        ),
        ("GET", "http://a/", &[("upgrade", "h2c")], ConnectionField),
        ("GET", "http://a/", &[("keep-alive", "1")], ConnectionField),
        (
            "GET",
            "http://a/",
            &[("proxy-connection", "close")],
            ConnectionField,
        ),
        ("GET", "http://a/", &[("te", "gzip, trailers")], Te),
        ("GET", "http://a/", &[("x", " y")], Value),
        ("GET", "http://a/", &[("x", "y\t")], Value),
        ("GET", "http://a/", &[("cookie", " a=1")], Value),
        ("GET", "http://a/", &[("host", "a ")], Value),
        (
            "POST",
            "http://a/",
            &[("content-length", "1"), ("content-length", "1")],
            Length,
        ),
        // Rule 29.
        ("GET", "*", &[("host", "a")], Path),
        ("GET", "ftp://a/", &[], Scheme),
        ("GET", "http://a/", &[("host", "b")], Authority),
        ("CONNECT", "/", &[], Authority),
    ];
    for (method, target, fields, malformed) in cases {
        assert_eq!(
            text(method, target, fields, false),
            Err(*malformed),
            "{target} {fields:?}"
        );
    }
}

/// What an extended CONNECT for `protocol` becomes.
fn tunnel(uri: &str, fields: &[(&str, &str)], protocol: &str) -> Result<String, Malformed> {
    let mut request = Request::builder().method("CONNECT").uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let mut out = Vec::new();
    encode::extended_connect(&head, protocol, *b"the sample nonce", &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn extended_connect_becomes_a_request_for_websocket() {
    let fields = [
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "of no use here"),
        ("sec-websocket-protocol", "chat"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ];
    let text = tunnel("https://a/chat?x", &fields, "websocket").unwrap();
    assert_eq!(
        text,
        "GET /chat?x HTTP/1.1\r\nhost: a\r\nsec-websocket-version: 13\r\n\
         sec-websocket-protocol: chat\r\ncookie: a=1; b=2\r\n\
         connection: upgrade, close\r\nupgrade: websocket\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let limits = core_http1::Limits {
        head_bytes: 1024,
        fields: 16,
    };
    let mut slots = core_http1::FieldSlots::default();
    let head = core_http1::RequestHead::parse(text.as_bytes(), &limits, &mut slots);
    let head = head.unwrap().unwrap();
    assert!(head.websocket.is_some() && !head.keep_alive);
}

#[test]
fn other_extended_connects_are_refused() {
    use Malformed::{Authority, ConnectionField, Length, Path, Protocol, Scheme};
    let cases: &[(&str, Fields, &str, Malformed)] = &[
        ("http://a/", &[], "connect-udp", Protocol),
        ("http://a/", &[], "WebSocket", Protocol),
        ("/chat", &[("host", "a")], "websocket", Authority),
        ("http://a/", &[("host", "b")], "websocket", Authority),
        ("*", &[], "websocket", Authority),
        ("a:443", &[], "websocket", Path),
        ("ftp://a/", &[], "websocket", Scheme),
        ("http://a/", &[("content-length", "5")], "websocket", Length),
        (
            "http://a/",
            &[("upgrade", "websocket")],
            "websocket",
            ConnectionField,
        ),
    ];
    for (uri, fields, protocol, malformed) in cases {
        assert_eq!(
            tunnel(uri, fields, protocol),
            Err(*malformed),
            "{uri} {fields:?} {protocol}"
        );
    }
}

#[test]
fn bodies_are_chunked_with_their_trailers() {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let cases = [
        (Framing::Raw, Some(&trailers), "hello"),
        (Framing::Raw, None, "hello"),
        (Framing::Chunked, None, "5\r\nhello\r\n0\r\n\r\n"),
        (
            Framing::Chunked,
            Some(&trailers),
            "5\r\nhello\r\n0\r\ngrpc-status: 0\r\n\r\n",
        ),
    ];
    for (framing, trailers, expected) in cases {
        let mut out = Vec::new();
        encode::piece_start(framing, 5, &mut out);
        out.extend_from_slice(b"hello");
        encode::piece_end(framing, &mut out);
        encode::end(framing, trailers, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
    trailers.insert("connection", HeaderValue::from_static("close"));
    let end = encode::end(Framing::Chunked, Some(&trailers), &mut Vec::new());
    assert_eq!(end, Err(Malformed::ConnectionField));
}

/// Whatever octets a value may hold in the `http` crate, and those that it should not let through.
fn value() -> impl Strategy<Value = HeaderValue> {
    proptest::collection::vec(any::<u8>(), 0..12)
        .prop_filter_map("no value", |octets| HeaderValue::from_bytes(&octets).ok())
}

proptest! {
    /// Rule 28: whatever fields a request has, its text has as many lines as it has fields, and ends
    /// with its only empty line.
    #[test]
    fn no_field_ends_a_line(
        fields in proptest::collection::vec(("[a-z][a-z0-9_-]{0,8}", value()), 0..8),
        path in "/[!-~\u{80}-\u{ff}]{0,12}",
    ) {
        let Ok(request_head) = Request::builder().uri(format!("http://a{path}")).body(()) else {
            return Ok(());
        };
        let (mut head, ()) = request_head.into_parts();
        for (name, value) in &fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            head.headers.append(name, value.clone());
        }
        let mut out = Vec::new();
        if request(&head, false, &mut out).is_ok() {
            let ends: Vec<_> = memchr::memmem::find_iter(&out, b"\r\n\r\n").collect();
            prop_assert_eq!(ends, [out.len() - 4]);
            let crumbs = head.headers.get_all("cookie").iter().count().saturating_sub(1);
            let lines = memchr::memchr_iter(b'\n', &out).count();
            prop_assert_eq!(lines, 3 + head.headers.len() - crumbs);
            prop_assert_eq!(memchr::memchr_iter(b'\r', &out).count(), lines);
        }
    }
}
