//! What can be found wrong, and how grave it is. The sentences are in [`super::sentence`].

use std::net::IpAddr;
use std::time::Duration;

use super::Mac;
use crate::checks::Discard;
use crate::packet::Protocol;

/// How grave it is, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The addresses are in danger, now or at the next failure.
    Error,
    /// Probably not meant.
    Warning,
    /// Nothing is wrong; it is said so that nobody is misled.
    Note,
}

impl Severity {
    /// As a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Who has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// This node.
    Here,
    /// The machine with this Ethernet address.
    There(Mac),
}

/// Something that was found. Its display is one sentence without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The router's interface does not exist.
    InterfaceMissing,
    /// The router's interface is switched off or has no carrier.
    InterfaceDown,
    /// The interface has no link-local IPv6 address, from which multicast adverts come.
    NoLinkLocal,
    /// Somebody who is none of the nodes speaks for the virtual router.
    Foreign {
        /// Who.
        speaker: IpAddr,
        /// With which priority.
        priority: u8,
        /// How often.
        adverts: usize,
        /// Whether this node listens to it.
        is_accepted: bool,
    },
    /// A node's adverts are not listened to.
    Rejected {
        /// Whose.
        speaker: IpAddr,
        /// Why.
        reason: Discard,
        /// The TTL, or hop limit, of the packet.
        ttl: u8,
        /// The least that is listened to.
        ttl_min: u8,
        /// Version, interval and authentication, where they could be read.
        heard: Option<Protocol>,
        /// What is configured here.
        own: Protocol,
    },
    /// Somebody who is none of the nodes speaks for this identifier over the other family of IP.
    OtherFamily {
        /// Who.
        speaker: IpAddr,
    },
    /// A node has other virtual addresses.
    AddressList {
        /// Which node.
        speaker: IpAddr,
        /// Configured here, and not there.
        missing: Vec<IpAddr>,
        /// Configured there, and not here.
        added: Vec<IpAddr>,
    },
    /// A node has another interval, which version 3 tolerates.
    IntervalLearned {
        /// Which node.
        speaker: IpAddr,
        /// Its interval.
        heard: Duration,
        /// That of this node.
        own: Duration,
    },
    /// A node leaves the pseudo-header out of the checksum, as RFC 9568 says for IPv4.
    ChecksumForm {
        /// Which node.
        speaker: IpAddr,
    },
    /// A node does not sign its adverts, and is listened to all the same.
    Unsigned {
        /// Which node.
        speaker: IpAddr,
    },
    /// The clock of a node that signs its adverts is so far from this node's that they are soon not
    /// listened to.
    ClocksApart {
        /// Which node.
        speaker: IpAddr,
        /// By how much they differ.
        apart: Duration,
        /// By how much they may differ.
        window: Duration,
    },
    /// Adverts arrive on the interface and not at programs.
    Swallowed {
        /// Whose.
        speaker: IpAddr,
        /// How many.
        packets: usize,
        /// Rules that may be the reason.
        rules: Vec<String>,
        /// Whether `rp_filter` is strict, which is another possible reason.
        has_strict_rp_filter: bool,
    },
    /// Somebody else uses this node's own address.
    NodeAddressTaken {
        /// The address.
        address: IpAddr,
        /// Who.
        mac: Mac,
    },
    /// This node has virtual addresses, and no advert leaves it.
    HeldSilently {
        /// Which.
        addresses: Vec<IpAddr>,
        /// Rules that may be the reason.
        rules: Vec<String>,
    },
    /// Two and more say that they are Master, again and again.
    SeveralMasters {
        /// Who, with which priority.
        masters: Vec<(IpAddr, u8)>,
    },
    /// Nobody was heard for longer than a Backup waits.
    NoMaster {
        /// The group that adverts go to, unless they go to single nodes.
        group: Option<IpAddr>,
        /// Rules that may be the reason.
        rules: Vec<String>,
    },
    /// Nobody was heard, and it was not listened for long enough to wonder.
    TooShort {
        /// How long it takes.
        needed: Duration,
    },
    /// Two and more have an address.
    SeveralOwners {
        /// The address.
        address: IpAddr,
        /// Who.
        holders: Vec<Holder>,
        /// Whether one of them sends no adverts while another does.
        has_silent: bool,
    },
    /// There is a Master, and nobody answers for an address.
    Unanswered {
        /// The address.
        address: IpAddr,
    },
    /// Somebody has an address who does not speak VRRP.
    HeldByStranger {
        /// The address.
        address: IpAddr,
        /// Who.
        mac: Mac,
    },
    /// Another virtual router has an address of this one.
    ClaimedByOtherVrid {
        /// The other virtual router.
        vrid: u8,
        /// Who speaks for it.
        speaker: IpAddr,
        /// The address.
        address: IpAddr,
    },
    /// The kernel of this node would not answer for virtual addresses.
    ArpIgnored {
        /// The setting.
        arp_ignore: u8,
    },
    /// The firewall drops VRRP, though nothing shows it now.
    FirewallDrops {
        /// The rules.
        rules: Vec<String>,
    },
    /// The firewall drops segments of connections of a dead peer instead of letting the kernel
    /// answer them.
    UnknownSegments {
        /// The rule.
        rule: String,
    },
}

