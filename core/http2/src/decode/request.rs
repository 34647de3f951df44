//! Requests of a session, for a server that speaks HTTP/2.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Uri};

use super::body::BodyDecoder;
use super::head::{FIELDS_MAX, HeadCollector, Length, read_fields};
use super::{BodyPart, Unreadable};

/// What the front of the text is.
#[derive(Debug)]
pub enum RequestPart<'a> {
    /// The head; `ends` when no body follows.
    Head {
        /// What is asked for.
        request: Box<Request<()>>,
        /// It is all there is.
        ends: bool,
    },
    /// A part of the body; for the end of one of known length see [`RequestDecoder::take_end`].
    Body(BodyPart<'a>),
}

/// Reads one request.
#[derive(Debug)]
pub struct RequestDecoder {
    scheme: Scheme,
    head: HeadCollector,
    body: Option<BodyDecoder>,
}

impl RequestDecoder {
    /// `secure`: the server is spoken to over TLS.
    pub fn new(secure: bool) -> Self {
        Self {
            scheme: if secure { Scheme::HTTPS } else { Scheme::HTTP },
            head: HeadCollector::default(),
            body: None,
        }
    }

    /// Whether nothing more belongs to the request.
    pub const fn is_done(&self) -> bool {
        matches!(self.body, Some(BodyDecoder::Done))
    }

    /// Whether the payload that was taken last was all: the request is done then.
    pub fn take_end(&mut self) -> bool {
        match &mut self.body {
            Some(body) => body.take_end(),
            None => false,
        }
    }

    /// Whether the next octet is payload.
    pub const fn is_at_payload(&self) -> bool {
        match &self.body {
            Some(body) => body.is_at_payload(),
            None => false,
        }
    }

    /// Takes the front of `octets`: how many octets, and what they are; `None` when they are part of
    /// something whose end is still to come.
    ///
    /// # Errors
    /// [`Unreadable`]: the request cannot be sent.
    pub fn step<'a>(
        &mut self,
        octets: &'a [u8],
    ) -> Result<(usize, Option<RequestPart<'a>>), Unreadable> {
        if let Some(body) = &mut self.body {
            let (used, part) = body.step(octets)?;
            return Ok((used, part.map(RequestPart::Body)));
        }
        let (used, head) = self.head.take(octets)?;
        let part = head.map(|head| self.read_head(&head)).transpose()?;
        Ok((used, part))
    }

    fn read_head<'a>(&mut self, head: &Bytes) -> Result<RequestPart<'a>, Unreadable> {
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let mut parsed = httparse::Request::new(&mut []);
        let result = parsed.parse_with_uninit_headers(head, &mut slots);
        let (Ok(httparse::Status::Complete(_)), Some(method), Some(target)) =
            (result, parsed.method, parsed.path)
        else {
            return Err(Unreadable::Head);
        };
        let (mut fields, length) = read_fields(head, parsed.headers)?;
        let uri = self.uri(head.slice_ref(target.as_bytes()), &mut fields)?;
        let body = match length {
            // Without a length a request has no body.
            Length::Fixed(0) | Length::Unsaid => BodyDecoder::Done,
            Length::Fixed(octets) => BodyDecoder::Fixed(octets),
            Length::Chunked => BodyDecoder::chunked(),
        };
        let ends = matches!(body, BodyDecoder::Done);
        self.body = Some(body);
        let mut request = Request::new(());
        *request.method_mut() =
            Method::from_bytes(method.as_bytes()).map_err(|_| Unreadable::Head)?;
        *request.uri_mut() = uri;
        *request.headers_mut() = fields;
        Ok(RequestPart::Head {
            request: Box::new(request),
            ends,
        })
    }

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
