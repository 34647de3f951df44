//! The byte streams that a session runs on, and how a new one to a server is made.
//!
//! Sessions know these traits only, and speak HTTP/1.1 over them. What a stream is made of is the
//! business of the modules below: TCP, TLS over it, and streams of HTTP/2 in the form of HTTP/1.1;
//! pairs in memory in tests.

mod back;
mod tcp;
mod tls;

pub(crate) use back::Network;
pub(crate) use tcp::Tcp;
pub(crate) use tls::{Ciphertext, Tls};

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::transport::Transport;

/// A byte stream, polled.
pub(crate) trait Io: Unpin + 'static {
    /// Reads what is there; 0 octets are the end. An error of the kind [`io::ErrorKind::InvalidInput`]
    /// says that what was written could not be sent, by no fault of the peer.
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes as much as the system takes.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Sends what was taken and not sent yet, where a stream keeps such things; ready when there is
    /// nothing. `moved` is set when anything could be sent.
    fn poll_flush(&mut self, _cx: &mut Context<'_>, _moved: &mut bool) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Nobody reads for the moment: takes in what comes meanwhile, within the window that the peer has,
    /// where it would cost more memory than it is long if it was left.
    fn hoard(&mut self, _cx: &mut Context<'_>) {}

    /// Says that nothing more will be written.
    fn shut_down(&mut self, cx: &mut Context<'_>);

    /// Whether the event loop tells when something happens. If not, [`Self::poll_read`] makes it.
    fn is_watched(&self) -> bool;

    /// Makes the coming close a reset, so that the peer cannot take it for a regular end.
    fn make_close_a_reset(&mut self);

    /// Whether an idle stream has something to say, which can only be its end or nonsense. Costs no
    /// system call while nothing happened.
    fn is_stale(&mut self) -> bool;

    /// Whether the peer has said that it did nothing with what was written, so that all of it can be
    /// written to another without harm.
    fn is_untouched(&self) -> bool {
        false
    }

    /// The peer did not answer in time.
    fn note_silence(&mut self) {}

    /// The status that the peer is told where this one is written.
    fn told(&self, status: u16) -> u16 {
        status
    }
}

/// A connection that is being made.
pub(crate) type Connecting<I> = Pin<Box<dyn Future<Output = io::Result<I>>>>;

/// Whom to connect to, how, and for whom.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The server.
    pub(crate) server: SocketAddr,
    /// What lies between TCP and HTTP.
    pub(crate) transport: Rc<Transport>,
    /// For whom: what a PROXY header says.
    pub(crate) client: Peer,
}

/// Who is connected, as far as that is known before the first octet of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The client's address: the socket's, or what a trusted PROXY header says.
    pub(crate) address: SocketAddr,
    /// The address that it connected to; `None` where nobody needed it.
    pub(crate) local: Option<SocketAddr>,
    /// Whether it came through TLS.
    pub(crate) secure: bool,
}

impl Peer {
    /// The client's address without its port, in its own family.
    pub(crate) const fn ip(&self) -> IpAddr {
        self.address.ip().to_canonical()
    }
}

/// Makes connections to servers.
pub(crate) trait Dial: 'static {
    /// What a connection is.
    type Io: Io;

    /// Begins to connect. Dropping the future gives up.
    fn dial(&self, call: Call) -> Connecting<Self::Io>;
}
