//! Adverts as bytes: complete IPv4 packets of version 2 (RFC 3768 §5) and version 3
//! (RFC 9568 §5), both ways.
//!
//! What is written equals keepalived's packets octet for octet. What is read is checked for all
//! that can be seen from the packet alone; what needs the router's own configuration is in
//! [`crate::checks`]. The checksum of the IPv4 header is the kernel's business on receipt.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::checks::Discard;
use crate::checksum::Checksum;
use crate::units::{Centiseconds, Priority, Seconds, Vrid};

/// The IP protocol number of VRRP (RFC 9568 §5.1.1.4).
pub const PROTOCOL_NUMBER: u8 = 112;
/// Where multicast adverts go (RFC 9568 §5.1.1.2).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

const TTL: u8 = 255;
const TOS_INTERNETWORK_CONTROL: u8 = 0xc0;
const IP_HEADER: usize = 20;
const VRRP_HEADER: usize = 8;
const AUTH_OCTETS: usize = 8;
const TYPE_ADVERTISEMENT: u8 = 1;
const AUTH_TYPE_NONE: u8 = 0;
const AUTH_TYPE_PASS: u8 = 1;

/// An IPv4 address as it lies in a packet.
pub type Octets = [u8; 4];

/// A version 2 password: eight octets, zero padded, readable by everyone on the wire. A guard
/// against mix-ups, not security (RFC 3768 §10 removed it).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Password([u8; AUTH_OCTETS]);

impl Password {
    /// The octets as they stand in an advert.
    pub fn new(octets: [u8; AUTH_OCTETS]) -> Self {
        Self(octets)
    }
}

/// Shows that there is one, not which.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Authentication of version 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Type 0: eight octets that say nothing.
    None,
    /// Type 1: a password in the clear (RFC 2338 §5.3.6.2).
    Pass(Password),
}

/// The version, with what only it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Version 2: whole seconds, authentication, IPv4 only.
    V2 {
        /// The advertisement interval.
        interval: Seconds,
        /// What the eight octets behind the addresses mean.
        auth: Auth,
    },
    /// Version 3.
    V3 {
        /// The advertisement interval.
        interval: Centiseconds,
    },
}

impl Protocol {
    /// The time between two adverts.
    pub fn interval(&self) -> Duration {
        match *self {
            Self::V2 { interval, .. } => interval.into(),
            Self::V3 { interval } => interval.into(),
        }
    }

    /// The same version (and authentication) with the interval that `heard` has, when the versions
    /// agree: what a Backup of version 3 learns from its Master (RFC 9568 §6.4.2).
    pub(crate) fn with_interval_of(self, heard: &Self) -> Self {
        match (self, heard) {
            (Self::V3 { .. }, Self::V3 { interval }) => Self::V3 {
                interval: *interval,
            },
            (own, _) => own,
        }
    }
}

/// What a router says, apart from whom it says it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advert<'a> {
    /// The version with its interval and authentication.
    pub protocol: Protocol,
    /// The virtual router that it is about.
    pub vrid: Vrid,
    /// The sender's priority, [`Priority::RELEASE`] when it gives up.
    pub priority: Priority,
    /// The virtual addresses; at most 255 can be sent.
    pub addresses: &'a [Octets],
}

/// What the IPv4 header of an advert says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The sender's own address.
    pub source: Ipv4Addr,
    /// [`GROUP`], or one peer.
    pub destination: Ipv4Addr,
}

/// A received advert with where it came from and how it was summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// Sender and destination.
    pub route: Route,
    /// Which of the two checksums in the field the sender uses.
    pub checksum: ChecksumForm,
    /// What it said.
    pub advert: Advert<'a>,
}

/// The two readings of the checksum over IPv4 that are in the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumForm {
    /// Over the VRRP message alone: version 2, and version 3 as RFC 9568 §5.2.8 says.
    Message,
    /// Over an IPv4 pseudo-header too: version 3 of keepalived and FRR, after RFC 5798.
    PseudoHeader,
}

