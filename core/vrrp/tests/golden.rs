//! The octets of real peers, both ways: every packet in the captures is read, written again and
//! compared, and single messages known by heart are written from their parts.

use std::net::{IpAddr, Ipv4Addr};

use core_vrrp::{
    Advert, Auth, Centiseconds, ChecksumForm, Discard, GROUP, PROTOCOL_NUMBER, Password, Priority,
    Protocol, Route, Seconds, Vrid, decode, encode,
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

/// The IPv4 packets with protocol 112 of a capture (classic pcap, Ethernet).
fn adverts(capture: &[u8]) -> Vec<&[u8]> {
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
        if frame[12..14] == [0x08, 0x00] && frame[23] == PROTOCOL_NUMBER {
            packets.push(&frame[14..]);
        }
        rest = after;
    }
    packets
}

#[test]
fn captured_adverts_are_read_and_written_octet_for_octet() {
    // capture, protocol, adverts in it
    let captures: [(&str, &[u8], Protocol, usize); 10] = [
        (
            "v2 unicast pass",
            include_bytes!("golden/v2-unicast-pass.pcap"),
            v2(1, Some(b"testpass")),
            35,
        ),
        (
            "v2 multicast",
            include_bytes!("golden/v2-multicast-noauth.pcap"),
            v2(1, None),
            37,
        ),
        (
            "v2 multicast pass",
            include_bytes!("golden/v2-multicast-pass.pcap"),
            v2(1, Some(b"testpass")),
            38,
        ),
        (
            "v2 short password, 3 addresses",
            include_bytes!("golden/v2-multicast-pass-short.pcap"),
            v2(3, Some(b"1111\0\0\0\0")),
            15,
        ),
        (
            "v2 virtual MAC",
            include_bytes!("golden/v2-multicast-vmac.pcap"),
            v2(1, None),
            37,
        ),
        (
            "v2 few ARP",
            include_bytes!("golden/v2-multicast-min-garp.pcap"),
            v2(1, None),
            48,
        ),
        (
            "v2 owner",
            include_bytes!("golden/v2-multicast-owner-255.pcap"),
            v2(1, None),
            39,
        ),
        (
            "v3 multicast",
            include_bytes!("golden/v3-ipv4-multicast.pcap"),
            v3(10),
            391,
        ),
        (
            "v3 unicast",
            include_bytes!("golden/v3-ipv4-unicast.pcap"),
            v3(10),
            401,
        ),
        (
            "v3 unicast, 3 addresses",
            include_bytes!("golden/v3-ipv4-unicast-1s-3vips.pcap"),
            v3(100),
            44,
        ),
    ];
    let mut written = Vec::new();
    for (name, capture, protocol, count) in captures {
        let packets = adverts(capture);
        assert_eq!(packets.len(), count, "{name}");
        for packet in packets {
            let received = decode(packet).unwrap_or_else(|why| panic!("{name}: {why:?}"));
            assert_eq!(received.advert.protocol, protocol, "{name}");
            assert_eq!(received.advert.addresses.iter().next(), Some(VIP), "{name}");
            let form = match protocol {
                Protocol::V2 { .. } => ChecksumForm::Message,
                Protocol::V3 { .. } => ChecksumForm::PseudoHeader,
            };
            assert_eq!(received.checksum, form, "{name}");
            let identification = u16::from_be_bytes([packet[4], packet[5]]);
            encode(
                &received.advert,
                received.route,
                received.checksum,
                identification,
                &mut written,
            );
            assert_eq!(hex(&written), hex(&packet[..written.len()]), "{name}");
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

/// A version 3 advert over IPv4 with a checksum of the message alone, as RFC 9568 has it.
#[test]
fn the_checksum_of_rfc_9568_is_accepted_too() {
    let mut packet = Vec::new();
    let addresses = [IpAddr::from([192, 168, 0, 204])];
    let advert = Advert {
        protocol: v3(100),
        vrid: Vrid::new(13).unwrap(),
        priority: Priority::new(150).unwrap(),
        addresses: addresses.as_slice().into(),
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
    packet[26..28].copy_from_slice(&[0x77, 0x18]);
    let received = decode(&packet).unwrap();
    assert_eq!(
        (received.advert, received.checksum),
        (advert, ChecksumForm::Message)
    );
}

#[test]
fn damaged_packets_are_discarded_for_their_reason() {
    type Damage = fn(&mut Vec<u8>);
    /// Makes the checksum right again, so that the check behind it is reached.
    fn resum(packet: &mut [u8]) {
        packet[26..28].fill(0);
        let words = packet[20..]
            .chunks(2)
            .map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
        let mut sum: u32 = words.sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        packet[26..28].copy_from_slice(&(!u16::try_from(sum).expect("folded")).to_be_bytes());
    }
    fn shorten(packet: &mut Vec<u8>, length: u8) {
        packet.truncate(usize::from(length));
        packet[3] = length;
    }
    let cases: [(&str, Damage, Result<(), Discard>); 17] = [
        ("untouched", |_| {}, Ok(())),
        (
            "padded to a short Ethernet frame",
            |p| p.resize(46, 0),
            Ok(()),
        ),
        ("TTL 254, for the router to judge", |p| p[8] = 254, Ok(())),
        ("IPv6", |p| p[0] = 0x65, Err(Discard::Version)),
        (
            "no room for a header",
            |p| p.truncate(19),
            Err(Discard::Length),
        ),
        ("nothing", Vec::clear, Err(Discard::Length)),
        ("header length 4", |p| p[0] = 0x41, Err(Discard::Length)),
        ("longer than it is", |p| p[3] = 41, Err(Discard::Length)),
        (
            "without authentication octets",
            |p| shorten(p, 32),
            Err(Discard::Length),
        ),
        (
            "cut in its header",
            |p| shorten(p, 27),
            Err(Discard::Length),
        ),
        ("one octet short", |p| shorten(p, 39), Err(Discard::Length)),
        (
            "CARP-like version 4",
            |p| p[20] = 0x41,
            Err(Discard::Version),
        ),
        ("type 2", |p| p[20] = 0x22, Err(Discard::Type)),
        ("another priority", |p| p[22] = 7, Err(Discard::Checksum)),
        (
            "identifier 0",
            |p| {
                p[21] = 0;
                resum(p);
            },
            Err(Discard::Vrid),
        ),
        (
            "authentication type 2",
            |p| {
                p[24] = 2;
                resum(p);
            },
            Err(Discard::AuthType),
        ),
        (
            "interval 0",
            |p| {
                p[25] = 0;
                resum(p);
            },
            Err(Discard::Interval),
        ),
    ];
    let advert = Advert {
        protocol: v2(1, Some(b"testpass")),
        vrid: Vrid::new(101).unwrap(),
        priority: Priority::new(202).unwrap(),
        addresses: [VIP].as_slice().into(),
    };
    for (name, damage, expected) in cases {
        let mut packet = Vec::new();
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
        damage(&mut packet);
        assert_eq!(decode(&packet).map(|_| ()), expected, "{name}");
    }
}

#[test]
fn an_advert_without_addresses_is_discarded() {
    let advert = Advert {
        protocol: v3(100),
        vrid: Vrid::new(1).unwrap(),
        priority: Priority::new(1).unwrap(),
        addresses: [].as_slice().into(),
    };
    let mut packet = Vec::new();
    encode(
        &advert,
        Route {
            source: A,
            destination: GROUP.into(),
        },
        ChecksumForm::PseudoHeader,
        1,
        &mut packet,
    );
    assert_eq!(decode(&packet), Err(Discard::Count));
}
