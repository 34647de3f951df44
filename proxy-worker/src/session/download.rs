//! The response's way to the client.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use core_http1::forward::{Delivery, write_response};
use core_http1::{
    Body, BodyLength, FIELDS_MAX, FieldSlots, Framing, Limits, ResponseHead, Step, Version,
};

use super::Wait;
use super::client::Client;
use super::exchange::{Exchange, Outcome};
use super::line::Line;
use crate::access_log::End;
use crate::io::{Dial, Io};
use crate::worker::{Scratch, Worker};

/// What a server's head may have; servers are trusted with more than clients.
const LIMITS: Limits = Limits {
    head_bytes: 64 * 1024,
    fields: FIELDS_MAX,
};

/// Octets of a body that are copied behind the head to be sent with it.
const COPIED_MAX: usize = 4 * 1024;

/// Reads of one connection before the others get their turn.
const READS_PER_TURN: usize = 16;

/// Octets read at once for a client that did not take all of the last ones: this much, and no more,
/// may wait for it.
const SLOW_READ: usize = 64 * 1024;

/// A response on its way.
#[derive(Debug)]
pub(crate) struct Download {
    phase: Phase,
    /// A part of a head.
    held: Vec<u8>,
    /// Some octet of a response came.
    answered: bool,
    /// A head went to the client, or is about to: an interim one, or the final one.
    spoken: bool,
    /// The final head went to the client.
    begun: bool,
    /// The client sees the end of the response by the end of its connection only.
    ends_by_closing: bool,
    /// The client was told that its connection stays open.
    keeps_client: bool,
    /// The server lets its connection be used again.
    keeps_server: bool,
    /// How long it will wait then, as it says.
    idle_timeout: Option<Duration>,
    slow_client: bool,
    end: End,
}

#[derive(Debug)]
enum Phase {
    Head,
    Body(Body),
    /// The head was a 101: what follows is for a tunnel.
    Switched,
}

impl Download {
    pub(crate) const fn new() -> Self {
        Self {
            phase: Phase::Head,
            held: Vec::new(),
            answered: false,
            spoken: false,
            begun: false,
            ends_by_closing: false,
            keeps_client: false,
            keeps_server: false,
            idle_timeout: None,
            slow_client: false,
            end: End {
                status: 0,
                body_octets: 0,
            },
        }
    }

    pub(super) const fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether the client has seen anything of a response.
    pub(super) const fn has_spoken(&self) -> bool {
        self.spoken
    }

    pub(super) const fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    pub(super) const fn keeps_client(&self) -> bool {
        self.keeps_client
    }

    pub(super) const fn ends_by_closing(&self) -> bool {
        self.begun && self.ends_by_closing
    }

    /// What the log says; 499, as in nginx, when the client left before there was a response.
    pub(super) const fn end(&self) -> End {
        if self.end.status == 0 {
            End {
                status: 499,
                body_octets: 0,
            }
        } else {
            self.end
        }
    }
}

