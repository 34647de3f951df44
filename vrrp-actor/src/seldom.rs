//! Log lines that may be true a thousand times a second, said now and then.

use std::collections::BTreeMap;
use std::time::Duration;

/// Between two lines of a kind.
const PAUSE: Duration = Duration::from_secs(10);

/// Remembers when something was said last.
#[derive(Debug, Default)]
pub(crate) struct Seldom(BTreeMap<&'static str, Said>);

#[derive(Debug)]
struct Said {
    at: Duration,
    kept_back: u64,
}

impl Seldom {
    /// Whether a line of this kind may be said at `now`; if so, how many were not since the last.
    pub(crate) fn may_say(&mut self, kind: &'static str, now: Duration) -> Option<u64> {
        let Some(said) = self.0.get_mut(kind) else {
            self.0.insert(
                kind,
                Said {
                    at: now,
                    kept_back: 0,
                },
            );
            return Some(0);
        };
        if now.saturating_sub(said.at) < PAUSE {
            said.kept_back += 1;
            return None;
        }
        said.at = now;
        Some(std::mem::take(&mut said.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_first_of_a_kind_and_then_one_in_ten_seconds() {
        let mut seldom = Seldom::default();
        let mut ask = |kind, seconds| seldom.may_say(kind, Duration::from_secs(seconds));
        // kind, at second, expected
        let cases = [
            ("ttl", 1, Some(0)),
            ("ttl", 2, None),
            ("ttl", 10, None),
            ("vrid", 10, Some(0)),
            ("ttl", 11, Some(2)),
            ("ttl", 12, None),
            ("ttl", 99, Some(1)),
        ];
        for (kind, at, expected) in cases {
            assert_eq!(ask(kind, at), expected, "{kind} at {at}");
        }
    }
}
