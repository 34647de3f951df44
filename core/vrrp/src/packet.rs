//! Adverts as bytes, both ways: version 2 (RFC 3768 §5) and version 3 (RFC 9568 §5).
//!
//! Over IPv4 they are complete packets with their header; over IPv6 they are the VRRP message alone,
//! since the kernel writes and removes that header. What is written equals keepalived's packets
//! octet for octet. What is read is checked for all that can be seen from the packet alone; what
//! needs the router's own configuration is in [`crate::checks`]. The checksum of the IPv4 header is
//! the kernel's business on receipt.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::time::Duration;

use crate::address_list::AddressList;
use crate::checks::Discard;
use crate::checksum::Checksum;
use crate::hmac::{Message, Signature, Signed};
use crate::units::{Centiseconds, Priority, Seconds, Vrid};

/// The IP protocol number of VRRP (RFC 9568 §5.1.1.4).
pub const PROTOCOL_NUMBER: u8 = 112;
/// Where multicast adverts go over IPv4 (RFC 9568 §5.1.1.2).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// Where multicast adverts go over IPv6 (RFC 9568 §5.1.2.2).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// The TTL, or hop limit, of all adverts. What arrives with it was sent on this link, since
/// routers would have lowered it (RFC 9568 §5.1.1.3, §5.1.2.3).
pub const TTL: u8 = 255;

const TOS_INTERNETWORK_CONTROL: u8 = 0xc0;
const IP_HEADER: usize = 20;
const VRRP_HEADER: usize = 8;
const AUTH_OCTETS: usize = 8;
/// What the count of addresses can say.
const COUNT_MAX: usize = 255;
const TYPE_ADVERTISEMENT: u8 = 1;
const AUTH_TYPE_NONE: u8 = 0;
const AUTH_TYPE_PASS: u8 = 1;

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
    pub addresses: AddressList<'a>,
}

/// What the IP header of an advert says. Both addresses are of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The sender's own address.
    pub source: IpAddr,
    /// [`GROUP`], [`GROUP_V6`], or one peer.
    pub destination: IpAddr,
}

/// A received advert with where it came from and how it was summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// Sender and destination.
    pub route: Route,
    /// The TTL, or hop limit, that was left; whether it is enough depends on the router.
    pub ttl: u8,
    /// Which of the two checksums in the field the sender uses.
    pub checksum: ChecksumForm,
    /// What it said.
    pub advert: Advert<'a>,
    /// The HMAC trailer behind it, not verified yet.
    pub signed: Option<Signed<'a>>,
}

/// What a checksum is over. Of version 3 over IPv4 both readings are in the field; elsewhere there
/// is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumForm {
    /// Over the VRRP message alone: version 2, and version 3 over IPv4 as RFC 9568 §5.2.8 says.
    Message,
    /// Over a pseudo-header too: version 3 over IPv6 (RFC 8200 §8.1), and over IPv4 as keepalived
    /// and FRR read RFC 5798.
    PseudoHeader,
}

impl ChecksumForm {
    /// The word for it in configurations and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "rfc9568",
            Self::PseudoHeader => "pseudo-header",
        }
    }
}

/// Writes `advert` into `packet`, which is overwritten and so can be reused: over IPv4 the whole
/// packet, over IPv6 the VRRP message that follows the header.
///
/// `checksum` is the form of version 3 over IPv4, and is looked at nowhere else. `identification` is
/// the packet number in the IPv4 header; it should differ from packet to packet. Addresses of the
/// other family than the route's are left out, and so are those beyond the 255th, since the count
/// could not say them.
pub fn encode(
    advert: &Advert<'_>,
    route: Route,
    checksum: ChecksumForm,
    identification: u16,
    packet: &mut Vec<u8>,
) {
    let begin = begin(advert, route, packet);
    let end = packet.len();
    finish(packet, begin..end, route, checksum, identification);
}

/// As [`encode`], with a trailer that `signature` signs it with.
pub fn encode_signed(
    advert: &Advert<'_>,
    signature: &Signature,
    route: Route,
    checksum: ChecksumForm,
    identification: u16,
    packet: &mut Vec<u8>,
) {
    let begin = begin(advert, route, packet);
    let end = packet.len();
    if let Some((head, addresses)) = packet[begin..].split_first_chunk() {
        let trailer = signature.trailer(&Message {
            source: route.source,
            head,
            addresses,
        });
        packet.extend(trailer);
    }
    finish(packet, begin..end, route, checksum, identification);
}

