//! Responses of a session, for a client that speaks HTTP/2.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use super::Unreadable;
use super::body::BodyDecoder;
use super::head::{Length, Lines, read_fields};
use super::message::{Decoder, ReadHead};

/// What stands for a success that would be taken for a tunnel.
const REFUSED: StatusCode = StatusCode::BAD_GATEWAY;

/// Reads the response to one request.
pub type ResponseDecoder = Decoder<ResponseReader>;

/// A head, with its fields without those about connections.
#[derive(Debug)]
pub enum ResponseHead {
    /// An interim one (1xx).
    Interim(StatusCode, HeaderMap),
    /// The final one: 200 and up.
    Final(StatusCode, HeaderMap),
}

/// Understands heads of responses.
#[derive(Debug)]
pub struct ResponseReader {
    asked: Asked,
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
        Self::to(if asked_head {
            Asked::Head
        } else {
            Asked::Content
        })
    }

    /// For an extended CONNECT (RFC 8441): a 101 is read as the 200 that it is there, and what follows
    /// it as payload. Another 2xx, which would be taken for one, is read as 502 without a body.
    pub fn for_tunnel() -> Self {
        Self::to(Asked::Tunnel)
    }

    fn to(asked: Asked) -> Self {
        Self::of(ResponseReader {
            asked,
            switched: false,
        })
    }

    /// What the peer is told where this status is said.
    pub const fn told(&self, status: u16) -> u16 {
        match (self.reader.asked, status) {
            (Asked::Tunnel, 200..=299) => REFUSED.as_u16(),
            _ => status,
        }
    }

    /// Whether the tunnel stood.
    pub const fn is_switched(&self) -> bool {
        self.reader.switched
    }

    /// Takes the end of the connection: whether the response is complete by it.
    pub fn close(&mut self) -> bool {
        let ends = matches!(self.body, Some(BodyDecoder::UntilClose));
        if ends {
            self.body = Some(BodyDecoder::Done);
        }
        ends
    }
}

impl ReadHead for ResponseReader {
    type Head = ResponseHead;

    fn read(&mut self, head: &Bytes) -> Result<(ResponseHead, Option<BodyDecoder>), Unreadable> {
        let mut lines = Lines::new(head);
        let line = lines.next()?.ok_or(Unreadable::Head)?;
        let status = status(line).ok_or(Unreadable::Head)?;
        let (fields, length) = read_fields(head, &mut lines)?;
        if self.asked == Asked::Tunnel {
            if status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(self.switch(fields));
            }
            if status.is_success() {
                let refusal = ResponseHead::Final(REFUSED, HeaderMap::new());
                return Ok((refusal, Some(BodyDecoder::Done)));
            }
        }
        if status.is_informational() {
            return Ok((ResponseHead::Interim(status, fields), None));
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
        Ok((ResponseHead::Final(status, fields), Some(body)))
    }
}

impl ResponseReader {
    /// What belongs to the handshake of HTTP/1.1 alone, and a length, mean nothing here.
    fn switch(&mut self, mut fields: HeaderMap) -> (ResponseHead, Option<BodyDecoder>) {
        fields.remove(header::SEC_WEBSOCKET_ACCEPT);
        fields.remove(header::CONTENT_LENGTH);
        self.switched = true;
        let head = ResponseHead::Final(StatusCode::OK, fields);
        (head, Some(BodyDecoder::UntilClose))
    }
}

/// The status of a status line.
fn status(line: &[u8]) -> Option<StatusCode> {
    let ([a, b, c] | [a, b, c, b' ', ..]) = line.strip_prefix(b"HTTP/1.1 ")? else {
        return None;
    };
    StatusCode::from_bytes(&[*a, *b, *c]).ok()
}
