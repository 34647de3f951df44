//! Supervisor and vrrp-actor.

mod auth;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use auth::{Auth, HmacAuth, HmacKey, HmacMode, Pass};

use crate::event::{ContestEvent, GroupEvent, PriorityEvent, TransitionEvent};
use crate::lifecycle::{Child, Role};
use crate::status::{RouterStatus, TimerStatus};

/// The vrrp-actor's types.
#[derive(Debug)]
pub enum Vrrp {}

impl Child for Vrrp {
    const ROLE: Role = Role::Vrrp;
    type Snapshot = VrrpSnapshot;
    type To = ToVrrp;
    type From = FromVrrp;
}

/// Everything that the vrrp-actor has to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VrrpSnapshot {
    /// This node's name.
    pub node: String,
    /// The virtual routers of this node.
    pub routers: Vec<RouterSpec>,
    /// Set for the first process after an upgrade of the programs: its predecessor has left without
    /// giving anything up, and addresses that are found are led on with as if nothing had been.
    pub succession: Option<Succession>,
}

/// What a predecessor knew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succession {
    /// Whether routers may become Master.
    pub may_lead: bool,
    /// Whether the node's own proxy serves.
    pub proxy_well: bool,
    /// The verdicts of the checks that move priorities.
    pub tracks: Vec<(TrackSubject, TrackVerdict)>,
}

/// One virtual router, checked by `settings`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterSpec {
    /// Unique on the node.
    pub name: String,
    /// The interface whose network the virtual addresses live in.
    pub interface: String,
    /// 1 to 255.
    pub vrid: u8,
    /// Whether the addresses are at the virtual router's own MAC address (RFC 9568 §7.3), on an
    /// interface on top of `interface`.
    pub vmac: bool,
    /// 2 or 3.
    pub version: u8,
    /// Version 2: whole seconds, 1 to 255; version 3: 10 ms to 40.95 s.
    pub advert_interval: Duration,
    /// 1 to 255; 255 is the address owner.
    pub priority: u8,
    /// How adverts travel.
    pub transport: Transport,
    /// Version 3 over IPv4: what checksums are over; `None` does as the peers do.
    pub checksum: Option<ChecksumForm>,
    /// How the nodes know one another; `None`: not at all.
    pub auth: Option<Auth>,
    /// When to take over from a Master of lower priority.
    pub failback: Failback,
    /// What a Master does when it gets worse.
    pub on_unhealthy: OnUnhealthy,
    /// The sync group that it is in: routers of one name are Master together.
    pub sync_group: Option<String>,
    /// Whether a changed priority is reported where the state stays.
    pub notify_priority_changes: bool,
    /// At least one, all of one family; over IPv6 the link-local ones first (RFC 9568 §5.2.9).
    pub addresses: Vec<VirtualAddress>,
    /// Owned with the others, and not said in adverts; of either family.
    pub excluded_addresses: Vec<VirtualAddress>,
    /// The kernel's lifetime of an address in whole seconds; `None` adds it for ever.
    pub lease_seconds: Option<u32>,
    /// What moves the priority.
    pub tracks: Vec<Track>,
    /// Whether the node's own proxy health counts.
    pub track_proxy: bool,
    /// How often neighbours are told.
    pub announce: AnnounceSpec,
    /// How long after the start nothing is claimed.
    pub startup_delay: Duration,
    /// Adverts that must be missing before a Backup takes over; 3 in the RFCs.
    pub down_timer_adverts: u8,
}

impl RouterSpec {
    /// All addresses that it owns, those in its adverts first.
    pub fn held(&self) -> impl Iterator<Item = &VirtualAddress> {
        self.addresses.iter().chain(&self.excluded_addresses)
    }
}

/// What a checksum is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumForm {
    /// The VRRP message alone.
    Message,
    /// A pseudo-header too.
    PseudoHeader,
}

/// Where adverts go and where they may come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// To 224.0.0.18, or ff02::12.
    Multicast {
        /// Source address; `None` takes the interface's primary one, over IPv6 the link-local one.
        source: Option<IpAddr>,
    },
    /// To the listed peers alone, and from nobody else.
    Unicast {
        /// Source address.
        source: IpAddr,
        /// At least one; the node itself is not in it.
        peers: Vec<IpAddr>,
        /// The least TTL, or hop limit, that their adverts may arrive with, 1 to 255.
        min_ttl: u8,
    },
}

