//! What the client counts, per address. Pure: time comes in.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The width of the chart's bars.
pub(crate) const BUCKET: Duration = Duration::from_millis(500);
/// How many bars the chart has: one minute.
pub(crate) const BUCKETS: usize = 120;
/// After so many new bars, all older ones are forgotten anyway.
const FORGOTTEN: u32 = 121;
/// Rates and latencies are those of this last while.
const RECENT: Duration = Duration::from_secs(2);
/// Failures that begin closer to each other belong to one outage.
const APART: Duration = Duration::from_secs(1);
/// More answers than a client that is paced gets in that while.
const RECENT_MAX: usize = 4096;

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With status 200, through this node, from this back end, where they say who they are.
    Served {
        node: Option<String>,
        backend: Option<String>,
    },
    /// Any other way.
    Failed,
}

/// One bar of the chart: requests that began in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) served: u32,
    pub(crate) failed: u32,
}

/// A while in which requests failed: from the beginning of the first one that did to the end of the
/// first one that began after the last of them and was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    pub(crate) began: Duration,
    /// When the last request that failed began.
    last: Duration,
    /// `None` while it lasts.
    pub(crate) ended: Option<Duration>,
    /// Requests that failed.
    pub(crate) failed: u64,
}

/// A request that was served a moment ago.
#[derive(Debug)]
struct Served {
    at: Duration,
    took: Duration,
    node: Option<String>,
    backend: Option<String>,
}

/// The counts of one address.
#[derive(Debug)]
pub(crate) struct Tally {
    /// The last one is being filled; it began at `BUCKET * turned`.
    buckets: VecDeque<Bucket>,
    turned: u32,
    recent: VecDeque<Served>,
    served: u64,
    failed: u64,
    repeated: u64,
    outage: Option<Outage>,
}

/// What is shown of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    pub(crate) served: u64,
    pub(crate) failed: u64,
    /// Asked again because a kept connection had ended.
    pub(crate) repeated: u64,
    /// Served in the last seconds, per second.
    pub(crate) per_second: f64,
    /// Half of the recent requests took no longer.
    pub(crate) median: Option<Duration>,
    /// 99 of 100 recent requests took no longer.
    pub(crate) slowest_percent: Option<Duration>,
    /// Recent requests by node and back end.
    pub(crate) paths: BTreeMap<(String, String), u32>,
    /// The last one.
    pub(crate) outage: Option<Outage>,
    /// The whole bars, oldest first.
    pub(crate) buckets: Vec<Bucket>,
}

#[cfg(test)]
impl Outage {
    /// One that is over, for the tests of what shows it.
    pub(crate) const fn over(began: Duration, ended: Duration, failed: u64) -> Self {
        Self {
            began,
            last: began,
            ended: Some(ended),
            failed,
        }
    }
}

impl Tally {
    /// An empty one, at `now`.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            buckets: VecDeque::from([Bucket::default()]),
            turned: turns(now),
            recent: VecDeque::new(),
            served: 0,
            failed: 0,
            repeated: 0,
            outage: None,
        }
    }

    /// A request that began at `began` ended at `now`. It counts in the bar in which it began, so
    /// that a timeout fills the hole that it left.
    pub(crate) fn handle_end(&mut self, now: Duration, began: Duration, outcome: Outcome) {
        self.turn(now);
        let back = self.turned.saturating_sub(turns(began));
        let bucket = usize::try_from(back)
            .ok()
            .and_then(|back| self.buckets.iter_mut().rev().nth(back));
        match outcome {
            Outcome::Served { node, backend } => {
                self.served += 1;
                if let Some(bucket) = bucket {
                    bucket.served += 1;
                }
                self.recent.push_back(Served {
                    at: now,
                    took: now.saturating_sub(began),
                    node,
                    backend,
                });
                self.end_outage(now, began);
            }
            Outcome::Failed => {
                self.failed += 1;
                if let Some(bucket) = bucket {
                    bucket.failed += 1;
                }
                self.extend_outage(began);
            }
        }
    }

    /// A request was sent again because the kept connection it was sent on had ended.
    pub(crate) fn handle_repeat(&mut self) {
        self.repeated += 1;
    }

    fn end_outage(&mut self, now: Duration, began: Duration) {
        if let Some(outage) = &mut self.outage
            && outage.ended.is_none()
            && began > outage.last
        {
            outage.ended = Some(now);
        }
    }

    /// Failures are told late: a request that timed out began long before, and others have been
    /// served since.
    fn extend_outage(&mut self, began: Duration) {
        let known = self
            .outage
            .filter(|known| began <= known.last + APART && known.began <= began + APART);
        let (first, last, failed) = match known {
            Some(known) => (
                known.began.min(began),
                known.last.max(began),
                known.failed + 1,
            ),
            None => (began, began, 1),
        };
        let served_later = |served: &&Served| served.at.saturating_sub(served.took) > last;
        self.outage = Some(Outage {
            began: first,
            last,
            ended: self
                .recent
                .iter()
                .find(served_later)
                .map(|served| served.at),
            failed,
        });
    }

    /// Begins new bars up to `now`, and forgets what is no longer recent.
    fn turn(&mut self, now: Duration) {
        let due = turns(now);
        for _ in 0..due.saturating_sub(self.turned).min(FORGOTTEN) {
            self.buckets.push_back(Bucket::default());
            if self.buckets.len() > BUCKETS + 1 {
                self.buckets.pop_front();
            }
        }
        self.turned = self.turned.max(due);
        let begin = now.saturating_sub(RECENT);
        while self.recent.len() > RECENT_MAX
            || self.recent.front().is_some_and(|first| first.at < begin)
        {
            self.recent.pop_front();
        }
    }

    /// What is to be shown at `now`.
    pub(crate) fn summary(&mut self, now: Duration) -> Summary {
        self.turn(now);
        let mut times: Vec<Duration> = self.recent.iter().map(|served| served.took).collect();
        times.sort_unstable();
        let at = |hundredths: usize| times.get(times.len() * hundredths / 100).copied();
        let mut paths = BTreeMap::new();
        for served in &self.recent {
            if let (Some(node), Some(backend)) = (&served.node, &served.backend) {
                *paths.entry((node.clone(), backend.clone())).or_insert(0) += 1;
            }
        }
        let recent = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
        let whole = self.buckets.len().saturating_sub(1);
        Summary {
            served: self.served,
            failed: self.failed,
            repeated: self.repeated,
            per_second: f64::from(recent) / RECENT.as_secs_f64(),
            median: at(50),
            slowest_percent: at(99),
            paths,
            outage: self.outage,
            buckets: self.buckets.iter().take(whole).copied().collect(),
        }
    }
}