/// Writes the IPv4 packet of `advert` into `packet`, which is overwritten and so can be reused.
/// `identification` is the packet number in the IPv4 header; it should differ from packet to packet.
///
/// Version 3 is sent with the pseudo-header in its checksum: what most peers on Linux accept.
/// Addresses beyond the 255th are left out, since the count could not say them.
pub fn encode(advert: &Advert<'_>, route: Route, identification: u16, packet: &mut Vec<u8>) {
    packet.clear();
    packet.resize(IP_HEADER, 0);
    let (count, addresses) = countable(advert.addresses);
    let (version, timing) = match advert.protocol {
        Protocol::V2 {
            interval,
            auth: Auth::None,
        } => (2, [AUTH_TYPE_NONE, interval.get()]),
        Protocol::V2 {
            interval,
            auth: Auth::Pass(_),
        } => (2, [AUTH_TYPE_PASS, interval.get()]),
        Protocol::V3 { interval } => (3, interval.get().to_be_bytes()),
    };
    packet.push(version << 4 | TYPE_ADVERTISEMENT);
    packet.extend([advert.vrid.get(), advert.priority.get(), count]);
    packet.extend(timing);
    packet.extend([0, 0]);
    packet.extend(addresses.as_flattened());
    match advert.protocol {
        Protocol::V2 {
            auth: Auth::None, ..
        } => packet.extend([0; AUTH_OCTETS]),
        Protocol::V2 {
            auth: Auth::Pass(Password(octets)),
            ..
        } => packet.extend(octets),
        Protocol::V3 { .. } => {}
    }
    let (header, message) = packet.split_at_mut(IP_HEADER);
    let sum = match advert.protocol {
        Protocol::V2 { .. } => Checksum::default(),
        Protocol::V3 { .. } => pseudo_header(route, message.len()),
    };
    let sum = sum.over(message).finish();
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    write_ip_header(header, route, identification, message.len());
}

fn countable(addresses: &[Octets]) -> (u8, &[Octets]) {
    match u8::try_from(addresses.len()) {
        Ok(count) => (count, addresses),
        Err(_) => (u8::MAX, &addresses[..usize::from(u8::MAX)]),
    }
}