/// A virtual address as it is put on an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualAddress {
    /// The address.
    pub address: IpAddr,
    /// 0 to 32, over IPv6 to 128.
    pub prefix_len: u8,
    /// The interface that carries it, when it is not the router's.
    pub interface: Option<String>,
    /// The label, at most 15 octets; IPv4 only.
    pub label: Option<String>,
    /// The scope as rtnetlink numbers it: 0 global, 200 site, 253 link, 254 host.
    pub scope: u8,
}

/// Something whose state moves the priority of a router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// What is tracked.
    pub subject: TrackSubject,
    /// What that does.
    pub effect: TrackEffect,
}

/// What a track does to the priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrackEffect {
    /// -253 to 253, of a file -254 to 254. Above zero is added while it is well, below zero while it
    /// is ill, zero makes the router Fault while it is ill. The number in a file is multiplied by it.
    Weight(i16),
    /// The node is degraded while it is ill.
    Degraded,
    /// The node is unhealthy while it is ill.
    Unhealthy,
}

/// When a Backup takes over from a Master of lower priority that is as well as itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failback {
    /// When it has heard it for so long.
    Auto(Duration),
    /// When it has heard it for so long and was well all the time.
    After(Duration),
    /// Never.
    Manual,
}

/// What a Master does when it gets worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnUnhealthy {
    /// Gives up at once, if a peer takes over.
    Abdicate,
    /// Says so with its next advert, as keepalived.
    Deprioritise,
}

/// What a track looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackSubject {
    /// A script of `[scripts]`, run by the health-checker.
    Script(String),
    /// An interface, watched by the vrrp-actor itself.
    Interface(String),
    /// A file of `[files]` with a number in it, read by the health-checker.
    File(String),
    /// Processes of `[processes]`, counted by the health-checker.
    Process(String),
}

impl fmt::Display for TrackSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script(name) => write!(f, "script {name}"),
            Self::Interface(name) => write!(f, "interface {name}"),
            Self::File(name) => write!(f, "file {name}"),
            Self::Process(name) => write!(f, "process {name}"),
        }
    }
}

/// What came out of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackVerdict {
    /// It is well.
    Up,
    /// It is ill.
    Down,
    /// It could not be executed or read, so nothing is known: it counts as ill.
    Unrunnable,
    /// The number in a file, -254 to 254, where it counts in full; the weight multiplies it.
    Value(i16),
}

impl TrackVerdict {
    /// Whether it counts as well. A number does; what it is worth is the priority's affair.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Up | Self::Value(_))
    }
}

impl fmt::Display for TrackVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Down => f.write_str("down"),
            Self::Unrunnable => f.write_str("unrunnable"),
            Self::Value(value) => write!(f, "value {value}"),
        }
    }
}

/// Gratuitous ARP on becoming Master and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceSpec {
    /// Packets in a burst, for each address.
    pub repeat: u8,
    /// When the second burst follows the first; zero: never.
    pub delay: Duration,
    /// How often a Master repeats one packet; zero: never.
    pub refresh: Duration,
    /// Pause between the packets of a burst.
    pub interval: Duration,
}

/// Supervisor to vrrp-actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToVrrp {
    /// Sent once, when the workers serve and the first round of checks is done (or did not end in
    /// time): from now on a router may become Master.
    MayLead,
    /// Sent when the health-checker's verdict on a track changes, and all of them after a restart of
    /// the actor.
    TrackChanged {
        /// What was looked at.
        subject: TrackSubject,
        /// What came out.
        verdict: TrackVerdict,
    },
    /// Sent when the node's own proxy becomes ill or well, and after a restart of the actor.
    ProxyHealth {
        /// Whether a worker serves.
        well: bool,
    },
    /// Sent before a stop at which the programs are upgraded: at the stop the actor renews the leases
    /// once more and ends; it says nothing to the peers and leaves the addresses to its successor.
    Leave,
}

/// vrrp-actor to supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromVrrp {
    /// Sent at each change of state; the supervisor hands it to the notifier.
    Transition(TransitionEvent),
    /// Sent when all routers of a sync group have come to a state; handed on likewise.
    GroupTransition(GroupEvent),
    /// Sent when a router's priority changes and its state does not, if it is to be; handed on
    /// likewise.
    PriorityChanged(PriorityEvent),
    /// Sent when a Master finds an address claimed by somebody else, at most once a minute; handed
    /// on likewise.
    Contested(ContestEvent),
    /// Sent soon after each change and at most once a second otherwise: all routers, for status pages.
    Status(Vec<RouterStatus>),
    /// Sent at most once a second, after the routers.
    Timers(TimerStatus),
}
