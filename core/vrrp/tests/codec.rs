//! Whatever bytes come, reading them does not panic; whatever is written is read as it was meant.

use std::net::IpAddr;

use core_vrrp::{
    Advert, Auth, Centiseconds, ChecksumForm, Discard, Password, Priority, Protocol, Received,
    Route, Seconds, TTL, Vrid, decode, decode_ipv6, encode,
};
use proptest::prelude::*;

/// Octets that were written, with what is said about them on the way.
#[derive(Debug, Clone)]
struct Packet {
    route: Route,
    identification: u16,
    octets: Vec<u8>,
}

impl Packet {
    fn decode(&self) -> Result<Received<'_>, Discard> {
        match self.route.source {
            IpAddr::V4(_) => decode(&self.octets),
            IpAddr::V6(_) => decode_ipv6(self.route, TTL, &self.octets),
        }
    }

    /// Where the VRRP message begins.
    fn message(&self) -> usize {
        match self.route.source {
            IpAddr::V4(_) => 20,
            IpAddr::V6(_) => 0,
        }
    }
}

fn v2() -> impl Strategy<Value = Protocol> {
    let auth = prop_oneof![
        Just(Auth::None),
        any::<[u8; 8]>().prop_map(|octets| Auth::Pass(Password::new(octets))),
    ];
    (1..=255u8, auth).prop_map(|(s, auth)| Protocol::V2 {
        interval: Seconds::new(s).expect("in range"),
        auth,
    })
}

fn v3() -> impl Strategy<Value = Protocol> {
    (1..=4095u16).prop_map(|cs| Protocol::V3 {
        interval: Centiseconds::new(cs).expect("in range"),
    })
}

fn ipv4() -> impl Strategy<Value = IpAddr> {
    any::<[u8; 4]>().prop_map(IpAddr::from)
}

fn ipv6() -> impl Strategy<Value = IpAddr> {
    any::<[u8; 16]>().prop_map(IpAddr::from)
}

fn packet() -> impl Strategy<Value = Packet> {
    prop_oneof![
        packet_of(prop_oneof![v2(), v3()], ipv4),
        packet_of(v3(), ipv6),
    ]
}

fn packet_of<A: Strategy<Value = IpAddr>>(
    protocol: impl Strategy<Value = Protocol>,
    address: fn() -> A,
) -> impl Strategy<Value = Packet> {
    let form = prop_oneof![
        Just(ChecksumForm::Message),
        Just(ChecksumForm::PseudoHeader)
    ];
    let parts = (
        protocol,
        1..=255u8,
        any::<u8>(),
        prop::collection::vec(address(), 1..=255),
        (address(), address()),
        form,
        any::<u16>(),
    );
    parts.prop_map(
        |(protocol, vrid, priority, addresses, (source, destination), form, identification)| {
            let advert = Advert {
                protocol,
                vrid: Vrid::new(vrid).expect("in range"),
                priority: Priority::new(priority).unwrap_or(Priority::RELEASE),
                addresses: addresses.as_slice().into(),
            };
            let route = Route {
                source,
                destination,
            };
            let mut packet = Packet {
                route,
                identification,
                octets: Vec::new(),
            };
            encode(&advert, route, form, identification, &mut packet.octets);
            let received = packet.decode().expect("in range");
            assert_eq!((received.route, received.advert), (route, advert));
            packet
        },
    )
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_discarded(bytes in prop::collection::vec(any::<u8>(), 0..1200), source in ipv6()) {
        let _: bool = decode(&bytes).is_ok();
        let route = Route { source, destination: source };
        let _: bool = decode_ipv6(route, TTL, &bytes).is_ok();
    }

    #[test]
    fn what_is_read_is_written_the_same(packet in packet()) {
        let received = packet.decode().unwrap();
        let mut again = Vec::new();
        encode(&received.advert, received.route, received.checksum, packet.identification, &mut again);
        prop_assert_eq!(again, packet.octets);
    }

    #[test]
    fn a_flipped_bit_of_the_message_is_noticed(packet in packet(), at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let mut damaged = packet.clone();
        let begin = packet.message();
        let at = begin + at.index(packet.octets.len() - begin);
        damaged.octets[at] ^= 1 << bit;
        // Of two forms, the other one may be right by chance.
        let form = packet.decode().map(|received| received.checksum);
        prop_assert_ne!(damaged.decode().map(|received| received.checksum), form);
    }

    #[test]
    fn damaged_headers_do_not_panic(packet in packet(), at in any::<prop::sample::Index>(), octet in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut damaged = packet.clone();
        let at = at.index(packet.message() + 8);
        damaged.octets[at] = octet;
        damaged.octets.truncate(cut.index(damaged.octets.len() + 1));
        let _: bool = damaged.decode().is_ok();
    }

    /// Over IPv6 a packet that was sent to somebody else has another checksum.
    #[test]
    fn addresses_of_the_header_are_covered_over_ipv6(packet in packet_of(v3(), ipv6), bit in 0..128u32) {
        let mut redirected = packet;
        if let IpAddr::V6(destination) = redirected.route.destination {
            let bits = u128::from(destination) ^ (1 << bit);
            redirected.route.destination = IpAddr::from(bits.to_be_bytes());
        }
        prop_assert_eq!(redirected.decode(), Err(Discard::Checksum));
    }
}
