//! What a child makes known to the supervisor.

use actix::prelude::*;
use ipc::lifecycle::{self, Role};
use ipc::{admin, check, notify, proxy, vrrp};
use platform::seqpacket::SeqPacket;

/// One of the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChildId {
    /// Its role.
    pub(crate) role: Role,
    /// Which one of the role.
    pub(crate) slot: u16,
}

/// What a child makes known to the supervisor.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub(crate) struct Report {
    /// Which one.
    pub(crate) child: ChildId,
    /// What.
    pub(crate) news: News,
}

/// The kinds of [`Report`].
#[derive(Debug)]
pub(crate) enum News {
    /// A process runs; it is not in service yet. With our end of its link once more, for the image
    /// after this one.
    Started { pid: u32, socket: SeqPacket },
    /// It answered a heartbeat.
    Pong { seq: u64 },
    /// It can switch to a configuration.
    Prepared { generation: u64 },
    /// It cannot.
    Refused { generation: u64, why: String },
    /// A configuration is in force.
    Committed { generation: u64 },
    /// The process ended; unless it was told to, it is started again by itself.
    Ended { how: String, told: bool },
    /// What its role says.
    Role(RoleNews),
}

/// What the roles say.
#[derive(Debug)]
pub(crate) enum RoleNews {
    /// The vrrp-actor.
    Vrrp(vrrp::FromVrrp),
    /// A proxy worker.
    Proxy(proxy::FromProxy),
    /// The health-checker.
    Check(check::FromCheck),
    /// The notifier.
    Notify(notify::FromNotify),
    /// The admin process, which says nothing.
    Admin(admin::FromAdmin),
}

/// Ties a role's messages to [`RoleNews`].
pub(crate) trait Reporting: lifecycle::Child {
    /// Wraps one.
    fn news(message: Self::From) -> RoleNews;
}

impl Reporting for vrrp::Vrrp {
    fn news(message: Self::From) -> RoleNews {
        RoleNews::Vrrp(message)
    }
}

impl Reporting for proxy::Proxy {
    fn news(message: Self::From) -> RoleNews {
        RoleNews::Proxy(message)
    }
}

impl Reporting for check::Check {
    fn news(message: Self::From) -> RoleNews {
        RoleNews::Check(message)
    }
}

impl Reporting for notify::Notify {
    fn news(message: Self::From) -> RoleNews {
        RoleNews::Notify(message)
    }
}

impl Reporting for admin::Admin {
    fn news(message: Self::From) -> RoleNews {
        RoleNews::Admin(message)
    }
}
