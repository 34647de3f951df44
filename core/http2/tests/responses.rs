//! Text of HTTP/1.1 as responses and requests of HTTP/2, and responses of HTTP/2 as text: rules 16,
//! 17, 26 and 31.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;

use core_http2::decode::{
    BodyPart, Memory, Part, RequestDecoder, ResponseDecoder, ResponseHead, Unreadable,
};
use core_http2::encode::{self, Framing};
use http::{HeaderMap, Response};
use proptest::prelude::*;

/// Names and values.
type Fields = &'static [(&'static str, &'static str)];

fn show(fields: &HeaderMap) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let _ = write!(text, " {name}={}", value.to_str().unwrap());
    }
    text
}

fn show_body(part: &BodyPart<'_>, said: &mut String) {
    match part {
        // Payload is shown without where it was split.
        BodyPart::Payload(octets) => said.push_str(str::from_utf8(octets).unwrap()),
        BodyPart::Trailers(fields) => {
            let _ = write!(said, "|trailers{}|end", show(fields));
        }
        BodyPart::End => said.push_str("|end"),
    }
}

/// What a response says, given in pieces.
fn response(asked_head: bool, pieces: &[&[u8]]) -> Result<String, Unreadable> {
    read(ResponseDecoder::new(asked_head), pieces)
}

fn read(mut decoder: ResponseDecoder, pieces: &[&[u8]]) -> Result<String, Unreadable> {
    let (mut memory, mut said) = (Memory::default(), String::new());
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() && !decoder.is_done() {
            let (used, part) = decoder.step(rest, &mut memory)?;
            rest = &rest[used..];
            match part {
                Some(Part::Head(ResponseHead::Interim(status, fields))) => {
                    let _ = write!(said, "{}{}|", status.as_u16(), show(&fields));
                }
                Some(Part::Head(ResponseHead::Final(status, fields))) => {
                    let end = if decoder.is_done() { "|end" } else { "|" };
                    let _ = write!(said, "{}{}{end}", status.as_u16(), show(&fields));
                }
                Some(Part::Body(part)) => show_body(&part, &mut said),
                None => {}
            }
            if decoder.take_end() {
                said.push_str("|end");
            }
        }
    }
    if decoder.close() {
        said.push_str("|closed");
    }
    Ok(said)
}

const RESPONSES: &[(bool, &str, &str)] = &[
    (
        false,
        "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
        "200 x-a=b content-length=5|hello|end",
    ),
    // Rule 17: what is cut short has no end.
    (
        false,
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
        "200 content-length=6|hello",
    ),
    (
        false,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "200|hello",
    ),
    (
        false,
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "200 content-length=0|end",
    ),
    // Rule 16: no body whatever the head says.
    (
        true,
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "200 content-length=5|end",
    ),
    (false, "HTTP/1.1 204 No Content\r\n\r\n", "204|end"),
    (
        false,
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "304 content-length=5|end",
    ),
    // Rule 26: interim heads.
    (
        false,
        "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        "103 link=a|204|end",
    ),
    // Rule 31: chunks, and trailers.
    (
        false,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n01\r\n!\r\n0\r\n\r\n",
        "200|hello!|end",
    ),
    (
        false,
        "HTTP/1.1 200 OK\r\nTrailer: grpc-status\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nhi\r\n0\r\nGrpc-Status: 0\r\nB: \r\n\r\n",
        "200 trailer=grpc-status|hi|trailers grpc-status=0 b=|end",
    ),
    // Only the end of the connection ends it.
    (false, "HTTP/1.1 200 OK\r\n\r\nhello", "200|hello|closed"),
];

#[test]
fn responses_are_read() {
    for (asked_head, text, expected) in RESPONSES {
        let said = response(*asked_head, &[text.as_bytes()]).unwrap();
        assert_eq!(said, *expected, "{text}");
    }
}

/// Rule 24: octets pass after a 101 only, and no other answer looks like one.
#[test]
fn tunnel_stands_after_a_101_only() {
    let cases = [
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: x\r\nContent-Length: 2\r\nX-A: b\r\n\r\nHTTP/1.1 404 ",
            "200 x-a=b|HTTP/1.1 404 |closed",
        ),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 Not Found\r\n\
             Content-Length: 2\r\n\r\nno",
            "103 link=x|404 content-length=2|no|end",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "502|end"),
        ("HTTP/1.1 204 No Content\r\n\r\n", "502|end"),
    ];
    for (text, expected) in cases {
        let said = read(ResponseDecoder::for_tunnel(), &[text.as_bytes()]).unwrap();
        assert_eq!(said, expected);
        let octets: Vec<_> = text.as_bytes().chunks(1).collect();
        assert_eq!(read(ResponseDecoder::for_tunnel(), &octets).unwrap(), said);
    }
}

#[test]
fn text_of_another_form_is_an_error() {
    let cases = [
        ("FTP/1.1 200 OK\r\n\r\n", Unreadable::Head),
        ("HTTP/1.0 200 OK\r\n\r\n", Unreadable::Head),
        ("HTTP/1.1 20\r\n\r\n", Unreadable::Head),
        ("HTTP/1.1 2000 OK\r\n\r\n", Unreadable::Head),
        ("HTTP/1.1 099 OK\r\n\r\n", Unreadable::Head),
        ("HTTP/1.1 200 OK\nA: b\r\n\r\n", Unreadable::Head),
        ("HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", Unreadable::Head),
        ("HTTP/1.1 200 OK\r\nA b\r\n\r\n", Unreadable::Head),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Unreadable::Head),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", Unreadable::Head),
        ("HTTP/1.1 200 OK\r\n: b\r\n\r\n", Unreadable::Head),
        ("HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n", Unreadable::Head),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            Unreadable::Head,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx",
            Unreadable::Body,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
            Unreadable::Body,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\n",
            Unreadable::Body,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naa",
            Unreadable::Body,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
            Unreadable::Body,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx\r\n\r\n",
            Unreadable::Body,
        ),
    ];
    for (text, error) in cases {
        assert_eq!(response(false, &[text.as_bytes()]), Err(error), "{text}");
    }
    let endless = [b'x'; 256 * 1024];
    assert_eq!(response(false, &[&endless]), Err(Unreadable::Head));
    let crowded = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(161));
    assert_eq!(
        response(false, &[crowded.as_bytes()]),
        Err(Unreadable::Head)
    );
}