/// The header as keepalived fills it in: no fragmentation flags, a number per packet.
fn write_ip_header(header: &mut [u8], route: Route, identification: u16, message: usize) {
    header[0] = 0x45;
    header[1] = TOS_INTERNETWORK_CONTROL;
    header[2..4].copy_from_slice(&length_octets(IP_HEADER + message));
    header[4..6].copy_from_slice(&identification.to_be_bytes());
    header[8] = TTL;
    header[9] = PROTOCOL_NUMBER;
    header[12..16].copy_from_slice(&route.source.octets());
    header[16..20].copy_from_slice(&route.destination.octets());
    let sum = Checksum::default().over(header).finish();
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Reads a complete IPv4 packet. What lies behind the length that its header states (padding of
/// short Ethernet frames) is ignored.
///
/// # Errors
/// The first of the receive checks of RFC 9568 §7.1 (RFC 3768 §7.1) that the packet fails.
pub fn decode(packet: &[u8]) -> Result<Received<'_>, Discard> {
    let (route, message) = decode_ip(packet)?;
    let (head, rest) = message
        .split_first_chunk::<VRRP_HEADER>()
        .ok_or(Discard::Length)?;
    let &[version_type, vrid, priority, count, timing @ .., _, _] = head;
    let timing: [u8; 2] = timing;
    let version = version_type >> 4;
    if version != 2 && version != 3 {
        return Err(Discard::Version);
    }
    if version_type & 0x0f != TYPE_ADVERTISEMENT {
        return Err(Discard::Type);
    }
    let (addresses, trailer) = rest
        .split_at_checked(usize::from(count) * size_of::<Octets>())
        .ok_or(Discard::Length)?;
    let trailer_expected = if version == 2 { AUTH_OCTETS } else { 0 };
    if trailer.len() != trailer_expected {
        return Err(Discard::Length);
    }
    let checksum = verify_checksum(version, route, message)?;
    let vrid = Vrid::new(vrid).ok_or(Discard::Vrid)?;
    if count == 0 {
        return Err(Discard::Count); // erratum 8299
    }
    let protocol = match <[u8; AUTH_OCTETS]>::try_from(trailer) {
        Ok(auth) => decode_v2(timing, auth)?,
        Err(_) => decode_v3(timing)?,
    };
    let priority = Priority::from_wire(priority);
    let (addresses, _) = addresses.as_chunks();
    Ok(Received {
        route,
        checksum,
        advert: Advert {
            protocol,
            vrid,
            priority,
            addresses,
        },
    })
}

/// Who seems to have sent a packet that may be damaged.
pub(crate) fn claimed_source(packet: &[u8]) -> Option<Ipv4Addr> {
    let source = packet.get(12..)?.first_chunk::<4>()?;
    Some(Ipv4Addr::from(*source))
}

/// The route and the VRRP message, for a packet whose header is whole and whose TTL proves that it
/// was sent on this link (RFC 9568 §5.1.1.3).
fn decode_ip(packet: &[u8]) -> Result<(Route, &[u8]), Discard> {
    let header: &[u8; IP_HEADER] = packet.first_chunk().ok_or(Discard::Length)?;
    let [
        version_length,
        _,
        len_0,
        len_1,
        _,
        _,
        _,
        _,
        ttl,
        protocol,
        _,
        _,
        route @ ..,
    ] = header;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = *route;
    if version_length >> 4 != 4 || *protocol != PROTOCOL_NUMBER {
        return Err(Discard::Version);
    }
    let header_length = 4 * usize::from(version_length & 0x0f);
    let length = usize::from(u16::from_be_bytes([*len_0, *len_1]));
    if header_length < IP_HEADER {
        return Err(Discard::Length);
    }
    let message = packet.get(header_length..length).ok_or(Discard::Length)?;
    if *ttl != TTL {
        return Err(Discard::Ttl);
    }
    let source = Ipv4Addr::new(s0, s1, s2, s3);
    Ok((
        Route {
            source,
            destination: Ipv4Addr::new(d0, d1, d2, d3),
        },
        message,
    ))
}

fn verify_checksum(version: u8, route: Route, message: &[u8]) -> Result<ChecksumForm, Discard> {
    if Checksum::default().over(message).is_valid() {
        Ok(ChecksumForm::Message)
    } else if version == 3 && pseudo_header(route, message.len()).over(message).is_valid() {
        Ok(ChecksumForm::PseudoHeader)
    } else {
        Err(Discard::Checksum)
    }
}

fn decode_v2([auth_type, interval]: [u8; 2], octets: [u8; 8]) -> Result<Protocol, Discard> {
    let auth = match auth_type {
        AUTH_TYPE_NONE => Auth::None,
        AUTH_TYPE_PASS => Auth::Pass(Password(octets)),
        _ => return Err(Discard::AuthType),
    };
    let interval = Seconds::new(interval).ok_or(Discard::Interval)?;
    Ok(Protocol::V2 { interval, auth })
}

/// The upper four bits are reserved and ignored on receipt (RFC 9568 §5.2.6).
fn decode_v3(timing: [u8; 2]) -> Result<Protocol, Discard> {
    let interval = Centiseconds::new(u16::from_be_bytes(timing) & 0x0fff);
    Ok(Protocol::V3 {
        interval: interval.ok_or(Discard::Interval)?,
    })
}

/// The sum over source, destination, protocol and length, as for UDP over IPv4.
fn pseudo_header(route: Route, message: usize) -> Checksum {
    Checksum::default()
        .over(&route.source.octets())
        .over(&route.destination.octets())
        .over(&[0, PROTOCOL_NUMBER])
        .over(&length_octets(message))
}

/// A length as a 16-bit field. The longest message of 255 addresses is far below the limit.
fn length_octets(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}
