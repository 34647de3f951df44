//! Responses of a session, for a client that speaks HTTP/2.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::body::BodyDecoder;
use super::head::{FIELDS_MAX, HeadCollector, Length, read_fields};
use super::{BodyPart, Unreadable};

/// What the front of the text is.
#[derive(Debug)]
pub enum ResponsePart<'a> {
    /// An interim head (1xx).
    Interim(StatusCode, HeaderMap),
    /// The final head; `ends` when no body follows.
    Head {
        /// The status, 200 and up.
        status: StatusCode,
        /// Its fields, without those about connections.
        fields: HeaderMap,
        /// It is all there is.
        ends: bool,
    },
    /// A part of the body; for the end of one of known length see [`ResponseDecoder::take_end`].
    Body(BodyPart<'a>),
}

/// Reads the response to one request.
#[derive(Debug)]
pub struct ResponseDecoder {
    asked_head: bool,
    head: HeadCollector,
    body: Option<BodyDecoder>,
}

impl ResponseDecoder {
    /// `asked_head`: the request was a HEAD.
    pub fn new(asked_head: bool) -> Self {
        Self {
            asked_head,
            head: HeadCollector::default(),
            body: None,
        }
    }

    /// Whether nothing more belongs to the response.
    pub const fn is_done(&self) -> bool {
        matches!(self.body, Some(BodyDecoder::Done))
    }

    /// Whether the payload that was taken last was all: the response is done then.
    pub fn take_end(&mut self) -> bool {
        match &mut self.body {
            Some(body) => body.take_end(),
            None => false,
        }
    }

    /// Takes the end of the connection: whether the response is complete by it.
    pub fn close(&mut self) -> bool {
        let ends = matches!(self.body, Some(BodyDecoder::UntilClose));
        if ends {
            self.body = Some(BodyDecoder::Done);
        }
        ends
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
    /// [`Unreadable`]: the stream cannot go on.
    pub fn step<'a>(
        &mut self,
        octets: &'a [u8],
    ) -> Result<(usize, Option<ResponsePart<'a>>), Unreadable> {
        if let Some(body) = &mut self.body {
            let (used, part) = body.step(octets)?;
            return Ok((used, part.map(ResponsePart::Body)));
        }
        let (used, head) = self.head.take(octets)?;
        let part = head.map(|head| self.read_head(&head)).transpose()?;
        Ok((used, part))
    }

    fn read_head<'a>(&mut self, head: &Bytes) -> Result<ResponsePart<'a>, Unreadable> {
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let mut parsed = httparse::Response::new(&mut []);
        let result = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut parsed,
            head,
            &mut slots,
        );
        let (Ok(httparse::Status::Complete(_)), Some(code)) = (result, parsed.code) else {
            return Err(Unreadable::Head);
        };
        let status = StatusCode::from_u16(code).map_err(|_| Unreadable::Head)?;
        let (fields, length) = read_fields(head, parsed.headers)?;
        if status.is_informational() {
            return Ok(ResponsePart::Interim(status, fields));
        }
        let bodiless =
            self.asked_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = match length {
            _ if bodiless => BodyDecoder::Done,
            Length::Fixed(0) => BodyDecoder::Done,
            Length::Fixed(octets) => BodyDecoder::Fixed(octets),
            Length::Chunked => BodyDecoder::chunked(),
            Length::Unsaid => BodyDecoder::UntilClose,
        };
        let ends = matches!(body, BodyDecoder::Done);
        self.body = Some(body);
        Ok(ResponsePart::Head {
            status,
            fields,
            ends,
        })
    }
}
