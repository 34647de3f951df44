//! Which server of a group is asked: nginx's smooth weighted round robin, the verdicts of the health
//! checks, and the ban of servers that fail.
//!
//! It knows servers by their index only. Time is an argument: any monotonic time, as the duration
//! since a fixed moment.

mod group;

pub use group::{Group, Policy, Tried};
