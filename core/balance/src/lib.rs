//! Which server of a group is asked: nginx's smooth weighted round robin and least_conn, backups, the
//! verdicts of the health checks, limits on connections, and the ban of servers that fail.
//!
//! It knows servers by their index only, and is told how many connections they have. Time is an argument: any monotonic time, as the duration
//! since a fixed moment.

mod group;

pub use group::{Group, Method, Pick, Policy, Tried};
