//! One group of servers, as one worker sees it.

use std::time::Duration;

/// How a server is chosen among those that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// In turn, by weight.
    RoundRobin,
    /// The one with the fewest connections for its weight; among equals in turn.
    LeastConn,
}

/// What is configured for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its share, 1 and up.
    pub weight: u16,
    /// Failures within `fail_timeout` that ban it; 0: it is never banned.
    pub max_fails: u16,
    /// The window in which failures count, and the length of the ban.
    pub fail_timeout: Duration,
    /// Whether it is asked only when no other can be.
    pub backup: bool,
    /// Connections that it may have; 0: no limit.
    pub max_conns: u32,
    /// Whether it is asked at all.
    pub ready: bool,
}

/// What a search for a server came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// This one.
    Server(usize),
    /// None now: those that could be asked have as many connections as they may.
    Full,
    /// None: all are down, banned, tried, or not to be asked.
    Nobody,
}

/// A server's state.
#[derive(Clone, Copy, Debug)]
struct Server {
    policy: Policy,
    /// The verdict of the health checks.
    up: bool,
    /// What it has earned so far: the highest is picked.
    current: i64,
    /// The weight that it earns with at present: less than `policy.weight` after failures.
    effective: i64,
    /// Failures that count, and when the last one was.
    fails: u16,
    failed_at: Duration,
    /// When it last failed, or was last picked after its ban had ended.
    checked_at: Duration,
    /// Its connections in the present search, where it can be asked.
    load: Option<u32>,
}

impl Server {
    const fn new(policy: Policy) -> Self {
        Self {
            policy,
            up: true,
            current: 0,
            effective: policy.weight as i64,
            fails: 0,
            failed_at: Duration::ZERO,
            checked_at: Duration::ZERO,
            load: None,
        }
    }

    const fn is_asked(&self) -> bool {
        self.policy.ready && self.up
    }

    fn is_banned(&self, now: Duration) -> bool {
        self.policy.max_fails > 0
            && self.fails >= self.policy.max_fails
            && now.saturating_sub(self.checked_at) <= self.policy.fail_timeout
    }

    /// Its connections in comparable form: by `weight`, the weight of the server it is compared with.
    fn load_times(&self, weight: u16) -> Option<u64> {
        Some(u64::from(self.load?) * u64::from(weight))
    }

    /// Whether it has as many connections for its weight as the other.
    fn is_level_with(&self, weight: u16, load: u32) -> bool {
        self.load_times(weight) == Some(u64::from(load) * u64::from(self.policy.weight))
    }
}

/// The servers that one request was sent to in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried(Vec<usize>);

impl Tried {
    /// Adds a server.
    pub fn add(&mut self, server: usize) {
        self.0.push(server);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn contains(&self, server: usize) -> bool {
        self.0.contains(&server)
    }
}

/// A group of servers.
#[derive(Clone, Debug)]
pub struct Group {
    method: Method,
    servers: Vec<Server>,
}

impl Group {
    /// A group whose servers are all up and have failed never.
    pub fn new(method: Method, policies: impl IntoIterator<Item = Policy>) -> Self {
        Self {
            method,
            servers: policies.into_iter().map(Server::new).collect(),
        }
    }

    /// The server to ask, as nginx chooses it. Backups are asked when of the others none can be.
    /// `connections` of a server are asked for only where they matter.
    pub fn pick(
        &mut self,
        now: Duration,
        tried: &Tried,
        connections: impl Fn(usize) -> u32,
    ) -> Pick {
        let mut found = Pick::Nobody;
        for backup in [false, true] {
            match self.pick_among(backup, now, tried, &connections) {
                Pick::Nobody => {}
                Pick::Full => found = Pick::Full,
                server @ Pick::Server(_) => return server,
            }
        }
        found
    }

    fn pick_among(
        &mut self,
        backup: bool,
        now: Duration,
        tried: &Tried,
        connections: &impl Fn(usize) -> u32,
    ) -> Pick {
        let is_full = self.look(backup, now, tried, connections);
        if self.method == Method::LeastConn {
            self.keep_least();
        }
        match self.take_turn() {
            Some(index) => {
                self.note_pick(index, now);
                Pick::Server(index)
            }
            None if is_full => Pick::Full,
            None => Pick::Nobody,
        }
    }

