//! Whatever bytes come, reading them does not panic; whatever is written is read as it was meant.

use std::net::IpAddr;

use core_vrrp::{
    Advert, Auth, Centiseconds, ChecksumForm, Password, Priority, Protocol, Route, Seconds, Vrid,
    decode, encode,
};
use proptest::prelude::*;

fn protocol() -> impl Strategy<Value = Protocol> {
    let auth = prop_oneof![
        Just(Auth::None),
        any::<[u8; 8]>().prop_map(|octets| Auth::Pass(Password::new(octets))),
    ];
    let v2 = (1..=255u8, auth).prop_map(|(s, auth)| Protocol::V2 {
        interval: Seconds::new(s).expect("in range"),
        auth,
    });
    let v3 = (1..=4095u16).prop_map(|cs| Protocol::V3 {
        interval: Centiseconds::new(cs).expect("in range"),
    });
    prop_oneof![v2, v3]
}

fn packet() -> impl Strategy<Value = Vec<u8>> {
    let parts = (
        protocol(),
        1..=255u8,
        any::<u8>(),
        prop::collection::vec(any::<[u8; 4]>().prop_map(IpAddr::from), 1..=255),
        any::<[u8; 4]>(),
        any::<[u8; 4]>(),
        any::<u16>(),
    );
    parts.prop_map(
        |(protocol, vrid, priority, addresses, source, destination, number)| {
            let advert = Advert {
                protocol,
                vrid: Vrid::new(vrid).expect("in range"),
                priority: Priority::new(priority).unwrap_or(Priority::RELEASE),
                addresses: addresses.as_slice().into(),
            };
            let route = Route {
                source: IpAddr::from(source),
                destination: IpAddr::from(destination),
            };
            let mut packet = Vec::new();
            encode(
                &advert,
                route,
                ChecksumForm::PseudoHeader,
                number,
                &mut packet,
            );
            let received = decode(&packet).expect("in range");
            assert_eq!((received.route, received.advert), (route, advert));
            packet
        },
    )
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_discarded(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
        let _: bool = decode(&bytes).is_ok();
    }

    #[test]
    fn what_is_read_is_written_the_same(packet in packet()) {
        let received = decode(&packet).unwrap();
        let number = u16::from_be_bytes([packet[4], packet[5]]);
        let mut again = Vec::new();
        encode(&received.advert, received.route, received.checksum, number, &mut again);
        prop_assert_eq!(again, packet);
    }

    #[test]
    fn a_flipped_bit_of_the_message_is_noticed(packet in packet(), at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let mut damaged = packet.clone();
        let at = 20 + at.index(packet.len() - 20);
        damaged[at] ^= 1 << bit;
        prop_assert!(decode(&damaged).is_err());
    }

    #[test]
    fn damaged_headers_do_not_panic(packet in packet(), at in 0..28usize, octet in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut damaged = packet;
        damaged[at] = octet;
        damaged.truncate(cut.index(damaged.len() + 1));
        let _: bool = decode(&damaged).is_ok();
    }
}
