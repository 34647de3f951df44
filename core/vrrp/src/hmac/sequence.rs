//! Sequence numbers that are moments: what tells a new advert from one that is sent again.

use std::net::IpAddr;
use std::ops::Add;
use std::time::Duration;

use super::AntiReplay;

/// Senders that are remembered where everyone may speak: more than share a virtual router. In
/// unicast all peers are.
const SENDERS_MIN: usize = 4;

/// What a clock on the wall says: the time since 1970. Unlike [`crate::Time`] it may jump, and the
/// nodes of a virtual router have to agree on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WallTime(pub Duration);

impl Add<Duration> for WallTime {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

/// Seconds since 1970 in 32 bits, their fraction in 16, and a counter of 16 bits for what is sent
/// within one fraction. It wraps in 2106, and is compared so that this does not matter (RFC 1982).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sequence(u64);

impl Sequence {
    /// The first of that moment.
    pub(crate) fn at(WallTime(moment): WallTime) -> Self {
        let fraction = (u64::from(moment.subsec_nanos()) << 16) / 1_000_000_000;
        // Only the lower half of the seconds has room.
        Self((moment.as_secs() << 32) | (fraction << 16))
    }

    pub(super) fn from_octets(octets: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(octets))
    }

    pub(super) fn octets(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// The next of the same moment; when its counter is full, the first of the next fraction.
    fn successor(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// RFC 1982 §3.2: later by less than half of the circle.
    fn is_after(self, other: Self) -> bool {
        let ahead = self.0.wrapping_sub(other.0);
        ahead != 0 && ahead < 1 << 63
    }

    /// The time between both, whichever is the later.
    pub(super) fn distance(self, other: Self) -> Duration {
        let ahead = self.0.wrapping_sub(other.0);
        let apart = ahead.min(ahead.wrapping_neg());
        let nanos = (u128::from(apart) * 1_000_000_000) >> 32;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Whether it lies so far from the clock that no receiver would believe it.
    fn is_stranded(self, clock: Self, anti_replay: AntiReplay) -> bool {
        match anti_replay {
            AntiReplay::Time { window } => self.distance(clock) > window,
            AntiReplay::Monotonic => false,
        }
    }
}

/// The last sequence numbers: our own, and those of the senders that were heard.
#[derive(Debug)]
pub(crate) struct Sequences {
    sent: Option<Sequence>,
    /// Who was heard last stands last. Never longer than `senders_max`, so that it never grows.
    heard: Vec<(IpAddr, Sequence)>,
    senders_max: usize,
}

impl Sequences {
    /// With room for so many senders, or a few more. A further one takes the place of the one that
    /// has been silent for longest; only holders of a key get a place.
    pub(crate) fn new(senders: usize) -> Self {
        let senders_max = senders.max(SENDERS_MIN);
        Self {
            sent: None,
            heard: Vec::with_capacity(senders_max),
            senders_max,
        }
    }

    /// The same with room for another number of senders.
    pub(crate) fn resize(&mut self, senders: usize) {
        self.senders_max = senders.max(SENDERS_MIN);
        let surplus = self.heard.len().saturating_sub(self.senders_max);
        self.heard.drain(..surplus);
        self.heard
            .reserve_exact(self.senders_max - self.heard.len());
    }

    /// The clock, or one more than the last when that is not behind it.
    ///
    /// When the clock was set back so far that receivers would not believe what follows the last
    /// one, it is the clock: they forget what they heard then.
    pub(super) fn next_to_send(&mut self, now: WallTime, anti_replay: AntiReplay) -> Sequence {
        let clock = Sequence::at(now);
        let next = match self.sent {
            Some(last) if !clock.is_after(last) && !last.is_stranded(clock, anti_replay) => {
                last.successor()
            }
            _ => clock,
        };
        self.sent = Some(next);
        next
    }

    /// Notes what a sender said, unless it is not later than what it said before. What lies so far
    /// from the clock that it would not be believed any more is forgotten.
    pub(super) fn heard(
        &mut self,
        sender: IpAddr,
        sequence: Sequence,
        now: WallTime,
        anti_replay: AntiReplay,
    ) -> bool {
        let known = self
            .heard
            .iter()
            .position(|(address, _)| *address == sender);
        match known.map(|place| self.heard.remove(place)) {
            Some(last)
                if !last.1.is_stranded(Sequence::at(now), anti_replay)
                    && !sequence.is_after(last.1) =>
            {
                self.heard.push(last);
                return false;
            }
            None if self.heard.len() >= self.senders_max => {
                self.heard.remove(0);
            }
            Some(_) | None => {}
        }
        self.heard.push((sender, sequence));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const WINDOW: AntiReplay = AntiReplay::Time {
        window: Duration::from_secs(5),
    };

    fn at_ms(millis: u64) -> WallTime {
        WallTime(Duration::from_millis(millis))
    }

    fn sender(number: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, number))
    }

    #[test]
    fn what_is_sent_follows_the_clock_and_never_stands_still() {
        // (what the clock says in ms, the sequence with a window of 5 s, and without a window)
        let cases = [
            (1_000_000, 0x3e8_0000_0000, 0x3e8_0000_0000),
            (1_000_000, 0x3e8_0000_0001, 0x3e8_0000_0001),
            (1_000_500, 0x3e8_8000_0000, 0x3e8_8000_0000),
            // Set back a little: it goes on.
            (999_000, 0x3e8_8000_0001, 0x3e8_8000_0001),
            // Set back beyond what receivers believe.
            (900_000, 0x384_0000_0000, 0x3e8_8000_0002),
            (901_000, 0x385_0000_0000, 0x3e8_8000_0003),
            (1_001_000, 0x3e9_0000_0000, 0x3e9_0000_0000),
        ];
        let (mut timed, mut monotonic) = (Sequences::new(1), Sequences::new(1));
        for (millis, with_window, without) in cases {
            let now = at_ms(millis);
            assert_eq!(timed.next_to_send(now, WINDOW), Sequence(with_window));
            let next = monotonic.next_to_send(now, AntiReplay::Monotonic);
            assert_eq!(next, Sequence(without));
        }
    }

    #[test]
    fn a_full_counter_carries_over() {
        let mut sequences = Sequences::new(1);
        sequences.sent = Some(Sequence(0x3e8_0000_ffff));
        let next = sequences.next_to_send(at_ms(1_000_000), WINDOW);
        assert_eq!(next, Sequence(0x3e8_0001_0000));
    }

    #[test]
    fn the_wrap_of_2106_is_a_moment_like_any_other() {
        let last = WallTime(Duration::from_secs(u32::MAX.into()));
        let first = WallTime(last.0 + Duration::from_secs(1));
        assert_eq!(Sequence::at(first), Sequence(0));
        assert!(Sequence::at(first).is_after(Sequence::at(last)));
        assert!(!Sequence::at(last).is_after(Sequence::at(first)));
        let mut sequences = Sequences::new(1);
        for now in [last, first] {
            let sequence = sequences.next_to_send(now, WINDOW);
            assert_eq!(sequence, Sequence::at(now));
            assert!(sequences.heard(sender(1), sequence, now, WINDOW));
            assert!(!sequences.heard(sender(1), sequence, now, WINDOW));
        }
    }

    #[test]
    fn later_is_less_than_half_of_the_circle_ahead() {
        let half = 1 << 63;
        // (one, other, whether the one is after the other)
        let cases = [
            (1, 0, true),
            (0, 0, false),
            (0, 1, false),
            (0, u64::MAX, true),
            (u64::MAX, 0, false),
            (half - 1, 0, true),
            (half, 0, false),
            (half + 1, 0, false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(
                Sequence(one).is_after(Sequence(other)),
                expected,
                "{one:#x} after {other:#x}"
            );
        }
    }

    #[test]
    fn distances_have_no_direction() {
        let (early, late) = (Sequence::at(at_ms(1_500)), Sequence::at(at_ms(4_000)));
        assert_eq!(early.distance(late), Duration::from_millis(2_500));
        assert_eq!(late.distance(early), Duration::from_millis(2_500));
        let wrapped = Sequence(u64::MAX).distance(Sequence(0));
        assert!(wrapped < Duration::from_nanos(2), "{wrapped:?}");
    }

    #[test]
    fn senders_are_told_apart() {
        let mut sequences = Sequences::new(2);
        let now = at_ms(10_000);
        let (old, new) = (Sequence::at(at_ms(9_000)), Sequence::at(now));
        assert!(sequences.heard(sender(1), new, now, WINDOW));
        assert!(sequences.heard(sender(2), old, now, WINDOW));
        assert!(!sequences.heard(sender(1), old, now, WINDOW));
        assert!(!sequences.heard(sender(2), old, now, WINDOW));
        assert!(sequences.heard(sender(2), new, now, WINDOW));
    }

    #[test]
    fn who_has_been_silent_for_longest_is_forgotten() {
        let mut sequences = Sequences::new(0);
        let now = at_ms(10_000);
        let (first, second) = (Sequence::at(at_ms(9_000)), Sequence::at(now));
        for number in 1..=4 {
            assert!(sequences.heard(sender(number), first, now, WINDOW));
        }
        assert!(sequences.heard(sender(1), second, now, WINDOW));
        assert!(sequences.heard(sender(5), first, now, WINDOW));
        // Two made room for five.
        assert!(!sequences.heard(sender(1), second, now, WINDOW));
        assert!(!sequences.heard(sender(5), first, now, WINDOW));
        assert!(sequences.heard(sender(2), first, now, WINDOW));
        let room = sequences.heard.capacity();
        assert_eq!(sequences.heard.len(), 4);
        sequences.resize(9);
        assert!(sequences.heard.capacity() >= 9 && room < 9);
        assert!(!sequences.heard(sender(2), first, now, WINDOW));
        sequences.resize(4);
        assert_eq!(sequences.heard.len(), 4);
    }

    #[test]
    fn a_clock_that_was_wrong_locks_nobody_out() {
        let future = at_ms(4_000_000);
        let now = at_ms(400_000);
        for (anti_replay, is_heard) in [(WINDOW, true), (AntiReplay::Monotonic, false)] {
            let mut sequences = Sequences::new(1);
            assert!(sequences.heard(sender(1), Sequence::at(future), future, anti_replay));
            let outcome = sequences.heard(sender(1), Sequence::at(now), now, anti_replay);
            assert_eq!(outcome, is_heard, "{anti_replay:?}");
        }
    }
}