impl<D: Dial> Exchange<D> {
    /// Moves the response on. Answers what it waits for; `None` when the request has to be sent
    /// again. The end of the response is an [`Outcome`], as all ends are.
    pub(super) fn poll_download<C: Io>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client<C>,
        scratch: &mut Scratch,
        worker: &Rc<Worker<D>>,
    ) -> Result<Option<Wait>, Outcome> {
        let Scratch { read, head, slots } = scratch;
        for _ in 0..READS_PER_TURN {
            match client.port.poll_flush(cx) {
                Poll::Pending => {
                    self.download.slow_client = true;
                    if let Line::Open { port, .. } = &mut self.line {
                        port.io.hoard(cx);
                    }
                    return Ok(Some(Wait::Send));
                }
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Err(Outcome::Abort),
            }
            let Line::Open { port, .. } = &mut self.line else {
                return Ok(None);
            };
            let limit = if self.download.slow_client {
                SLOW_READ
            } else {
                read.len()
            };
            let room = read.get_mut(..limit).unwrap_or_default();
            match port.poll_read(cx, room) {
                Poll::Pending => return Ok(Some(Wait::Response)),
                Poll::Ready(Ok(count)) if count > 0 => {
                    let octets = room.get(..count).unwrap_or_default();
                    if !self.take_response(cx, client, octets, head, slots, worker)? {
                        return Ok(None);
                    }
                }
                Poll::Ready(end) => {
                    self.handle_server_end(&end, worker)?;
                    return Ok(None);
                }
            }
        }
        cx.waker().wake_by_ref();
        Ok(Some(Wait::Response))
    }

    /// The server closed its connection, in good order or not. Comes back only when the request is
    /// sent again.
    fn handle_server_end(
        &mut self,
        end: &io::Result<usize>,
        worker: &Worker<D>,
    ) -> Result<(), Outcome> {
        let is = |kind| matches!(end, Err(error) if error.kind() == kind);
        match &mut self.download.phase {
            _ if is(io::ErrorKind::InvalidInput) => Err(self.failure(500)),
            Phase::Head if self.download.answered => self.handle_bad_answer(worker),
            Phase::Head => self.handle_early_end(is(io::ErrorKind::ConnectionReset), worker),
            Phase::Body(body) => match body.handle_end() {
                Ok(()) if end.is_ok() => Err(self.complete(false, worker)),
                _ => {
                    self.upstream.handle_failure(self.server, worker.now());
                    Err(Outcome::Abort)
                }
            },
            Phase::Switched => Err(Outcome::Abort),
        }
    }

    /// Takes what came; false when the request is sent again.
    fn take_response<C: Io>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client<C>,
        octets: &[u8],
        head: &mut Vec<u8>,
        slots: &mut FieldSlots,
        worker: &Worker<D>,
    ) -> Result<bool, Outcome> {
        self.download.answered = true;
        head.clear();
        let mut held = std::mem::take(&mut self.download.held);
        let octets = if held.is_empty() {
            octets
        } else {
            let known = held.len();
            held.extend_from_slice(octets);
            if !ResponseHead::may_be_whole(&held, known, &LIMITS) {
                self.download.held = held;
                return Ok(true);
            }
            held.as_slice()
        };
        let Some(used) = self.take_heads(octets, head, slots, worker)? else {
            return Ok(false);
        };
        let rest = octets.get(used..).unwrap_or_default();
        if matches!(self.download.phase, Phase::Switched) {
            let sent = client.port.send(cx, head, rest);
            self.download.end.body_octets = u64::try_from(rest.len()).unwrap_or(0);
            return Err(sent.map_or(Outcome::Abort, |()| Outcome::Switch));
        }
        if matches!(self.download.phase, Phase::Head) {
            // What is left is part of a head; interim heads before it go on now.
            self.download.held = rest.to_vec();
            let sent = client.port.send(cx, head, &[]);
            return sent.map(|()| true).map_err(|_| Outcome::Abort);
        }
        self.pass_body(cx, client, rest, head, worker)
            .map(|()| true)
    }

    /// Sends the final head, if it is not sent yet, and what belongs to the body.
    fn pass_body<C: Io>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client<C>,
        octets: &[u8],
        head: &mut Vec<u8>,
        worker: &Worker<D>,
    ) -> Result<(), Outcome> {
        let Phase::Body(body) = &mut self.download.phase else {
            return Ok(());
        };
        let mut taken = 0;
        while !head.is_empty() || taken < octets.len() && !body.is_complete() {
            let rest = octets.get(taken..).unwrap_or_default();
            let Ok(step) = body.step(rest) else {
                // The server's coding is broken: the client must not take this for the end.
                self.upstream.handle_failure(self.server, worker.now());
                return Err(self.failure(502));
            };
            let (consumed, passing) = match &step {
                Step::Pass(count) => (*count, rest.get(..*count).unwrap_or_default()),
                Step::Drop(count) => (*count, [].as_slice()),
                Step::Replace { consumed, with } => (*consumed, with.as_slice()),
            };
            let sent = if passing.len() <= COPIED_MAX {
                // One buffer is cheaper for the kernel than two.
                head.extend_from_slice(passing);
                client.port.send(cx, head, &[])
            } else {
                client.port.send(cx, head, passing)
            };
            sent.map_err(|_| Outcome::Abort)?;
            head.clear();
            self.download.begun = true;
            taken += consumed;
            self.download.end.body_octets += u64::try_from(passing.len()).unwrap_or(0);
        }
        if body.is_complete() {
            let clean = taken == octets.len() && self.download.keeps_server;
            return Err(self.complete(clean, worker));
        }
        Ok(())
    }

    /// Renders the heads at the front of `octets` into `out`: interim ones, and the final one, after
    /// which the body begins. Answers how many octets they have; `None` when the request is sent
    /// again.
    fn take_heads(
        &mut self,
        octets: &[u8],
        out: &mut Vec<u8>,
        slots: &mut FieldSlots,
        worker: &Worker<D>,
    ) -> Result<Option<usize>, Outcome> {
        let mut used = 0;
        while matches!(self.download.phase, Phase::Head) {
            let rest = octets.get(used..).unwrap_or_default();
            let head = match ResponseHead::parse(rest, &LIMITS, self.asked.expected(), slots) {
                Ok(Some(head)) => head,
                Ok(None) => break,
                Err(fault) => {
                    tracing::debug!(upstream = self.upstream.spec.name, "response: {fault}");
                    self.handle_bad_answer(worker)?;
                    return Ok(None);
                }
            };
            if self.replaces_answer(head.status, worker)? {
                return Ok(None);
            }
            used += head.len;
            self.awaits_continue &= head.status != 100;
            self.is_private |= head.binds_connection;
            if head.is_switch() {
                self.upstream.handle_success(self.server);
                self.download.end.status = head.status;
                self.download.phase = Phase::Switched;
            } else if !head.is_interim() {
                self.download.ends_by_closing = match head.body {
                    BodyLength::Fixed(_) => false,
                    BodyLength::Chunked => self.asked.version == Version::Http10,
                    BodyLength::UntilClose => true,
                };
                self.download.keeps_client = self.keeps_client(worker);
                self.download.keeps_server = head.keep_alive;
                let seconds = head.idle_timeout.map(u64::from);
                self.download.idle_timeout = seconds.map(Duration::from_secs);
                self.download.end.status = head.status;
                let framing = self.framing();
                self.download.phase = Phase::Body(Body::new(head.body, framing, u64::MAX));
            }
            // HTTP/1.0 knows no interim responses.
            if !head.is_interim() || self.asked.version == Version::Http11 {
                self.download.spoken = true;
                self.settle(worker);
                self.write_head_down(&head, out, worker);
            }
        }
        Ok(Some(used))
    }

    fn write_head_down(&self, head: &ResponseHead<'_, '_>, out: &mut Vec<u8>, worker: &Worker<D>) {
        let to = Delivery {
            client_version: self.asked.version,
            keep_alive: self.download.keeps_client,
            trailers: self.asked.takes_trailers,
            date: &worker.date(),
            node: self.asked.node_header.then_some(self.plan.node.as_str()),
        };
        write_response(head, &to, out);
    }

    /// Whether the client's connection can stay open: nobody wants it closed, the response ends by
    /// itself, and the request has been read to its end.
    fn keeps_client(&self, worker: &Worker<D>) -> bool {
        self.asked.keep_alive
            && !self.download.ends_by_closing
            && self.body.is_complete()
            && !worker.saves_connections()
    }

    const fn framing(&self) -> Framing {
        match (self.asked.version, self.asked.takes_trailers) {
            (Version::Http10, _) => Framing::Strip,
            (Version::Http11, true) => Framing::Keep,
            (Version::Http11, false) => Framing::KeepWithoutTrailer,
        }
    }
}
