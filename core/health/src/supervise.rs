//! How the supervisor treats its children: how long it waits before it starts one again
//! ([`Backoff`]), and when silence means that one hangs ([`Heartbeat`]).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The pause before the second restart in a row; each further one doubles it.
pub const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause between two restarts.
pub const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A child that lived this long is forgiven its earlier deaths.
pub const LIFE_FORGIVEN: Duration = Duration::from_secs(10);

/// Between two heartbeats.
pub const PING_INTERVAL: Duration = Duration::from_millis(100);
/// A child that was silent for this long is to be killed.
pub const SILENCE_MAX: Duration = Duration::from_millis(500);
/// When our own timer was later than this, the silence was ours and no child is blamed for it.
pub const OVERSLEPT: Duration = Duration::from_millis(200);

/// How long one child is left dead: it is started again at once the first time, and after a growing
/// pause when it keeps dying young.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    started: Option<Instant>,
    pause: Duration,
}

impl Backoff {
    /// For a child that has not died yet.
    pub const fn new() -> Self {
        Self {
            started: None,
            pause: Duration::ZERO,
        }
    }

    /// The child was started.
    pub const fn handle_started(&mut self, now: Instant) {
        self.started = Some(now);
    }

    /// The child ended, or could not be started: after what pause it is to be started again.
    pub fn handle_ended(&mut self, now: Instant) -> Duration {
        let lived = self
            .started
            .take()
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        if lived >= LIFE_FORGIVEN {
            self.pause = Duration::ZERO;
        }
        let pause = self.pause;
        self.pause = (pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
        pause
    }
}

/// Watches that each child answers. `K` tells the children apart.
///
/// One timer serves all: [`Heartbeat::handle_timeout`] is owed whenever [`Heartbeat::poll_timeout`]
/// has passed.
#[derive(Clone, Debug)]
pub struct Heartbeat<K> {
    heard: BTreeMap<K, Instant>,
    ping_due: Instant,
    seq: u64,
}

/// What a heartbeat asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat<K> {
    /// Send all children a ping with this number.
    pub ping: Option<u64>,
    /// Kill these: for how long each was silent. They are no longer watched.
    pub silent: Vec<(K, Duration)>,
}

impl<K: Copy + Ord> Heartbeat<K> {
    /// Watches nobody yet; the first ping is due at once.
    pub const fn new(now: Instant) -> Self {
        Self {
            heard: BTreeMap::new(),
            ping_due: now,
            seq: 0,
        }
    }

    /// Watches `child` as if it had been heard at `since`, which may lie ahead to give a starting
    /// process longer.
    pub fn watch(&mut self, child: K, since: Instant) {
        self.heard.insert(child, since);
    }

    /// No longer watches `child`: it ended, or it was told to stop.
    pub fn forget(&mut self, child: K) {
        self.heard.remove(&child);
    }

    /// `child` answered ping number `seq`. A number that was not sent yet proves nothing and is
    /// ignored, as is a child that is not watched.
    pub fn handle_pong(&mut self, child: K, seq: u64, now: Instant) {
        if seq > self.seq {
            return;
        }
        if let Some(heard) = self.heard.get_mut(&child) {
            // The first answer also ends whatever longer time the start was given.
            *heard = now;
        }
    }

    /// When [`Heartbeat::handle_timeout`] is owed next.
    pub fn poll_timeout(&self) -> Instant {
        self.heard
            .values()
            .map(|&heard| heard + SILENCE_MAX)
            .fold(self.ping_due, Instant::min)
    }

