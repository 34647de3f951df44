//! Whether the node's own proxy serves: the verdict that VRRP tracks.
//!
//! A worker that dies is back within milliseconds, so a moment without any worker moves no address;
//! only when none has been in service for a grace time is the proxy ill. It is ill, too, while
//! requests are not answered at one of its addresses, whatever its workers say of themselves. What a
//! worker does is learnt by the supervisor, who feeds this.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The grace time that the supervisor gives: longer than a restart of all workers takes, short
/// enough that an address moves within a second.
pub const GRACE: Duration = Duration::from_millis(400);

/// A verdict that changed; each is told to the vrrp-actor and becomes an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It serves again, or for the first time.
    Well,
    /// No worker has served for the grace time, or requests are not answered.
    Ill,
}

/// The verdict, over all workers of the node.
#[derive(Clone, Debug)]
pub struct ProxyHealth {
    grace: Duration,
    state: State,
    /// Where requests are not answered.
    silent: BTreeSet<SocketAddr>,
}

#[derive(Clone, Debug)]
enum State {
    /// Nothing has served since the start, or for longer than the grace time.
    Ill,
    /// These slots serve; never empty.
    Serving(BTreeSet<u16>),
    /// Nothing serves, which is not held against the proxy before this time.
    Doubtful(Instant),
}

impl ProxyHealth {
    /// Before any worker serves: ill. The first worker in service makes it well.
    pub const fn new(grace: Duration) -> Self {
        Self {
            grace,
            state: State::Ill,
            silent: BTreeSet::new(),
        }
    }

    /// Whether the proxy counts as serving.
    pub fn is_well(&self) -> bool {
        !matches!(self.state, State::Ill) && self.silent.is_empty()
    }

    /// What has come of a change, if it was well or not `before`.
    fn change_since(&self, before: bool) -> Option<Change> {
        match (before, self.is_well()) {
            (false, true) => Some(Change::Well),
            (true, false) => Some(Change::Ill),
            _ => None,
        }
    }

    /// Requests are answered at this address, or are not.
    pub fn handle_answers(&mut self, address: SocketAddr, answers: bool) -> Option<Change> {
        let before = self.is_well();
        if answers {
            self.silent.remove(&address);
        } else {
            self.silent.insert(address);
        }
        self.change_since(before)
    }

    /// These are the addresses from now on; what was heard of others is forgotten.
    pub fn handle_addresses(&mut self, addresses: &BTreeSet<SocketAddr>) -> Option<Change> {
        let before = self.is_well();
        self.silent.retain(|address| addresses.contains(address));
        self.change_since(before)
    }

    /// The worker of this slot has its configuration in force and accepts connections.
    pub fn handle_in_service(&mut self, slot: u16) -> Option<Change> {
        let before = self.is_well();
        match &mut self.state {
            State::Serving(slots) => {
                slots.insert(slot);
            }
            State::Doubtful(_) | State::Ill => {
                self.state = State::Serving(BTreeSet::from([slot]));
            }
        }
        self.change_since(before)
    }

    /// The worker of this slot ended, or was silent for so long that it is being killed.
    pub fn handle_lost(&mut self, slot: u16, now: Instant) {
        if let State::Serving(slots) = &mut self.state {
            slots.remove(&slot);
            if slots.is_empty() {
                self.state = State::Doubtful(now + self.grace);
            }
        }
    }

