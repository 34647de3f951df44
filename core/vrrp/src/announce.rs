//! When a Master tells its neighbours whose MAC address the virtual addresses have.
//!
//! A burst at once, a second one later for those who missed it, and single ones for ever after.

use std::time::Duration;

use crate::units::Time;

/// Between the starts of two bursts for the same reason, so that a rival who sends a hundred
/// adverts a second does not make us send a hundred bursts.
const BURST_PAUSE: Duration = Duration::from_secs(1);

/// How often neighbours are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnouncePlan {
    /// Packets of a burst, for each address; at least one is sent.
    pub repeat: u8,
    /// Pause between the packets of a burst; zero sends them back to back.
    pub interval: Duration,
    /// From the start of the first burst to that of the second; zero: there is no second.
    pub delay: Duration,
    /// Between the single ones afterwards; zero: there are none.
    pub refresh: Duration,
}

/// Where a Master stands in its plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announcer {
    burst_at: Time,
    /// Whether another burst follows the one that began last.
    second_due: bool,
    /// Packets of the running burst that are still to be sent.
    left: u8,
    next: Option<Time>,
}

impl Announcer {
    /// Starts with a burst; says how many packets for each address are to be sent at once.
    pub(crate) fn begin(now: Time, plan: &AnnouncePlan) -> (Self, u8) {
        let mut announcer = Self {
            burst_at: now,
            second_due: !plan.delay.is_zero(),
            left: 0,
            next: None,
        };
        let times = announcer.burst(now, plan);
        (announcer, times)
    }

    /// Another router claimed the addresses and will give in: neighbours may believe it. Starts
    /// again, unless a burst began just now; then a second one is sure to follow.
    pub(crate) fn contested(&mut self, now: Time, plan: &AnnouncePlan) -> u8 {
        if now.since(self.burst_at) >= BURST_PAUSE {
            self.second_due = !plan.delay.is_zero();
            return self.burst(now, plan);
        }
        self.second_due = true;
        if self.left == 0 {
            self.next = self.next_after_burst(plan);
        }
        0
    }

    /// When a burst that is to be sent not before `wanted` may begin.
    pub(crate) fn answer_at(&self, wanted: Time) -> Time {
        wanted.max(self.burst_at + BURST_PAUSE)
    }

    /// When [`Announcer::poll`] wants to be called.
    pub(crate) fn due_at(&self) -> Option<Time> {
        self.next
    }

    /// How many packets for each address are to be sent now.
    pub(crate) fn poll(&mut self, now: Time, plan: &AnnouncePlan) -> u8 {
        if self.next.is_none_or(|due| now < due) {
            return 0;
        }
        if self.left > 0 {
            return self.go_on(now, plan);
        }
        if self.second_due {
            self.second_due = false;
            return self.burst(now, plan);
        }
        self.next = refresh_after(now, plan);
        1
    }

    fn burst(&mut self, now: Time, plan: &AnnouncePlan) -> u8 {
        self.burst_at = now;
        self.left = plan.repeat.max(1);
        self.go_on(now, plan)
    }

    fn go_on(&mut self, now: Time, plan: &AnnouncePlan) -> u8 {
        let times = if plan.interval.is_zero() {
            self.left
        } else {
            1
        };
        self.left -= times;
        self.next = if self.left > 0 {
            Some(now + plan.interval)
        } else {
            self.next_after_burst(plan)
        };
        times
    }

    fn next_after_burst(&self, plan: &AnnouncePlan) -> Option<Time> {
        if self.second_due {
            let has_pause = !plan.delay.is_zero();
            Some(self.burst_at + if has_pause { plan.delay } else { BURST_PAUSE })
        } else {
            refresh_after(self.burst_at, plan)
        }
    }
}

fn refresh_after(now: Time, plan: &AnnouncePlan) -> Option<Time> {
    (!plan.refresh.is_zero()).then(|| now + plan.refresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(ms: u64) -> Time {
        Time(Duration::from_millis(ms))
    }

    /// Follows a plan for two minutes: (ms, packets).
    fn follow(plan: &AnnouncePlan, contested_ms: &[u64]) -> Vec<(u64, u8)> {
        let (mut announcer, times) = Announcer::begin(at_ms(0), plan);
        let mut sent = vec![(0, times)];
        for ms in 1..=120_000 {
            let mut times = announcer.poll(at_ms(ms), plan);
            if contested_ms.contains(&ms) {
                times += announcer.contested(at_ms(ms), plan);
            }
            if times > 0 {
                sent.push((ms, times));
            }
        }
        sent
    }

    fn plan(repeat: u8, interval_ms: u64, delay_s: u64, refresh_s: u64) -> AnnouncePlan {
        AnnouncePlan {
            repeat,
            interval: Duration::from_millis(interval_ms),
            delay: Duration::from_secs(delay_s),
            refresh: Duration::from_secs(refresh_s),
        }
    }

    #[test]
    fn follows_its_plan() {
        let cases = [
            (plan(5, 0, 5, 60), vec![(0, 5), (5_000, 5), (65_000, 1)]),
            (plan(5, 0, 0, 0), vec![(0, 5)]),
            (plan(0, 0, 5, 0), vec![(0, 1), (5_000, 1)]),
            (
                plan(3, 100, 5, 100),
                vec![
                    (0, 1),
                    (100, 1),
                    (200, 1),
                    (5_000, 1),
                    (5_100, 1),
                    (5_200, 1),
                    (105_000, 1),
                ],
            ),
            (plan(2, 0, 0, 50), vec![(0, 2), (50_000, 1), (100_000, 1)]),
        ];
        for (plan, expected) in cases {
            assert_eq!(follow(&plan, &[]), expected, "{plan:?}");
        }
    }

    #[test]
    fn a_rival_is_answered_with_a_burst_and_another_one_later() {
        let sent = follow(&plan(5, 0, 5, 0), &[20_000]);
        assert_eq!(sent, [(0, 5), (5_000, 5), (20_000, 5), (25_000, 5)]);
    }

    #[test]
    fn a_rival_during_a_burst_is_answered_with_another_whatever_the_plan() {
        let sent = follow(&plan(5, 0, 0, 0), &[20]);
        assert_eq!(sent, [(0, 5), (1_000, 5)]);
    }

    #[test]
    fn a_rival_who_goes_on_does_not_make_a_storm() {
        let rival: Vec<u64> = (20_000..23_000).step_by(10).collect();
        let sent = follow(&plan(5, 0, 5, 0), &rival);
        let expected = [
            (0, 5),
            (5_000, 5),
            (20_000, 5),
            (21_000, 5),
            (22_000, 5),
            (27_000, 5),
        ];
        assert_eq!(sent, expected);
    }
}
