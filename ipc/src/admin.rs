//! Supervisor and admin.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::lifecycle::{Child, Role};
use crate::status::NodeStatus;

/// The admin process's types.
#[derive(Debug)]
pub enum Admin {}

impl Child for Admin {
    const ROLE: Role = Role::Admin;
    type Snapshot = AdminSnapshot;
    type To = ToAdmin;
    type From = FromAdmin;
}

/// Everything that the admin process has to know. With the first `Prepare` come, behind the memfd,
/// the listening Unix socket and, where `bind` is given, the listening TCP socket. Both stay for
/// the life of the process; a later snapshot with another `bind` is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminSnapshot {
    /// This node's name.
    pub node: String,
    /// The TCP address that is served beside the Unix socket.
    pub bind: Option<SocketAddr>,
}

/// Supervisor to admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToAdmin {
    /// Sent on each change, at most every 100 ms.
    Status(Box<NodeStatus>),
    /// Sent for each entry of the journal.
    Event {
        /// Its number.
        seq: u64,
        /// What it was.
        event: Event,
    },
}

/// Admin to supervisor: it has nothing to say beyond the life cycle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromAdmin {}