/// How many bars have begun before `now`.
fn turns(now: Duration) -> u32 {
    u32::try_from(now.as_millis() / BUCKET.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn served() -> Outcome {
        Outcome::Served {
            node: Some("proxy101".into()),
            backend: Some("backend1".into()),
        }
    }

    /// Ends of requests, in order: (now, began, served).
    fn tally_of(ends: &[(u64, u64, bool)]) -> Tally {
        let mut tally = Tally::new(ms(0));
        for (now, began, well) in ends {
            let outcome = if *well { served() } else { Outcome::Failed };
            tally.handle_end(ms(*now), ms(*began), outcome);
        }
        tally
    }

    #[test]
    fn an_outage_lasts_from_the_first_failure_to_the_success_after_the_last() {
        let outage = |began, ended: Option<u64>, failed| Some((ms(began), ended.map(ms), failed));
        for (case, ends, expected) in [
            ("none", &[(10, 5, true)][..], None),
            (
                "it lasts",
                &[(10, 5, false), (20, 15, false)],
                outage(5, None, 2),
            ),
            (
                "it is over",
                &[(10, 5, false), (30, 25, true)],
                outage(5, Some(30), 1),
            ),
            (
                "a success that began before it does not end it",
                &[(10, 5, false), (12, 3, true)],
                outage(5, None, 1),
            ),
            (
                "a success among failures does not end it",
                &[
                    (10, 5, false),
                    (12, 8, true),
                    (20, 15, false),
                    (30, 25, true),
                ],
                outage(5, Some(30), 2),
            ),
            (
                "a timeout is told after others were served again",
                &[
                    (400, 390, true),
                    (410, 400, true),
                    (1_004, 4, false),
                    (1_300, 300, false),
                ],
                outage(4, Some(400), 2),
            ),
            (
                "a later failure is another outage",
                &[(10, 5, false), (30, 25, true), (2_060, 2_050, false)],
                outage(2_050, None, 1),
            ),
        ] {
            let found = tally_of(ends).summary(ms(2_100)).outage;
            let found = found.map(|found| (found.began, found.ended, found.failed));
            assert_eq!(found, expected, "{case}");
        }
    }

    #[test]
    fn bars_turn_with_time() {
        let mut tally = tally_of(&[(100, 99, true), (510, 499, false), (520, 509, true)]);
        assert_eq!(
            tally.summary(ms(999)).buckets.len(),
            1,
            "the second is not whole"
        );
        let bars = tally.summary(ms(2000)).buckets;
        let counts: Vec<_> = bars.iter().map(|bar| (bar.served, bar.failed)).collect();
        assert_eq!(counts, [(1, 1), (1, 0), (0, 0), (0, 0)]);
        assert_eq!(tally.summary(ms(3_600_000)).buckets.len(), BUCKETS);
    }

    #[test]
    fn rates_and_latencies_are_recent() {
        let mut tally = tally_of(&[(100, 0, true), (1900, 1890, true), (2100, 2080, true)]);
        let summary = tally.summary(ms(2101));
        assert_eq!(summary.per_second, 1.0, "two in two seconds");
        assert_eq!(summary.median, Some(ms(20)));
        assert_eq!(summary.served, 3);
        let path = ("proxy101".to_owned(), "backend1".to_owned());
        assert_eq!(summary.paths, BTreeMap::from([(path, 2)]));
        assert_eq!(tally.summary(ms(9000)).median, None);
    }
}
