//! What a packet on the link claims, whether it is whole or not.

use std::net::IpAddr;

use crate::checks::Discard;
use crate::packet::{Received, Route, decode, decode_ipv6};
use crate::spec::{Spec, Transport};

const IPV6_HEADER: usize = 40;

/// Read without any of the checks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glimpse<'s> {
    pub(super) source: IpAddr,
    destination: IpAddr,
    pub(super) ttl: u8,
    pub(super) vrid: u8,
    pub(super) priority: u8,
    /// What the codec takes: over IPv4 the packet, over IPv6 what follows its header.
    octets: &'s [u8],
}

impl<'s> Glimpse<'s> {
    /// `None` for what is too short to claim anything.
    pub(super) fn of(packet: &'s [u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Self::of_ipv4(packet),
            6 => Self::of_ipv6(packet),
            _ => None,
        }
    }

    fn of_ipv4(packet: &'s [u8]) -> Option<Self> {
        let address = |at: usize| Some(IpAddr::from(*packet.get(at..)?.first_chunk::<4>()?));
        let header = 4 * usize::from(packet.first()? & 0x0f);
        Some(Self {
            source: address(12)?,
            destination: address(16)?,
            ttl: *packet.get(8)?,
            vrid: *packet.get(header + 1)?,
            priority: *packet.get(header + 2)?,
            octets: packet,
        })
    }

    fn of_ipv6(packet: &'s [u8]) -> Option<Self> {
        let (header, rest) = packet.split_first_chunk::<IPV6_HEADER>()?;
        let address = |at: usize| Some(IpAddr::from(*header.get(at..)?.first_chunk::<16>()?));
        let [_, _, _, _, len_0, len_1, _, hop_limit, ..] = *header;
        let length = usize::from(u16::from_be_bytes([len_0, len_1]));
        // Of a packet that was cut, what there is.
        let message = rest.get(..length).unwrap_or(rest);
        Some(Self {
            source: address(8)?,
            destination: address(24)?,
            ttl: hop_limit,
            vrid: *message.get(1)?,
            priority: *message.get(2)?,
            octets: message,
        })
    }

    /// The whole advert.
    ///
    /// # Errors
    /// The first check of the packet alone that it fails.
    pub(super) fn decode(&self) -> Result<Received<'s>, Discard> {
        let route = Route {
            source: self.source,
            destination: self.destination,
        };
        match self.source {
            IpAddr::V4(_) => decode(self.octets),
            IpAddr::V6(_) => decode_ipv6(route, self.ttl, self.octets),
        }
    }

    /// Whether this node's programs should get to see it.
    pub(super) fn is_for(&self, spec: &Spec) -> bool {
        let is_multicast = spec.transport == Transport::Multicast;
        self.destination == spec.source || (self.destination.is_multicast() && is_multicast)
    }
}
