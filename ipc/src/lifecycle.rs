//! What every child has in common: greeting, heartbeat, configuration in two phases, stop.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What ties a role's messages together, so that both ends of a link name one type.
pub trait Child: 'static {
    /// Which program it is.
    const ROLE: Role;
    /// Its validated part of the configuration.
    type Snapshot: Serialize + DeserializeOwned + Clone + fmt::Debug + 'static;
    /// What only this role is told.
    type To: Serialize + DeserializeOwned + Clone + fmt::Debug + 'static;
    /// What only this role reports.
    type From: Serialize + DeserializeOwned + Clone + fmt::Debug + 'static;
}

/// The programs that the supervisor starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// `evenkeel-vrrp`: the virtual addresses.
    Vrrp,
    /// `evenkeel-proxy`: one of the workers.
    Proxy,
    /// `evenkeel-check`: back ends and track scripts.
    Check,
    /// `evenkeel-notify`: journal and messages to people.
    Notify,
    /// `evenkeel-admin`: dashboard, metrics, API.
    Admin,
}

impl Role {
    /// The word in `ps`, logs and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vrrp => "vrrp",
            Self::Proxy => "proxy",
            Self::Check => "check",
            Self::Notify => "notify",
            Self::Admin => "admin",
        }
    }

    /// The program's file name.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Vrrp => "evenkeel-vrrp",
            Self::Proxy => "evenkeel-proxy",
            Self::Check => "evenkeel-check",
            Self::Notify => "evenkeel-notify",
            Self::Admin => "evenkeel-admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The supervisor's first message. It tells a program, which is still privileged, who to become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// [`crate::VERSION`] of the supervisor; another one is refused.
    pub version: u16,
    /// The role that the supervisor started; the program refuses to play another.
    pub role: Role,
    /// Which of several processes of the role, from 0.
    pub slot: u16,
    /// The user to become; 0 stays root (without capabilities) where there is no other user.
    pub uid: u32,
    /// The group to become.
    pub gid: u32,
    /// Filter for log lines: error, warn, info, debug or trace.
    pub log_level: String,
    /// Whether to run before all others and keep memory locked, as far as is permitted.
    pub realtime: bool,
}

/// Supervisor to child. `R` is what only this role is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToChild<R> {
    /// Sent first. The child checks the version and drops its privileges. With it come, for a proxy
    /// worker, the descriptor of the shared counters.
    Welcome(Welcome),
    /// Sent at every heartbeat. The child answers [`FromChild::Pong`] with the same number from the
    /// loop that does its work; silence for 500 ms gets it killed and replaced.
    Ping {
        /// Counts up by one.
        seq: u64,
    },
    /// Sent with a new configuration: the first descriptor is a sealed memfd with the snapshot,
    /// the others are the role's. The child makes ready without changing what it does and answers
    /// [`FromChild::Prepared`] or [`FromChild::Refused`].
    Prepare {
        /// Which configuration; counts up by one.
        generation: u64,
    },
    /// Sent when all children have prepared. The child switches and answers [`FromChild::Committed`].
    Commit {
        /// The one that was prepared.
        generation: u64,
    },
    /// Sent when some child refused. The child forgets what it prepared.
    Abort {
        /// The one that was prepared.
        generation: u64,
    },
    /// Sent after USR1 when logs go to a file: the descriptor that comes along takes the place of
    /// standard error.
    LogReopened,
    /// Sent at the end. The child finishes its work in good order and exits.
    Stop {
        /// How long it may take; what is left then is killed.
        within: Duration,
    },
    /// What only this role is told.
    Role(R),
}

/// Child to supervisor. `R` is what only this role reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromChild<R> {
    /// Sent once the privileges are dropped. The supervisor checks the version.
    Hello {
        /// [`crate::VERSION`] of the child.
        version: u16,
    },
    /// The answer to [`ToChild::Ping`].
    Pong {
        /// The number asked with.
        seq: u64,
    },
    /// The configuration can be switched to.
    Prepared {
        /// Which one.
        generation: u64,
    },
    /// The configuration cannot be used; nothing has changed.
    Refused {
        /// Which one.
        generation: u64,
        /// A sentence for the operator.
        why: String,
    },
    /// The configuration is in force; after the first one the child is in service.
    Committed {
        /// Which one.
        generation: u64,
    },
    /// What only this role reports.
    Role(R),
}
