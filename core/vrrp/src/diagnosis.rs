//! What is wrong with a virtual router, from what was seen on its link and on this node.
//!
//! It looks at packets with the eyes of [`crate::Router`]: what that would discard is found here,
//! with the reason. Findings are values; their display is a sentence for people.

mod finding;
mod firewall;
mod glimpse;
mod sentence;
mod speakers;

use std::net::IpAddr;
use std::time::Duration;

pub use finding::{Finding, Holder, Severity};
pub use firewall::Firewall;

use crate::address_list::AddressList;
use crate::checks::{Discard, ttl_min};
use crate::hmac::WallTime;
use crate::packet::{ChecksumForm, Protocol, TTL};
use crate::spec::{Spec, Transport};
use crate::timer::master_down;
use firewall::Rules;
use speakers::{Speaker, Speakers};

/// An Ethernet address.
pub type Mac = [u8; 6];

/// So many adverts make a speaker a Master, and not one that is about to notice another.
const ADVERTS_OF_A_MASTER: usize = 3;

/// What was seen while listening.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observations {
    /// What the clock on the wall said at the beginning; `None`: the clocks of nodes that sign their
    /// adverts are not compared.
    pub began: Option<WallTime>,
    /// How long that was.
    pub listened: Duration,
    /// The interface; `None` when there is none of that name.
    pub link: Option<Link>,
    /// IP packets of protocol 112 over either family, in their order: those that came in, before any
    /// firewall, and those that went out, behind any firewall. Of all virtual routers.
    pub packets: Vec<Sighting>,
    /// The senders of those that got past this node's firewall to its programs, one each packet.
    pub delivered: Vec<IpAddr>,
    /// Virtual addresses of the router that are on this node.
    pub held: Vec<IpAddr>,
    /// Who answered when it was asked, by ARP or neighbour solicitation, who has a virtual address,
    /// one of a node, or one that adverts come from.
    pub answers: Vec<(IpAddr, Mac)>,
    /// Virtual addresses that lie on another interface than the router's.
    pub elsewhere: Vec<IpAddr>,
    /// Whether this node has a virtual router of the same identifier and the other family on the
    /// interface.
    pub has_twin: bool,
    /// The greater of the interface's and all interfaces' `arp_ignore`; 0 when it cannot be read, and for
    /// IPv6.
    pub arp_ignore: u8,
    /// The same of `rp_filter`.
    pub rp_filter: u8,
    /// The firewall.
    pub firewall: Firewall,
}

/// The interface as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Whether it is switched on and has a carrier.
    pub is_up: bool,
    /// Its address.
    pub mac: Mac,
}

/// A packet on the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// When, from the beginning of listening.
    pub at: Duration,
    /// The sender's Ethernet address.
    pub mac: Mac,
    /// The packet, from its IP header on.
    pub octets: Vec<u8>,
}

/// What is to be said about a virtual router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Who speaks for it.
    pub heard: Vec<Heard>,
    /// What is wrong, the gravest first.
    pub findings: Vec<Finding>,
}

/// Somebody who speaks for a virtual router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The source of the adverts.
    pub speaker: IpAddr,
    /// The own address of the node that it is; `None` when it is none of them.
    pub node: Option<IpAddr>,
    /// The last priority that was not 0.
    pub priority: u8,
    /// How many adverts were not of priority 0.
    pub adverts: usize,
}

/// Finds what is wrong with the virtual router `spec`; `nodes` are the own addresses of all its
/// nodes, of both families. The source of `spec` is unspecified where the interface has none.
///
/// Multicast over IPv6 comes from link-local addresses, which nobody configures: a node is known by
/// its Ethernet address there, at which one of its own addresses was found.
pub fn diagnose(spec: &Spec, nodes: &[IpAddr], seen: &Observations) -> Diagnosis {
    let examination = Examination {
        spec,
        nodes,
        seen,
        speakers: Speakers::read(spec, seen),
        rules: seen.firewall.rules(spec.source.is_ipv6()),
    };
    let mut findings = examination.findings();
    findings.sort_by_key(Finding::severity);
    let speakers = &examination.speakers;
    let heard = speakers.own().into_iter().chain(speakers.others());
    Diagnosis {
        heard: heard
            .map(|speaker| Heard {
                speaker: speaker.address,
                node: examination.node_of(speaker),
                priority: speaker.priority,
                adverts: speaker.count(),
            })
            .collect(),
        findings,
    }
}

struct Examination<'e> {
    spec: &'e Spec,
    nodes: &'e [IpAddr],
    seen: &'e Observations,
    speakers: Speakers<'e>,
    rules: Rules<'e>,
}

