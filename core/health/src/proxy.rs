//! Whether the node's own proxy serves: the verdict that VRRP tracks.
//!
//! A worker that dies is back within milliseconds, so a moment without any worker moves no address;
//! only when none has been in service for a grace time is the proxy ill. What a worker does is
//! learnt by the supervisor, who feeds this.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The grace time that the supervisor gives: longer than a restart of all workers takes, short
/// enough that an address moves within a second.
pub const GRACE: Duration = Duration::from_millis(400);

/// A verdict that changed; each is told to the vrrp-actor and becomes an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A worker serves again, or for the first time.
    Well,
    /// No worker has served for the grace time.
    Ill,
}

/// The verdict, over all workers of the node.
#[derive(Clone, Debug)]
pub struct ProxyHealth {
    grace: Duration,
    state: State,
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
        }
    }

    /// Whether the proxy counts as serving.
    pub const fn is_well(&self) -> bool {
        !matches!(self.state, State::Ill)
    }

    /// The worker of this slot has its configuration in force and accepts connections.
    pub fn handle_in_service(&mut self, slot: u16) -> Option<Change> {
        match &mut self.state {
            State::Serving(slots) => {
                slots.insert(slot);
                None
            }
            State::Doubtful(_) => {
                self.state = State::Serving(BTreeSet::from([slot]));
                None
            }
            State::Ill => {
                self.state = State::Serving(BTreeSet::from([slot]));
                Some(Change::Well)
            }
        }
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
        match self.state {
            State::Doubtful(until) if now >= until => {
                self.state = State::Ill;
                Some(Change::Ill)
            }
            State::Doubtful(_) | State::Ill | State::Serving(_) => None,
        }
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
        /// When the timer is wanted, in milliseconds.
        Due(Option<u64>),
    }

    #[test]
    fn verdicts() {
        use Change::{Ill, Well};
        use Step::{Due, InService, Lost, Tick};
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
                        assert!(health.is_well(), "{at}");
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
