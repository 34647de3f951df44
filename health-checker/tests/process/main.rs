//! The real program, driven as the supervisor drives it, against real servers on loopback.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod harness;
mod servers;
mod tracks;
