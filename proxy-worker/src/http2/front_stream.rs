//! A stream that a client opened: to the session, a connection with one request.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use core_http2::Malformed;
use core_http2::decode::{Part, ResponseDecoder, ResponseHead};
use core_http2::encode::{self, Framing};
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response, StatusCode};

use super::incoming::Incoming;
use super::outgoing::{poll_step, send_body};
use super::text::{self, Text};
use super::{Kept, broken};
use crate::io::Io;
use crate::request_id::RequestIds;

/// The stream.
#[derive(Debug)]
pub(crate) struct FrontStream {
    request: Incoming,
    response: Sending,
    decoder: ResponseDecoder,
    kept: Kept,
    /// Why the response must not be taken for complete.
    cut: Option<Reason>,
    fault: Option<io::Error>,
}

/// What the response is sent by.
#[derive(Debug)]
enum Sending {
    Head(SendResponse<Bytes>),
    Body(SendStream<Bytes>),
}

impl FrontStream {
    /// The stream of a request; `text` is empty. `None` if the request is malformed: the stream is
    /// reset then (RFC 9113 §8.1.1); or if it asks for a protocol that is not spoken here.
    pub(super) fn new(
        request: Request<RecvStream>,
        mut response: SendResponse<Bytes>,
        mut text: Vec<u8>,
        kept: Kept,
        ids: &RequestIds,
    ) -> Option<Self> {
        let (head, body) = request.into_parts();
        let has_body = !body.is_end_stream();
        let protocol = head.extensions.get::<Protocol>();
        let encoded = match protocol {
            None => encode::request(&head, has_body, &mut text),
            Some(protocol) => {
                let key = ids.next_key();
                encode::extended_connect(&head, protocol.as_str(), key, &mut text)
                    .map(|()| Framing::Raw)
            }
        };
        match encoded {
            Ok(framing) => Some(Self {
                request: Incoming::new(text, framing, body),
                response: Sending::Head(response),
                decoder: match protocol {
                    None => ResponseDecoder::new(head.method == Method::HEAD),
                    Some(_) => ResponseDecoder::for_tunnel(),
                },
                kept,
                cut: None,
                fault: None,
            }),
            Err(error) => {
                tracing::debug!("HTTP/2 request: {error}");
                refuse(&mut response, error);
                None
            }
        }
    }

    /// Whether the client got what it asked for: the whole response was given to the connection, or the
    /// tunnel stood.
    pub(super) const fn is_answered(&self) -> bool {
        self.decoder.is_done() || self.decoder.is_switched()
    }

    /// The memory of the request's text, which nobody reads any more.
    pub(super) fn take_memory(&mut self) -> Vec<u8> {
        self.request.take_memory()
    }

    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reason, h2::Error>> {
        match &mut self.response {
            Sending::Head(response) => response.poll_reset(cx),
            Sending::Body(body) => body.poll_reset(cx),
        }
    }

    fn send(&mut self, part: Part<'_, ResponseHead>) -> Result<(), h2::Error> {
        match (part, &mut self.response) {
            (Part::Head(ResponseHead::Interim(status, fields)), Sending::Head(response)) => {
                response.send_informational(head(status, fields))
            }
            (Part::Head(ResponseHead::Final(status, fields)), Sending::Head(response)) => {
                let ends = self.decoder.is_done();
                let body = response.send_response(head(status, fields), ends)?;
                self.response = Sending::Body(body);
                Ok(())
            }
            (Part::Body(part), Sending::Body(body)) => {
                send_body(&mut self.decoder, body, part, &self.kept)
            }
            // A head comes before a body, and only one.
            _ => Err(Reason::INTERNAL_ERROR.into()),
        }
    }

    /// The session has nothing more to say. Only a body without a length is complete by that.
    fn end(&mut self) {
        if self.decoder.is_done() {
            return;
        }
        let reason = self.cut.unwrap_or(Reason::INTERNAL_ERROR);
        match &mut self.response {
            Sending::Body(body) if self.cut.is_none() && self.decoder.close() => {
                // An error means that the connection is gone already.
                drop(body.send_data(Bytes::new(), true));
            }
            Sending::Body(body) => body.send_reset(reason),
            Sending::Head(response) => response.send_reset(reason),
        }
    }
}

impl Text for FrontStream {
    fn copy(&mut self, room: &mut [u8]) -> usize {
        self.request.copy(room)
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.request.has_ended() {
            // Of an answered request there is no more to read; what is not answered may be taken back.
            if self.decoder.is_switched() || self.decoder.is_done() {
                return Poll::Ready(Ok(false));
            }
            let reason = ready!(self.poll_reset(cx)).map_err(broken)?;
            return Poll::Ready(Err(broken(reason.into())));
        }
        let more = ready!(self.request.poll_more(cx));
        if let Err(error) = &more
            && error.kind() == io::ErrorKind::InvalidData
        {
            self.cut = Some(Reason::PROTOCOL_ERROR);
        }
        Poll::Ready(more.map(|()| true))
    }

    fn fault(&mut self) -> &mut Option<io::Error> {
        &mut self.fault
    }

    fn poll_take(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let body = match &mut self.response {
            Sending::Head(_) => None,
            Sending::Body(body) => Some(body),
        };
        let (used, part) = ready!(poll_step(&mut self.decoder, body, cx, octets, &self.kept))?;
        if let Some(part) = part {
            self.send(part).map_err(broken)?;
        }
        Poll::Ready(Ok(used))
    }
}

impl Io for FrontStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        text::poll_read(self, cx, room)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        text::poll_write(self, cx, parts)
    }

    fn hoard(&mut self, cx: &mut Context<'_>) {
        self.request.hoard(cx);
    }

    fn shut_down(&mut self, _: &mut Context<'_>) {
        self.end();
    }

    fn is_watched(&self) -> bool {
        true
    }

    fn make_close_a_reset(&mut self) {
        // RFC 8441 §5 has a name for a tunnel that breaks.
        let reason = if self.decoder.is_switched() {
            Reason::CANCEL
        } else {
            Reason::INTERNAL_ERROR
        };
        self.cut.get_or_insert(reason);
    }

    fn is_stale(&mut self) -> bool {
        true
    }

    fn told(&self, status: u16) -> u16 {
        self.decoder.told(status)
    }
}

impl Drop for FrontStream {
    fn drop(&mut self) {
        self.end();
    }
}

/// Ends a stream that is no request to us.
fn refuse(response: &mut SendResponse<Bytes>, error: Malformed) {
    if error == Malformed::Protocol {
        // An error means that the connection is gone already.
        drop(response.send_response(head(StatusCode::NOT_IMPLEMENTED, HeaderMap::new()), true));
    } else {
        response.send_reset(Reason::PROTOCOL_ERROR);
    }
}

fn head(status: StatusCode, fields: HeaderMap) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}