    /// Finds out who can be asked. Answers whether there was one whose only fault is that it has as
    /// many connections as it may.
    fn look(
        &mut self,
        backup: bool,
        now: Duration,
        tried: &Tried,
        connections: &impl Fn(usize) -> u32,
    ) -> bool {
        let alone = self.servers.len() == 1;
        let method = self.method;
        let mut is_full = false;
        for (index, server) in self.servers.iter_mut().enumerate() {
            let policy = &server.policy;
            server.load = None;
            if policy.backup != backup
                || !server.is_asked()
                || tried.contains(index)
                || (!alone && server.is_banned(now))
            {
                continue;
            }
            let load = if method == Method::LeastConn || policy.max_conns > 0 {
                connections(index)
            } else {
                0
            };
            if policy.max_conns > 0 && load >= policy.max_conns {
                is_full = true;
            } else {
                server.load = Some(load);
            }
        }
        is_full
    }

    /// Leaves only those with the fewest connections for their weight.
    fn keep_least(&mut self) {
        let mut least: Option<(u16, u32)> = None;
        for server in &self.servers {
            let Some(load) = server.load else { continue };
            let weight = server.policy.weight;
            let is_less = least.is_none_or(|(other_weight, other_load)| {
                server.load_times(other_weight) < Some(u64::from(other_load) * u64::from(weight))
            });
            if is_less {
                least = Some((weight, load));
            }
        }
        if let Some((weight, load)) = least {
            for server in &mut self.servers {
                if !server.is_level_with(weight, load) {
                    server.load = None;
                }
            }
        }
    }

    /// Smooth weighted round robin among those that are left: each earns its effective weight, the
    /// richest is picked (the first of equals) and pays what all earned. One alone earns nothing
    /// beyond that.
    fn take_turn(&mut self) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        let left = self.servers.iter_mut().enumerate();
        for (index, server) in left.filter(|(_, server)| server.load.is_some()) {
            server.current += server.effective;
            total += server.effective;
            if server.effective < i64::from(server.policy.weight) {
                server.effective += 1;
            }
            if best.is_none_or(|(_, current)| server.current > current) {
                best = Some((index, server.current));
            }
        }
        let (index, _) = best?;
        self.servers.get_mut(index)?.current -= total;
        Some(index)
    }

    fn note_pick(&mut self, index: usize, now: Duration) {
        if let Some(server) = self.servers.get_mut(index)
            && now.saturating_sub(server.checked_at) > server.policy.fail_timeout
        {
            server.checked_at = now;
        }
    }

    /// A request to `server` failed. Answers whether this banned it.
    pub fn handle_failure(&mut self, server: usize, now: Duration) -> bool {
        let alone = self.servers.len() == 1;
        let Some(server) = self.servers.get_mut(server) else {
            return false;
        };
        let max_fails = server.policy.max_fails;
        if alone || max_fails == 0 {
            return false;
        }
        if now.saturating_sub(server.failed_at) > server.policy.fail_timeout {
            server.fails = 0;
        }
        let was_banned = server.is_banned(now);
        server.fails = server.fails.saturating_add(1);
        server.failed_at = now;
        server.checked_at = now;
        let loss = i64::from(server.policy.weight) / i64::from(max_fails);
        server.effective = (server.effective - loss).max(0);
        !was_banned && server.is_banned(now)
    }

    /// A request to `server` succeeded. Failures older than its last trial are forgotten.
    pub fn handle_success(&mut self, server: usize) {
        if let Some(server) = self.servers.get_mut(server)
            && server.failed_at < server.checked_at
        {
            server.fails = 0;
        }
    }

    /// Takes the verdict of the health checks. A server that comes up starts without failures.
    pub fn set_up(&mut self, server: usize, up: bool) {
        if let Some(server) = self.servers.get_mut(server) {
            if up && !server.up {
                server.fails = 0;
            }
            server.up = up;
        }
    }

    /// Whether a server is asked at all: it is up, and nobody has taken it out.
    pub fn is_asked(&self, server: usize) -> bool {
        self.servers.get(server).is_some_and(Server::is_asked)
    }

    /// Takes over what was known about a server in another group, as a reload needs it. The policy
    /// stays the new one.
    pub fn carry_over(&mut self, server: usize, old: &Self, old_server: usize) {
        if let (Some(new), Some(old)) = (self.servers.get_mut(server), old.servers.get(old_server))
        {
            *new = Server {
                policy: new.policy,
                current: 0,
                effective: old.effective.min(i64::from(new.policy.weight)),
                ..*old
            };
        }
    }
}

#[cfg(test)]
mod tests;
