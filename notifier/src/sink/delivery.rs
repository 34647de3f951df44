//! One entry on its way to a sink's receivers: who has it, when to try again, when to give up. No
//! I/O and no clock.

use std::time::Duration;

/// The wait after the first failure; it doubles with each further one.
const WAIT_MIN: Duration = Duration::from_secs(1);

/// The longest wait of our own choice.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The longest wait that a server can ask for.
const ASKED_MAX: Duration = Duration::from_secs(3600);

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was taken.
    Done,
    /// It was not, but may be later.
    Retry {
        /// A sentence for the log.
        why: String,
        /// The wait that the server asked for.
        after: Option<Duration>,
    },
    /// It was refused for good.
    Refused {
        /// A sentence for the log.
        why: String,
    },
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send it to this receiver and report to [`Delivery::handle_outcome`].
    Send(usize),
    /// Wait this long, then ask again.
    Wait(Duration),
    /// Nothing is left.
    Finished,
}

/// The state of one entry.
#[derive(Debug)]
pub(crate) struct Delivery {
    seq: u64,
    /// Receivers that have not got it, the next one first.
    pending: Vec<usize>,
    /// Those that failed in this round.
    failed: Vec<usize>,
    rounds_failed: u32,
    asked: Option<Duration>,
}

impl Delivery {
    /// The entry `seq` for `receivers` receivers.
    pub(crate) fn new(seq: u64, receivers: usize) -> Self {
        Self {
            seq,
            pending: (0..receivers).collect(),
            failed: Vec::new(),
            rounds_failed: 0,
            asked: None,
        }
    }

    /// The entry's number.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// What to do. A receiver that fails does not keep the entry from the others: they are tried in
    /// the same round, and those that failed again in the next one.
    pub(crate) fn poll_step(&mut self) -> Step {
        if let Some(receiver) = self.pending.first() {
            return Step::Send(*receiver);
        }
        if self.failed.is_empty() {
            return Step::Finished;
        }
        std::mem::swap(&mut self.pending, &mut self.failed);
        self.rounds_failed = self.rounds_failed.saturating_add(1);
        let asked = self.asked.take().unwrap_or_default().min(ASKED_MAX);
        Step::Wait(wait(self.seq, self.rounds_failed).max(asked))
    }

    /// How the attempt ended that [`Delivery::poll_step`] asked for.
    pub(crate) fn handle_outcome(&mut self, outcome: &Outcome) {
        if self.pending.is_empty() {
            return;
        }
        let receiver = self.pending.remove(0);
        if let Outcome::Retry { after, .. } = outcome {
            self.failed.push(receiver);
            self.asked = self.asked.max(*after);
        }
    }
}

/// Whether something of `at_unix_ms` is too old to be sent.
pub(crate) fn is_stale(at_unix_ms: u64, now_unix_ms: u64, age_max: Duration) -> bool {
    u128::from(now_unix_ms.saturating_sub(at_unix_ms)) > age_max.as_millis()
}

/// The wait after `failures` failures: 1 s, doubling to 60 s, less up to a quarter, so that many
/// sinks and nodes do not come at the same moment. The same for the same entry and failure.
fn wait(seq: u64, failures: u32) -> Duration {
    let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
    let full = WAIT_MIN.saturating_mul(doubled).min(WAIT_MAX);
    let share = u32::from(scatter(seq, failures));
    full - full / 4 * share / 256
}

/// An octet that depends on all bits of both (the finaliser of SplitMix64).
fn scatter(seq: u64, failures: u32) -> u8 {
    let mut mixed = seq ^ u64::from(failures).rotate_left(32);
    mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).to_be_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(after: Option<u64>) -> Outcome {
        Outcome::Retry {
            why: "no".into(),
            after: after.map(Duration::from_secs),
        }
    }

    fn refused() -> Outcome {
        Outcome::Refused { why: "no".into() }
    }

    /// Answers attempts by the script and notes what happened, in virtual time.
    fn run(receivers: usize, script: &[Outcome]) -> (Vec<usize>, Vec<Duration>) {
        let mut delivery = Delivery::new(41, receivers);
        let (mut sent, mut waits) = (Vec::new(), Vec::new());
        let mut script = script.iter();
        loop {
            match delivery.poll_step() {
                Step::Send(receiver) => {
                    let Some(outcome) = script.next() else {
                        return (sent, waits);
                    };
                    sent.push(receiver);
                    delivery.handle_outcome(outcome);
                }
                Step::Wait(wait) => waits.push(wait),
                Step::Finished => return (sent, waits),
            }
        }
    }

    #[test]
    fn those_that_have_it_are_left_alone() {
        let done = Outcome::Done;
        let cases = [
            (
                "all at once",
                2,
                vec![done.clone(), done.clone()],
                vec![0, 1],
            ),
            ("one refuses", 2, vec![refused(), done.clone()], vec![0, 1]),
            (
                "one is late",
                3,
                vec![done.clone(), retry(None), done.clone(), done.clone()],
                vec![0, 1, 2, 1],
            ),
            ("none", 0, vec![], vec![]),
            (
                "late, then refused",
                1,
                vec![retry(None), refused(), done],
                vec![0, 0],
            ),
        ];
        for (name, receivers, script, expected) in cases {
            assert_eq!(run(receivers, &script).0, expected, "{name}");
        }
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let (_, waits) = run(1, &vec![retry(None); 9]);
        let most = [1u64, 2, 4, 8, 16, 32, 60, 60, 60].map(Duration::from_secs);
        for (wait, most) in waits.iter().zip(most) {
            assert!(
                *wait <= most && *wait >= most * 3 / 4,
                "{wait:?} of {most:?}"
            );
        }
        assert_eq!(
            waits,
            run(1, &vec![retry(None); 9]).1,
            "the same every time"
        );
    }

    #[test]
    fn entries_do_not_come_at_the_same_moment() {
        let mut waits: Vec<Duration> = (0..100).map(|seq| wait(seq, 7)).collect();
        waits.sort_unstable();
        waits.dedup();
        assert!(waits.len() > 50, "{}", waits.len());
    }

    #[test]
    fn a_server_may_ask_for_more() {
        assert_eq!(run(1, &[retry(Some(90))]).1, [Duration::from_secs(90)]);
        assert!(run(1, &[retry(Some(0))]).1[0] >= Duration::from_millis(750));
        assert_eq!(run(1, &[retry(Some(u64::MAX))]).1, [ASKED_MAX]);
    }

    #[test]
    fn what_is_old_is_stale() {
        let hour = Duration::from_secs(3600);
        let cases = [
            (0, 3_600_000, false),
            (0, 3_600_001, true),
            (5, 0, false), // the clock went back
        ];
        for (at, now, stale) in cases {
            assert_eq!(is_stale(at, now, hour), stale, "{at} {now}");
        }
    }
}