/// What a request says, given in pieces.
fn request(secure: bool, pieces: &[&[u8]]) -> Result<String, Unreadable> {
    let mut decoder = RequestDecoder::new(secure);
    let (mut memory, mut said) = (Memory::default(), String::new());
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() && !decoder.is_done() {
            let (used, part) = decoder.step(rest, &mut memory)?;
            rest = &rest[used..];
            match part {
                Some(Part::Head(request)) => {
                    let end = if decoder.is_done() { "|end" } else { "|" };
                    let fields = show(request.headers());
                    let _ = write!(said, "{} {}{fields}{end}", request.method(), request.uri());
                }
                Some(Part::Body(part)) => show_body(&part, &mut said),
                None => {}
            }
            if decoder.take_end() {
                said.push_str("|end");
            }
        }
    }
    Ok(said)
}

const REQUESTS: &[(bool, &str, &str)] = &[
    (
        false,
        "GET /a?b HTTP/1.1\r\nHost: x:80\r\nX-Real-IP: 192.0.2.1\r\n\r\n",
        "GET http://x:80/a?b x-real-ip=192.0.2.1|end",
    ),
    (
        true,
        "POST / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: TE\r\n\
         Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nB: c\r\n\r\n",
        "POST https://x/ te=trailers|a|trailers b=c|end",
    ),
    (
        false,
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        "PUT http://x/ content-length=3|abc|end",
    ),
    (
        false,
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST http://x/ content-length=0|end",
    ),
];

#[test]
fn requests_are_read() {
    for (secure, text, expected) in REQUESTS {
        assert_eq!(
            request(*secure, &[text.as_bytes()]).unwrap(),
            *expected,
            "{text}"
        );
    }
    assert_eq!(
        request(false, &[b"GET / HTTP/1.1\r\n\r\n"]),
        Err(Unreadable::Head)
    );
    for line in [
        "GET  / HTTP/1.1",
        "GET / b HTTP/1.1",
        "GET /",
        "GET / HTTP/1.0",
    ] {
        let text = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(
            request(false, &[text.as_bytes()]),
            Err(Unreadable::Head),
            "{line}"
        );
    }
}

#[test]
fn responses_of_servers_become_text() {
    let cases: &[(u16, Fields, bool, bool, &str, Framing)] = &[
        (
            200,
            &[("content-length", "3")],
            true,
            false,
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\n",
            Framing::Raw,
        ),
        (
            200,
            &[("a", "b")],
            true,
            false,
            "HTTP/1.1 200 OK\r\na: b\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
            Framing::Chunked,
        ),
        // A gRPC answer that is nothing but trailers.
        (
            200,
            &[("grpc-status", "5")],
            false,
            false,
            "HTTP/1.1 200 OK\r\ngrpc-status: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            Framing::Raw,
        ),
        (
            200,
            &[],
            false,
            true,
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
            Framing::Raw,
        ),
        (
            204,
            &[],
            false,
            false,
            "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
            Framing::Raw,
        ),
        (
            103,
            &[("link", "a")],
            true,
            false,
            "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n",
            Framing::Raw,
        ),
        (
            599,
            &[],
            false,
            true,
            "HTTP/1.1 599 \r\nconnection: close\r\n\r\n",
            Framing::Raw,
        ),
    ];
    for (status, fields, has_body, asked_head, expected, framing) in cases {
        let mut response = Response::builder().status(*status);
        for (name, value) in *fields {
            response = response.header(*name, *value);
        }
        let (head, ()) = response.body(()).unwrap().into_parts();
        let mut out = Vec::new();
        let framed = encode::response(&head, *has_body, *asked_head, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), *expected);
        assert_eq!(framed, *framing);
    }
}

/// A text cut into pieces.
fn cut<'a>(text: &'a str, places: &[proptest::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = places.iter().map(|place| place.index(text.len())).collect();
    places.sort_unstable();
    let mut pieces = Vec::new();
    let mut start = 0;
    for end in places.into_iter().chain([text.len()]) {
        pieces.push(&text.as_bytes()[start..end]);
        start = end;
    }
    pieces
}

proptest! {
    /// Where the text is cut makes no difference.
    #[test]
    fn any_split_says_the_same(
        places in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
    ) {
        for (asked_head, text, expected) in RESPONSES {
            let said = response(*asked_head, &cut(text, &places)).unwrap();
            prop_assert_eq!(&said, expected, "{}", text);
        }
        for (secure, text, expected) in REQUESTS {
            let said = request(*secure, &cut(text, &places)).unwrap();
            prop_assert_eq!(&said, expected, "{}", text);
        }
    }

    /// No octets make it panic.
    #[test]
    fn octets_of_any_kind_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..64)) {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = response(false, &[&octets]);
        let _ = response(false, &[chunked, &octets]);
        let _ = request(false, &[&octets]);
    }
}
