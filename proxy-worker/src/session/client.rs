//! The client's side of a session.

use std::net::IpAddr;

use crate::io::Io;
use crate::plan::ListenerId;
use crate::port::Port;

/// The client.
#[derive(Debug)]
pub(crate) struct Client<C> {
    pub(crate) port: Port<C>,
    pub(crate) peer: IpAddr,
    pub(crate) listener: ListenerId,
    /// Read but not used: a part of a head, or what came behind a request.
    pub(crate) inbox: Vec<u8>,
    /// Requests so far.
    pub(crate) requests: u32,
}

impl<C: Io> Client<C> {
    pub(crate) const fn new(io: C, peer: IpAddr, listener: ListenerId) -> Self {
        Self {
            port: Port::new(io),
            peer,
            listener,
            inbox: Vec::new(),
            requests: 0,
        }
    }
}
