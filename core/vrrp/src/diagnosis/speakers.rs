//! Packets, sorted by who sent them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::glimpse::Glimpse;
use super::{Mac, Observations, Sighting};
use crate::address_list::AddressList;
use crate::checks::{Discard, check};
use crate::hmac::{ClockGap, WallTime, check_trailer, clock_gap};
use crate::packet::{ChecksumForm, Protocol};
use crate::spec::Spec;

/// What one sender said to our virtual router.
#[derive(Debug)]
pub(super) struct Speaker<'s> {
    pub(super) address: IpAddr,
    /// The last that was not 0.
    pub(super) priority: u8,
    /// Why packets of it would be discarded.
    pub(super) rejections: BTreeMap<Discard, Details>,
    /// Version, interval and checksum of the last packet that would be listened to.
    pub(super) accepted: Option<(Protocol, ChecksumForm)>,
    /// Whether that packet had no HMAC trailer.
    pub(super) is_unsigned: bool,
    /// The least difference to this node's clock in a packet that would be listened to.
    pub(super) clock_gap: Option<ClockGap>,
    /// The addresses of the last packet that could be read.
    pub(super) addresses: Option<AddressList<'s>>,
    /// How many packets were for this node.
    pub(super) to_us: usize,
    /// When it said a priority that is not 0.
    claims: Vec<Duration>,
    macs: BTreeSet<Mac>,
}

/// What is said about a packet that would be discarded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Details {
    pub(super) ttl: u8,
    pub(super) protocol: Option<Protocol>,
}

impl<'s> Speaker<'s> {
    fn new(address: IpAddr) -> Self {
        Self {
            address,
            priority: 0,
            rejections: BTreeMap::new(),
            accepted: None,
            is_unsigned: false,
            clock_gap: None,
            addresses: None,
            to_us: 0,
            claims: Vec::new(),
            macs: BTreeSet::new(),
        }
    }

    fn see(&mut self, packet: &Sighting, glimpse: &Glimpse<'_>) {
        self.macs.insert(packet.mac);
        if glimpse.priority != 0 {
            self.priority = glimpse.priority;
            self.claims.push(packet.at);
        }
    }

    /// `clock` is what the clock on the wall said then.
    fn hear(&mut self, spec: &Spec, glimpse: &Glimpse<'s>, clock: Option<WallTime>) {
        self.to_us += usize::from(glimpse.is_for(spec));
        let mut details = Details {
            ttl: glimpse.ttl,
            protocol: None,
        };
        let outcome = glimpse.decode().and_then(|received| {
            details.protocol = Some(received.advert.protocol);
            self.addresses = Some(received.advert.addresses);
            check(spec, &received)?;
            check_trailer(spec, &received, clock)?;
            Ok(received)
        });
        match outcome {
            Ok(received) => {
                self.accepted = Some((received.advert.protocol, received.checksum));
                self.is_unsigned = received.signed.is_none();
                let gaps = self.clock_gap.into_iter();
                let gaps = gaps.chain(clock_gap(spec, &received, clock));
                self.clock_gap = gaps.min_by_key(|gap| gap.apart);
            }
            Err(reason) => {
                self.rejections.insert(reason, details);
            }
        }
    }

    /// How many adverts claimed to be of a Master.
    pub(super) fn count(&self) -> usize {
        self.claims.len()
    }

    /// When it claimed so first.
    pub(super) fn first(&self) -> Option<Duration> {
        self.claims.first().copied()
    }

    /// How often it claimed so from then on.
    pub(super) fn since(&self, begun: Duration) -> usize {
        self.claims.iter().filter(|at| **at >= begun).count()
    }

    /// Whether it sends from this Ethernet address.
    pub(super) fn has(&self, mac: Mac) -> bool {
        self.macs.contains(&mac)
    }
}

/// All who were heard.
#[derive(Debug)]
pub(super) struct Speakers<'s> {
    own: Option<Speaker<'s>>,
    others: BTreeMap<IpAddr, Speaker<'s>>,
    /// Those who speak for this identifier over the other family, where it means another virtual
    /// router. What they say is not looked at.
    across: BTreeMap<IpAddr, Speaker<'s>>,
    /// Adverts of other virtual routers: who says what about which addresses.
    beside: BTreeMap<(u8, IpAddr), AddressList<'s>>,
}

impl<'s> Speakers<'s> {
    pub(super) fn read(spec: &Spec, seen: &'s Observations) -> Self {
        let mut speakers = Self {
            own: None,
            others: BTreeMap::new(),
            across: BTreeMap::new(),
            beside: BTreeMap::new(),
        };
        for packet in &seen.packets {
            let Some(glimpse) = Glimpse::of(&packet.octets) else {
                continue;
            };
            let source = glimpse.source;
            if glimpse.vrid != spec.vrid.get() {
                if let Ok(received) = glimpse.decode() {
                    let key = (glimpse.vrid, source);
                    speakers.beside.insert(key, received.advert.addresses);
                }
                continue;
            }
            if source.is_ipv4() != spec.source.is_ipv4() {
                let speaker = speakers.across.entry(source);
                let speaker = speaker.or_insert_with(|| Speaker::new(source));
                speaker.see(packet, &glimpse);
                continue;
            }
            let speaker = if source == spec.source {
                speakers.own.get_or_insert_with(|| Speaker::new(source))
            } else {
                let others = speakers.others.entry(source);
                others.or_insert_with(|| Speaker::new(source))
            };
            speaker.see(packet, &glimpse);
            let clock = seen.began.map(|began| began + packet.at);
            speaker.hear(spec, &glimpse, clock);
        }
        speakers
    }

    pub(super) fn own(&self) -> Option<&Speaker<'s>> {
        self.own.as_ref()
    }

    pub(super) fn own_macs(&self) -> Vec<Mac> {
        let own = self.own.iter();
        own.flat_map(|own| own.macs.iter().copied()).collect()
    }

    pub(super) fn others(&self) -> impl Iterator<Item = &Speaker<'s>> {
        self.others.values()
    }

    /// Those who speak over the other family.
    pub(super) fn across(&self) -> impl Iterator<Item = &Speaker<'s>> {
        self.across.values()
    }

    /// Whether anybody is heard.
    pub(super) fn any(&self) -> bool {
        self.own.is_some() || !self.others.is_empty()
    }

    /// Our addresses in adverts of other virtual routers.
    pub(super) fn foreign_claims(&self, spec: &Spec) -> Vec<(u8, IpAddr, IpAddr)> {
        let claims = self.beside.iter().flat_map(|((vrid, speaker), addresses)| {
            let ours = addresses.iter().filter(|it| spec.addresses.contains(it));
            ours.map(|address| (*vrid, *speaker, address))
        });
        claims.collect()
    }
}
