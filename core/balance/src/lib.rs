//! Which server of a group is asked: nginx's smooth weighted round robin and least_conn, backups, the
//! verdicts of the health checks, limits on connections, and the ban of servers that fail.
//!
//! Beside it, what else is decided about servers: how many retries there may be, and how long an idle
//! connection is good.
//!
//! It knows servers by their index only, and is told how many connections they have. Time is an argument: any monotonic time, as the duration
//! since a fixed moment.

mod budget;
mod group;
mod patience;

pub use budget::Budget;
pub use group::{Group, Method, Pick, Policy, Tried};
pub use patience::Patience;
