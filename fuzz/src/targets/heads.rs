//! HTTP/1: heads that come in pieces mean what they mean at once, and so do bodies; and what goes on
//! to a server is understood there as it was here.

use std::net::{IpAddr, Ipv4Addr};

use core_http1::forward::{Origin, write_request};
use core_http1::{
    Body, BodyFault, BodyLength, Expected, FieldSlots, Framing, Limits, RequestHead, ResponseHead,
    Step,
};

use super::leave;
use crate::Target;

const LIMITS: Limits = Limits {
    head_bytes: 8 * 1024,
    fields: 64,
};

/// Heads of requests.
pub(crate) const REQUESTS: Target = Target {
    name: "http1-requests",
    seeds: || {
        texts(&[
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /x?y=z HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\nConnection: close, te\r\n\r\nabc",
            "PUT http://b/%41 HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n0\r\n\r\n",
            "OPTIONS * HTTP/1.0\r\nX-Forwarded-For: 1.2.3.4\r\nKeep-Alive: 5\r\n\r\n",
        ])
    },
    repair: end_head,
    check: check_request,
};

/// Heads of responses.
pub(crate) const RESPONSES: Target = Target {
    name: "http1-responses",
    seeds: || {
        texts(&[
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nok",
            "HTTP/1.1 204 \r\nConnection: close\r\n\r\n",
            "HTTP/1.0 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nTrailer: x\r\n\r\n",
        ])
    },
    repair: end_head,
    check: |input| {
        let mut slots = FieldSlots::default();
        let Ok(Some(head)) = ResponseHead::parse(input, &LIMITS, Expected::Content, &mut slots)
        else {
            return;
        };
        assert!(head.len <= input.len(), "longer than what was read");
        for cut in cuts(head.len) {
            let mut slots = FieldSlots::default();
            let early = ResponseHead::parse(&input[..cut], &LIMITS, Expected::Content, &mut slots);
            assert!(matches!(early, Ok(None)), "half a head is none");
        }
    },
};

/// Chunked bodies, in all three framings.
pub(crate) const CHUNKED: Target = Target {
    name: "http1-chunked",
    seeds: || {
        texts(&[
            "5\r\nhello\r\n0\r\n\r\n",
            "a;x=\"y\"\r\n0123456789\r\n1\r\n.\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\nGET /",
            "00000000000000ff\r\n",
        ])
    },
    repair: leave,
    check: |input| {
        for framing in [Framing::Keep, Framing::KeepWithoutTrailer, Framing::Strip] {
            let at_once = relayed(input, input.len().max(1), framing);
            for piece in [1, 2, 7] {
                assert_eq!(relayed(input, piece, framing), at_once, "{framing:?}");
            }
        }
    },
};

pub(super) fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub(super) fn end_head(head: &mut Vec<u8>) {
    if !head.windows(4).any(|end| end == b"\r\n\r\n") {
        head.extend(b"\r\n\r\n");
    }
}

/// Some places before the end of a head.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    [1, 2, 3, len / 2, 3 * len / 4]
        .into_iter()
        .filter_map(move |before_end| len.checked_sub(before_end))
        .filter(move |cut| *cut > 0 && *cut < len)
}

fn check_request(input: &[u8]) {
    check_looks(input);
    let mut slots = FieldSlots::default();
    let Ok(Some(head)) = RequestHead::parse(input, &LIMITS, &mut slots) else {
        return;
    };
    assert!(head.len <= input.len(), "longer than what was read");
    for cut in cuts(head.len) {
        let mut slots = FieldSlots::default();
        let early = RequestHead::parse(&input[..cut], &LIMITS, &mut slots);
        assert!(matches!(early, Ok(None)), "half a head is none");
    }
    check_against_httparse(input, &head);
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let origin = Origin {
        client: head.client(peer, |_| true),
        peer,
        is_trusted: true,
        request_id: head.request_id().unwrap_or(b"0"),
        scheme: "http",
        path: head.target.path,
        default_host: "default",
        websocket: true,
    };
    let mut sent = Vec::new();
    write_request(&head, &origin, &mut sent);
    let roomy = Limits {
        head_bytes: 64 * 1024,
        fields: 128,
    };
    let mut slots = FieldSlots::default();
    let there = RequestHead::parse(&sent, &roomy, &mut slots)
        .expect("what goes on is well-formed")
        .expect("and whole");
    assert_eq!(there.len, sent.len(), "nothing follows it");
    assert_eq!(there.method, head.method);
    assert_eq!(there.body, head.body, "where its body ends");
    assert!(there.keep_alive);
}

/// What is served here means the same to httparse, which shares no code with it.
fn check_against_httparse(input: &[u8], head: &RequestHead<'_, '_>) {
    let mut fields = [httparse::EMPTY_HEADER; LIMITS.fields];
    let mut theirs = httparse::Request::new(&mut fields);
    assert_eq!(
        theirs.parse(input),
        Ok(httparse::Status::Complete(head.len))
    );
    assert_eq!(
        (theirs.method, theirs.path),
        (Some(head.method), Some(head.raw_target))
    );
    for field in theirs.headers.iter() {
        let mut fields = theirs.headers.iter();
        let first = fields.find(|one| one.name.eq_ignore_ascii_case(field.name));
        assert_eq!(head.field(field.name), first.map(|first| first.value));
    }
}

/// What is not looked at again, with more octets, would not have been served; what is wrong with it is
/// found when it ends.
fn check_looks(input: &[u8]) {
    let mut slots = FieldSlots::default();
    let all = RequestHead::parse(input, &LIMITS, &mut slots);
    for known in cuts(input.len()) {
        let mut slots = FieldSlots::default();
        let early = RequestHead::parse(&input[..known], &LIMITS, &mut slots);
        if matches!(early, Ok(None)) && !RequestHead::may_be_whole(input, known, &LIMITS) {
            assert!(!matches!(all, Ok(Some(_))), "{known}");
        }
    }
}

/// What goes on of a body that comes in pieces, how it ended, and what was left unread.
type Relayed = (Vec<u8>, Option<Result<usize, BodyFault>>);

fn relayed(input: &[u8], piece: usize, framing: Framing) -> Relayed {
    let mut body = Body::new(BodyLength::Chunked, framing, 1 << 20);
    let (mut out, mut done) = (Vec::new(), 0);
    let mut end = 0;
    while end < input.len() {
        end = (end + piece).min(input.len());
        while done < end && !body.is_complete() {
            match body.step(&input[done..end]) {
                Ok(Step::Pass(0) | Step::Drop(0)) => break,
                Ok(Step::Pass(count)) => {
                    out.extend(&input[done..done + count]);
                    done += count;
                }
                Ok(Step::Drop(count)) => done += count,
                Ok(Step::Replace { consumed, with }) => {
                    out.extend(with);
                    done += consumed;
                }
                Err(fault) => return (Vec::new(), Some(Err(fault))),
            }
        }
        if body.is_complete() {
            return (out, Some(Ok(done)));
        }
    }
    (out, None)
}
