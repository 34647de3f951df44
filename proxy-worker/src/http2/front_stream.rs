//! A stream that a client opened: to the session, a connection with one request.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use core_http2::Malformed;
use core_http2::decode::{BodyPart, ResponseDecoder, ResponsePart};
use core_http2::encode::{self, Framing};
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response, StatusCode};

use super::incoming::Incoming;
use super::{broken, poll_capacity};
use crate::io::Io;
use crate::request_id::RequestIds;

/// The stream.
#[derive(Debug)]
pub(crate) struct FrontStream {
    request: Incoming,
    response: Sending,
    decoder: ResponseDecoder,
    /// Why the response must not be taken for complete.
    cut: Option<Reason>,
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
                cut: None,
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

    /// Takes what the client sent next; `false` when nothing more can come.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let ended = self.request.has_ended();
        if self.decoder.is_switched() {
            if ended {
                return Poll::Ready(Ok(false));
            }
        } else if self.decoder.is_done() {
            return Poll::Ready(Ok(false));
        } else if ended {
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

    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reason, h2::Error>> {
        match &mut self.response {
            Sending::Head(response) => response.poll_reset(cx),
            Sending::Body(body) => body.poll_reset(cx),
        }
    }

    /// Takes the front of what the session says; answers how many octets.
    fn poll_take(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if self.decoder.is_done() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let octets = match &mut self.response {
            Sending::Body(body) if self.decoder.is_at_payload() => {
                let capacity = ready!(poll_capacity(body, cx, octets.len()))?;
                octets.get(..capacity).unwrap_or(octets)
            }
            _ => octets,
        };
        let (used, part) = self.decoder.step(octets).map_err(io::Error::other)?;
        if let Some(part) = part {
            self.send(part).map_err(broken)?;
        }
        Poll::Ready(Ok(used))
    }

    fn send(&mut self, part: ResponsePart<'_>) -> Result<(), h2::Error> {
        match (part, &mut self.response) {
            (ResponsePart::Interim(status, fields), Sending::Head(response)) => {
                response.send_informational(head(status, fields))
            }
            (
                ResponsePart::Head {
                    status,
                    fields,
                    ends,
                },
                Sending::Head(response),
            ) => {
                let body = response.send_response(head(status, fields), ends)?;
                self.response = Sending::Body(body);
                Ok(())
            }
            (ResponsePart::Body(BodyPart::Payload(octets)), Sending::Body(body)) => {
                let ends = self.decoder.take_end();
                body.send_data(Bytes::copy_from_slice(octets), ends)
            }
            (ResponsePart::Body(BodyPart::Trailers(trailers)), Sending::Body(body)) => {
                body.send_trailers(trailers)
            }
            (ResponsePart::Body(BodyPart::End), Sending::Body(body)) => {
                body.send_data(Bytes::new(), true)
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

impl Io for FrontStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut filled = 0;
        while let Some(room) = room.get_mut(filled..).filter(|room| !room.is_empty()) {
            let count = self.request.copy(room);
            filled += count;
            if count > 0 {
                continue;
            }
            // What ends the stream is told when there is nothing else to tell.
            match self.poll_more(cx) {
                Poll::Ready(Ok(true)) => {}
                _ if filled > 0 => break,
                end => return end.map_ok(|_| 0),
            }
        }
        Poll::Ready(Ok(filled))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut taken = 0;
        for part in parts {
            let mut rest: &[u8] = part;
            while !rest.is_empty() {
                match self.poll_take(cx, rest)? {
                    Poll::Ready(count) => {
                        taken += count;
                        rest = rest.get(count..).unwrap_or_default();
                    }
                    Poll::Pending if taken > 0 => return Poll::Ready(Ok(taken)),
                    Poll::Pending => return Poll::Pending,
                }
            }
        }
        Poll::Ready(Ok(taken))
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
