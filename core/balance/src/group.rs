//! One group of servers, as one worker sees it.

use std::time::Duration;

/// What is configured for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its share, 1 and up.
    pub weight: u16,
    /// Failures within `fail_timeout` that ban it; 0: it is never banned.
    pub max_fails: u16,
    /// The window in which failures count, and the length of the ban.
    pub fail_timeout: Duration,
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
        }
    }

    fn is_banned(&self, now: Duration) -> bool {
        self.policy.max_fails > 0
            && self.fails >= self.policy.max_fails
            && now.saturating_sub(self.checked_at) <= self.policy.fail_timeout
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
    servers: Vec<Server>,
}

impl Group {
    /// A group whose servers are all up and have failed never.
    pub fn new(policies: impl IntoIterator<Item = Policy>) -> Self {
        Self {
            servers: policies.into_iter().map(Server::new).collect(),
        }
    }

    /// The server whose turn it is; `None` when all are down, banned or tried.
    ///
    /// Smooth weighted round robin as in nginx: each eligible server earns its effective weight, the
    /// richest is picked (the first of equals) and pays what all earned.
    pub fn pick(&mut self, now: Duration, tried: &Tried) -> Option<usize> {
        let alone = self.servers.len() == 1;
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (index, server) in self.servers.iter_mut().enumerate() {
            if !server.up || tried.contains(index) || (!alone && server.is_banned(now)) {
                continue;
            }
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
        let server = self.servers.get_mut(index)?;
        server.current -= total;
        if now.saturating_sub(server.checked_at) > server.policy.fail_timeout {
            server.checked_at = now;
        }
        Some(index)
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
mod tests {
    use super::*;

    const NEVER: Duration = Duration::ZERO;

    fn policy(weight: u16) -> Policy {
        Policy {
            weight,
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
        }
    }

    fn group(weights: &[u16]) -> Group {
        Group::new(weights.iter().map(|&weight| policy(weight)))
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn picks(group: &mut Group, now: Duration, count: usize) -> Vec<Option<usize>> {
        (0..count)
            .map(|_| group.pick(now, &Tried::default()))
            .collect()
    }

    #[test]
    fn order_is_that_of_nginx() {
        let cases: [(&[u16], &[usize]); 3] = [
            (&[5, 1, 1], &[0, 0, 1, 0, 2, 0, 0]),
            (&[1, 1], &[0, 1, 0, 1]),
            (&[2, 1], &[0, 1, 0, 0, 1, 0]),
        ];
        for (weights, order) in cases {
            let order: Vec<_> = order.iter().map(|&index| Some(index)).collect();
            assert_eq!(
                picks(&mut group(weights), NEVER, order.len()),
                order,
                "{weights:?}"
            );
        }
    }

    #[test]
    fn tried_server_is_not_asked_again() {
        let mut group = group(&[1, 1]);
        let mut tried = Tried::default();
        tried.add(0);
        assert_eq!(group.pick(NEVER, &tried), Some(1));
        tried.add(1);
        assert_eq!(group.pick(NEVER, &tried), None);
    }

    #[test]
    fn server_that_is_down_is_not_asked() {
        let mut group = group(&[1, 1]);
        group.set_up(0, false);
        assert_eq!(picks(&mut group, NEVER, 3), [Some(1); 3]);
        group.set_up(1, false);
        assert_eq!(group.pick(NEVER, &Tried::default()), None);
        group.set_up(0, true);
        assert_eq!(group.pick(NEVER, &Tried::default()), Some(0));
    }

    #[test]
    fn failed_server_is_banned_for_its_time_and_then_tried_once() {
        let mut group = group(&[1, 1]);
        assert!(group.handle_failure(0, seconds(100)));
        assert_eq!(picks(&mut group, seconds(110), 4), [Some(1); 4]);
        let after = picks(&mut group, seconds(111), 4);
        assert_eq!(
            after.iter().filter(|&&pick| pick == Some(0)).count(),
            1,
            "{after:?}"
        );
    }

    #[test]
    fn server_that_answers_after_its_ban_is_in_the_round_again() {
        let mut group = group(&[1, 1]);
        group.handle_failure(0, seconds(100));
        while group.pick(seconds(111), &Tried::default()) != Some(0) {}
        group.handle_success(0);
        let after = picks(&mut group, seconds(111), 4);
        assert_eq!(
            after.iter().filter(|&&pick| pick == Some(0)).count(),
            2,
            "{after:?}"
        );
    }

    #[test]
    fn failures_count_within_their_window_only() {
        let mut group = Group::new([
            Policy {
                max_fails: 2,
                ..policy(1)
            },
            policy(1),
        ]);
        assert!(!group.handle_failure(0, seconds(100)));
        assert!(!group.handle_failure(0, seconds(120)));
        assert!(group.handle_failure(0, seconds(121)));
    }

    #[test]
    fn lone_server_is_never_banned() {
        let mut group = group(&[1]);
        assert!(!group.handle_failure(0, seconds(1)));
        assert_eq!(group.pick(seconds(1), &Tried::default()), Some(0));
    }

    #[test]
    fn reload_keeps_the_ban_and_the_verdict() {
        let mut old = group(&[1, 1, 1]);
        old.handle_failure(2, seconds(100));
        old.set_up(0, false);
        let mut new = group(&[1, 1, 1]);
        new.carry_over(0, &old, 2);
        new.carry_over(1, &old, 0);
        assert_eq!(picks(&mut new, seconds(101), 3), [Some(2); 3]);
    }

    proptest::proptest! {
        /// Over one round, each server is asked as often as its weight says.
        #[test]
        fn shares_are_exact(weights in proptest::collection::vec(1_u16..20, 1..8)) {
            let mut group = group(&weights);
            let round = weights.iter().map(|&weight| usize::from(weight)).sum();
            let picks = picks(&mut group, NEVER, round);
            for (index, &weight) in weights.iter().enumerate() {
                let share = picks.iter().filter(|&&pick| pick == Some(index)).count();
                proptest::prop_assert_eq!(share, usize::from(weight));
            }
        }
    }
}
