//! Packets as a router gets them from the kernel, whole and damaged.

use std::net::IpAddr;
use std::time::Duration;

use core_vrrp::{
    Advert, Auth, ChecksumForm, Effect, Effects, Event, Found, Password, Protocol, Route, Router,
    Seconds, Spec, TTL, Time, Transport, Vrid, encode,
};

use crate::play::*;

pub(crate) const OWN_V6: IpAddr = v6(0x101);
pub(crate) const PEER_V6: IpAddr = v6(0x102);
pub(crate) const LINK_LOCAL: IpAddr = v6(0x105);

pub(crate) const fn v6(last: u16) -> IpAddr {
    IpAddr::V6(std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last))
}

pub(crate) fn with_password(octets: &[u8; 8]) -> Protocol {
    Protocol::V2 {
        interval: Seconds::new(1).expect("in range"),
        auth: Auth::Pass(Password::new(*octets)),
    }
}

/// What the router of a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    /// Version 2, unicast, with a password.
    V2,
    /// Version 3, over IPv4, multicast.
    V3,
    /// Version 3, over IPv6, multicast.
    V6,
    /// Version 3, over IPv6, unicast, with this least hop limit.
    V6Unicast(u8),
}

impl Is {
    pub(crate) fn spec(self) -> Spec {
        let over_ipv6 = Spec {
            protocol: v3(100),
            transport: Transport::Multicast,
            source: OWN_V6,
            addresses: vec![LINK_LOCAL],
            ..usual()
        };
        match self {
            Self::V2 => Spec {
                protocol: with_password(b"testpass"),
                ..usual()
            },
            Self::V3 => Spec {
                protocol: v3(100),
                transport: Transport::Multicast,
                ..usual()
            },
            Self::V6 => over_ipv6,
            Self::V6Unicast(min_ttl) => Spec {
                transport: Transport::Unicast {
                    peers: vec![PEER_V6],
                    min_ttl,
                },
                ..over_ipv6
            },
        }
    }

    /// What its peer sends when all is well.
    pub(crate) fn packet(self) -> Packet {
        let spec = self.spec();
        let own = spec.source;
        Packet {
            route: Route {
                source: if own.is_ipv6() { PEER_V6 } else { PEER },
                destination: match spec.transport {
                    Transport::Multicast => spec.group(),
                    Transport::Unicast { .. } => own,
                },
            },
            protocol: spec.protocol,
            vrid: 101,
            addresses: spec.addresses,
            ttl: TTL,
            damage: &[],
            is_summed_again: true,
            length: None,
        }
    }
}

/// A packet, and what happened to it on its way.
pub(crate) struct Packet {
    pub(crate) route: Route,
    pub(crate) protocol: Protocol,
    pub(crate) vrid: u8,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) ttl: u8,
    /// Octets of the VRRP message that are others.
    pub(crate) damage: &'static [(usize, u8)],
    /// Whether the checksum is right in spite of that.
    pub(crate) is_summed_again: bool,
    /// The length of the VRRP message, if it is another.
    pub(crate) length: Option<usize>,
}

impl Packet {
    /// What the kernel hands over: over IPv4 with the header, over IPv6 without.
    pub(crate) fn octets(&self) -> Vec<u8> {
        let advert = Advert {
            protocol: self.protocol,
            vrid: Vrid::new(self.vrid).expect("in range"),
            priority: priority(210),
            addresses: self.addresses.as_slice().into(),
        };
        let mut octets = Vec::new();
        encode(&advert, self.route, ChecksumForm::Message, 1, &mut octets);
        let header = if self.route.source.is_ipv4() { 20 } else { 0 };
        for (at, octet) in self.damage {
            octets[header + at] = *octet;
        }
        if let Some(length) = self.length {
            octets.resize(header + length, 0);
        }
        if self.is_summed_again {
            let is_v2 = octets.get(header).is_some_and(|first| first >> 4 == 2);
            self.sum_again(&mut octets[header..], is_v2);
        }
        if header > 0 {
            octets[8] = self.ttl;
            let length = u16::try_from(octets.len()).expect("short");
            octets[2..4].copy_from_slice(&length.to_be_bytes());
        }
        octets
    }

    /// By the book, not by the code under test (RFC 1071, RFC 8200 §8.1).
    fn sum_again(&self, message: &mut [u8], is_v2: bool) {
        let Some(field) = message.get_mut(6..8) else {
            return;
        };
        field.fill(0);
        let mut summed = message.to_vec();
        if let (IpAddr::V6(source), IpAddr::V6(destination), false) =
            (self.route.source, self.route.destination, is_v2)
        {
            summed.extend(source.octets());
            summed.extend(destination.octets());
            summed.extend(u32::try_from(message.len()).expect("short").to_be_bytes());
            summed.extend([0, 0, 0, 112]);
        }
        let words = summed.chunks(2);
        let mut sum: u32 = words
            .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)))
            .sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let sum = !u16::try_from(sum).expect("folded");
        message[6..8].copy_from_slice(&sum.to_be_bytes());
    }

    /// Lets a router hear it; what comes of it.
    pub(crate) fn heard_by(&self, router: &mut Router) -> Vec<Effect> {
        let octets = self.octets();
        let event = match self.route.source {
            IpAddr::V4(_) => Event::of_packet(&octets),
            IpAddr::V6(_) => Event::of_ipv6(self.route, self.ttl, &octets),
        };
        let mut effects = Effects::default();
        router.handle(Time(Duration::from_secs(1)), event, &mut effects);
        effects.drain().collect()
    }
}

pub(crate) fn started(spec: Spec) -> Router {
    let mut router = Router::new(spec);
    let mut effects = Effects::default();
    let start = Event::Start(Found::Nothing);
    router.handle(Time(Duration::ZERO), start, &mut effects);
    effects.drain().for_each(drop);
    router
}
