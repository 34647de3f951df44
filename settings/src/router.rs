//! `[virtual_routers.NAME]`: the virtual addresses and who owns them. How they are read is in the
//! modules below.

mod address;
mod auth;
mod failback;
mod reader;
mod transport;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use crate::report::Spanned;

pub use failback::{Failback, OnUnhealthy};
pub(crate) use reader::Reader;

/// What the protocol carries, RFC 2338 §5.3.6.
const PASS_OCTETS: usize = 8;

/// One virtual router as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualRouter {
    /// The name, on the status page and in the arguments of scripts.
    pub name: String,
    /// The interface of the addresses and of the adverts.
    pub interface: Spanned<String>,
    /// The virtual router identifier; no other router on the interface has it.
    pub vrid: Spanned<NonZeroU8>,
    /// Whether the addresses are at the virtual router's own MAC address, RFC 9568 §7.3. Default:
    /// false.
    pub vmac: bool,
    /// Default: 3.
    pub version: Version,
    /// At least one, all of one family, link-local ones first (RFC 9568 §5.2.9); none is in another
    /// virtual router.
    pub addresses: Vec<Spanned<VirtualAddress>>,
    /// Owned with the others, and not said in adverts, of whatever family. Default: none.
    pub excluded_addresses: Vec<Spanned<VirtualAddress>>,
    /// Version 2: whole seconds, 1 s to 255 s; version 3: hundredths of a second, 10 ms to
    /// 40.95 s. Default: 1 s.
    pub advert_interval: Spanned<Duration>,
    /// This node's, before tracking changes it; 255 is the owner of the addresses. Default: 100.
    pub priority: Spanned<NonZeroU8>,
    /// The priorities of all nodes, this one too, in the order of the nodes.
    pub priorities: Vec<(String, NonZeroU8)>,
    /// How adverts travel.
    pub transport: Transport,
    /// What the checksums of version 3 over IPv4 are over; `None`, the default: what those of the
    /// peers are over.
    pub checksum: Option<ChecksumForm>,
    /// How the nodes know one another. Default: not at all.
    pub auth: Option<Auth>,
    /// When to take over from a Master of lower priority.
    pub failback: Failback,
    /// What to do as Master when this node gets worse. Default: abdicate.
    pub on_unhealthy: OnUnhealthy,
    /// Routers of one name are Master together. Default: none.
    pub sync_group: Option<Spanned<String>>,
    /// The kernel's lifetime of the addresses.
    pub lease: Lease,
    /// What moves the priority.
    pub tracks: Vec<Track>,
    /// Whether the health of the node's own proxy counts. Default: true.
    pub track_proxy: bool,
    /// How neighbours are told.
    pub announce: Announce,
    /// How long after the start nothing is claimed, 0 s to 1 h. Default: 0 s.
    pub startup_delay: Duration,
    /// Adverts that must be missing before a Backup takes over, 1 to 100. Default: 3.
    pub down_timer_adverts: NonZeroU8,
    /// Names of `[notify]`: who is told of transitions.
    pub notify: Vec<Spanned<String>>,
    /// Whether a changed priority is an event too. Default: false.
    pub notify_priority_changes: bool,
}

impl VirtualRouter {
    /// Whether its adverts go over IPv6.
    pub fn is_ipv6(&self) -> bool {
        transport::is_ipv6(&self.addresses)
    }

    /// Whether something can make a node degraded or unhealthy.
    pub(crate) fn has_bands(&self) -> bool {
        let weighs = |track: &Track| track.effect.weight().is_some();
        self.track_proxy || self.sync_group.is_some() || !self.tracks.iter().all(weighs)
    }
}

/// The version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 3768, keepalived's default.
    V2,
    /// RFC 9568.
    V3,
}

/// How adverts travel. All addresses are of the family of the virtual addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// To 224.0.0.18, or ff02::12.
    Multicast {
        /// The node's own address; `None`: the link-local address of the interface.
        source: Option<IpAddr>,
    },
    /// To these addresses, at least one, none of them the node's own.
    Unicast {
        /// The node's own address.
        source: IpAddr,
        /// The other nodes, unless listed otherwise.
        peers: Vec<Spanned<IpAddr>>,
        /// The least TTL, or hop limit, that their adverts may arrive with. Default: 255.
        min_ttl: NonZeroU8,
    },
}

impl Transport {
    /// Where adverts come from, if that is known beforehand.
    pub fn source(&self) -> Option<IpAddr> {
        match self {
            Self::Multicast { source } => *source,
            Self::Unicast { source, .. } => Some(*source),
        }
    }
}

