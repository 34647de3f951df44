//! A stream that we open with a server: to the session, a connection that serves once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use core_http2::decode::{BodyPart, Part, RequestDecoder};
use core_http2::{Malformed, encode};
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
    fault: Option<io::Error>,
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
    /// Nothing more will come, for this reason.
    Failed(io::ErrorKind),
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
            fault: None,
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
                self.response = Response::Failed(io::ErrorKind::ConnectionReset);
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
            let written = encode::response(&head, true, false, text);
            return Poll::Ready(
                written
                    .map(drop)
                    .map_err(|error| self.handle_nonsense(error)),
            );
        }
        let (head, body) = match ready!(Pin::new(response).poll(cx)) {
            Ok(response) => response.into_parts(),
            Err(error) => {
                self.untouched = is_untouched(&error);
                self.response = Response::Failed(io::ErrorKind::ConnectionReset);
                return Poll::Ready(Err(broken(error)));
            }
        };
        let mut text = std::mem::take(text);
        let has_body = !body.is_end_stream();
        match encode::response(&head, has_body, self.asked_head, &mut text) {
            Ok(framing) => {
                self.response = Response::Begun(Incoming::new(text, framing, body));
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(self.handle_nonsense(error))),
        }
    }

    /// The server's head has no form in HTTP/1.1.
    fn handle_nonsense(&mut self, error: Malformed) -> io::Error {
        self.response = Response::Failed(io::ErrorKind::InvalidData);
        io::Error::new(io::ErrorKind::InvalidData, error)
    }

    /// What the session said has no form in HTTP/2, which is nobody's fault but ours: the server gets no
    /// more of it.
    fn give_up(&mut self) {
        self.body = None;
        self.response = Response::Failed(io::ErrorKind::InvalidInput);
    }
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
            Response::Unasked | Response::Failed(_) => 0,
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match &mut self.response {
            Response::Unasked => Poll::Pending,
            Response::Awaited { .. } => self.poll_head(cx).map_ok(|()| true),
            Response::Begun(incoming) if incoming.has_ended() => Poll::Ready(Ok(false)),
            Response::Begun(incoming) => incoming.poll_more(cx).map_ok(|()| true),
            Response::Failed(reason) => Poll::Ready(Err((*reason).into())),
        }
    }

    fn fault(&mut self) -> &mut Option<io::Error> {
        &mut self.fault
    }

    fn poll_take(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let body = self.body.as_mut();
        let taken = ready!(poll_step(&mut self.decoder, body, cx, octets, &self.kept));
        let (used, part) = taken.inspect_err(|error| {
            if error.kind() == io::ErrorKind::InvalidInput {
                self.give_up();
            }
        })?;
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

    fn hoard(&mut self, cx: &mut Context<'_>) {
        if let Response::Begun(incoming) = &mut self.response {
            incoming.hoard(cx);
        }
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

    /// If nothing came on other streams either, it may be the way that is gone.
    fn note_silence(&mut self) {
        if self.life.reads() == self.reads {
            self.life.suspect();
        }
    }
}
