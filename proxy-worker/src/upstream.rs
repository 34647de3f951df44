//! The servers of an upstream as this worker sees them: whose turn it is, and the idle connections.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use core_balance::{Group, Method, Pick, Policy, Tried};
use ipc::proxy::{Balance, ServerSpec, UpstreamSpec};

use crate::gauges::{Gauges, Seat};
use crate::io::Io;
use crate::queue::Queue;
use crate::transport::Transport;

/// A server and its idle connections. It stays the same over a reload that keeps it.
#[derive(Debug)]
pub(crate) struct Server<I> {
    pub(crate) address: SocketAddr,
    /// Where its connections in use are counted.
    gauge: u16,
    /// Oldest first; the youngest is used first, so that those too many grow old.
    idle: RefCell<VecDeque<(I, Duration)>>,
}

/// A group of servers.
#[derive(Debug)]
pub(crate) struct Upstream<I> {
    pub(crate) spec: UpstreamSpec,
    pub(crate) transport: Rc<Transport>,
    pub(crate) servers: Vec<Rc<Server<I>>>,
    balance: RefCell<Group>,
    gauges: Rc<Gauges>,
    /// Requests for which no server has room; they stay over a reload.
    pub(crate) queue: Rc<Queue>,
}

impl<I: Io> Upstream<I> {
    /// The upstream of `spec`, with the servers (and their idle connections) that `old` has too.
    ///
    /// # Errors
    /// A sentence, when its keys or certificates cannot be used.
    pub(crate) fn new(
        spec: &UpstreamSpec,
        gauges: &Rc<Gauges>,
        old: Option<&Self>,
    ) -> Result<Self, String> {
        let method = match spec.balance {
            Balance::RoundRobin => Method::RoundRobin,
            Balance::LeastConn => Method::LeastConn,
        };
        let policies = spec.servers.iter().map(|server| Policy {
            weight: server.weight,
            max_fails: server.max_fails,
            fail_timeout: server.fail_timeout,
            backup: server.backup,
            max_conns: server.max_conns,
            ready: server.ready,
        });
        let server = |spec: &ServerSpec| {
            let known = old.and_then(|old| old.servers.get(old.place(spec.address)?));
            known.cloned().unwrap_or_else(|| {
                Rc::new(Server {
                    address: spec.address,
                    gauge: spec.gauge,
                    idle: RefCell::default(),
                })
            })
        };
        Ok(Self {
            transport: Rc::new(Transport::new(spec)?),
            servers: spec.servers.iter().map(server).collect(),
            balance: RefCell::new(Group::new(method, policies)),
            gauges: Rc::clone(gauges),
            queue: old.map_or_else(Rc::default, |old| Rc::clone(&old.queue)),
            spec: spec.clone(),
        })
    }

    /// Takes over what `old` knows about the servers; at the moment of the switch, not before.
    pub(crate) fn carry_over(&self, old: &Self) {
        let mut balance = self.balance.borrow_mut();
        for (index, server) in self.servers.iter().enumerate() {
            if let Some(known) = old.place(server.address) {
                balance.carry_over(index, &old.balance.borrow(), known);
            }
        }
    }

    fn place(&self, address: SocketAddr) -> Option<usize> {
        self.servers
            .iter()
            .position(|server| server.address == address)
    }

    pub(crate) fn pick(&self, now: Duration, tried: &Tried) -> Pick {
        let connections = |index: usize| {
            let server = self.servers.get(index);
            server.map_or(0, |server| self.gauges.load(server.gauge))
        };
        self.balance.borrow_mut().pick(now, tried, connections)
    }

    /// Counts a connection with a server as in use; `None` when it has as many as it may, where that
    /// limits it.
    pub(crate) fn take_seat(&self, server: usize, is_limited: bool) -> Option<Seat> {
        let spec = self.spec.servers.get(server)?;
        let max = if is_limited { spec.max_conns } else { 0 };
        let gauge = self.servers.get(server)?.gauge;
        self.gauges.take_seat(gauge, max, &self.queue)
    }

    pub(crate) fn handle_success(&self, server: usize) {
        self.balance.borrow_mut().handle_success(server);
    }

    pub(crate) fn handle_failure(&self, server: usize, now: Duration) {
        if self.balance.borrow_mut().handle_failure(server, now)
            && let Some(server) = self.servers.get(server)
        {
            tracing::warn!(
                "{}: {} fails and is left out for a while",
                self.spec.name,
                server.address
            );
        }
    }

    /// Takes the verdict of the health checks; a server that went down loses its idle connections.
    pub(crate) fn set_up(&self, address: SocketAddr, up: bool) {
        if let Some(index) = self.place(address) {
            self.balance.borrow_mut().set_up(index, up);
            if let Some(server) = self.servers.get(index).filter(|_| !up) {
                server.idle.borrow_mut().clear();
            }
        }
    }

    /// An idle connection that is still good.
    pub(crate) fn check_out(&self, server: usize) -> Option<I> {
        let mut idle = self.servers.get(server)?.idle.borrow_mut();
        loop {
            let (mut io, _) = idle.pop_back()?;
            if !io.is_stale() {
                return Some(io);
            }
        }
    }

    /// Keeps a connection for later; over the limit the oldest goes.
    pub(crate) fn check_in(&self, server: usize, io: I, now: Duration) {
        let max = usize::try_from(self.spec.idle_max).unwrap_or(usize::MAX);
        if let Some(server) = self.servers.get(server) {
            let mut idle = server.idle.borrow_mut();
            idle.push_back((io, now));
            if idle.len() > max {
                idle.pop_front();
            }
        }
    }

    /// Closes what is idle.
    pub(crate) fn close_idle(&self) {
        for server in &self.servers {
            server.idle.borrow_mut().clear();
        }
    }

    /// What has to be done again and again: closes what has been idle for too long. What other
    /// workers have given back is seen by looking.
    pub(crate) fn tick(&self, now: Duration) {
        let timeout = self.spec.idle_timeout;
        self.transport.connections.expire(now, timeout);
        self.queue.call_next();
        for server in &self.servers {
            let mut idle = server.idle.borrow_mut();
            while idle
                .front()
                .is_some_and(|(_, since)| now - *since > self.spec.idle_timeout)
            {
                idle.pop_front();
            }
        }
    }
}
