//! A stream that we open with a server: to the session, a connection that serves once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use core_http2::decode::{BodyPart, RequestDecoder, RequestPart};
use core_http2::encode;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::{Method, Request};

use super::back::Life;
use super::incoming::{Incoming, copy};
use super::{broken, poll_capacity};
use crate::io::Io;

/// The stream.
#[derive(Debug)]
pub(crate) struct BackStream {
    requests: SendRequest<Bytes>,
    life: Rc<Life>,
    /// How often something was read from the connection before the request was sent.
    reads: u64,
    decoder: RequestDecoder,
    asked_head: bool,
    body: Option<SendStream<Bytes>>,
    response: Response,
    /// The server did nothing with what it was sent.
    untouched: bool,
}

/// What came of the response.
#[derive(Debug)]
enum Response {
    /// Nothing was asked yet.
    Unasked,
    /// Nothing, or interim heads; text that was not read yet, and how much of it was.
    Awaited {
        response: ResponseFuture,
        text: Vec<u8>,
        read: usize,
    },
    /// The final head.
    Begun(Incoming),
    /// Nothing more will come.
    Failed,
}

impl BackStream {
    pub(super) fn new(requests: SendRequest<Bytes>, life: Rc<Life>, secure: bool) -> Self {
        Self {
            requests,
            reads: life.reads(),
            life,
            decoder: RequestDecoder::new(secure),
            asked_head: false,
            body: None,
            response: Response::Unasked,
            untouched: false,
        }
    }

    /// Takes the front of what the session says; answers how many octets.
    fn poll_take(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if self.decoder.is_done() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let octets = match &mut self.body {
            Some(body) if self.decoder.is_at_payload() => {
                let capacity = ready!(poll_capacity(body, cx, octets.len()))?;
                octets.get(..capacity).unwrap_or(octets)
            }
            _ => octets,
        };
        let (used, part) = self.decoder.step(octets).map_err(io::Error::other)?;
        match part {
            Some(RequestPart::Head { request, ends }) => self.ask(*request, ends)?,
            Some(RequestPart::Body(part)) => self.send(part).map_err(broken)?,
            None => {}
        }
        Poll::Ready(Ok(used))
    }

    fn ask(&mut self, request: Request<()>, ends: bool) -> io::Result<()> {
        self.asked_head = *request.method() == Method::HEAD;
        match self.requests.send_request(request, ends) {
            Ok((response, body)) => {
                self.body = Some(body);
                self.response = Response::Awaited {
                    response,
                    text: Vec::new(),
                    read: 0,
                };
                Ok(())
            }
            Err(error) => {
                self.response = Response::Failed;
                self.untouched = true;
                Err(broken(error))
            }
        }
    }

    fn send(&mut self, part: BodyPart<'_>) -> Result<(), h2::Error> {
        let body = self.body.as_mut().ok_or(Reason::INTERNAL_ERROR)?;
        match part {
            BodyPart::Payload(octets) => {
                let ends = self.decoder.take_end();
                body.send_data(Bytes::copy_from_slice(octets), ends)
            }
            BodyPart::Trailers(trailers) => body.send_trailers(trailers),
            BodyPart::End => body.send_data(Bytes::new(), true),
        }
    }

    fn copy_held(&mut self, room: &mut [u8]) -> usize {
        match &mut self.response {
            Response::Awaited { text, read, .. } => {
                let count = copy(text.get(*read..).unwrap_or_default(), room);
                *read += count;
                count
            }
            Response::Begun(incoming) => incoming.copy(room),
            Response::Unasked | Response::Failed => 0,
        }
    }

    /// Takes what the server sent next; `false` when nothing more can come.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match &mut self.response {
            Response::Unasked => Poll::Pending,
            Response::Awaited { .. } => self.poll_head(cx).map_ok(|()| true),
            Response::Begun(incoming) if incoming.has_ended() => Poll::Ready(Ok(false)),
            Response::Begun(incoming) => incoming.poll_more(cx).map_ok(|()| true),
            Response::Failed => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    /// Waits for a head, interim or final; the text before it was read.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Response::Awaited {
            response,
            text,
            read,
        } = &mut self.response
        else {
            return Poll::Pending;
        };
        text.clear();
        *read = 0;
        if let Poll::Ready(Some(Ok(interim))) = response.poll_informational(cx) {
            let (head, ()) = interim.into_parts();
            encode::response(&head, true, false, text).map_err(malformed)?;
            return Poll::Ready(Ok(()));
        }
        let (head, body) = match ready!(Pin::new(response).poll(cx)) {
            Ok(response) => response.into_parts(),
            Err(error) => {
                self.untouched = is_untouched(&error);
                self.response = Response::Failed;
                return Poll::Ready(Err(broken(error)));
            }
        };
        let mut text = std::mem::take(text);
        let has_body = !body.is_end_stream();
        let framing = encode::response(&head, has_body, self.asked_head, &mut text);
        let incoming = Incoming::new(text, framing.map_err(malformed)?, body);
        self.response = Response::Begun(incoming);
        Poll::Ready(Ok(()))
    }
}

fn malformed(error: core_http2::Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Whether the server says that it did nothing (RFC 9113 §8.7): it refused the stream, or its
/// GOAWAY names an earlier one as the last.
fn is_untouched(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    error.is_remote() && (error.is_go_away() || refused)
}

impl Io for BackStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut filled = 0;
        while let Some(room) = room.get_mut(filled..).filter(|room| !room.is_empty()) {
            let count = self.copy_held(room);
            filled += count;
            if count > 0 {
                continue;
            }
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

    /// The request says where it ends.
    fn shut_down(&mut self, _: &mut Context<'_>) {}

    fn is_watched(&self) -> bool {
        true
    }

    /// A stream that is dropped before its end is reset anyway.
    fn make_close_a_reset(&mut self) {}

    fn is_stale(&mut self) -> bool {
        true
    }

    fn is_untouched(&self) -> bool {
        self.untouched
    }
}

impl Drop for BackStream {
    fn drop(&mut self) {
        let unanswered = matches!(self.response, Response::Awaited { .. });
        if unanswered && self.life.reads() == self.reads {
            self.life.suspect();
        }
    }
}
