//! Whether a request's body comes fast enough (rule 37).
//!
//! A flat time for a whole body would cut a slow but honest client, and a time between two reads alone
//! would let one octet at a time hold a connection for ever. So a client may be waited for as long
//! as between two reads, and a little longer for each octet that it has sent.

use std::time::Duration;

/// The waiting for one body so far. Time in which the server was the slow one does not count.
#[derive(Debug, Default)]
pub(super) struct Pace {
    octets: u64,
    waited: Duration,
    since: Option<Duration>,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self {
            octets: 0,
            waited: Duration::ZERO,
            since: None,
        }
    }

    /// So many octets of the body came.
    pub(super) fn add(&mut self, octets: usize) {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        self.octets = self.octets.saturating_add(octets);
    }

    /// From `now` on the client is waited for, or something else is.
    pub(super) fn note(&mut self, waits: bool, now: Duration) {
        if let Some(since) = self.since.take() {
            self.waited += now.saturating_sub(since);
        }
        self.since = waits.then_some(now);
    }

    /// How long the client's next octet may be waited for: `idle`, or less when the average over the
    /// body so far, beyond `idle`, is below `rate` octets a second; 0: no rate is asked for.
    pub(super) fn patience(&self, idle: Duration, rate: u32) -> Duration {
        if rate == 0 {
            return idle;
        }
        let earned = self.octets.saturating_mul(1000) / u64::from(rate);
        let allowed = idle.saturating_add(Duration::from_millis(earned));
        idle.min(allowed.saturating_sub(self.waited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(30);

    /// What is left of the time for the next octet, when one chunk comes after each pause.
    fn left(chunk: usize, pause: u64, times: u64) -> Duration {
        let mut pace = Pace::new();
        for turn in 0..times {
            pace.note(true, Duration::from_secs(turn * pause));
            pace.note(false, Duration::from_secs((turn + 1) * pause));
            pace.add(chunk);
        }
        pace.patience(IDLE, 240)
    }

    #[test]
    fn average_decides_and_the_whole_time_never() {
        assert_eq!(left(1, 1, 10), Duration::from_millis(20_041));
        assert_eq!(left(1, 1, 31), Duration::ZERO);
        assert_eq!(left(240, 1, 100_000), IDLE);
        assert_eq!(left(239, 1, 7_200), Duration::ZERO);
        assert_eq!(left(240 * 29, 29, 1_000), IDLE, "slow but honest");
        assert_eq!(Pace::new().patience(IDLE, 0), IDLE);
    }
}
