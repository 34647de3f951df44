//! When each check is due, and the verdicts that come of it.
//!
//! Each check runs once at the beginning, all at once as far as the limit allows. After that it
//! runs at its interval, counted from beginning to beginning; the checks are spread evenly over
//! their intervals, always in the same way, so that nobody is asked by all at one moment. A run
//! that is still active is not overlapped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::verdict::{Change, Initial, Thresholds, Verdict};

/// How often a check runs, and when its results decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two beginnings.
    pub interval: Duration,
    /// When its results decide.
    pub thresholds: Thresholds,
    /// What holds before the first result.
    pub initial: Initial,
}

/// One run of a check, to be given back with its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run<K> {
    /// The check.
    pub key: K,
    number: u64,
}

/// All checks of the node. `K` tells them apart.
#[derive(Clone, Debug)]
pub struct Checks<K> {
    entries: BTreeMap<K, Entry>,
    /// Those that are not running, by when they are due.
    due: BTreeSet<(Instant, K)>,
    first_round: FirstRound<K>,
    running_max: usize,
    runs: u64,
    added: u32,
}

#[derive(Clone, Debug)]
struct Entry {
    timing: Timing,
    verdict: Verdict,
    activity: Activity,
    /// Until the first result: where in its interval the check will run, as a fraction of 2^32.
    phase: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
enum Activity {
    Due(Instant),
    Running { since: Instant, number: u64 },
}

#[derive(Clone, Debug)]
enum FirstRound<K> {
    /// There is no configuration yet; these verdicts are known from before.
    Ahead(BTreeMap<K, bool>),
    /// These have had no result yet.
    Waiting(BTreeSet<K>),
    Over,
}

impl<K: Clone + Ord> Checks<K> {
    /// Without any check. At most `running_max` run at a time; the others wait, the most overdue
    /// comes first.
    pub const fn new(running_max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            due: BTreeSet::new(),
            first_round: FirstRound::Ahead(BTreeMap::new()),
            running_max,
            runs: 0,
            added: 0,
        }
    }

    /// A verdict from an earlier process. It is taken for a check that has had no result yet; it is
    /// kept for the first configuration when there is none so far, and dropped otherwise.
    pub fn handle_known(&mut self, key: K, up: bool) {
        if let FirstRound::Ahead(known) = &mut self.first_round {
            known.insert(key, up);
        } else if let Some(entry) = self.entries.get_mut(&key)
            && entry.phase.is_some()
        {
            entry.verdict = Verdict::known(up);
        }
    }

    /// A new configuration: these are the checks from now on. One that stays keeps its verdict and
    /// its counts, and a run that is active goes on; one that is new is due at once.
    ///
    /// Returns the verdicts that hold without a result, by [`Timing::initial`].
    pub fn handle_configuration(
        &mut self,
        wanted: BTreeMap<K, Timing>,
        now: Instant,
    ) -> Vec<(K, bool)> {
        self.entries.retain(|key, _| wanted.contains_key(key));
        self.due.retain(|(_, key)| wanted.contains_key(key));
        let known = match &mut self.first_round {
            FirstRound::Ahead(known) => {
                let known = std::mem::take(known);
                self.first_round = FirstRound::Waiting(wanted.keys().cloned().collect());
                known
            }
            FirstRound::Waiting(keys) => {
                keys.retain(|key| wanted.contains_key(key));
                BTreeMap::new()
            }
            FirstRound::Over => BTreeMap::new(),
        };
        let mut held = Vec::new();
        for (key, timing) in wanted {
            if self.entries.contains_key(&key) {
                self.retime(&key, timing, now);
            } else if let Some(&up) = known.get(&key) {
                self.add(key, timing, Verdict::known(up), now);
            } else {
                let verdict = Verdict::new(timing.initial);
                held.extend(verdict.is_up().map(|up| (key.clone(), up)));
                self.add(key, timing, verdict, now);
            }
        }
        self.assert_sound();
        held
    }

