//! How the processes are watched that another image of the supervisor has left: they end their work by
//! themselves, each within its time, and show until then that they live.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often [`Retirement::handle_timeout`] is owed.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// A process that promised signs of life and gave none for this long is to be killed.
pub const SILENCE_MAX: Duration = Duration::from_secs(3);
/// When our own look was later than this, the silence was ours and no process is blamed for it.
pub const OVERSLEPT: Duration = Duration::from_secs(1);

/// Watches that each process ends. `K` tells them apart.
#[derive(Clone, Debug)]
pub struct Retirement<K> {
    left: BTreeMap<K, Process>,
    looked: Instant,
}

#[derive(Clone, Debug)]
struct Process {
    /// When it is to have ended.
    due: Instant,
    /// Its last sign of life; `None` for one that gives none.
    heard: Option<Instant>,
    /// It is being killed.
    condemned: bool,
}

/// Why a process is to be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It gave no sign of life for this long.
    Silent(Duration),
    /// Its time is over.
    Overdue,
}

impl<K: Copy + Ord> Retirement<K> {
    /// Watches nobody yet.
    pub const fn new(now: Instant) -> Self {
        Self {
            left: BTreeMap::new(),
            looked: now,
        }
    }

    /// Watches a process that ends `within` that time, and until then is heard of if `beats`.
    pub fn watch(&mut self, process: K, within: Duration, beats: bool, now: Instant) {
        let watched = Process {
            due: now + within,
            heard: beats.then_some(now),
            condemned: false,
        };
        self.left.insert(process, watched);
    }

    /// It gave a sign of life.
    pub fn handle_sign(&mut self, process: K, now: Instant) {
        let process = self.left.get_mut(&process);
        if let Some(heard) = process.and_then(|process| process.heard.as_mut()) {
            *heard = now;
        }
    }

    /// It has ended.
    pub fn handle_ended(&mut self, process: K) {
        self.left.remove(&process);
    }

    /// Time has passed: who is to be killed, each of them once.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<(K, Fault)> {
        let overslept = now > self.looked + OVERSLEPT;
        self.looked = now;
        let waiting = self.left.iter_mut().filter(|(_, one)| !one.condemned);
        waiting
            .filter_map(|(&key, process)| {
                if overslept {
                    process.heard = process.heard.map(|_| now);
                }
                let fault = process.fault(now)?;
                process.condemned = true;
                Some((key, fault))
            })
            .collect()
    }

    /// Who has not ended, and how long each of them may take yet.
    pub fn left(&self, now: Instant) -> impl Iterator<Item = (K, Duration)> {
        let left = self.left.iter();
        left.map(move |(&key, process)| (key, process.due.saturating_duration_since(now)))
    }
}

impl Process {
    fn fault(&self, now: Instant) -> Option<Fault> {
        let silence = self
            .heard
            .map(|heard| now.saturating_duration_since(heard))
            .filter(|&silence| silence >= SILENCE_MAX);
        let overdue = (now >= self.due).then_some(Fault::Overdue);
        silence.map(Fault::Silent).or(overdue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ms, origin};

    /// What happens to processes 1, which beats, and 2, which does not; both may take 600 s.
    enum Step {
        /// From the first to the second, one look every 200 ms: who is found, when and why.
        Look(u64, u64, &'static [(u8, u64, Fault)]),
        /// Signs of process 1 every 500 ms from the first to the second.
        Beat(u64, u64),
        /// A process ends.
        End(u8),
    }

    #[test]
    fn retirements() {
        use Fault::{Overdue, Silent};
        use Step::{Beat, End, Look};
        const SILENT: Fault = Silent(SILENCE_MAX);
        let cases: &[(&str, &[Step])] = &[
            (
                "who is silent is killed long before its time, once; who never beats is not",
                &[Look(0, 100_000, &[(1, 3_000, SILENT)])],
            ),
            (
                "who beats has all of its time",
                &[
                    Beat(0, 700_000),
                    Look(0, 700_000, &[(1, 600_000, Overdue), (2, 600_000, Overdue)]),
                ],
            ),
            (
                "who falls silent on the way",
                &[Beat(0, 60_000), Look(0, 100_000, &[(1, 63_000, SILENT)])],
            ),
            (
                "who has ended is forgotten",
                &[
                    Look(0, 1_000, &[]),
                    End(1),
                    End(2),
                    Look(1_000, 700_000, &[]),
                ],
            ),
            (
                "all were frozen: nobody is blamed, and has to be heard again",
                &[
                    Look(0, 1_000, &[]),
                    Look(60_000, 62_800, &[]),
                    Look(63_000, 64_000, &[(1, 63_000, SILENT)]),
                ],
            ),
        ];
        for (name, steps) in cases {
            let start = origin();
            let mut retirement = Retirement::new(start);
            retirement.watch(1_u8, ms(600_000), true, start);
            retirement.watch(2, ms(600_000), false, start);
            let mut beats: Vec<u64> = Vec::new();
            for step in *steps {
                match *step {
                    Beat(from, to) => beats.extend((from..=to).step_by(500)),
                    End(process) => retirement.handle_ended(process),
                    Look(from, to, expected) => {
                        let mut found = Vec::new();
                        for at in (from..=to).step_by(200) {
                            while beats.first().is_some_and(|&beat| beat <= at) {
                                retirement.handle_sign(1, start + ms(beats.remove(0)));
                            }
                            let faults = retirement.handle_timeout(start + ms(at));
                            found.extend(faults.into_iter().map(|(who, why)| (who, at, why)));
                        }
                        assert_eq!(found, expected, "{name}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_left_of_the_time_goes_on_to_the_next_image() {
        let start = origin();
        let mut retirement = Retirement::new(start);
        retirement.watch(1_u8, ms(600_000), true, start);
        retirement.watch(2, ms(1_000), false, start);
        let left: Vec<_> = retirement.left(start + ms(2_000)).collect();
        assert_eq!(left, [(1, ms(598_000)), (2, ms(0))]);
    }
}
