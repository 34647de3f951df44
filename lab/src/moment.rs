//! One clock for all instruments: the wall clock, which `ip monitor`, tcpdump and this process read
//! alike.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A point in time in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// The present.
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// From `2026-11-22T19:52:03.477964`, in UTC.
    pub fn from_utc(text: &str) -> Option<Self> {
        let zoned = text
            .parse::<DateTime>()
            .ok()?
            .to_zoned(TimeZone::UTC)
            .ok()?;
        let micros = zoned.timestamp().as_microsecond();
        u64::try_from(micros).ok().map(Self)
    }

    /// From `1450110430.123456789`, seconds since 1970.
    pub fn from_epoch(text: &str) -> Option<Self> {
        let (seconds, fraction) = text.split_once('.')?;
        let micros: u64 = fraction.get(..6)?.parse().ok()?;
        let seconds: u64 = seconds.parse().ok()?;
        Some(Self(seconds.checked_mul(1_000_000)?.checked_add(micros)?))
    }

    /// How long after `earlier` it is; zero when it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl std::ops::Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_notations_mean_the_same_moment() {
        let monitor = Moment::from_utc("2015-12-14T16:27:10.123456").unwrap();
        let tshark = Moment::from_epoch("1450110430.123456789").unwrap();
        assert_eq!(monitor, tshark);
        assert_eq!(monitor.to_string(), "1450110430.123456");
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "12",
            "1450110430.12",
            "-1.123456",
            "2015-13-14T16:27:10.1",
        ] {
            assert_eq!(Moment::from_epoch(text), None, "{text}");
            assert_eq!(Moment::from_utc(text), None, "{text}");
        }
    }

    #[test]
    fn differences_do_not_go_below_zero() {
        let early = Moment::from_epoch("1.000000").unwrap();
        let late = early + Duration::from_millis(1500);
        assert_eq!(late.since(early), Duration::from_millis(1500));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late - Duration::from_millis(1500), early);
    }
}
