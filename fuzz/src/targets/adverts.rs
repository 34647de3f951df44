//! VRRP packets: what can be read can be written, and what is signed cannot be changed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;
use std::time::Duration;

use core_vrrp::{
    Advert, AntiReplay, Auth, Centiseconds, ChecksumForm, Effects, Event, Found, HmacAuth, Key,
    Mode, Password, Priority, Protocol, Received, Route, Router, Seconds, Spec, TTL, Time, Vrid,
    WallTime, decode, decode_ipv6, encode, encode_signed,
};

use platform::vrrp_socket::Packet;

use super::machine::spec;
use crate::Target;

/// IPv4 packets.
pub(crate) const IPV4: Target = Target {
    name: "advert-ipv4",
    seeds: || protocols().map(|protocol| packet(protocol, ROUTE)).to_vec(),
    repair: |packet| repair_ipv4(packet),
    check: |input| {
        if let Ok(received) = decode(input) {
            let again = written(&received);
            let read = decode(&again).expect("what was read can be read again");
            assert_eq!((read.route, read.advert), (received.route, received.advert));
            let vrid = Packet::Ipv4(input).vrid();
            assert_eq!(vrid, Some(received.advert.vrid.get()), "whom it goes to");
        }
    },
};

/// What follows the headers of an IPv6 packet.
pub(crate) const IPV6: Target = Target {
    name: "advert-ipv6",
    seeds: || vec![packet(v3(), ROUTE_V6)],
    repair: |message| {
        let before = pseudo_header(message.len());
        repair_sum(message, &before);
    },
    check: |input| {
        if let Ok(received) = decode_ipv6(ROUTE_V6, TTL, input) {
            let again = written(&received);
            let read = decode_ipv6(ROUTE_V6, TTL, &again).expect("it can be read again");
            assert_eq!(read.advert, received.advert);
        }
    },
};

/// Packets with a trailer: only the checksum of the message is not covered by it.
pub(crate) const SIGNED: Target = Target {
    name: "advert-signed",
    seeds: || vec![signed_packet()],
    repair: |packet| repair_ipv4(packet),
    check: |input| {
        let genuine = signed_packet();
        let mut router = listener();
        let mut effects = Effects::default();
        router.handle(NOW, Event::of_packet(input), &mut effects);
        if router.counters().received > 0 {
            assert_eq!(covered(input), covered(&genuine), "a forgery was believed");
        }
    },
};

const NOW: Time = Time(Duration::from_secs(1));
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 101));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 102));
const ROUTE: Route = Route {
    source: PEER,
    destination: OWN,
};
const ROUTE_V6: Route = Route {
    source: IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x66)),
    destination: IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12)),
};
const IP_HEADER: usize = 20;

fn v3() -> Protocol {
    Protocol::V3 {
        interval: Centiseconds::new(100).expect("in range"),
    }
}

fn protocols() -> [Protocol; 3] {
    let interval = Seconds::new(1).expect("in range");
    let auth = Auth::Pass(Password::new(*b"evenkeel"));
    let none = Auth::None;
    [
        v3(),
        Protocol::V2 { interval, auth },
        Protocol::V2 {
            interval,
            auth: none,
        },
    ]
}

fn packet(protocol: Protocol, route: Route) -> Vec<u8> {
    let addresses = match route.source {
        IpAddr::V4(_) => vec![[192, 168, 0, 105].into(), [192, 168, 0, 106].into()],
        IpAddr::V6(_) => vec![Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, 1).into()],
    };
    let advert = Advert {
        protocol,
        vrid: Vrid::new(101).expect("in range"),
        priority: Priority::new(200).expect("in range"),
        addresses: addresses.as_slice().into(),
    };
    let mut packet = Vec::new();
    encode(&advert, route, ChecksumForm::PseudoHeader, 1, &mut packet);
    packet
}

fn written(received: &Received<'_>) -> Vec<u8> {
    let mut packet = Vec::new();
    encode(
        &received.advert,
        received.route,
        received.checksum,
        1,
        &mut packet,
    );
    packet
}

fn guarded() -> Spec {
    let id = NonZeroU8::MIN;
    let key = Key::new(&[7; 32]).expect("long enough");
    let anti_replay = AntiReplay::Time {
        window: Duration::from_secs(5),
    };
    Spec {
        hmac: HmacAuth::new(vec![(id, key)], id, Mode::Enforce, anti_replay),
        ..spec(OWN, PEER)
    }
}

fn listener() -> Router {
    started(guarded())
}

fn started(spec: Spec) -> Router {
    let mut router = Router::new(spec);
    let mut effects = Effects::default();
    let wall = WallTime(Duration::from_secs(0x6800_0000));
    router.handle(NOW, Event::WallClock(wall), &mut effects);
    router.handle(NOW, Event::Start(Found::Nothing), &mut effects);
    router
}

fn signed_packet() -> Vec<u8> {
    let mut router = started(Spec {
        source: PEER,
        ..guarded()
    });
    let signature = router.sign().expect("it has a key");
    let advert = router.advert(Priority::new(200).expect("in range"));
    let mut packet = Vec::new();
    encode_signed(
        &advert,
        &signature,
        ROUTE,
        ChecksumForm::Message,
        1,
        &mut packet,
    );
    packet
}

/// What nobody without the key can change: who sent it, and the message without its checksum. What
/// lies behind the length of the IP header is no part of it.
fn covered(packet: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let header_len = 4 * usize::from(packet.first()? & 0x0f);
    let len = u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]);
    let source = packet.get(12..16)?.to_vec();
    let mut message = packet.get(header_len..usize::from(len))?.to_vec();
    message.get_mut(6..8)?.fill(0);
    Some((source, message))
}

fn repair_ipv4(packet: &mut [u8]) {
    let len = u16::try_from(packet.len()).unwrap_or(u16::MAX);
    if packet.len() < IP_HEADER + 8 {
        return;
    }
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    let trailer = usize::from(packet.len() > 28 + 28 && packet[packet.len() - 28] == 1) * 28;
    let end = packet.len() - trailer;
    repair_sum(&mut packet[IP_HEADER..end], &[]);
}

fn repair_sum(message: &mut [u8], before: &[u8]) {
    if message.len() < 8 {
        return;
    }
    message[6..8].fill(0);
    let sum = !folded(sum(message) + sum(before));
    message[6..8].copy_from_slice(&sum.to_be_bytes());
}

fn sum(octets: &[u8]) -> u32 {
    let pairs = octets.chunks(2);
    pairs
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u32::from))
        .sum()
}

fn folded(mut sum: u32) -> u16 {
    while let high @ 1.. = sum >> 16 {
        sum = (sum & 0xffff) + high;
    }
    u16::try_from(sum).unwrap_or_default()
}

fn pseudo_header(len: usize) -> Vec<u8> {
    let (IpAddr::V6(source), IpAddr::V6(destination)) = (ROUTE_V6.source, ROUTE_V6.destination)
    else {
        return Vec::new();
    };
    let len = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
    [
        source.octets().as_slice(),
        &destination.octets(),
        &[0, 112],
        &len,
    ]
    .concat()
}
