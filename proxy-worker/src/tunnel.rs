//! Octets both ways between two streams, whatever they mean: what a WebSocket is after its handshake,
//! and a TCP listener from the start.
//!
//! Each way ends by itself: the end of one side is passed on when all before it is, and the other way
//! goes on. A side that breaks, breaks the other.

use std::task::{Context, Poll};
use std::time::Duration;

use crate::io::Io;
use crate::port::Port;

/// Octets read at once: this much, and no more, may wait for a slow receiver, each way.
const READ: usize = 64 * 1024;

/// Reads of one way before others get their turn.
const READS_PER_TURN: usize = 16;

/// How long a tunnel of which one side has ended may be without a sign of life from the other.
pub(crate) const FIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The state of both ways. The client's stream stays with who reads it.
#[derive(Debug)]
pub(crate) struct Tunnel<S> {
    server: Port<S>,
    up: Way,
    down: Way,
    /// Octets that the server sent.
    pub(crate) octets_down: u64,
}

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// There may be more.
    Open,
    /// The sender has ended, and what it sent is passed on.
    Ended,
}

impl<S: Io> Tunnel<S> {
    pub(crate) const fn new(server: Port<S>) -> Self {
        Self {
            server,
            up: Way::Open,
            down: Way::Open,
            octets_down: 0,
        }
    }

    /// Passes on what is there; ready when both sides have ended and everything is passed on, or one broke.
    /// `room` is memory for the moment.
    pub(crate) fn poll<C: Io>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Port<C>,
        room: &mut [u8],
    ) -> Poll<()> {
        let room = room.get_mut(..READ).unwrap_or_default();
        let up = pass(cx, client, &mut self.server, &mut self.up, room);
        let down = pass(cx, &mut self.server, client, &mut self.down, room);
        match (up, down) {
            (Ok(_), Ok(octets)) => self.octets_down += octets,
            _ => {
                client.io.make_close_a_reset();
                self.server.io.make_close_a_reset();
                return Poll::Ready(());
            }
        }
        if (self.up, self.down) == (Way::Ended, Way::Ended) {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Makes the close that is to come a reset of the server's stream, if it did not take everything.
    pub(crate) fn give_up(&mut self) {
        if !self.server.is_clear() {
            self.server.io.make_close_a_reset();
        }
    }

    /// Whether one side has ended.
    pub(crate) fn is_half_closed(&self) -> bool {
        self.up == Way::Ended || self.down == Way::Ended
    }

    /// Whether anything moved on the server's side since the last call.
    pub(crate) const fn take_moved(&mut self) -> bool {
        std::mem::replace(&mut self.server.moved, false)
    }
}

/// Moves octets one way until there are no more or the receiver takes no more; says how many.
///
/// # Errors
/// Those of either side.
fn pass<F: Io, T: Io>(
    cx: &mut Context<'_>,
    from: &mut Port<F>,
    to: &mut Port<T>,
    way: &mut Way,
    room: &mut [u8],
) -> std::io::Result<u64> {
    let mut octets = 0;
    if *way == Way::Ended {
        return Ok(octets);
    }
    for _ in 0..READS_PER_TURN {
        if to.poll_flush(cx)?.is_pending() {
            from.io.hoard(cx);
            return Ok(octets);
        }
        let Poll::Ready(count) = from.poll_read(cx, room)? else {
            return Ok(octets);
        };
        if count == 0 {
            to.io.shut_down(cx);
            *way = Way::Ended;
            return Ok(octets);
        }
        to.send(cx, room.get(..count).unwrap_or_default(), &[])?;
        octets += u64::try_from(count).unwrap_or(0);
    }
    cx.waker().wake_by_ref();
    Ok(octets)
}
