//! A server's connection that knows its client (rule 23): NTLM and Negotiate authenticate a
//! connection, not a request, so whoever is relayed over it next is taken for that client. It is not
//! given back for others to use: it stays with the client's connection, and ends with it.

use std::rc::Rc;

use crate::io::Io;
use crate::upstream::{Server, Upstream};

/// Such a connection between two requests of its client.
#[derive(Debug)]
pub(super) struct Private<I> {
    server: Rc<Server<I>>,
    io: I,
}

impl<I: Io> Private<I> {
    /// A connection to the server of this index.
    pub(super) fn new(io: I, upstream: &Upstream<I>, server: usize) -> Option<Box<Self>> {
        let server = Rc::clone(upstream.servers.get(server)?);
        Some(Box::new(Self { server, io }))
    }

    /// The index of its server in `upstream`, if it is there.
    pub(super) fn place(&self, upstream: &Upstream<I>) -> Option<usize> {
        let mut servers = upstream.servers.iter();
        servers.position(|server| Rc::ptr_eq(server, &self.server))
    }

    /// The connection, if it is still good.
    pub(super) fn into_io(mut self) -> Option<I> {
        (!self.io.is_stale()).then_some(self.io)
    }
}
