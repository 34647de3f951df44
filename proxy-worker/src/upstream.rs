//! The servers of an upstream as this worker sees them: whose turn it is, and the idle connections.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use core_balance::{Budget, Group, Method, Pick, Policy, Tried};
use ipc::proxy::{Balance, Counter, ServerSpec, UpstreamSpec};
use tls::Authorities;

use crate::counters::Counters;
use crate::gauges::{Gauges, Seat};
use crate::io::Io;
use crate::pool::{Pool, Used};
use crate::queue::Queue;
use crate::transport::Transport;

/// A server and its idle connections. It stays the same over a reload that keeps it.
#[derive(Debug)]
pub(crate) struct Server<I> {
    pub(crate) address: SocketAddr,
    /// Where its connections in use are counted.
    gauge: u16,
    pool: Pool<I>,
}

/// A group of servers.
#[derive(Debug)]
pub(crate) struct Upstream<I> {
    pub(crate) spec: UpstreamSpec,
    pub(crate) transport: Rc<Transport>,
    pub(crate) servers: Vec<Rc<Server<I>>>,
    balance: RefCell<Group>,
    budget: RefCell<Budget>,
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
        authorities: &Authorities,
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
        // Connections of another kind are of no use any more.
        let transport = Rc::new(Transport::new(spec, authorities)?);
        let alike = old.filter(|old| old.transport.is_like(&transport));
        let server = |spec: &ServerSpec| {
            let known = alike.and_then(|old| old.servers.get(old.place(spec.address)?));
            known.cloned().unwrap_or_else(|| {
                Rc::new(Server {
                    address: spec.address,
                    gauge: spec.gauge,
                    pool: Pool::default(),
                })
            })
        };
        Ok(Self {
            transport,
            servers: spec.servers.iter().map(server).collect(),
            balance: RefCell::new(Group::new(method, policies)),
            budget: RefCell::default(),
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
                server.pool.clear();
            }
        }
    }

    /// An idle connection that is still good.
    pub(crate) fn check_out(
        &self,
        server: usize,
        now: Duration,
        counters: &Counters,
    ) -> Option<Used<I>> {
        let (used, dead) = self.servers.get(server)?.pool.check_out(now);
        if dead > 0 {
            counters.add(Counter::Stale, dead);
        }
        if used.is_some() {
            counters.add(Counter::Reused, 1);
        }
        used
    }

    /// Whether a connection with a server may serve again. `advertised` is how long the server says
    /// that it waits.
    pub(crate) fn may_serve_again(
        &self,
        server: usize,
        used: &Used<I>,
        advertised: Option<Duration>,
    ) -> bool {
        if let (Some(server), Some(timeout)) = (self.servers.get(server), advertised) {
            server.pool.note_advertised(timeout);
        }
        let is_worn = self.spec.requests_max > 0 && used.served >= self.spec.requests_max;
        !is_worn && advertised != Some(Duration::ZERO)
    }

    /// Keeps a connection for later; over the limit the oldest goes.
    pub(crate) fn check_in(&self, server: usize, used: Used<I>, now: Duration) {
        let max = usize::try_from(self.spec.idle_max).unwrap_or(usize::MAX);
        if let Some(server) = self.servers.get(server) {
            server.pool.check_in(used, max, now);
        }
    }

    /// Whether a connection that was kept elsewhere, idle for `age`, may go on to be used.
    pub(crate) fn is_good(
        &self,
        server: usize,
        used: &mut Used<I>,
        age: Duration,
        now: Duration,
    ) -> bool {
        let timeout = self.spec.idle_timeout;
        let pool = self.servers.get(server).map(|server| &server.pool);
        self.balance.borrow().is_asked(server)
            && pool.is_some_and(|pool| pool.is_good(used, age, timeout, now))
    }

    /// Closes what is idle.
    pub(crate) fn close_idle(&self) {
        for server in &self.servers {
            server.pool.clear();
        }
    }

    /// What has to be done again and again: closes what has been idle for too long. What other
    /// workers have given back is seen by looking.
    pub(crate) fn tick(&self, now: Duration) {
        let timeout = self.spec.idle_timeout;
        self.transport.connections.expire(now, timeout);
        self.queue.call_next();
        for server in &self.servers {
            server.pool.expire(timeout, now);
        }
    }
}

/// A request's part in what is under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share<I> {
    upstream: Rc<Upstream<I>>,
    retries: u32,
}

impl<I> Share<I> {
    pub(crate) fn new(upstream: &Rc<Upstream<I>>) -> Self {
        upstream.budget.borrow_mut().handle_begin();
        Self {
            upstream: Rc::clone(upstream),
            retries: 0,
        }
    }

    /// Counts a retry, if there may be one more.
    pub(crate) fn take_retry(&mut self) -> bool {
        let mut budget = self.upstream.budget.borrow_mut();
        if !budget.allows(self.upstream.spec.retry_budget) {
            return false;
        }
        budget.handle_retry();
        self.retries += 1;
        true
    }
}

impl<I> Drop for Share<I> {
    fn drop(&mut self) {
        self.upstream.budget.borrow_mut().handle_end(self.retries);
    }
}