    /// Time has passed. Where it is our own timer that was late, answers may wait unread, or the
    /// whole node was frozen: all children get the full time anew.
    pub fn handle_timeout(&mut self, now: Instant) -> Beat<K> {
        if now > self.ping_due + OVERSLEPT {
            for heard in self.heard.values_mut() {
                *heard = (*heard).max(now);
            }
        }
        let silent: Vec<(K, Duration)> = self
            .heard
            .iter()
            .map(|(&child, &heard)| (child, now.saturating_duration_since(heard)))
            .filter(|&(_, silence)| silence >= SILENCE_MAX)
            .collect();
        for (child, _) in &silent {
            self.heard.remove(child);
        }
        let ping = (now >= self.ping_due).then(|| {
            self.ping_due = now + PING_INTERVAL;
            self.seq += 1;
            self.seq
        });
        Beat { ping, silent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ms, origin};

    #[test]
    fn pauses_between_restarts() {
        // (how long the child lived, the pause after its death), one child, one death after another
        let deaths = [
            (ms(5), ms(0)),
            (ms(5), ms(100)),
            (ms(9_999), ms(200)),
            (ms(5), ms(400)),
            (ms(5), ms(800)),
            (ms(5), ms(1600)),
            (ms(5), ms(3200)),
            (ms(5), ms(5000)),
            (ms(5), ms(5000)),
            (ms(10_000), ms(0)),
            (ms(5), ms(100)),
        ];
        let mut backoff = Backoff::new();
        let mut now = origin();
        for (step, (life, pause)) in deaths.into_iter().enumerate() {
            backoff.handle_started(now);
            now += life;
            assert_eq!(backoff.handle_ended(now), pause, "death {step}");
            now += pause;
        }
    }

    #[test]
    fn a_start_that_fails_is_a_death_without_a_life() {
        let mut backoff = Backoff::new();
        let now = origin();
        assert_eq!(backoff.handle_ended(now), ms(0));
        assert_eq!(backoff.handle_ended(now + ms(60_000)), ms(100));
    }

    /// What happens to a heartbeat that watches children 1 and 2 from 0 ms on.
    enum Step {
        /// The timer is served; expected: the ping's number, who is silent and for how long.
        Tick(u64, Option<u64>, &'static [(u8, u64)]),
        /// A child answers.
        Pong(u64, u8, u64),
        /// A child is watched (again).
        Watch(u64, u8),
        /// A child is no longer watched.
        Forget(u8),
        /// When the timer is wanted.
        Due(u64),
    }

    #[test]
    fn heartbeats() {
        use Step::{Due, Forget, Pong, Tick, Watch};
        let cases: &[(&str, &[Step])] = &[
            (
                "a ping every 100 ms, not more often",
                &[
                    Due(0),
                    Tick(0, Some(1), &[]),
                    Due(100),
                    Tick(60, None, &[]),
                    Tick(100, Some(2), &[]),
                    Due(200),
                ],
            ),
            (
                "who answers lives, who is silent for 500 ms is killed, once",
                &[
                    Tick(0, Some(1), &[]),
                    Tick(200, Some(2), &[]),
                    Pong(210, 1, 2),
                    Tick(400, Some(3), &[]),
                    Due(500),
                    Tick(499, None, &[]),
                    Tick(500, Some(4), &[(2, 500)]),
                    Due(600),
                    Tick(600, Some(5), &[]),
                    Tick(709, Some(6), &[]),
                    Tick(710, None, &[(1, 500)]),
                ],
            ),
            (
                "who was told to stop may be silent",
                &[
                    Forget(2),
                    Tick(0, Some(1), &[]),
                    Tick(200, Some(2), &[]),
                    Pong(201, 1, 2),
                    Tick(400, Some(3), &[]),
                    Pong(401, 2, 2),
                    Tick(600, Some(4), &[]),
                    Tick(701, Some(5), &[(1, 500)]),
                ],
            ),
            (
                "a starting process may be given longer",
                &[
                    Watch(2_000, 2),
                    Forget(1),
                    Tick(0, Some(1), &[]),
                    Tick(200, Some(2), &[]),
                    Tick(400, Some(3), &[]),
                    Tick(600, Some(4), &[]),
                    Tick(800, Some(5), &[]),
                ],
            ),
            (
                "which ends with its first answer",
                &[
                    Watch(2_000, 2),
                    Forget(1),
                    Tick(0, Some(1), &[]),
                    Pong(10, 2, 1),
                    Tick(200, Some(2), &[]),
                    Tick(400, Some(3), &[]),
                    Tick(510, Some(4), &[(2, 500)]),
                ],
            ),
            (
                "an answer to a ping that was not sent proves nothing",
                &[
                    Tick(0, Some(1), &[]),
                    Pong(100, 1, 1),
                    Tick(200, Some(2), &[]),
                    Pong(300, 1, 3),
                    Tick(400, Some(3), &[]),
                    Tick(600, Some(4), &[(1, 500), (2, 600)]),
                ],
            ),
            (
                "all were frozen: nobody is blamed, everybody has to answer again",
                &[
                    Tick(0, Some(1), &[]),
                    Pong(1, 1, 1),
                    Tick(5_000, Some(2), &[]),
                    Due(5_100),
                    Tick(5_200, Some(3), &[]),
                    Pong(5_210, 1, 3),
                    Tick(5_400, Some(4), &[]),
                    Tick(5_500, Some(5), &[(2, 500)]),
                ],
            ),
            (
                "late by 200 ms is not frozen yet",
                &[
                    Tick(0, Some(1), &[]),
                    Tick(300, Some(2), &[]),
                    Tick(500, Some(3), &[(1, 500), (2, 500)]),
                ],
            ),
        ];
        for (name, steps) in cases {
            let start = origin();
            let mut heartbeat = Heartbeat::new(start);
            heartbeat.watch(1_u8, start);
            heartbeat.watch(2, start);
            for (number, step) in steps.iter().enumerate() {
                let at = format!("{name}, step {number}");
                match *step {
                    Tick(now, ping, silent) => {
                        let silent = silent.iter().map(|&(child, for_ms)| (child, ms(for_ms)));
                        let expected = Beat {
                            ping,
                            silent: silent.collect(),
                        };
                        let beat = heartbeat.handle_timeout(start + ms(now));
                        assert_eq!(beat, expected, "{at}");
                    }
                    Pong(now, child, seq) => heartbeat.handle_pong(child, seq, start + ms(now)),
                    Watch(since, child) => heartbeat.watch(child, start + ms(since)),
                    Forget(child) => heartbeat.forget(child),
                    Due(due) => assert_eq!(heartbeat.poll_timeout(), start + ms(due), "{at}"),
                }
            }
        }
    }
}
