//! The connection to a server that a request has: taken up, waited for, made, and kept for later.

use std::rc::Rc;
use std::task::{Context, Poll};

use core_balance::Pick;

use super::Wait;
use super::client::Client;
use super::exchange::{Exchange, Outcome};
use super::private::Private;
use crate::io::{Call, Connecting, Dial, Io};
use crate::pool::Used;
use crate::port::Port;
use crate::queue::Place;
use crate::worker::{Scratch, Worker};

/// How far it has come to one.
pub(crate) enum Line<I> {
    /// None yet.
    Idle,
    /// None before a server may have one more.
    Queued(Place),
    /// Being made.
    Connecting(Connecting<I>),
    /// There.
    Open {
        port: Port<I>,
        /// Requests before this one: if there were any, the server may just be closing it.
        served: u32,
        /// It takes nothing more; what the server sent before may still be there.
        deaf: bool,
    },
}

impl<I: Io> Line<I> {
    /// A connection that may have served before.
    fn open(used: Used<I>) -> Self {
        Self::Open {
            port: Port::new(used.io),
            served: used.served,
            deaf: false,
        }
    }
}

impl<D: Dial> Exchange<D> {
    /// Gets on with having a connection. Answers what that waits for; `None` when there is one.
    pub(super) fn poll_line<C: Io>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client<C>,
        scratch: &mut Scratch,
        worker: &Worker<D>,
    ) -> Result<Option<Wait>, Outcome> {
        loop {
            let (poll, wait) = match self.line {
                Line::Open { .. } => return Ok(None),
                Line::Idle => {
                    self.connect(worker)?;
                    continue;
                }
                Line::Queued(_) => (self.poll_queue(cx, worker)?, Wait::Queue),
                Line::Connecting(_) => (self.poll_connecting(cx, worker)?, Wait::Connect),
            };
            if poll.is_pending() {
                if !self.is_raw && client.poll_gone(cx, &mut scratch.read, worker.now()) {
                    return Err(Outcome::Abort);
                }
                return Ok(Some(wait));
            }
        }
    }

    fn poll_queue(&mut self, cx: &Context<'_>, worker: &Worker<D>) -> Result<Poll<()>, Outcome> {
        if let Line::Queued(place) = &self.line
            && place.is_first()
        {
            self.connect(worker)?;
        }
        if let Line::Queued(place) = &self.line {
            place.watch(cx.waker());
            return Ok(Poll::Pending);
        }
        Ok(Poll::Ready(()))
    }

    fn poll_connecting(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker<D>,
    ) -> Result<Poll<()>, Outcome> {
        let Line::Connecting(connecting) = &mut self.line else {
            return Ok(Poll::Ready(()));
        };
        match connecting.as_mut().poll(cx) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Ok(io)) => {
                self.line = Line::open(Used { io, served: 0 });
            }
            Poll::Ready(Err(error)) if platform::shortage::is_ours(&error) => {
                // The listener says so aloud; here it would be a line for each request.
                tracing::debug!("cannot connect to a server: {error}");
                return Err(Outcome::Answer { status: 503 });
            }
            Poll::Ready(Err(error)) => {
                let server = self.upstream.servers.get(self.server);
                tracing::debug!(address = ?server.map(|one| one.address), "connect: {error}");
                self.handle_no_connection(502, worker)?;
            }
        }
        Ok(Poll::Ready(()))
    }

    /// Goes on over the connection that already knows this client, if there is one.
    pub(super) fn take_up_private(&mut self, worker: &Worker<D>) -> bool {
        let private = self.private.take();
        let taken = private.and_then(|private| private.into_used(&self.upstream, worker.now()));
        let Some((server, used)) = taken else {
            return false;
        };
        self.server = server;
        if let (Some((_, entry)), Some(server)) = (&mut self.log, self.upstream.servers.get(server))
        {
            entry.note_server(server.address);
        }
        // It is there already: no limit keeps it from being used.
        self.seat = self.upstream.take_seat(server, false);
        self.is_private = true;
        self.line = Line::open(used);
        true
    }

    /// Finds a connection for the server whose turn it is, or a place among those who wait for one.
    /// A request that failed before does not wait: a server that it will not ask again may be free for
    /// those behind it.
    pub(super) fn connect(&mut self, worker: &Worker<D>) -> Result<(), Outcome> {
        self.seat = None;
        let waits = matches!(self.line, Line::Queued(_));
        let again = self.tried.count() > 0;
        if waits || again || self.upstream.queue.is_empty() {
            match self.upstream.pick(worker.now(), &self.tried) {
                Pick::Nobody => return Err(Outcome::Answer { status: 503 }),
                Pick::Server(server) => {
                    self.seat = self.upstream.take_seat(server, true);
                    if self.seat.is_some() {
                        return self.connect_to(server, worker);
                    }
                }
                Pick::Full => {}
            }
        }
        if !waits {
            let place = if again {
                None
            } else {
                self.upstream.queue.join()
            };
            self.line = Line::Queued(place.ok_or(Outcome::Answer { status: 503 })?);
        }
        Ok(())
    }

    /// Takes an idle connection to a server, or begins to make one.
    pub(super) fn connect_to(&mut self, index: usize, worker: &Worker<D>) -> Result<(), Outcome> {
        let server = self.upstream.servers.get(index);
        let server = server.ok_or(Outcome::Answer { status: 503 })?;
        self.server = index;
        if let Some((_, entry)) = &mut self.log {
            entry.note_server(server.address);
        }
        self.head_sent = false;
        self.dialled = true;
        let idle = if self.fresh_only {
            None
        } else {
            self.upstream
                .check_out(index, worker.now(), &worker.counters)
        };
        self.line = match idle {
            Some(used) => Line::open(used),
            None => Line::Connecting(worker.dial.dial(Call {
                server: server.address,
                transport: Rc::clone(&self.upstream.transport),
                client: self.peer,
            })),
        };
        Ok(())
    }

    /// Keeps a clean connection for later, for anybody or for this client.
    pub(super) fn keep(&mut self, used: Used<D::Io>, worker: &Worker<D>) {
        let (server, now) = (self.server, worker.now());
        let advertised = self.download.idle_timeout();
        if !(self.upstream).may_serve_again(server, &used, advertised) {
            return;
        }
        if self.is_private {
            self.private = Private::new(used, &self.upstream, server, now);
        } else {
            self.upstream.check_in(server, used, now);
        }
    }
}
