//! The octets of real peers, both ways: every packet in the captures is read, written again and
//! compared, and single messages known by heart are written from their parts.

use std::net::{IpAddr, Ipv4Addr};

use core_vrrp::{
    Advert, Auth, Centiseconds, ChecksumForm, Discard, GROUP, GROUP_V6, PROTOCOL_NUMBER, Password,
    Priority, Protocol, Received, Route, Seconds, Vrid, decode, decode_ipv6, encode,
};

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 101));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 102));
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 105));

fn v2(interval_s: u8, password: Option<&[u8; 8]>) -> Protocol {
    let auth = password.map_or(Auth::None, |octets| Auth::Pass(Password::new(*octets)));
    Protocol::V2 {
        interval: Seconds::new(interval_s).expect("an interval"),
        auth,
    }
}

fn v3(interval_cs: u16) -> Protocol {
    Protocol::V3 {
        interval: Centiseconds::new(interval_cs).expect("an interval"),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A packet with protocol 112, as a router gets it from the kernel.
enum Packet<'p> {
    /// With its header.
    V4(&'p [u8]),
    /// Route, hop limit, and what follows the header.
    V6(Route, u8, &'p [u8]),
}

impl<'p> Packet<'p> {
    fn of(frame: &'p [u8]) -> Option<Self> {
        let (ethernet, packet) = frame.split_at(14);
        match ethernet[12..] {
            [0x08, 0x00] if packet[9] == PROTOCOL_NUMBER => Some(Self::V4(packet)),
            [0x86, 0xdd] if packet[6] == PROTOCOL_NUMBER => {
                let length = usize::from(u16::from_be_bytes([packet[4], packet[5]]));
                let address = |from: usize| {
                    let octets = packet[from..].first_chunk::<16>();
                    IpAddr::from(*octets.expect("a header"))
                };
                let route = Route {
                    source: address(8),
                    destination: address(24),
                };
                Some(Self::V6(route, packet[7], &packet[40..40 + length]))
            }
            _ => None,
        }
    }

    fn decode(&self) -> Result<Received<'p>, Discard> {
        match *self {
            Self::V4(packet) => decode(packet),
            Self::V6(route, hop_limit, message) => decode_ipv6(route, hop_limit, message),
        }
    }

    /// What is written for it; and the number that is in its header, if one is.
    fn octets(&self) -> (&'p [u8], u16) {
        match *self {
            Self::V4(packet) => (packet, u16::from_be_bytes([packet[4], packet[5]])),
            Self::V6(_, _, message) => (message, 0),
        }
    }
}

/// The packets with protocol 112 of a capture (classic pcap, Ethernet).
fn adverts(capture: &[u8]) -> Vec<Packet<'_>> {
    let swapped = match capture[..4] {
        [0xd4, 0xc3, 0xb2, 0xa1] => true,
        [0xa1, 0xb2, 0xc3, 0xd4] => false,
        _ => panic!("not a classic pcap file"),
    };
    let mut rest = &capture[24..];
    let mut packets = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<16>() {
        let length = [head[8], head[9], head[10], head[11]];
        let length = if swapped {
            u32::from_le_bytes(length)
        } else {
            u32::from_be_bytes(length)
        };
        let (frame, after) = after.split_at(usize::try_from(length).expect("a length"));
        packets.extend(Packet::of(frame));
        rest = after;
    }
    packets
}

#[test]
fn captured_adverts_are_read_and_written_octet_for_octet() {
    let link_local = IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 0x105]);
    // capture, protocol, first address, TTL, adverts in it
    type Case<'a> = (&'a str, &'a [u8], Protocol, IpAddr, u8, usize);
    let captures: [Case<'_>; 12] = [
        (
            "v2 unicast pass",
            include_bytes!("golden/v2-unicast-pass.pcap"),
            v2(1, Some(b"testpass")),
            VIP,
            255,
            35,
        ),
        (
            "v2 multicast",
            include_bytes!("golden/v2-multicast-noauth.pcap"),
            v2(1, None),
            VIP,
            255,
            37,
        ),
        (
            "v2 multicast pass",
            include_bytes!("golden/v2-multicast-pass.pcap"),
            v2(1, Some(b"testpass")),
            VIP,
            255,
            38,
        ),
        (
            "v2 short password, 3 addresses",
            include_bytes!("golden/v2-multicast-pass-short.pcap"),
            v2(3, Some(b"1111\0\0\0\0")),
            VIP,
            255,
            15,
        ),
        (
            "v2 virtual MAC",
            include_bytes!("golden/v2-multicast-vmac.pcap"),
            v2(1, None),
            VIP,
            255,
            37,
        ),
        (
            "v2 few ARP",
            include_bytes!("golden/v2-multicast-min-garp.pcap"),
            v2(1, None),
            VIP,
            255,
            48,
        ),
        (
            "v2 owner",
            include_bytes!("golden/v2-multicast-owner-255.pcap"),
            v2(1, None),
            VIP,
            255,
            39,
        ),
        (
            "v3 multicast",
            include_bytes!("golden/v3-ipv4-multicast.pcap"),
            v3(10),
            VIP,
            255,
            391,
        ),
        (
            "v3 unicast",
            include_bytes!("golden/v3-ipv4-unicast.pcap"),
            v3(10),
            VIP,
            255,
            401,
        ),
        (
            "v3 unicast, 3 addresses",
            include_bytes!("golden/v3-ipv4-unicast-1s-3vips.pcap"),
            v3(100),
            VIP,
            255,
            44,
        ),
        (
            "v3 IPv6 multicast",
            include_bytes!("golden/v3-ipv6-multicast.pcap"),
            v3(10),
            link_local,
            255,
            417,
        ),
        (
            "v3 IPv6 unicast, which this keepalived sends with the system's hop limit",
            include_bytes!("golden/v3-ipv6-unicast.pcap"),
            v3(100),
            link_local,
            64,
            44,
        ),
    ];
    let mut written = Vec::new();
    for (name, capture, protocol, first, ttl, count) in captures {
        let packets = adverts(capture);
        assert_eq!(packets.len(), count, "{name}");
        for packet in packets {
            let received = packet
                .decode()
                .unwrap_or_else(|why| panic!("{name}: {why:?}"));
            let addresses = received.advert.addresses;
            assert_eq!(received.advert.protocol, protocol, "{name}");
            assert_eq!(addresses.iter().next(), Some(first), "{name}");
            assert_eq!(received.ttl, ttl, "{name}");
            let form = match protocol {
                Protocol::V2 { .. } => ChecksumForm::Message,
                Protocol::V3 { .. } => ChecksumForm::PseudoHeader,
            };
            assert_eq!(received.checksum, form, "{name}");
            let (octets, identification) = packet.octets();
            encode(
                &received.advert,
                received.route,
                received.checksum,
                identification,
                &mut written,
            );
            assert_eq!(hex(&written), hex(&octets[..written.len()]), "{name}");
        }
    }
}