    /// What `key` asks has changed: a run that is active no longer counts, and it is due at once.
    pub fn restart(&mut self, key: &K, now: Instant) {
        if let Some(entry) = self.entries.get_mut(key) {
            if let Activity::Due(at) = entry.activity {
                self.due.remove(&(at, key.clone()));
            }
            entry.activity = Activity::Due(now);
            self.due.insert((now, key.clone()));
        }
        self.assert_sound();
    }

    /// The next check that is to be started; asked until there is none.
    pub fn poll_run(&mut self, now: Instant) -> Option<Run<K>> {
        if self.running() >= self.running_max || self.due.first()?.0 > now {
            return None;
        }
        let (_, key) = self.due.pop_first()?;
        let entry = self.entries.get_mut(&key)?;
        self.runs += 1;
        entry.activity = Activity::Running {
            since: now,
            number: self.runs,
        };
        self.assert_sound();
        Some(Run {
            key,
            number: self.runs,
        })
    }

    /// When [`Checks::poll_run`] may have something; `None` while only a result can bring it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.running() >= self.running_max {
            return None;
        }
        self.due.first().map(|&(at, _)| at)
    }

    /// The run of `key` that is active.
    pub fn active_run(&self, key: &K) -> Option<Run<K>> {
        match self.entries.get(key)?.activity {
            Activity::Running { number, .. } => Some(Run {
                key: key.clone(),
                number,
            }),
            Activity::Due(_) => None,
        }
    }

    /// The verdict on `key`; `None` before there is one.
    pub fn is_up(&self, key: &K) -> Option<bool> {
        self.entries.get(key)?.verdict.is_up()
    }

    /// A run ended. A result of a run that no longer counts is ignored.
    pub fn handle_result(&mut self, run: &Run<K>, success: bool) -> Option<Change> {
        let entry = self.entries.get_mut(&run.key)?;
        let since = match entry.activity {
            Activity::Running { since, number } if number == run.number => since,
            Activity::Running { .. } | Activity::Due(_) => return None,
        };
        let interval = entry.timing.interval;
        let at = since
            + match entry.phase.take() {
                // half to one and a half intervals: evenly spread, neither at once nor much later
                Some(phase) => interval / 2 + interval.mul_f64(f64::from(phase) / 2_f64.powi(32)),
                None => interval,
            };
        entry.activity = Activity::Due(at);
        self.due.insert((at, run.key.clone()));
        if let FirstRound::Waiting(keys) = &mut self.first_round {
            keys.remove(&run.key);
        }
        let change = entry
            .verdict
            .handle_result(success, entry.timing.thresholds);
        self.assert_sound();
        change
    }

    /// Whether every check has had its first result; true once.
    pub fn poll_first_round_over(&mut self) -> bool {
        let over = matches!(&self.first_round, FirstRound::Waiting(keys) if keys.is_empty());
        if over {
            self.first_round = FirstRound::Over;
        }
        over
    }

    fn add(&mut self, key: K, timing: Timing, verdict: Verdict, now: Instant) {
        // multiples of the golden ratio: any number of them lies evenly on a circle
        let phase = self.added.wrapping_mul(0x9E37_79B9);
        self.added = self.added.wrapping_add(1);
        self.due.insert((now, key.clone()));
        let entry = Entry {
            timing,
            verdict,
            activity: Activity::Due(now),
            phase: Some(phase),
        };
        self.entries.insert(key, entry);
    }

    /// A shorter interval does not wait for the end of a longer one.
    fn retime(&mut self, key: &K, timing: Timing, now: Instant) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.timing = timing;
        let latest = now + timing.interval;
        if let Activity::Due(at) = entry.activity
            && at > latest
            && entry.phase.is_none()
        {
            self.due.remove(&(at, key.clone()));
            self.due.insert((latest, key.clone()));
            entry.activity = Activity::Due(latest);
        }
    }

    /// What is not waiting is running.
    fn running(&self) -> usize {
        self.entries.len() - self.due.len()
    }

    fn assert_sound(&self) {
        debug_assert!(self.due.iter().all(|(at, key)| {
            let activity = self.entries.get(key).map(|entry| entry.activity);
            matches!(activity, Some(Activity::Due(due)) if due == *at)
        }));
        debug_assert!(self.running() <= self.running_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ms, origin};

    const fn timing(interval_ms: u64, initial: Initial) -> Timing {
        Timing {
            interval: ms(interval_ms),
            thresholds: Thresholds { rise: 2, fall: 3 },
            initial,
        }
    }

    fn configuration(keys: &[&'static str], interval_ms: u64) -> BTreeMap<&'static str, Timing> {
        let timing = timing(interval_ms, Initial::Wait);
        keys.iter().map(|&key| (key, timing)).collect()
    }

    fn start_all(checks: &mut Checks<&'static str>, now: Instant) -> Vec<Run<&'static str>> {
        std::iter::from_fn(|| checks.poll_run(now)).collect()
    }

    fn keys(runs: &[Run<&'static str>]) -> Vec<&'static str> {
        runs.iter().map(|run| run.key).collect()
    }

    #[test]
    fn the_first_round_runs_all_at_once_within_the_limit() {
        let start = origin();
        let mut checks = Checks::new(2);
        assert_eq!(checks.poll_timeout(), None);
        checks.handle_configuration(configuration(&["a", "b", "c"], 2_000), start);
        assert_eq!(checks.poll_timeout(), Some(start));
        let runs = start_all(&mut checks, start);
        assert_eq!(keys(&runs), ["a", "b"]);
        assert_eq!(checks.poll_timeout(), None, "the limit is reached");
        checks.handle_result(&runs[0], true);
        assert!(!checks.poll_first_round_over());
        let third = start_all(&mut checks, start + ms(5));
        assert_eq!(keys(&third), ["c"]);
        checks.handle_result(&runs[1], false);
        assert!(!checks.poll_first_round_over());
        checks.handle_result(&third[0], true);
        assert!(checks.poll_first_round_over());
        assert!(!checks.poll_first_round_over(), "told once");
    }

    #[test]
    fn a_first_round_of_nothing_is_over_with_the_configuration() {
        let mut checks = Checks::<&str>::new(2);
        assert!(!checks.poll_first_round_over());
        checks.handle_configuration(BTreeMap::new(), origin());
        assert!(checks.poll_first_round_over());
    }

    #[test]
    fn a_removed_check_does_not_hold_up_the_first_round() {
        let start = origin();
        let mut checks = Checks::new(9);
        checks.handle_configuration(configuration(&["a", "b"], 2_000), start);
        let runs = start_all(&mut checks, start);
        checks.handle_result(&runs[1], true);
        checks.handle_configuration(configuration(&["b"], 2_000), start);
        assert!(checks.poll_first_round_over());
        assert_eq!(checks.handle_result(&runs[0], true), None);
        assert_eq!(checks.active_run(&"a"), None);
    }

    #[test]
    fn runs_follow_each_other_from_beginning_to_beginning() {
        let start = origin();
        let mut checks = Checks::new(9);
        checks.handle_configuration(configuration(&["a"], 1_000), start);
        // when a run begins and whether a result comes before the next; the first pause is
        // shortened to half an interval by the phase of the first check, which is 0
        let begins = [0, 500, 1_500, 2_500];
        for begin in begins {
            let now = start + ms(begin);
            assert_eq!(checks.poll_timeout(), Some(now));
            assert_eq!(checks.poll_run(now - ms(1)), None, "not before {begin}");
            let run = checks.poll_run(now).unwrap();
            assert_eq!(checks.poll_run(now + ms(9_999)), None, "no overlap");
            checks.handle_result(&run, true);
        }
    }

    #[test]
    fn checks_are_spread_over_their_interval() {
        let start = origin();
        let count = 100_u64;
        let wanted = (0..count).map(|key| (key, timing(1_000, Initial::Wait)));
        let mut checks = Checks::new(1_000);
        checks.handle_configuration(wanted.collect(), start);
        while let Some(run) = checks.poll_run(start) {
            checks.handle_result(&run, true);
        }
        let second: Vec<Instant> = checks.due.iter().map(|&(at, _)| at).collect();
        assert!(second[0] >= start + ms(500));
        assert!(second[99] < start + ms(1_500));
        for pair in second.windows(2) {
            assert!(
                pair[1] - pair[0] <= ms(1_000) / 50,
                "{:?}",
                pair[1] - pair[0]
            );
        }
    }

    #[test]
    fn a_reload_keeps_verdicts_and_counts() {
        let start = origin();
        let mut checks = Checks::new(9);
        checks.handle_configuration(configuration(&["a"], 60_000), start);
        let run = checks.poll_run(start).unwrap();
        let change = checks.handle_result(&run, true);
        assert_eq!(
            change,
            Some(Change {
                up: true,
                first: true
            })
        );
        let mut now = start;
        for failure in 1..=3 {
            now += ms(90_000);
            let run = checks.poll_run(now).unwrap();
            let change = checks.handle_result(&run, false);
            let down = Change {
                up: false,
                first: false,
            };
            assert_eq!(change, (failure == 3).then_some(down), "failure {failure}");
            checks.handle_configuration(configuration(&["a", "b"], 60_000), now);
            let added = checks.poll_run(now).filter(|run| run.key == "b");
            assert_eq!(
                added.is_some(),
                failure == 1,
                "only new ones are due at once"
            );
        }
    }

    #[test]
    fn a_shorter_interval_takes_effect_at_once() {
        let start = origin();
        let mut checks = Checks::new(9);
        checks.handle_configuration(configuration(&["a"], 60_000), start);
        let run = checks.poll_run(start).unwrap();
        checks.handle_result(&run, true);
        checks.handle_configuration(configuration(&["a"], 1_000), start + ms(10));
        assert_eq!(checks.poll_timeout(), Some(start + ms(1_010)));
    }

    #[test]
    fn a_restarted_check_ignores_the_run_that_was_active() {
        let start = origin();
        let mut checks = Checks::new(9);
        checks.handle_configuration(configuration(&["a"], 1_000), start);
        let old = checks.poll_run(start).unwrap();
        assert_eq!(checks.active_run(&"a"), Some(old.clone()));
        checks.restart(&"a", start + ms(100));
        assert_eq!(checks.handle_result(&old, false), None);
        let new = checks.poll_run(start + ms(100)).unwrap();
        assert_eq!(checks.handle_result(&old, false), None);
        let change = checks.handle_result(&new, true);
        assert_eq!(
            change,
            Some(Change {
                up: true,
                first: true
            })
        );
    }

    #[test]
    fn what_was_known_before_holds_until_results_say_otherwise() {
        let start = origin();
        for known_first in [true, false] {
            let mut checks = Checks::new(9);
            if known_first {
                checks.handle_known("a", true);
                checks.handle_known("gone", true);
            }
            checks.handle_configuration(configuration(&["a"], 1_000), start);
            if !known_first {
                checks.handle_known("a", true);
                checks.handle_known("gone", true);
            }
            let run = checks.poll_run(start).unwrap();
            assert_eq!(
                checks.handle_result(&run, false),
                None,
                "one of three failures"
            );
            assert!(checks.poll_first_round_over());
            checks.handle_known("a", false);
            let run = checks.poll_run(start + ms(1_500)).unwrap();
            assert_eq!(checks.handle_result(&run, true), None, "still up");
        }
    }

    #[test]
    fn an_initial_verdict_is_told_where_nothing_is_known() {
        let start = origin();
        let mut checks = Checks::new(9);
        checks.handle_known("known", false);
        let wanted = BTreeMap::from([
            ("down", timing(1_000, Initial::Down)),
            ("known", timing(1_000, Initial::Up)),
            ("up", timing(1_000, Initial::Up)),
            ("wait", timing(1_000, Initial::Wait)),
        ]);
        let held = checks.handle_configuration(wanted.clone(), start);
        assert_eq!(held, [("down", false), ("up", true)]);
        assert_eq!(checks.handle_configuration(wanted, start), []);
    }
}