/// What a checksum is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumForm {
    /// The VRRP message alone, RFC 9568 §5.2.8.
    Message,
    /// A pseudo-header too.
    PseudoHeader,
}

/// A virtual address as it is put on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualAddress {
    /// The address.
    pub address: IpAddr,
    /// 0 to 32, of IPv6 to 128. Default: the greatest.
    pub prefix_len: u8,
    /// The interface that carries it. Default: that of the router, as `None`.
    pub interface: Option<Spanned<String>>,
    /// The label, 1 to 15 octets; IPv4 only. Default: none.
    pub label: Option<String>,
    /// IPv4 only. Default: global.
    pub scope: Scope,
}

/// How far an address is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere.
    Global,
    /// Within the site.
    Site,
    /// On the link.
    Link,
    /// On the host.
    Host,
}

impl Scope {
    const WORDS: &[(&str, Self)] = &[
        ("global", Self::Global),
        ("site", Self::Site),
        ("link", Self::Link),
        ("host", Self::Host),
    ];

    /// The number that rtnetlink(7) has for it.
    pub const fn number(self) -> u8 {
        match self {
            Self::Global => 0,
            Self::Site => 200,
            Self::Link => 253,
            Self::Host => 254,
        }
    }
}

/// How the nodes of a virtual router know one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Version 2: against mix-ups.
    Pass(Pass),
    /// Version 3: against everyone who has no key.
    Hmac(HmacAuth),
}

/// The password of version 2, padded with zeros (RFC 2338 §5.3.6). It is sent in the clear.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pass(pub [u8; PASS_OCTETS]);

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass(..)")
    }
}

/// Adverts are signed (draft-cassen-vrrp-auth-hmac).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacAuth {
    /// The keys that adverts of others may be signed with, by their numbers; at least one.
    pub keys: Vec<(NonZeroU8, HmacKey)>,
    /// The number of the key that this node signs with, one of `keys`.
    pub active: NonZeroU8,
    /// Default: enforce.
    pub mode: HmacMode,
    /// How far the clocks of the nodes may differ, 1 s to 300 s; `None`: they are not compared.
    /// Default: three times the interval between adverts, at least 5 s.
    pub time_window: Option<Duration>,
}

/// A secret of 32 to 64 octets.
#[derive(Clone, PartialEq, Eq)]
pub struct HmacKey(pub Vec<u8>);

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(..)")
    }
}

/// What is done with adverts that are not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HmacMode {
    /// They are discarded; this node signs its own.
    Enforce,
    /// They are accepted; this node signs its own.
    Permissive,
    /// They are accepted; this node does not sign.
    ReceiveOnly,
}

/// The kernel's lifetime of the addresses, renewed while their owner is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// They stay until they are removed.
    Off,
    /// In whole seconds, 2 and more. `lease = "auto"` has become the longest that ends half a
    /// second before a peer takes over, where there is one.
    Seconds(u32),
}

/// Something that moves the priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// What is looked at.
    pub subject: TrackSubject,
    /// What its state does.
    pub effect: Spanned<TrackEffect>,
}

/// What a track does to the priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackEffect {
    /// -253 to 253. Above zero it is added while the subject is well, below zero while it is ill;
    /// zero makes the router Fault while it is ill. Of a file, -254 to 254: its number is multiplied
    /// by it and added.
    Weight(i16),
    /// The node is degraded while the subject is ill; a number is ill that is not 0.
    Degraded,
    /// The node is unhealthy while the subject is ill.
    Unhealthy,
}

impl TrackEffect {
    pub(crate) const BANDS: &[(&str, Self)] =
        &[("degraded", Self::Degraded), ("unhealthy", Self::Unhealthy)];

    /// The weight, if it is one.
    pub(crate) const fn weight(self) -> Option<i16> {
        match self {
            Self::Weight(weight) => Some(weight),
            Self::Degraded | Self::Unhealthy => None,
        }
    }
}

/// What a track looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackSubject {
    /// A script of [`crate::Settings::scripts`], by its name.
    Script(String),
    /// An interface, by its name.
    Interface(Spanned<String>),
    /// A file of [`crate::Settings::files`], by its name.
    File(String),
    /// Processes of [`crate::Settings::processes`], by their name.
    Process(String),
}

/// How neighbours are told who owns the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// Packets in a burst for each address, 1 to 100. Default: 5.
    pub repeat: NonZeroU8,
    /// When the second burst follows the first, up to 1 h; zero: never. Default: 5 s.
    pub delay: Duration,
    /// How often a Master repeats one packet, up to 1 d; zero: never. Default: 60 s.
    pub refresh: Duration,
    /// The pause between the packets of a burst, up to 1 s. Default: 0.
    pub interval: Duration,
}
