//! The request's way to the server.

use std::task::{Context, Poll};

use bytes::Buf as _;
use core_http1::{BodyFault, Step};

use super::Wait;
use super::client::Client;
use super::exchange::{Exchange, Outcome};
use super::line::Line;
use crate::io::{Dial, Io};
use crate::worker::Scratch;

/// Octets read at once: this much, and no more, may wait for a slow server.
const READ: usize = 64 * 1024;

impl<D: Dial> Exchange<D> {
    /// Moves the request on. Answers what it waits for; `None` when all is sent, or when the server
    /// takes no more of it.
    pub(super) fn poll_upload<C: Io>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client<C>,
        scratch: &mut Scratch,
    ) -> Result<Option<Wait>, Outcome> {
        loop {
            let Line::Open { port, deaf, .. } = &mut self.line else {
                return Ok(None);
            };
            if *deaf {
                client.port.io.hoard(cx);
                return Ok(None);
            }
            match port.poll_flush(cx) {
                Poll::Pending => {
                    client.port.io.hoard(cx);
                    return Ok(Some(Wait::Upload));
                }
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => {
                    *deaf = true;
                    return Ok(None);
                }
            }
            if self.head_sent && self.body.is_complete() {
                return Ok(None);
            }
            if !client.inbox.is_empty() || !self.head_sent {
                let mut held = std::mem::take(&mut client.inbox);
                let used = self.send_up(cx, &held)?;
                if used < held.len() {
                    held.advance(used);
                    client.inbox = held;
                }
                continue;
            }
            let room = scratch.read.get_mut(..READ).unwrap_or_default();
            let count = match client.port.poll_read(cx, room) {
                Poll::Pending if self.awaits_continue => return Ok(Some(Wait::Continue)),
                Poll::Pending => return Ok(Some(Wait::Body)),
                Poll::Ready(Ok(count)) if count > 0 => count,
                Poll::Ready(_) => return Err(Outcome::Abort),
            };
            let octets = room.get(..count).unwrap_or_default();
            let used = self.send_up(cx, octets)?;
            client
                .inbox
                .extend_from_slice(octets.get(used..).unwrap_or_default());
        }
    }

    /// Sends the head, if it is not sent yet, and what belongs to the body at the front of `octets`,
    /// until the server takes no more at the moment. Answers how many octets are done with.
    pub(super) fn send_up(
        &mut self,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Result<usize, Outcome> {
        let mut used = 0;
        loop {
            let rest = octets.get(used..).unwrap_or_default();
            let nothing_left = rest.is_empty() || self.body.is_complete();
            let Line::Open { port, deaf, .. } = &mut self.line else {
                return Ok(used);
            };
            if *deaf || !port.is_clear() || self.head_sent && nothing_left {
                return Ok(used);
            }
            if !self.head_sent && !self.replay.octets().is_empty() {
                // Again, with what another server has had of the body.
                *deaf = port.send(cx, &self.head, self.replay.octets()).is_err();
                self.head_sent = true;
                continue;
            }
            let step = self.body.step(rest);
            let (consumed, passing) = match &step {
                Ok(Step::Pass(count)) => (*count, rest.get(..*count).unwrap_or_default()),
                Ok(Step::Drop(count)) => (*count, [].as_slice()),
                Ok(Step::Replace { consumed, with }) => (*consumed, with.as_slice()),
                Err(BodyFault::TooLarge) => return Err(self.failure(413)),
                Err(_) => return Err(self.failure(400)),
            };
            let head = if self.head_sent {
                &[]
            } else {
                self.head.as_slice()
            };
            // A server that answered and closed takes no more; its answer is still to be read.
            *deaf = port.send(cx, head, passing).is_err();
            self.head_sent = true;
            if *deaf && !port.has_sent && used == 0 && self.is_body_whole {
                // The connection was dead before: nothing of the request is lost.
                self.body = self.asked.body();
                return Ok(0);
            }
            self.is_body_whole &= consumed == 0;
            self.replay.add(consumed, passing);
            self.awaits_continue &= consumed == 0;
            self.pace.add(consumed);
            used += consumed;
        }
    }
}