/// Room for the IPv4 header, and behind it the VRRP message with a checksum of zero. Returns where
/// that begins.
fn begin(advert: &Advert<'_>, route: Route, packet: &mut Vec<u8>) -> usize {
    packet.clear();
    let header = match route.source {
        IpAddr::V4(_) => IP_HEADER,
        IpAddr::V6(_) => 0,
    };
    packet.resize(header, 0);
    write_message(advert, route, packet);
    header
}

/// Fills in the checksum and the IPv4 header. Behind `message` there may be a trailer, which the
/// checksum of IPv6 covers and that of IPv4 does not.
fn finish(
    packet: &mut [u8],
    message: Range<usize>,
    route: Route,
    checksum: ChecksumForm,
    identification: u16,
) {
    let (header, rest) = packet.split_at_mut(message.start);
    let is_v2 = rest[0] >> 4 == 2;
    let sum = match (route.source, checksum) {
        (IpAddr::V6(_), _) => pseudo_header(route, rest.len()).over(rest),
        (IpAddr::V4(_), ChecksumForm::PseudoHeader) if !is_v2 => {
            pseudo_header(route, message.len()).over(&rest[..message.len()])
        }
        (IpAddr::V4(_), _) => Checksum::default().over(&rest[..message.len()]),
    };
    rest[6..8].copy_from_slice(&sum.finish().to_be_bytes());
    if let (IpAddr::V4(source), IpAddr::V4(destination)) = (route.source, route.destination) {
        write_ip_header(header, (source, destination), identification, rest.len());
    }
}

/// Appends the VRRP message, with a checksum of zero.
fn write_message(advert: &Advert<'_>, route: Route, packet: &mut Vec<u8>) {
    let begin = packet.len();
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
    packet.extend([advert.vrid.get(), advert.priority.get(), 0]);
    packet.extend(timing);
    packet.extend([0, 0]);
    let is_sayable = |address: &IpAddr| address.is_ipv4() == route.source.is_ipv4();
    let mut count = 0;
    for address in advert.addresses.iter().filter(is_sayable).take(COUNT_MAX) {
        match address {
            IpAddr::V4(address) => packet.extend(address.octets()),
            IpAddr::V6(address) => packet.extend(address.octets()),
        }
        count += 1;
    }
    packet[begin + 3] = count;
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
}

/// The header as keepalived fills it in: no fragmentation flags, a number per packet.
fn write_ip_header(
    header: &mut [u8],
    (source, destination): (Ipv4Addr, Ipv4Addr),
    identification: u16,
    message: usize,
) {
    header[0] = 0x45;
    header[1] = TOS_INTERNETWORK_CONTROL;
    header[2..4].copy_from_slice(&length_octets(IP_HEADER + message));
    header[4..6].copy_from_slice(&identification.to_be_bytes());
    header[8] = TTL;
    header[9] = PROTOCOL_NUMBER;
    header[12..16].copy_from_slice(&source.octets());
    header[16..20].copy_from_slice(&destination.octets());
    let sum = Checksum::default().over(header).finish();
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Reads a complete IPv4 packet. What lies behind the length that its header states (padding of
/// short Ethernet frames) is ignored.
///
/// # Errors
/// The first of the receive checks of RFC 9568 §7.1 (RFC 3768 §7.1) that the packet fails.
pub fn decode(packet: &[u8]) -> Result<Received<'_>, Discard> {
    let (route, ttl, message) = decode_ip(packet)?;
    decode_message(route, ttl, message)
}

/// Reads what an IPv6 packet carries behind its headers, of which the kernel tells `route` and
/// `hop_limit`.
///
/// # Errors
/// The first of the receive checks of RFC 9568 §7.1 that the packet fails. Version 2 does not exist
/// over IPv6.
pub fn decode_ipv6(route: Route, hop_limit: u8, message: &[u8]) -> Result<Received<'_>, Discard> {
    decode_message(route, hop_limit, message)
}

