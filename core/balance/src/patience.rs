//! How long a server leaves an idle connection open: as it says itself, or as it was seen to close
//! them. Whoever stops using a connection a little earlier never sends a request into its end.

use std::time::Duration;

/// After this, what was seen is forgotten: the server may have another limit by now.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// What is known of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// `Keep-Alive: timeout` of its last response that had one.
    advertised: Option<Duration>,
    /// The last close: after how long, and when it was noticed.
    last: Option<(Duration, Duration)>,
    /// What two closes agree on, and when the second was noticed.
    learned: Option<(Duration, Duration)>,
}

impl Patience {
    /// The server says how long it waits.
    pub const fn handle_advertised(&mut self, timeout: Duration) {
        self.advertised = Some(timeout);
    }

    /// At `now`, a connection was found closed that had been idle for `age` and no more.
    ///
    /// A server that restarts closes connections of any age. So one close says nothing: two say
    /// something, when they were noticed apart and their ages differ by less than a tenth.
    pub fn handle_close(&mut self, age: Duration, now: Duration) {
        match self.last {
            Some((_, noticed)) if noticed == now => {}
            Some((other, _)) if age.abs_diff(other) <= age.max(other) / 10 => {
                let learned = age.min(other);
                let known = self.learned(now).unwrap_or(learned);
                self.learned = Some((learned.min(known), now));
            }
            _ => {}
        }
        self.last = Some((age, now));
    }

    /// For how long an idle connection may be used: nine tenths of what the server waits, less
    /// `error`, by which ages are uncertain. `None`: nothing is known.
    pub fn limit(&self, now: Duration, error: Duration) -> Option<Duration> {
        let known = match (self.advertised, self.learned(now)) {
            (Some(advertised), Some(learned)) => advertised.min(learned),
            (advertised, learned) => advertised.or(learned)?,
        };
        Some((known / 10 * 9).saturating_sub(error))
    }

    fn learned(&self, now: Duration) -> Option<Duration> {
        let (learned, noticed) = self.learned?;
        (now.saturating_sub(noticed) < FORGOTTEN_AFTER).then_some(learned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn two_closes_that_agree_are_a_limit() {
        // Age and time of each close, and the limit after all of them, in milliseconds.
        type Case = (&'static [(u64, u64)], Option<u64>);
        let cases: [Case; 7] = [
            (&[], None),
            (&[(5_000, 10_000)], None),
            (&[(5_000, 10_000), (5_100, 16_000)], Some(4_500)),
            (&[(5_100, 10_000), (5_000, 16_000)], Some(4_500)),
            (&[(3_000, 10_000), (5_000, 16_000)], None),
            // A restart: all at once.
            (&[(5_000, 10_000), (4_900, 10_000), (1_000, 10_000)], None),
            (
                &[
                    (5_000, 10_000),
                    (5_000, 16_000),
                    (2_000, 20_000),
                    (2_000, 23_000),
                ],
                Some(1_800),
            ),
        ];
        for (closes, limit) in cases {
            let mut patience = Patience::default();
            for &(age, now) in closes {
                patience.handle_close(MS(age), MS(now));
            }
            let found = patience.limit(MS(30_000), Duration::ZERO);
            assert_eq!(found, limit.map(MS), "{closes:?}");
        }
    }

    #[test]
    fn what_was_seen_is_forgotten_and_what_is_said_is_not() {
        let mut patience = Patience::default();
        patience.handle_close(MS(1_000), MS(5_000));
        patience.handle_close(MS(1_000), MS(7_000));
        patience.handle_advertised(MS(5_000));
        assert_eq!(patience.limit(MS(8_000), MS(100)), Some(MS(800)));
        assert_eq!(patience.limit(MS(700_000), MS(100)), Some(MS(4_400)));
        patience.handle_advertised(Duration::ZERO);
        assert_eq!(patience.limit(MS(8_000), MS(100)), Some(Duration::ZERO));
    }
}
