//! Checks of back ends and track scripts: what their results mean ([`Verdict`]).

mod verdict;

pub use verdict::{Change, Initial, Thresholds, Verdict};
