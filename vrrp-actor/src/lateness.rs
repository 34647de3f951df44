//! How late the routers' timers are: what a node's load does to its adverts.

use std::time::Duration;

use core_vrrp::Time;
use ipc::status::TimerStatus;

/// Upper bounds of what is counted together, in microseconds; what is later than all has no bound.
const BOUNDS_US: [u32; 9] = [
    500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000,
];

/// What is said of the recent past is said of one to two of these.
const PERIOD: Duration = Duration::from_secs(30);

/// Counts timers by how late they were.
#[derive(Debug)]
pub(crate) struct Lateness {
    scheduling: String,
    since_start: Counts,
    total: Duration,
    /// Of the period that is over, and of the one that is not.
    recent: [Counts; 2],
    period_ends: Time,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// By bound; the last one is without.
    late: [u64; BOUNDS_US.len() + 1],
    max_us: u32,
}

impl Lateness {
    /// Nothing was late yet. `scheduling` says how the process is scheduled.
    pub(crate) fn new(scheduling: String) -> Self {
        Self {
            scheduling,
            since_start: Counts::default(),
            total: Duration::ZERO,
            recent: [Counts::default(); 2],
            period_ends: Time(Duration::ZERO),
        }
    }

    /// A timer was handled so late.
    pub(crate) fn note(&mut self, late: Duration) {
        self.total += late;
        self.since_start.note(late);
        self.recent[1].note(late);
    }

    /// What is said of it at `now`.
    pub(crate) fn status(&mut self, now: Time) -> TimerStatus {
        if self.period_ends <= now {
            self.period_ends = now + PERIOD;
            self.recent = [self.recent[1], Counts::default()];
        }
        let recent = self.recent[0].with(&self.recent[1]);
        let mut up_to_here = 0;
        let buckets = BOUNDS_US.iter().zip(self.since_start.late);
        TimerStatus {
            scheduling: self.scheduling.clone(),
            count: self.since_start.late.iter().sum(),
            late_us: u64::try_from(self.total.as_micros()).unwrap_or(u64::MAX),
            buckets: buckets
                .map(|(bound, count)| {
                    up_to_here += count;
                    (*bound, up_to_here)
                })
                .collect(),
            recent_p99_us: recent.p99_us(),
            recent_max_us: recent.max_us,
        }
    }
}

impl Counts {
    fn note(&mut self, late: Duration) {
        let us = u32::try_from(late.as_micros()).unwrap_or(u32::MAX);
        let bucket = BOUNDS_US.iter().take_while(|bound| us > **bound).count();
        self.late[bucket] += 1;
        self.max_us = self.max_us.max(us);
    }

    fn with(&self, other: &Self) -> Self {
        let mut sum = *self;
        for (sum, other) in sum.late.iter_mut().zip(other.late) {
            *sum += other;
        }
        sum.max_us = self.max_us.max(other.max_us);
        sum
    }

    /// The bound that 99 of 100 keep, or the latest if that is less.
    fn p99_us(&self) -> u32 {
        let allowed = self.late.iter().sum::<u64>() / 100;
        let mut later = 0;
        // From the latest on: whose removal leaves no more than one in a hundred?
        for (bucket, count) in self.late.iter().enumerate().rev() {
            later += count;
            if later > allowed {
                let bound = BOUNDS_US.get(bucket).copied().unwrap_or(u32::MAX);
                return bound.min(self.max_us);
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(late_us: &[(u32, u64)]) -> Lateness {
        let mut lateness = Lateness::new("nice -20".into());
        for (us, times) in late_us {
            for _ in 0..*times {
                lateness.note(Duration::from_micros(u64::from(*us)));
            }
        }
        lateness
    }

    #[test]
    fn the_99th_percentile_is_a_bound_or_the_latest() {
        // How late in µs and how often, 99th percentile, latest.
        type Case<'a> = (&'a [(u32, u64)], u32, u32);
        let cases: [Case<'_>; 6] = [
            (&[], 0, 0),
            (&[(30, 1)], 30, 30),
            (&[(30, 98), (1_500, 1), (7_000, 1)], 2_000, 7_000),
            (&[(30, 99), (7_000, 1)], 500, 7_000),
            (&[(500, 50), (501, 50)], 501, 501),
            (&[(900_000, 5)], 900_000, 900_000),
        ];
        for (late, p99_us, max_us) in cases {
            let status = counted(late).status(Time(Duration::from_secs(1)));
            let recent = (status.recent_p99_us, status.recent_max_us);
            assert_eq!(recent, (p99_us, max_us), "{late:?}");
        }
    }

    #[test]
    fn buckets_include_those_below_and_last_for_ever() {
        let mut lateness = counted(&[(30, 2), (600, 3), (3_000_000, 1)]);
        let mut status = TimerStatus::default();
        for second in 1..=100 {
            status = lateness.status(Time(Duration::from_secs(second)));
        }
        assert_eq!((status.recent_p99_us, status.recent_max_us), (0, 0));
        assert_eq!((status.count, status.late_us), (6, 3_001_860));
        assert_eq!(status.buckets[..3], [(500, 2), (1_000, 5), (2_000, 5)]);
        assert_eq!(status.buckets.last(), Some(&(500_000, 5)));
    }
}