/// The authentication header is protocol 51: the kernel gives these packets to nobody who listens
/// for 112. Were one given to us, it would not be VRRP; and the message in it, were it sent without
/// the header, has an authentication type that no configuration knows.
#[test]
fn adverts_behind_an_authentication_header_are_discarded() {
    const AH: &[u8] = &[PROTOCOL_NUMBER, 4, 0, 0];
    let captures: [&[u8]; 2] = [
        include_bytes!("golden/v2-multicast-ah.pcap"),
        include_bytes!("golden/v2-unicast-ah.pcap"),
    ];
    for capture in captures {
        assert!(adverts(capture).is_empty());
        let starts = (0..capture.len() - 64).filter(|at| {
            let packet = &capture[*at..];
            packet.starts_with(&[0x45, 0xc0, 0, 64]) && packet[9] == 51
        });
        let packets: Vec<_> = starts.map(|at| &capture[at..at + 64]).collect();
        assert!(packets.len() > 30, "{}", packets.len());
        for packet in packets {
            assert_eq!(decode(packet), Err(Discard::Version));
            assert!(packet[20..].starts_with(AH));
            let mut bare = [&packet[..20], &packet[44..]].concat();
            bare[3] = 40;
            bare[9] = PROTOCOL_NUMBER;
            let why = decode(&bare).expect_err("an unknown type");
            assert_eq!((why, why.name()), (Discard::AuthType, "auth_type"));
        }
    }
}

