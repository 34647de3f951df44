//! What happened: the entries of the journal.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::lifecycle::Role;
use crate::mac::Mac;
use crate::status::RouterState;

/// How much a person should care. Ordered: `Info < Warning < Error < Critical`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As planned.
    Info,
    /// Worth a look.
    Warning,
    /// Something failed and was answered.
    Error,
    /// Something failed and needs a person.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        })
    }
}

/// One thing that happened on this node. The journal gives it its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub at_unix_ms: u64,
    /// How much it matters.
    pub severity: Severity,
    /// What it was.
    pub what: What,
}

/// A router's change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionEvent {
    /// When, in milliseconds since 1970.
    pub at_unix_ms: u64,
    /// The router's name.
    pub router: String,
    /// The state that was left.
    pub from: RouterState,
    /// The state that was entered.
    pub to: RouterState,
    /// The effective priority at that moment.
    pub priority: u8,
    /// Why, as a short phrase: "master timed out", "192.168.0.101 has priority 202".
    pub cause: String,
    /// The virtual addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it was to be expected: the first Backup after a start, a stop on request.
    pub planned: bool,
}

/// All virtual routers of a sync group have come to a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupEvent {
    /// The group's name.
    pub group: String,
    /// Its routers.
    pub routers: Vec<String>,
    /// The state that all were in when all were last in one.
    pub from: RouterState,
    /// The state that all are in.
    pub to: RouterState,
    /// Whether it was to be expected.
    pub planned: bool,
}

/// A virtual router's effective priority changed, and its state did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityEvent {
    /// The router's name.
    pub router: String,
    /// Master or Backup.
    pub state: RouterState,
    /// What it was.
    pub from: u8,
    /// What it is.
    pub to: u8,
}

/// Somebody else claims an address of a Master.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContestEvent {
    /// The router's name.
    pub router: String,
    /// The address.
    pub address: IpAddr,
    /// The MAC address that it is said to be at.
    pub mac: Mac,
}

/// The kinds of events. Not tagged inside: postcard does not describe itself and could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A virtual router changed its state.
    Transition(TransitionEvent),
    /// A sync group changed its state.
    GroupTransition(GroupEvent),
    /// A virtual router's priority changed.
    PriorityChanged(PriorityEvent),
    /// A virtual address is claimed by somebody else.
    Contested(ContestEvent),
    /// A child process ended without being told to.
    ProcessDied {
        /// Its role.
        role: Role,
        /// Which one.
        slot: u16,
        /// How it ended: "signal 9", "exit status 1".
        how: String,
    },
    /// A child process missed its heartbeat and was killed.
    ProcessHung {
        /// Its role.
        role: Role,
        /// Which one.
        slot: u16,
        /// For how long it had been silent, in milliseconds.
        silent_ms: u64,
    },
    /// The node's proxy no longer serves.
    ProxyIll,
    /// The node's proxy serves again.
    ProxyWell,
    /// A back-end server failed its checks.
    ServerDown {
        /// The upstream.
        upstream: String,
        /// The server.
        address: SocketAddr,
        /// Why: "connection refused", "status 500".
        reason: String,
    },
    /// A back-end server passes its checks again.
    ServerUp {
        /// The upstream.
        upstream: String,
        /// The server.
        address: SocketAddr,
    },
    /// A track script's verdict changed.
    ScriptChanged {
        /// The script.
        script: String,
        /// Well or ill.
        up: bool,
        /// Why: "exit status 1", "timed out", "cannot be executed".
        reason: String,
    },
    /// The number in a track file changed.
    FileChanged {
        /// The file's name in the configuration.
        file: String,
        /// The number; none when it cannot be read.
        value: Option<i16>,
        /// Why: "contains 20", "Permission denied", "contains no number".
        reason: String,
    },
    /// There are enough of the tracked processes, or too few.
    ProcessChanged {
        /// Their name in the configuration.
        process: String,
        /// Whether there are enough.
        up: bool,
        /// Why: "1 runs, 2 must".
        reason: String,
    },
    /// The supervisor started.
    Started {
        /// The program's version.
        version: String,
    },
    /// The supervisor was told to stop.
    Stopping,
    /// A new configuration is in force.
    Reloaded {
        /// Its generation.
        generation: u64,
        /// What changed, a phrase each.
        changes: Vec<String>,
    },
    /// A new configuration was refused; the old one stays.
    ReloadRefused {
        /// The errors.
        errors: Vec<String>,
    },
    /// Events were lost between their source and the journal.
    EventsLost {
        /// How many.
        count: u64,
    },
    /// An operator asked for a test message.
    Test,
}

impl What {
    /// The word by which `events = [...]` in `[notify.NAME]` chooses it: transition, priority,
    /// contested, process, proxy, server, script, config or test.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Transition(_) | Self::GroupTransition(_) => "transition",
            Self::PriorityChanged(_) => "priority",
            Self::Contested(_) => "contested",
            Self::ProcessDied { .. } | Self::ProcessHung { .. } | Self::EventsLost { .. } => {
                "process"
            }
            Self::ProxyIll | Self::ProxyWell => "proxy",
            Self::ServerDown { .. } | Self::ServerUp { .. } => "server",
            Self::ScriptChanged { .. } | Self::FileChanged { .. } | Self::ProcessChanged { .. } => {
                "script"
            }
            Self::Started { .. }
            | Self::Stopping
            | Self::Reloaded { .. }
            | Self::ReloadRefused { .. } => "config",
            Self::Test => "test",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn an_event_survives_the_way() {
        for what in [
            What::Stopping,
            What::EventsLost { count: 3 },
            What::ServerUp {
                upstream: "app".into(),
                address: "192.168.0.201:80".parse().unwrap(),
            },
        ] {
            let sent = Event {
                at_unix_ms: 1_450_110_430_000,
                severity: Severity::Warning,
                what,
            };
            let bytes = codec::encode_packet(&sent).unwrap();
            assert_eq!(codec::decode::<Event>(&bytes), Ok(sent));
        }
    }
}
