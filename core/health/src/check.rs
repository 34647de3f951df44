//! Checks of back ends and track scripts: when each is due ([`Checks`]) and what its results mean
//! ([`Verdict`]).

mod schedule;
mod verdict;

pub use schedule::{Checks, Run, Timing};
pub use verdict::{Change, Initial, Thresholds, Verdict};