    /// When [`ProxyHealth::handle_timeout`] is owed; `None` while time alone changes nothing.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Doubtful(until) => Some(until),
            State::Ill | State::Serving(_) => None,
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Change> {
        let before = self.is_well();
        if matches!(self.state, State::Doubtful(until) if now >= until) {
            self.state = State::Ill;
        }
        self.change_since(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ms, origin};

    /// What happens, and the change that comes of it.
    enum Step {
        InService(u16, Option<Change>),
        Lost(u16),
        Tick(Option<Change>),
        /// The port where requests are answered or not.
        Answers(u16, bool, Option<Change>),
        /// The ports that are left by a reload.
        Ports(&'static [u16], Option<Change>),
        /// When the timer is wanted, in milliseconds.
        Due(Option<u64>),
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 168, 0, 105], port))
    }

    #[test]
    fn verdicts() {
        use Change::{Ill, Well};
        use Step::{Answers, Due, InService, Lost, Ports, Tick};
        // each step with its time in milliseconds
        let cases: &[(&str, &[(u64, Step)])] = &[
            (
                "ill until the first worker serves",
                &[
                    (0, Due(None)),
                    (9_000, Tick(None)),
                    (9_001, InService(0, Some(Well))),
                    (9_002, InService(1, None)),
                    (9_002, Due(None)),
                ],
            ),
            (
                "one worker of two dies: nothing",
                &[
                    (0, InService(0, Some(Well))),
                    (0, InService(1, None)),
                    (100, Lost(1)),
                    (100, Due(None)),
                    (9_000, Tick(None)),
                ],
            ),
            (
                "all workers killed and back within 200 ms: never ill",
                &[
                    (0, InService(0, Some(Well))),
                    (0, InService(1, None)),
                    (1_000, Lost(0)),
                    (1_000, Lost(1)),
                    (1_000, Due(Some(1_400))),
                    (1_100, Tick(None)),
                    (1_200, InService(1, None)),
                    (1_200, Due(None)),
                    (1_400, Tick(None)),
                    (1_401, InService(0, None)),
                ],
            ),
            (
                "all workers gone for the grace time: ill, once; well with the first that serves",
                &[
                    (0, InService(0, Some(Well))),
                    (1_000, Lost(0)),
                    (1_399, Tick(None)),
                    (1_400, Tick(Some(Ill))),
                    (1_800, Tick(None)),
                    (1_800, Due(None)),
                    (2_000, InService(0, Some(Well))),
                ],
            ),
            (
                "a worker that is lost twice, or never served, prolongs no grace time",
                &[
                    (0, InService(0, Some(Well))),
                    (1_000, Lost(0)),
                    (1_300, Lost(0)),
                    (1_350, Lost(7)),
                    (1_400, Tick(Some(Ill))),
                    (1_500, Lost(0)),
                    (1_500, Due(None)),
                ],
            ),
            (
                "ill while requests are not answered somewhere, though workers are alive",
                &[
                    (0, InService(0, Some(Well))),
                    (0, Answers(80, true, None)),
                    (0, Answers(81, true, None)),
                    (1_000, Answers(80, false, Some(Ill))),
                    (1_001, Answers(81, false, None)),
                    (1_002, InService(1, None)),
                    (1_500, Answers(80, true, None)),
                    (1_600, Answers(81, true, Some(Well))),
                ],
            ),
            (
                "both at once: well when both are",
                &[
                    (0, InService(0, Some(Well))),
                    (1_000, Answers(80, false, Some(Ill))),
                    (1_001, Lost(0)),
                    (1_401, Tick(None)),
                    (1_500, Answers(80, true, None)),
                    (1_600, InService(0, Some(Well))),
                ],
            ),
            (
                "an address that is gone is not held against the proxy",
                &[
                    (0, InService(0, Some(Well))),
                    (1_000, Answers(80, false, Some(Ill))),
                    (1_100, Ports(&[80, 81], None)),
                    (1_200, Ports(&[81], Some(Well))),
                ],
            ),
        ];
        for (name, steps) in cases {
            let start = origin();
            let mut health = ProxyHealth::new(GRACE);
            for (number, (now, step)) in steps.iter().enumerate() {
                let now = start + ms(*now);
                let at = format!("{name}, step {number}");
                match *step {
                    InService(slot, change) => {
                        assert_eq!(health.handle_in_service(slot), change, "{at}");
                    }
                    Answers(port, answers, change) => {
                        let heard = health.handle_answers(address(port), answers);
                        assert_eq!(heard, change, "{at}");
                    }
                    Ports(ports, change) => {
                        let left = ports.iter().map(|port| address(*port)).collect();
                        assert_eq!(health.handle_addresses(&left), change, "{at}");
                    }
                    Lost(slot) => health.handle_lost(slot, now),
                    Tick(change) => {
                        assert_eq!(health.handle_timeout(now), change, "{at}");
                    }
                    Due(due) => {
                        let due = due.map(|due| start + ms(due));
                        assert_eq!(health.poll_timeout(), due, "{at}");
                    }
                }
            }
        }
    }
}
