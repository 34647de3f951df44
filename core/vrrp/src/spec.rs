//! What a virtual router is told to be.

use std::net::IpAddr;
use std::time::Duration;

use crate::announce::AnnouncePlan;
use crate::hmac::HmacAuth;
use crate::packet::{ChecksumForm, GROUP, GROUP_V6, Protocol};
use crate::units::{Priority, Vrid};

/// The configuration of one virtual router on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The virtual router identifier.
    pub vrid: Vrid,
    /// Version, interval, authentication.
    pub protocol: Protocol,
    /// How adverts are signed and verified; `None`: not at all.
    pub hmac: Option<HmacAuth>,
    /// The priority before tracks change it; [`Priority::OWNER`] is changed by no track.
    pub priority: Priority,
    /// When a Backup takes over from a Master of its own band that has a lower priority.
    pub failback: Failback,
    /// What a Master does when it gets worse.
    pub on_unhealthy: OnUnhealthy,
    /// Of version 3 over IPv4, what the checksums of its adverts are over; `None`: what those of its
    /// peers are over. Both are accepted.
    pub checksum: Option<ChecksumForm>,
    /// The node's own address: source of its adverts, and what breaks ties. Its family is that of
    /// the virtual router.
    pub source: IpAddr,
    /// Who the adverts go to and come from.
    pub transport: Transport,
    /// The virtual addresses as they stand in the adverts; all are of the family of `source`.
    pub addresses: Vec<IpAddr>,
    /// What moves the priority.
    pub tracks: Vec<Track>,
    /// Whether the health of the node's own proxy counts.
    pub track_proxy: bool,
    /// Whether it is in a sync group: it becomes Master when the group does ([`crate::Group`]).
    pub is_grouped: bool,
    /// The lifetime that the addresses are added with; `None`: for ever.
    pub lease: Option<Duration>,
    /// How neighbours are told.
    pub announce: AnnouncePlan,
    /// How long after its start a router does not become Master.
    pub startup_delay: Duration,
    /// How many adverts may be missing before the Master counts as gone; 3 in the RFCs.
    pub down_timer_adverts: u8,
}

impl Spec {
    /// Where multicast adverts of this router go.
    pub fn group(&self) -> IpAddr {
        match self.source {
            IpAddr::V4(_) => GROUP.into(),
            IpAddr::V6(_) => GROUP_V6.into(),
        }
    }
}

/// Who the adverts go to and come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Everyone on the link (RFC 9568 §5.1.1.2).
    Multicast,
    /// Some, and nobody else (draft-abinabraham-vrrp-unicast).
    Unicast {
        /// Their own addresses.
        peers: Vec<IpAddr>,
        /// The least TTL, or hop limit, that their adverts may arrive with. They are sent with
        /// [`crate::TTL`]: less than that lets them come from behind routers.
        min_ttl: u8,
    },
}

/// When a Backup takes over from a Master of its own band that has a lower priority. From one of a
/// worse band it always does, and an owner of the addresses (255) does from anybody (RFC 9568 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failback {
    /// When it has heard such a Master for so long; zero: only as long as it must (Preempt_Mode of
    /// RFC 9568 §6.1; `preempt_delay`).
    Auto(Duration),
    /// When it has heard such a Master for so long and was well all the time.
    After(Duration),
    /// Never.
    Manual,
}

/// What a Master does when its band gets worse or a track without weight fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnhealthy {
    /// It says so with priority 0 and serves until a peer does; if none does, it goes on.
    Abdicate,
    /// As keepalived: the worse priority goes out with its next advert. A fault is priority 0, and
    /// the addresses are gone at once.
    Deprioritise,
}

/// Something that can fail and moves the priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// By this name its results are reported.
    pub name: String,
    /// What they do.
    pub effect: TrackEffect,
}

/// What a track does to the priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackEffect {
    /// Above zero: added while it is up. Below zero: subtracted while it is down. Zero: the router
    /// is in Fault while it is down. A number that is tracked is multiplied by it and added; a
    /// product of -254 or less is a Fault.
    Weight(i16),
    /// The node is degraded while it is down.
    Degraded,
    /// The node is unhealthy while it is down.
    Unhealthy,
}
