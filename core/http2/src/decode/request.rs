//! Requests of a session, for a server that speaks HTTP/2.

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Uri};

use super::Unreadable;
use super::body::BodyDecoder;
use super::head::{Length, Lines, read_fields};
use super::message::{Decoder, ReadHead};

/// Reads one request.
pub type RequestDecoder = Decoder<RequestReader>;

/// Understands heads of requests.
#[derive(Debug)]
pub struct RequestReader {
    scheme: Scheme,
}

impl RequestDecoder {
    /// `secure`: the server is spoken to over TLS.
    pub fn new(secure: bool) -> Self {
        Self::of(RequestReader {
            scheme: if secure { Scheme::HTTPS } else { Scheme::HTTP },
        })
    }
}

impl ReadHead for RequestReader {
    type Head = Request<()>;

    fn read(&mut self, head: &Bytes) -> Result<(Request<()>, Option<BodyDecoder>), Unreadable> {
        let mut lines = Lines::new(head);
        let line = lines.next()?.ok_or(Unreadable::Head)?;
        let (method, target) = split_line(line).ok_or(Unreadable::Head)?;
        let (mut fields, length) = read_fields(head, &mut lines)?;
        let mut request = Request::new(());
        *request.method_mut() = Method::from_bytes(method).map_err(|_| Unreadable::Head)?;
        *request.uri_mut() = self.uri(head.slice_ref(target), &mut fields)?;
        *request.headers_mut() = fields;
        let body = match length {
            // Without a length a request has no body.
            Length::Fixed(0) | Length::Unsaid => BodyDecoder::Done,
            Length::Fixed(octets) => BodyDecoder::Fixed(octets),
            Length::Chunked => BodyDecoder::chunked(),
        };
        Ok((request, Some(body)))
    }
}

impl RequestReader {
    /// `Host` becomes `:authority` (RFC 9113 §8.3.1).
    fn uri(&self, target: Bytes, fields: &mut HeaderMap) -> Result<Uri, Unreadable> {
        let host = fields.remove(header::HOST).ok_or(Unreadable::Head)?;
        let authority = Authority::try_from(host.as_bytes()).map_err(|_| Unreadable::Head)?;
        let path = PathAndQuery::from_maybe_shared(target).map_err(|_| Unreadable::Head)?;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(authority);
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).map_err(|_| Unreadable::Head)
    }
}

/// The method and the target of a request line.
fn split_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.strip_suffix(b" HTTP/1.1")?;
    let (method, target) = line.split_at_checked(memchr::memchr(b' ', line)?)?;
    Some((method, target.strip_prefix(b" ")?))
}
