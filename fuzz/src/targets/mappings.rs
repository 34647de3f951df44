//! HTTP/2 as text of HTTP/1.1: whatever a head says, its text is one head and nothing more; and what
//! our own text says does not depend on where it is cut.

use std::fmt::Write as _;

use core_http1::{BodyLength, FieldSlots, Limits, RequestHead};
use core_http2::decode::{BodyPart, Memory, Part, ResponseDecoder, Unreadable};
use core_http2::encode::{self, Framing};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderName, HeaderValue, Method, Request, Uri, request};

use super::heads::{end_head, texts};
use super::leave;
use crate::Target;

/// More than the text of any input has.
const LIMITS: Limits = Limits {
    head_bytes: 64 * 1024,
    fields: 128,
};

/// Heads of requests: method, scheme, authority and path (`-`: none) on the first line, then what
/// follows: `+`, a body, or a `:protocol`; and a field on each other line.
pub(crate) const REQUESTS: Target = Target {
    name: "http2-requests",
    seeds: || {
        texts(&[
            "GET https a.example /x?y=%20\naccept: */*\nte: trailers",
            "POST http a:80 /upload +\ncontent-length: 5\nhost: A:80\ncookie: a=1\ncookie: b=2",
            "PUT http [::1]:8080 /{\"} +\nexpect: 100-continue\nx-a: \u{fc}",
            "OPTIONS - - *\nhost: b",
            "CONNECT - a:443 -",
            "CONNECT https a /chat websocket\nsec-websocket-version: 13\norigin: https://a",
        ])
    },
    repair: leave,
    check: check_request,
};

/// Texts of responses, for each kind of request.
pub(crate) const RESPONSES: Target = Target {
    name: "http2-responses",
    seeds: || {
        texts(&[
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\nno",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x01\x02HTTP/1.1 200 ",
        ])
    },
    repair: end_head,
    check: |input| {
        let decoders: [fn() -> ResponseDecoder; 3] = [
            || ResponseDecoder::new(false),
            || ResponseDecoder::new(true),
            ResponseDecoder::for_tunnel,
        ];
        for decoder in decoders {
            let at_once = read(decoder(), input.chunks(input.len().max(1)));
            for piece in [1, 2, 7] {
                let in_pieces = read(decoder(), input.chunks(piece));
                assert_eq!(in_pieces, at_once, "in pieces of {piece}");
            }
        }
    },
};

fn check_request(input: &[u8]) {
    let Some((head, follows)) = head(input) else {
        return;
    };
    let mut text = Vec::new();
    let encoded = match follows {
        None => encode::request(&head, false, &mut text),
        Some("+") => encode::request(&head, true, &mut text),
        Some(protocol) => {
            let encoded = encode::extended_connect(&head, protocol, [7; 16], &mut text);
            encoded.map(|()| Framing::Raw)
        }
    };
    let Ok(framing) = encoded else {
        return;
    };
    let end = text.windows(4).position(|end| end == b"\r\n\r\n");
    assert_eq!(end, text.len().checked_sub(4), "one empty line, at the end");
    let mut slots = FieldSlots::default();
    // What can be read and is wrong is for the reader to refuse.
    let Ok(read) = RequestHead::parse(&text, &LIMITS, &mut slots) else {
        return;
    };
    let read = read.expect("a whole head");
    assert_eq!(read.len, text.len(), "nothing follows it");
    let is_chunked = read.body == BodyLength::Chunked;
    assert_eq!(
        is_chunked,
        framing == Framing::Chunked,
        "where its body ends"
    );
    if matches!(follows, None | Some("+")) {
        assert_eq!(read.method, head.method.as_str());
        assert!(read.websocket.is_none(), "no tunnel that nobody asked for");
    } else {
        assert!(read.websocket.is_some() && !read.keep_alive);
    }
}

/// A head as the `h2` crate would give it, and what follows it.
fn head(input: &[u8]) -> Option<(request::Parts, Option<&str>)> {
    let mut lines = input.split(|octet| *octet == b'\n');
    let mut words = lines.next()?.split(|octet| *octet == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    let scheme = words.next()?;
    let mut parts = http::uri::Parts::default();
    parts.authority = part(words.next()?, |word| Authority::try_from(word).ok())?;
    parts.path_and_query = part(words.next()?, |word| PathAndQuery::try_from(word).ok())?;
    if parts.authority.is_some() {
        parts.scheme = part(scheme, |word| word.try_into().ok())?;
    }
    let follows = words.next().map(str::from_utf8).transpose().ok()?;
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_parts(parts).ok()?;
    for line in lines {
        let colon = line.iter().position(|octet| *octet == b':')?;
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name).ok()?;
        // The space behind the colon belongs to the form of the input.
        let value = HeaderValue::from_bytes(value.get(2..).unwrap_or_default()).ok()?;
        request.headers_mut().append(name, value);
    }
    Some((request.into_parts().0, follows))
}

/// A part of the first line: `None` when it is none, inside when it is absent.
#[expect(
    clippy::option_option,
    reason = "an absent part is not a malformed one"
)]
fn part<T>(word: &[u8], read: impl FnOnce(&[u8]) -> Option<T>) -> Option<Option<T>> {
    if word == b"-" {
        Some(None)
    } else {
        read(word).map(Some)
    }
}

/// What a response says, payload without where it was cut.
fn read<'a>(
    mut decoder: ResponseDecoder,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Result<(String, Vec<u8>), Unreadable> {
    let (mut said, mut payload) = (String::new(), Vec::new());
    let mut memory = Memory::default();
    for mut rest in pieces {
        while !rest.is_empty() && !decoder.is_done() {
            let (used, part) = decoder.step(rest, &mut memory)?;
            assert!(used > 0 || part.is_some(), "no progress");
            rest = &rest[used..];
            match part {
                Some(Part::Body(BodyPart::Payload(octets))) => payload.extend(octets),
                Some(part) => drop(write!(said, "{part:?}")),
                None => {}
            }
            if decoder.take_end() {
                said.push_str("end");
            }
        }
    }
    let closed = decoder.close();
    let _ = write!(said, "{closed} {}", decoder.is_done());
    Ok((said, payload))
}
