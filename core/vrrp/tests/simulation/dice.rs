//! Chance that repeats itself.

use std::time::Duration;

/// The same numbers from the same seed on every machine (SplitMix64).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From zero to `bound` - 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// From `least` to `greatest`, both included.
    pub(crate) fn number(&mut self, least: u8, greatest: u8) -> u8 {
        let span = u64::from(greatest - least) + 1;
        least + u8::try_from(self.below(span)).expect("within the span")
    }

    pub(crate) fn index(&mut self, count: usize) -> usize {
        let bound = u64::try_from(count).expect("few");
        usize::try_from(self.below(bound)).expect("few")
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// Up to `max`, in microseconds.
    pub(crate) fn duration(&mut self, max: Duration) -> Duration {
        let max_us = u64::try_from(max.as_micros()).expect("short");
        Duration::from_micros(self.below(max_us.saturating_add(1)))
    }
}
