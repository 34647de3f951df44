//! Who is well and who is not, without I/O: when a check has decided that something is up or down
//! ([`check`]), whether the node's own proxy serves ([`proxy`]), when a child process is restarted or
//! given up on ([`supervise`]), and one that another image has left ([`retirement`]).
//!
//! Nothing here connects, waits or reads a clock: `now` is an argument, what is to be done is a
//! return value.

pub mod check;
pub mod proxy;
pub mod retirement;
pub mod supervise;

#[cfg(test)]
mod testing {
    use std::time::{Duration, Instant};

    /// Some instant to count from; only differences matter.
    #[expect(
        clippy::disallowed_methods,
        reason = "there is no other way to an Instant; the cases count from it"
    )]
    pub(crate) fn origin() -> Instant {
        Instant::now()
    }

    pub(crate) const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }
}
