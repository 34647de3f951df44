//! Heads as httparse reads them, which shares no code with this crate: what is accepted here is read
//! there to the same effect, and what is well-formed there is refused here only where we are stricter.

use core_http1::{Expected, Fault, FieldSlots, Limits, RequestHead, ResponseHead};
use proptest::prelude::*;
use proptest::sample::select;

const LIMITS: Limits = Limits {
    head_bytes: 4096,
    fields: 64,
};

/// Pieces of heads, good and bad, to be put together in any order.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "GET",
        "/",
        "/a?b=c",
        "http://h/",
        " ",
        " ",
        "HTTP/1.1",
        "HTTP/1.0",
        "HTTP/1.1 200 OK",
        "404",
        "\r\n",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "\t",
        ":",
        ": ",
        "Host: h\r\n",
        "Accept: */*\r\n",
        "X-Empty:\r\n",
        "A:  b \t\r\n",
        "x",
        "~!#$%&'*+-.^_`|",
        "(",
        "\u{1}",
        "\u{7f}",
        "é",
        "Cookie",
        "a b",
        "\"",
    ]);
    let pieces = prop::collection::vec(piece, 0..12);
    (any::<bool>(), pieces).prop_map(|(is_likely, pieces)| {
        let start = if is_likely {
            "GET / HTTP/1.1\r\nHost: h\r\n"
        } else {
            ""
        };
        [start, &pieces.concat(), "\r\n\r\n"].concat().into_bytes()
    })
}

/// Whether every line ends in CRLF and no CR stands anywhere else: httparse is content with less.
fn has_clean_lines(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).replace("\r\n", "");
    !text.contains(['\r', '\n']) && !head.starts_with(b"\r\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn requests_are_read_as_by_httparse(bytes in pieces()) {
        let mut slots = FieldSlots::default();
        let ours = RequestHead::parse(&bytes, &LIMITS, &mut slots);
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut theirs = httparse::Request::new(&mut fields);
        let end = theirs.parse(&bytes);
        match ours {
            Ok(Some(head)) => {
                prop_assert_eq!(end, Ok(httparse::Status::Complete(head.len)));
                prop_assert_eq!(theirs.method, Some(head.method));
                prop_assert_eq!(theirs.path, Some(head.raw_target));
                for field in theirs.headers.iter() {
                    let first = theirs.headers.iter().find(|one| one.name.eq_ignore_ascii_case(field.name));
                    prop_assert_eq!(head.field(field.name), first.map(|one| one.value));
                }
            }
            Ok(None) => prop_assert!(!matches!(end, Ok(httparse::Status::Complete(_)))),
            Err(Fault::LineEnding | Fault::StartLine | Fault::Field) => {
                let is_whole = matches!(end, Ok(httparse::Status::Complete(len)) if has_clean_lines(&bytes[..len]));
                prop_assert!(!is_whole, "{:?} is well-formed", String::from_utf8_lossy(&bytes));
            }
            Err(_) => {}
        }
    }

    #[test]
    fn responses_are_read_as_by_httparse(bytes in pieces()) {
        let bytes = [b"HTTP/1.1 200".as_slice(), &bytes].concat();
        let mut slots = FieldSlots::default();
        let ours = ResponseHead::parse(&bytes, &LIMITS, Expected::Content, &mut slots);
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut theirs = httparse::Response::new(&mut fields);
        let end = theirs.parse(&bytes);
        match ours {
            Ok(Some(head)) => {
                prop_assert_eq!(end, Ok(httparse::Status::Complete(head.len)));
                prop_assert_eq!(theirs.code, Some(head.status));
            }
            Ok(None) => prop_assert!(!matches!(end, Ok(httparse::Status::Complete(_)))),
            Err(Fault::LineEnding | Fault::StartLine | Fault::Field) => {
                let is_whole = matches!(end, Ok(httparse::Status::Complete(len)) if has_clean_lines(&bytes[..len]));
                prop_assert!(!is_whole, "{:?} is well-formed", String::from_utf8_lossy(&bytes));
            }
            Err(_) => {}
        }
    }
}