impl Examination<'_> {
    fn findings(&self) -> Vec<Finding> {
        match self.seen.link {
            None => return vec![Finding::InterfaceMissing],
            Some(Link { is_up: false, .. }) => return vec![Finding::InterfaceDown],
            Some(_) if self.spec.source.is_unspecified() => return vec![Finding::NoLinkLocal],
            Some(_) => {}
        }
        let mut findings = Vec::new();
        for speaker in self.speakers.others() {
            self.examine(speaker, &mut findings);
        }
        self.examine_other_family(&mut findings);
        self.examine_own(&mut findings);
        self.examine_masters(&mut findings);
        self.examine_addresses(&mut findings);
        self.examine_node(&mut findings);
        findings
    }

    /// What one other speaker says to our virtual router.
    fn examine(&self, speaker: &Speaker<'_>, findings: &mut Vec<Finding>) {
        let address = speaker.address;
        let is_known = self.is_known(speaker);
        if !is_known {
            findings.push(Finding::Foreign {
                speaker: address,
                priority: speaker.priority,
                adverts: speaker.count(),
                is_accepted: speaker.rejections.is_empty(),
            });
        }
        for (reason, details) in speaker.rejections.iter().filter(|_| is_known) {
            findings.push(Finding::Rejected {
                speaker: address,
                reason: *reason,
                ttl: details.ttl,
                ttl_min: ttl_min(&self.spec.transport),
                heard: details.protocol,
                own: self.spec.protocol,
            });
        }
        if is_known && let Some(addresses) = speaker.addresses {
            self.compare_addresses(address, addresses, findings);
        }
        if let Some((protocol, checksum)) = speaker.accepted {
            self.compare_protocol(address, &protocol, checksum, findings);
        }
        if is_known && speaker.is_unsigned && self.spec.hmac.is_some() {
            findings.push(Finding::Unsigned { speaker: address });
        }
        if let Some(gap) = speaker.clock_gap.filter(|gap| gap.apart > gap.window / 2) {
            findings.push(Finding::ClocksApart {
                speaker: address,
                apart: gap.apart,
                window: gap.window,
            });
        }
        if speaker.to_us >= 2 && self.delivered_from(address) == 0 {
            findings.push(Finding::Swallowed {
                speaker: address,
                packets: speaker.to_us,
                rules: self.rules.against_vrrp(),
                has_strict_rp_filter: self.seen.rp_filter == 1,
            });
        }
    }

    fn delivered_from(&self, address: IpAddr) -> usize {
        let delivered = self.seen.delivered.iter();
        delivered.filter(|source| **source == address).count()
    }

    fn is_known(&self, speaker: &Speaker<'_>) -> bool {
        let is_peer = match &self.spec.transport {
            Transport::Unicast { peers, .. } => peers.contains(&speaker.address),
            Transport::Multicast => false,
        };
        is_peer || self.node_of(speaker).is_some()
    }

    /// The own address of the node that speaks: the source itself, or one that is at the same
    /// Ethernet address. Adverts may come from that of all Masters; the source is asked for its own.
    fn node_of(&self, speaker: &Speaker<'_>) -> Option<IpAddr> {
        let source = speaker.address;
        if source == self.spec.source || self.nodes.contains(&source) {
            return Some(source);
        }
        let answers = &self.seen.answers;
        let is_at = |mac: Mac| speaker.has(mac) || answers.contains(&(source, mac));
        let mut of_nodes = answers
            .iter()
            .filter(|(asked, _)| self.nodes.contains(asked));
        let found = of_nodes.find(|(_, mac)| is_at(*mac));
        found.map(|(asked, _)| *asked)
    }

    /// A node that speaks for the identifier over the other family means another virtual router.
    fn examine_other_family(&self, findings: &mut Vec<Finding>) {
        for speaker in self.speakers.across().filter(|_| !self.seen.has_twin) {
            findings.push(if self.is_known(speaker) {
                Finding::Rejected {
                    speaker: speaker.address,
                    reason: Discard::Family,
                    ttl: TTL,
                    ttl_min: ttl_min(&self.spec.transport),
                    heard: None,
                    own: self.spec.protocol,
                }
            } else {
                Finding::OtherFamily {
                    speaker: speaker.address,
                }
            });
        }
    }

    fn compare_addresses(
        &self,
        speaker: IpAddr,
        heard: AddressList<'_>,
        findings: &mut Vec<Finding>,
    ) {
        let own = AddressList::from(self.spec.addresses.as_slice());
        let without = |these: AddressList<'_>, those: AddressList<'_>| -> Vec<IpAddr> {
            these.iter().filter(|it| !those.contains(*it)).collect()
        };
        let missing = without(own, heard);
        let added = without(heard, own);
        if !missing.is_empty() || !added.is_empty() {
            findings.push(Finding::AddressList {
                speaker,
                missing,
                added,
            });
        }
    }

    /// Differences that version 3 tolerates.
    fn compare_protocol(
        &self,
        speaker: IpAddr,
        heard: &Protocol,
        checksum: ChecksumForm,
        findings: &mut Vec<Finding>,
    ) {
        let (own, heard_interval) = (self.spec.protocol.interval(), heard.interval());
        if own != heard_interval {
            findings.push(Finding::IntervalLearned {
                speaker,
                heard: heard_interval,
                own,
            });
        }
        if matches!(heard, Protocol::V3 { .. }) && checksum == ChecksumForm::Message {
            findings.push(Finding::ChecksumForm { speaker });
        }
    }

    /// What goes out in the name of this node.
    fn examine_own(&self, findings: &mut Vec<Finding>) {
        let macs = self.speakers.own_macs();
        let is_ours =
            |mac: &Mac| Some(*mac) == self.seen.link.map(|link| link.mac) || self.is_virtual(*mac);
        if let Some(mac) = macs.into_iter().find(|mac| !is_ours(mac)) {
            findings.push(Finding::NodeAddressTaken {
                address: self.spec.source,
                mac,
            });
        }
        let is_silent = self.speakers.own().is_none();
        let could_have = self.seen.listened >= 3 * self.spec.protocol.interval();
        if !self.seen.held.is_empty() && is_silent && could_have {
            findings.push(Finding::HeldSilently {
                addresses: self.seen.held.clone(),
                rules: self.rules.against_vrrp(),
            });
        }
    }

    /// The MAC address that RFC 9568 §7.3 reserves for the virtual router.
    fn is_virtual(&self, mac: Mac) -> bool {
        let family = if self.spec.source.is_ipv6() { 2 } else { 1 };
        mac == [0, 0, 0x5e, 0, family, self.spec.vrid.get()]
    }

    /// How many Masters there are: one, it should be.
    fn examine_masters(&self, findings: &mut Vec<Finding>) {
        let speakers: Vec<&Speaker<'_>> = (self.speakers.others())
            .chain(self.speakers.own())
            .collect();
        let begun = speakers.iter().filter_map(|speaker| speaker.first()).max();
        let masters: Vec<_> = (speakers.iter())
            .filter(|speaker| {
                begun.is_some_and(|begun| speaker.since(begun) >= ADVERTS_OF_A_MASTER)
            })
            .map(|speaker| (speaker.address, speaker.priority))
            .collect();
        if masters.len() > 1 {
            findings.push(Finding::SeveralMasters { masters });
        }
        let down = master_down(
            &self.spec.protocol,
            self.spec.down_timer_adverts,
            self.spec.priority,
        );
        // An address that is held without a word is a finding of its own.
        if speakers.is_empty() && self.seen.held.is_empty() {
            findings.push(if self.seen.listened >= down {
                Finding::NoMaster {
                    group: (self.spec.transport == Transport::Multicast).then(|| self.spec.group()),
                    rules: self.rules.against_vrrp(),
                }
            } else {
                Finding::TooShort { needed: down }
            });
        }
    }

    /// How many owners each virtual address has.
    fn examine_addresses(&self, findings: &mut Vec<Finding>) {
        for address in self.spec.addresses.iter().copied() {
            let here = self.seen.held.contains(&address).then_some(Holder::Here);
            let mut macs: Vec<Mac> = (self.seen.answers.iter())
                .filter(|(asked, _)| *asked == address)
                .map(|(_, mac)| *mac)
                .collect();
            macs.sort_unstable();
            macs.dedup();
            let there = macs.iter().map(|mac| Holder::There(*mac));
            let holders: Vec<Holder> = here.into_iter().chain(there).collect();
            match holders.as_slice() {
                [] if self.speakers.any() => findings.push(Finding::Unanswered { address }),
                [Holder::There(mac)] if self.is_unheard(*mac) => {
                    findings.push(Finding::HeldByStranger { address, mac: *mac });
                }
                [] | [_] => {}
                _ => {
                    let is_heard = self.speakers.any();
                    let has_silent = is_heard && macs.iter().any(|mac| !self.speaks(*mac));
                    findings.push(Finding::SeveralOwners {
                        address,
                        holders,
                        has_silent,
                    });
                }
            }
        }
    }

    /// Whether adverts come from others, and none from who has this MAC address.
    fn is_unheard(&self, mac: Mac) -> bool {
        self.speakers.others().next().is_some() && !self.speaks(mac)
    }

    /// Whether another node sends adverts from this MAC address, or it is that of all Masters.
    fn speaks(&self, mac: Mac) -> bool {
        self.is_virtual(mac) || self.speakers.others().any(|speaker| speaker.has(mac))
    }

    /// What about this node would be in the way.
    fn examine_node(&self, findings: &mut Vec<Finding>) {
        let elsewhere = &self.seen.elsewhere;
        match self.seen.arp_ignore {
            1 if !elsewhere.is_empty() => findings.push(Finding::ArpIgnored { arp_ignore: 1 }),
            arp_ignore @ (2 | 4..) => findings.push(Finding::ArpIgnored { arp_ignore }),
            _ => {}
        }
        if let Some(rule) = self.rules.swallows_unknown_segments() {
            findings.push(Finding::UnknownSegments { rule });
        }
        let rules = self.rules.vrrp_drops();
        let is_told = findings.iter().any(Finding::tells_of_firewall);
        if !rules.is_empty() && !is_told {
            findings.push(Finding::FirewallDrops { rules });
        }
        for (vrid, speaker, address) in self.speakers.foreign_claims(self.spec) {
            findings.push(Finding::ClaimedByOtherVrid {
                vrid,
                speaker,
                address,
            });
        }
    }
}
