//! A server's connection that knows its client (rule 23): NTLM and Negotiate authenticate a
//! connection, not a request, so whoever is relayed over it next is taken for that client. It is not
//! given back for others to use: it stays with the client's connection, and ends with it.

use std::rc::Rc;
use std::time::Duration;

use crate::io::Io;
use crate::pool::Used;
use crate::upstream::{Server, Upstream};

/// Such a connection between two requests of its client.
#[derive(Debug)]
pub(super) struct Private<I> {
    server: Rc<Server<I>>,
    used: Used<I>,
    since: Duration,
}

impl<I: Io> Private<I> {
    /// A connection to the server of this index, idle from `now` on.
    pub(super) fn new(
        used: Used<I>,
        upstream: &Upstream<I>,
        server: usize,
        now: Duration,
    ) -> Option<Box<Self>> {
        let server = Rc::clone(upstream.servers.get(server)?);
        Some(Box::new(Self {
            server,
            used,
            since: now,
        }))
    }

    /// The index of its server in `upstream`, if it is there.
    pub(super) fn place(&self, upstream: &Upstream<I>) -> Option<usize> {
        let mut servers = upstream.servers.iter();
        servers.position(|server| Rc::ptr_eq(server, &self.server))
    }

    /// The connection, and the index of its server, if it may still be used as any other would be.
    pub(super) fn into_used(
        mut self,
        upstream: &Upstream<I>,
        now: Duration,
    ) -> Option<(usize, Used<I>)> {
        let server = self.place(upstream)?;
        let is_good = upstream.is_good(server, &mut self.used, now - self.since, now);
        is_good.then_some((server, self.used))
    }
}
