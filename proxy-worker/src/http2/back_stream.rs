//! A stream that we open with a server: to the session, a connection that serves once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use core_http2::decode::{BodyPart, Part, RequestDecoder};
use core_http2::encode;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::{Method, Request};

use super::back::Life;
use super::incoming::{Incoming, copy};
use super::outgoing::{poll_step, send_body};
use super::text::{self, Text};
use super::{Kept, broken};
use crate::io::Io;

/// The stream.
#[derive(Debug)]
pub(crate) struct BackStream {
    requests: SendRequest<Bytes>,
    life: Rc<Life>,
    /// How often something was read from the connection before the request was sent.
    reads: u64,
    decoder: RequestDecoder,
    kept: Kept,
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
    pub(super) fn new(
        requests: SendRequest<Bytes>,
        life: Rc<Life>,
        kept: Kept,
        secure: bool,
    ) -> Self {
        Self {
            requests,
            reads: life.reads(),
            life,
            decoder: RequestDecoder::new(secure),
            kept,
            asked_head: false,
            body: None,
            response: Response::Unasked,
            untouched: false,
        }
    }

    fn ask(&mut self, request: Request<()>) -> io::Result<()> {
        let ends = self.decoder.is_done();
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
        send_body(&mut self.decoder, body, part, &self.kept)
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

impl Text for BackStream {
    fn copy(&mut self, room: &mut [u8]) -> usize {
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

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match &mut self.response {
            Response::Unasked => Poll::Pending,
            Response::Awaited { .. } => self.poll_head(cx).map_ok(|()| true),
            Response::Begun(incoming) if incoming.has_ended() => Poll::Ready(Ok(false)),
            Response::Begun(incoming) => incoming.poll_more(cx).map_ok(|()| true),
            Response::Failed => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    fn poll_take(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let body = self.body.as_mut();
        let (used, part) = ready!(poll_step(&mut self.decoder, body, cx, octets, &self.kept))?;
        match part {
            Some(Part::Head(request)) => self.ask(request)?,
            Some(Part::Body(part)) => self.send(part).map_err(broken)?,
            None => {}
        }
        Poll::Ready(Ok(used))
    }
}

impl Io for BackStream {
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
