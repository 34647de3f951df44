//! One verdict: consecutive results against `rise` and `fall`, as HAProxy and keepalived count.

/// How many results in a row turn a verdict. Zero counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Successes that bring it up.
    pub rise: u16,
    /// Failures that bring it down.
    pub fall: u16,
}

/// What holds before the first result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initial {
    /// Nothing: the first result decides at once, whatever the thresholds.
    Wait,
    /// Up: it takes `fall` failures.
    Up,
    /// Down: it takes `rise` successes.
    Down,
}

/// A verdict that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The new verdict.
    pub up: bool,
    /// Whether there was none before.
    pub first: bool,
}

/// Whether one checked thing is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict(State);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    /// Up, after this many failures in a row.
    Up(u16),
    /// Down, after this many successes in a row.
    Down(u16),
}

impl Verdict {
    /// Before the first result.
    pub const fn new(initial: Initial) -> Self {
        Self(match initial {
            Initial::Wait => State::Unknown,
            Initial::Up => State::Up(0),
            Initial::Down => State::Down(0),
        })
    }

    /// As an earlier process found it.
    pub const fn known(up: bool) -> Self {
        Self(if up { State::Up(0) } else { State::Down(0) })
    }

    /// The verdict; `None` before there is one.
    pub const fn is_up(&self) -> Option<bool> {
        match self.0 {
            State::Unknown => None,
            State::Up(_) => Some(true),
            State::Down(_) => Some(false),
        }
    }

    /// Counts one result; the change, if it made one.
    pub fn handle_result(&mut self, success: bool, thresholds: Thresholds) -> Option<Change> {
        let (next, change) = match (self.0, success) {
            (State::Unknown, true) => (State::Up(0), Some(true)),
            (State::Unknown, false) => (State::Down(0), Some(false)),
            (State::Up(_), true) => (State::Up(0), None),
            (State::Down(_), false) => (State::Down(0), None),
            (State::Up(failures), false) => match failures.saturating_add(1) {
                failures if failures >= thresholds.fall => (State::Down(0), Some(false)),
                failures => (State::Up(failures), None),
            },
            (State::Down(successes), true) => match successes.saturating_add(1) {
                successes if successes >= thresholds.rise => (State::Up(0), Some(true)),
                successes => (State::Down(successes), None),
            },
        };
        let first = self.0 == State::Unknown;
        self.0 = next;
        change.map(|up| Change { up, first })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Results as text, `+` success and `-` failure; expected: the verdict after each, `U` up, `D`
    /// down, in lower case where the result did not change it.
    #[test]
    fn verdicts() {
        use Initial::{Down, Up, Wait};
        let cases = [
            // initial, rise, fall, results, verdicts
            (Wait, 2, 3, "+---++", "UuuDdU"),
            (Wait, 2, 3, "-++", "DdU"),
            (Wait, 2, 3, "+--+---", "UuuuuuD"),
            (Wait, 3, 1, "-++-+++", "DdddddU"),
            (Wait, 1, 1, "+-+-", "UDUD"),
            (Wait, 0, 0, "+-+", "UDU"),
            (Up, 1, 2, "--+", "uDU"),
            (Up, 1, 2, "+-+--", "uuuuD"),
            (Down, 2, 1, "+-++", "dddU"),
        ];
        for (initial, rise, fall, results, verdicts) in cases {
            let mut verdict = Verdict::new(initial);
            let seen: String = results
                .chars()
                .map(|result| {
                    let change = verdict.handle_result(result == '+', Thresholds { rise, fall });
                    match (verdict.is_up(), change) {
                        (Some(true), None) => 'u',
                        (Some(true), Some(Change { up: true, .. })) => 'U',
                        (Some(false), None) => 'd',
                        (Some(false), Some(Change { up: false, .. })) => 'D',
                        _ => '?',
                    }
                })
                .collect();
            assert_eq!(seen, verdicts, "{initial:?} {rise} {fall} {results}");
        }
    }

    #[test]
    fn only_a_verdict_out_of_nothing_is_the_first() {
        let thresholds = Thresholds { rise: 1, fall: 1 };
        // (before, first)
        let cases = [
            (Verdict::new(Initial::Wait), true),
            (Verdict::new(Initial::Up), false),
            (Verdict::known(true), false),
        ];
        for (mut verdict, first) in cases {
            let change = verdict.handle_result(false, thresholds);
            assert_eq!(change, Some(Change { up: false, first }), "{verdict:?}");
        }
    }

    proptest! {
        /// Whatever happened before, `fall` failures in a row end down and `rise` successes end up.
        #[test]
        fn enough_in_a_row_decide(
            before in proptest::collection::vec(any::<bool>(), 0..20),
            rise in 1_u16..6,
            fall in 1_u16..6,
        ) {
            let thresholds = Thresholds { rise, fall };
            let mut verdict = Verdict::new(Initial::Wait);
            for result in before {
                verdict.handle_result(result, thresholds);
            }
            for _ in 0..fall {
                verdict.handle_result(false, thresholds);
            }
            prop_assert_eq!(verdict.is_up(), Some(false));
            for _ in 0..rise {
                verdict.handle_result(true, thresholds);
            }
            prop_assert_eq!(verdict.is_up(), Some(true));
        }
    }
}