fn decode_message(route: Route, ttl: u8, message: &[u8]) -> Result<Received<'_>, Discard> {
    let (head, rest) = message
        .split_first_chunk::<VRRP_HEADER>()
        .ok_or(Discard::Length)?;
    let &[version_type, vrid, priority, count, timing @ .., _, _] = head;
    let timing: [u8; 2] = timing;
    let version = version_type >> 4;
    let is_ipv4 = route.source.is_ipv4();
    if version != 3 && !(version == 2 && is_ipv4) {
        return Err(Discard::Version);
    }
    if version_type & 0x0f != TYPE_ADVERTISEMENT {
        return Err(Discard::Type);
    }
    let (addresses, rest_of_all) = rest
        .split_at_checked(usize::from(count) * if is_ipv4 { 4 } else { 16 })
        .ok_or(Discard::Length)?;
    let (auth, trailer) = rest_of_all
        .split_at_checked(if version == 2 { AUTH_OCTETS } else { 0 })
        .ok_or(Discard::Length)?;
    let signed = decode_trailer(route.source, message, trailer)?;
    let checksum = verify_checksum(version, route, message, trailer.len())?;
    let vrid = Vrid::new(vrid).ok_or(Discard::Vrid)?;
    if count == 0 {
        return Err(Discard::Count); // erratum 8299
    }
    let protocol = match <[u8; AUTH_OCTETS]>::try_from(auth) {
        Ok(auth) => decode_v2(timing, auth)?,
        Err(_) => decode_v3(timing)?,
    };
    let addresses = if is_ipv4 {
        AddressList::of_ipv4(addresses)
    } else {
        AddressList::of_ipv6(addresses)
    };
    Ok(Received {
        route,
        ttl,
        checksum,
        advert: Advert {
            protocol,
            vrid,
            priority: Priority::from_wire(priority),
            addresses,
        },
        signed,
    })
}

/// Whatever follows the message is a trailer, if it is exactly as long as one.
fn decode_trailer<'m>(
    source: IpAddr,
    message: &'m [u8],
    trailer: &'m [u8],
) -> Result<Option<Signed<'m>>, Discard> {
    if trailer.is_empty() {
        return Ok(None);
    }
    let signed = message.strip_suffix(trailer).and_then(|message| {
        let (head, addresses) = message.split_first_chunk()?;
        let message = Message {
            source,
            head,
            addresses,
        };
        Signed::read(message, trailer)
    });
    signed.map(Some).ok_or(Discard::Length)
}

/// Who seems to have sent a packet that may be damaged.
pub(crate) fn claimed_source(packet: &[u8]) -> Option<IpAddr> {
    let source = packet.get(12..)?.first_chunk::<4>()?;
    Some(IpAddr::from(*source))
}

/// The route, the TTL and the VRRP message of a packet whose header is whole.
fn decode_ip(packet: &[u8]) -> Result<(Route, u8, &[u8]), Discard> {
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
    let [s0, s1, s2, s3, destination @ ..] = *route;
    if version_length >> 4 != 4 || *protocol != PROTOCOL_NUMBER {
        return Err(Discard::Version);
    }
    let header_length = 4 * usize::from(version_length & 0x0f);
    let length = usize::from(u16::from_be_bytes([*len_0, *len_1]));
    if header_length < IP_HEADER {
        return Err(Discard::Length);
    }
    let message = packet.get(header_length..length).ok_or(Discard::Length)?;
    let route = Route {
        source: IpAddr::from([s0, s1, s2, s3]),
        destination: IpAddr::from(destination),
    };
    Ok((route, *ttl, message))
}

/// Which form the checksum has, if it is right in one that the version and the family know. Over
/// IPv4 it does not cover the trailer, the last octets of `message`.
fn verify_checksum(
    version: u8,
    route: Route,
    message: &[u8],
    trailer: usize,
) -> Result<ChecksumForm, Discard> {
    let covered = match route.source {
        IpAddr::V4(_) => message.get(..message.len() - trailer).unwrap_or(message),
        IpAddr::V6(_) => message,
    };
    let is_over_message = || Checksum::default().over(covered).is_valid();
    let is_over_all = || pseudo_header(route, covered.len()).over(covered).is_valid();
    if route.source.is_ipv4() && is_over_message() {
        Ok(ChecksumForm::Message)
    } else if version == 3 && is_over_all() {
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

/// The sum over source, destination, protocol and length, as for UDP. That of IPv6 (RFC 8200 §8.1)
/// has wider fields for the last two, filled with zeros, which do not count.
fn pseudo_header(route: Route, message: usize) -> Checksum {
    let sum = |sum: Checksum, address| match address {
        IpAddr::V4(address) => sum.over(&address.octets()),
        IpAddr::V6(address) => sum.over(&address.octets()),
    };
    sum(sum(Checksum::default(), route.source), route.destination)
        .over(&[0, PROTOCOL_NUMBER])
        .over(&length_octets(message))
}

/// A length as a 16-bit field. The longest message of 255 addresses is far below the limit.
fn length_octets(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}