impl Finding {
    /// How grave it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::InterfaceMissing
            | Self::InterfaceDown
            | Self::NoLinkLocal
            | Self::Rejected { .. }
            | Self::Swallowed { .. }
            | Self::NodeAddressTaken { .. }
            | Self::HeldSilently { .. }
            | Self::SeveralMasters { .. }
            | Self::NoMaster { .. }
            | Self::SeveralOwners { .. }
            | Self::HeldByStranger { .. }
            | Self::ClaimedByOtherVrid { .. }
            | Self::Foreign { .. } => Severity::Error,
            Self::AddressList { .. }
            | Self::IntervalLearned { .. }
            | Self::ChecksumForm { .. }
            | Self::Unsigned { .. }
            | Self::ClocksApart { .. }
            | Self::Unanswered { .. }
            | Self::ArpIgnored { .. }
            | Self::FirewallDrops { .. }
            | Self::UnknownSegments { .. } => Severity::Warning,
            Self::TooShort { .. } | Self::OtherFamily { .. } => Severity::Note,
        }
    }

    /// The word by which the manual knows it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InterfaceMissing => "interface-missing",
            Self::InterfaceDown => "interface-down",
            Self::NoLinkLocal => "no-link-local",
            Self::Foreign { .. } => "foreign",
            Self::Rejected { reason, .. } => reason.name(),
            Self::OtherFamily { .. } => "other-family",
            Self::AddressList { .. } => "address-list",
            Self::IntervalLearned { .. } => "interval-learned",
            Self::ChecksumForm { .. } => "checksum-form",
            Self::Unsigned { .. } => "unsigned",
            Self::ClocksApart { .. } => "clocks-apart",
            Self::Swallowed { .. } => "swallowed",
            Self::NodeAddressTaken { .. } => "node-address-taken",
            Self::HeldSilently { .. } => "held-silently",
            Self::SeveralMasters { .. } => "several-masters",
            Self::NoMaster { .. } => "no-master",
            Self::TooShort { .. } => "too-short",
            Self::SeveralOwners { .. } => "several-owners",
            Self::Unanswered { .. } => "unanswered",
            Self::HeldByStranger { .. } => "held-by-stranger",
            Self::ClaimedByOtherVrid { .. } => "other-vrid",
            Self::ArpIgnored { .. } => "arp-ignored",
            Self::FirewallDrops { .. } => "firewall",
            Self::UnknownSegments { .. } => "unknown-segments",
        }
    }

    /// Whether rules of the firewall are shown with it.
    pub(super) fn tells_of_firewall(&self) -> bool {
        matches!(
            self,
            Self::Swallowed { .. } | Self::HeldSilently { .. } | Self::NoMaster { .. }
        )
    }
}