#[test]
fn messages_known_by_heart() {
    let pass = Some(b"testpass");
    let far = [[192, 168, 0, 202], [192, 168, 0, 203]].map(IpAddr::from);
    let at = |last: u8| [IpAddr::from([192, 168, 0, last])];
    // protocol, vrid, priority, addresses, destination, message
    type Case<'a> = (Protocol, u8, u8, &'a [IpAddr], IpAddr, &'a str);
    let cases: [Case<'_>; 7] = [
        (
            v2(1, pass),
            101,
            202,
            &[VIP],
            B,
            "2165ca01010186d7c0a800697465737470617373",
        ),
        (
            v2(1, pass),
            101,
            200,
            &[VIP],
            B,
            "2165c801010188d7c0a800697465737470617373",
        ),
        (
            v2(1, pass),
            101,
            201,
            &[VIP],
            B,
            "2165c901010187d7c0a800697465737470617373",
        ),
        (
            v2(1, pass),
            101,
            0,
            &[VIP],
            B,
            "21650001010150d8c0a800697465737470617373",
        ),
        (
            v2(1, None),
            11,
            100,
            &at(201),
            GROUP.into(),
            "210b64010001b980c0a800c90000000000000000",
        ),
        (
            v3(50),
            12,
            150,
            &far,
            GROUP.into(),
            "310c960200321438c0a800cac0a800cb",
        ),
        (v3(100), 13, 150, &at(204), B, "310d96010064f47fc0a800cc"),
    ];
    let mut packet = Vec::new();
    for (protocol, vrid, priority, addresses, destination, message) in cases {
        let priority = Priority::new(priority).unwrap_or(Priority::RELEASE);
        let advert = Advert {
            protocol,
            vrid: Vrid::new(vrid).unwrap(),
            priority,
            addresses: addresses.into(),
        };
        let route = Route {
            source: A,
            destination,
        };
        encode(&advert, route, ChecksumForm::PseudoHeader, 1, &mut packet);
        assert_eq!(hex(&packet[20..]), message);
        assert_eq!(decode(&packet).unwrap().advert, advert);
    }
    let advert = Advert {
        protocol: v2(1, pass),
        vrid: Vrid::new(101).unwrap(),
        priority: Priority::new(202).unwrap(),
        addresses: [VIP].as_slice().into(),
    };
    encode(
        &advert,
        Route {
            source: A,
            destination: B,
        },
        ChecksumForm::PseudoHeader,
        1,
        &mut packet,
    );
    assert_eq!(
        hex(&packet[..20]),
        "45c0002800010000ff703889c0a80065c0a80066"
    );
}

/// Version 3 over IPv6; the checksum covers the pseudo-header, so it belongs to this route.
#[test]
fn a_message_over_ipv6_known_by_heart() {
    let addresses = [
        IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 0x105]),
        IpAddr::from([0xfd00, 0xa, 0, 0, 0, 0, 0, 0x105]),
    ];
    let advert = Advert {
        protocol: v3(10),
        vrid: Vrid::new(101).unwrap(),
        priority: Priority::new(200).unwrap(),
        addresses: addresses.as_slice().into(),
    };
    let route = Route {
        source: IpAddr::from([0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 1]),
        destination: GROUP_V6.into(),
    };
    let mut message = Vec::new();
    // There is one form over IPv6, whatever is asked for.
    for form in [ChecksumForm::Message, ChecksumForm::PseudoHeader] {
        encode(&advert, route, form, 1, &mut message);
        let expected = "3165c802000a0bc9\
                        fe800000000000000000000000000105fd00000a000000000000000000000105";
        assert_eq!(hex(&message), expected);
        let received = decode_ipv6(route, 255, &message).unwrap();
        assert_eq!((received.advert, received.route), (advert, route));
        assert_eq!(received.checksum, ChecksumForm::PseudoHeader);
    }
}

/// Version 3 over IPv4, in both forms that are in the field.
#[test]
fn checksums_with_and_without_a_pseudo_header() {
    // last octets of the addresses, destination, interval, VRID, and the checksums known by heart:
    // with the pseudo-header, and of the message alone as RFC 9568 has it
    type Case<'a> = (&'a [u8], IpAddr, u16, u8, u16, u16);
    let cases: [Case<'_>; 2] = [
        (&[202, 203], GROUP.into(), 50, 12, 0x1438, 0xb5d8),
        (&[204], B, 100, 13, 0xf47f, 0x7718),
    ];
    let mut packet = Vec::new();
    for (last, destination, interval, vrid, with, without) in cases {
        let addresses: Vec<IpAddr> = (last.iter())
            .map(|last| IpAddr::from([192, 168, 0, *last]))
            .collect();
        let advert = Advert {
            protocol: v3(interval),
            vrid: Vrid::new(vrid).unwrap(),
            priority: Priority::new(150).unwrap(),
            addresses: addresses.as_slice().into(),
        };
        let route = Route {
            source: A,
            destination,
        };
        for (form, sum) in [
            (ChecksumForm::PseudoHeader, with),
            (ChecksumForm::Message, without),
        ] {
            encode(&advert, route, form, 1, &mut packet);
            assert_eq!(packet[26..28], sum.to_be_bytes(), "{form:?}");
            let received = decode(&packet).unwrap();
            assert_eq!((received.advert, received.checksum), (advert, form));
        }
    }
}
