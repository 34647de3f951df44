//! Responses of a session, for a client that speaks HTTP/2.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

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
    asked: Asked,
    head: HeadCollector,
    body: Option<BodyDecoder>,
    /// The answer was that the tunnel stands.
    switched: bool,
}

/// What the response answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Content,
    /// A HEAD.
    Head,
    /// An extended CONNECT.
    Tunnel,
}

impl ResponseDecoder {
    /// `asked_head`: the request was a HEAD.
    pub fn new(asked_head: bool) -> Self {
        Self::of(if asked_head {
            Asked::Head
        } else {
            Asked::Content
        })
    }

    /// For an extended CONNECT (RFC 8441): a 101 is read as the 200 that it is there, and what follows
    /// it as payload. Another 2xx, which would be taken for one, is read as 502 without a body.
    pub fn for_tunnel() -> Self {
        Self::of(Asked::Tunnel)
    }

    fn of(asked: Asked) -> Self {
        Self {
            asked,
            head: HeadCollector::default(),
            body: None,
            switched: false,
        }
    }

    /// Whether the tunnel stood.
    pub const fn is_switched(&self) -> bool {
        self.switched
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
        if self.asked == Asked::Tunnel {
            if status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(self.switch(fields));
            }
            if status.is_success() {
                return Ok(self.refuse());
            }
        }
        if status.is_informational() {
            return Ok(ResponsePart::Interim(status, fields));
        }
        let bodiless = self.asked == Asked::Head
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
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

    /// What belongs to the handshake of HTTP/1.1 alone, and a length, mean nothing here.
    fn switch<'a>(&mut self, mut fields: HeaderMap) -> ResponsePart<'a> {
        fields.remove(header::SEC_WEBSOCKET_ACCEPT);
        fields.remove(header::CONTENT_LENGTH);
        self.switched = true;
        self.body = Some(BodyDecoder::UntilClose);
        ResponsePart::Head {
            status: StatusCode::OK,
            fields,
            ends: false,
        }
    }

    fn refuse<'a>(&mut self) -> ResponsePart<'a> {
        self.body = Some(BodyDecoder::Done);
        ResponsePart::Head {
            status: StatusCode::BAD_GATEWAY,
            fields: HeaderMap::new(),
            ends: true,
        }
    }
}
