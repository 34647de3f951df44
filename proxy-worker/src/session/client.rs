//! The client's side of a session.

use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use core_http1::RequestHead;

use crate::access_log::End;
use crate::io::{Io, Peer};
use crate::plan::{Listener, ListenerId};
use crate::port::Port;

/// Octets of further requests that are read while one is being answered.
const AHEAD: usize = 16 * 1024;

/// The client.
#[derive(Debug)]
pub(crate) struct Client<C> {
    pub(crate) port: Port<C>,
    /// Who is connected.
    pub(crate) peer: Peer,
    /// Whether the peer's word about others is taken, for the request at hand.
    pub(crate) is_trusted: bool,
    /// Whose request is at hand: the peer's, or that of somebody for whom a trusted peer speaks.
    pub(crate) address: IpAddr,
    pub(crate) listener: ListenerId,
    /// It speaks HTTP/2: this is one of its streams.
    pub(crate) http2: bool,
    /// Read but not used: a part of a head, or what came behind a request.
    pub(crate) inbox: BytesMut,
    /// Requests so far.
    pub(crate) requests: u32,
    /// When a server was first seen to think, while nobody watches the client.
    unwatched_since: Option<Duration>,
}

impl<C: Io> Client<C> {
    pub(crate) fn new(io: C, peer: Peer, listener: ListenerId) -> Self {
        Self {
            port: Port::new(io),
            peer,
            is_trusted: false,
            address: peer.ip(),
            listener,
            http2: false,
            inbox: BytesMut::new(),
            requests: 0,
            unwatched_since: None,
        }
    }

    /// What the client got of an answer: nothing of one that another took the place of.
    pub(crate) fn told(&self, end: End) -> End {
        match self.port.io.told(end.status) {
            status if status == end.status => end,
            status => End {
                status,
                body_octets: 0,
            },
        }
    }

    /// Finds out whose request this is.
    pub(crate) fn identify(&mut self, head: &RequestHead<'_, '_>, listener: &Listener) {
        let peer = self.peer.ip();
        self.is_trusted = listener.trusts(peer);
        self.address = head.client(peer, |ip| listener.trusts(ip));
    }

    /// Whether the client has left while it is being served. A client that only closes its side
    /// counts as gone, as in nginx: nobody can tell the two apart.
    ///
    /// To watch a connection that closes after its first request would be much of its whole cost. So
    /// that begins with the next tick, for which a session with an unwatched client has to be woken;
    /// from then on the client's leaving is seen at once.
    ///
    /// What it sends meanwhile belongs to its next requests and is kept. With [`AHEAD`] octets kept
    /// nothing more is read; that it left is then seen when something is sent to it.
    pub(crate) fn poll_gone(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut [u8],
        now: Duration,
    ) -> bool {
        if !self.port.io.is_watched() && *self.unwatched_since.get_or_insert(now) == now {
            return false;
        }
        while self.inbox.len() < AHEAD {
            let left = AHEAD.saturating_sub(self.inbox.len());
            let room = room.get_mut(..left).unwrap_or_default();
            // Past the port: octets of another request do not give this one more time.
            match self.port.io.poll_read(cx, room) {
                Poll::Pending => return false,
                Poll::Ready(Ok(count)) if count > 0 => {
                    let octets = room.get(..count).unwrap_or_default();
                    self.inbox.extend_from_slice(octets);
                }
                Poll::Ready(_) => return true,
            }
        }
        self.port.io.hoard(cx);
        false
    }
}
