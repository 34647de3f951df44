//! The counter that each packet moves: all receive checks of RFC 9568 §7.1 and RFC 3768 §7.1, and of
//! draft-abinabraham-vrrp-unicast.

use std::net::IpAddr;

use core_vrrp::{Discard, Effect, Event, GROUP_V6};

use crate::packets::*;
use crate::play::*;

type Change = fn(&mut Packet);

/// All cases: the clause, the router, what is wrong, and the counter.
fn cases() -> Vec<(&'static str, Is, Change, Option<Discard>)> {
    use Discard as D;
    use Is::{V2, V3, V6, V6Unicast};
    vec![
        ("version 2 as it should be", V2, |_| {}, None),
        ("version 3 as it should be", V3, |_| {}, None),
        ("over IPv6 as it should be", V6, |_| {}, None),
        ("unicast over IPv6", V6Unicast(255), |_| {}, None),
        ("RFC 9568 §7.1: TTL 254", V3, |p| p.ttl = 254, Some(D::Ttl)),
        (
            "RFC 9568 §7.1: hop limit 254",
            V6,
            |p| p.ttl = 254,
            Some(D::Ttl),
        ),
        ("RFC 3768 §7.1: TTL 1", V2, |p| p.ttl = 1, Some(D::Ttl)),
        (
            "unicast draft: hop limit 64",
            V6Unicast(255),
            |p| p.ttl = 64,
            Some(D::Ttl),
        ),
        ("relaxed to 64", V6Unicast(64), |p| p.ttl = 64, None),
        (
            "relaxed to 64, 63",
            V6Unicast(64),
            |p| p.ttl = 63,
            Some(D::Ttl),
        ),
        (
            "RFC 9568 §7.1: version 4",
            V3,
            |p| p.damage = &[(0, 0x41)],
            Some(D::Version),
        ),
        (
            "RFC 9568 §7.1: version 1 over IPv6",
            V6,
            |p| p.damage = &[(0, 0x11)],
            Some(D::Version),
        ),
        (
            "RFC 9568 §7.1: version 2 over IPv6",
            V6,
            |p| p.damage = &[(0, 0x21)],
            Some(D::Version),
        ),
        (
            "RFC 3768 §7.1: version 3 to version 2",
            V2,
            |p| p.protocol = v3(100),
            Some(D::Version),
        ),
        (
            "RFC 9568 §7.1: version 2 to version 3",
            V3,
            |p| p.protocol = v2(1),
            Some(D::Version),
        ),
        (
            "RFC 9568 §5.2.2: type 2",
            V3,
            |p| p.damage = &[(0, 0x32)],
            Some(D::Type),
        ),
        (
            "RFC 9568 §5.2.2: type 0 over IPv6",
            V6,
            |p| p.damage = &[(0, 0x30)],
            Some(D::Type),
        ),
        (
            "RFC 3768 §5.3.2: type 15",
            V2,
            |p| p.damage = &[(0, 0x2f)],
            Some(D::Type),
        ),
        (
            "RFC 9568 §7.1: nothing",
            V6,
            |p| p.length = Some(0),
            Some(D::Length),
        ),
        (
            "RFC 9568 §7.1: cut in its header",
            V3,
            |p| p.length = Some(7),
            Some(D::Length),
        ),
        (
            "RFC 9568 §7.1: one octet short",
            V6,
            |p| p.length = Some(23),
            Some(D::Length),
        ),
        (
            "RFC 9568 §7.1: one octet more",
            V3,
            |p| p.length = Some(13),
            Some(D::Length),
        ),
        (
            "RFC 9568 §7.1: more addresses than it has",
            V6,
            |p| p.damage = &[(3, 2)],
            Some(D::Length),
        ),
        (
            "RFC 3768 §7.1: no authentication octets",
            V2,
            |p| p.length = Some(12),
            Some(D::Length),
        ),
        (
            "RFC 9568 §7.1: damaged",
            V3,
            |p| (p.damage, p.is_summed_again) = (&[(2, 7)], false),
            Some(D::Checksum),
        ),
        (
            "RFC 3768 §7.1: a damaged password",
            V2,
            |p| (p.damage, p.is_summed_again) = (&[(12, 0)], false),
            Some(D::Checksum),
        ),
        (
            "RFC 9568 §7.1: damaged over IPv6",
            V6,
            |p| (p.damage, p.is_summed_again) = (&[(23, 6)], false),
            Some(D::Checksum),
        ),
        (
            "RFC 9568 §7.1: another virtual router",
            V3,
            |p| p.vrid = 102,
            Some(D::Vrid),
        ),
        (
            "RFC 9568 §7.1: another one over IPv6",
            V6,
            |p| p.vrid = 102,
            Some(D::Vrid),
        ),
        (
            "RFC 3768 §5.3.3: virtual router 0",
            V2,
            |p| p.damage = &[(1, 0)],
            Some(D::Vrid),
        ),
        (
            "erratum 8299: no address",
            V3,
            |p| p.addresses.clear(),
            Some(D::Count),
        ),
        (
            "erratum 8299: no address over IPv6",
            V6,
            |p| p.addresses.clear(),
            Some(D::Count),
        ),
        (
            "RFC 3768 §7.1: no password",
            V2,
            |p| p.protocol = v2(1),
            Some(D::AuthType),
        ),
        (
            "RFC 3768 §7.1: authentication type 2",
            V2,
            |p| p.damage = &[(4, 2)],
            Some(D::AuthType),
        ),
        (
            "RFC 2338 §7.1: another password",
            V2,
            |p| p.protocol = with_password(b"TESTPASS"),
            Some(D::AuthPassword),
        ),
        (
            "RFC 3768 §7.1: another interval",
            V2,
            |p| p.damage = &[(5, 2)],
            Some(D::Interval),
        ),
        (
            "erratum 8301: interval 0",
            V3,
            |p| p.damage = &[(4, 0), (5, 0)],
            Some(D::Interval),
        ),
        (
            "RFC 9568 §7.1: another interval is learned",
            V6,
            |p| p.protocol = v3(10),
            None,
        ),
        (
            "RFC 9568 §5.2.6: reserved bits do not count",
            V3,
            |p| p.damage = &[(4, 0xf0)],
            None,
        ),
        (
            "RFC 9568 §7.1: other addresses are told, not discarded",
            V6,
            |p| p.addresses.push(v6(0x106)),
            None,
        ),
        (
            "unicast draft: multicast to one who speaks unicast",
            V6Unicast(255),
            |p| p.route.destination = GROUP_V6.into(),
            Some(D::Transport),
        ),
        (
            "RFC 9568 §5.1.2.2: unicast to one who speaks multicast",
            V6,
            |p| p.route.destination = OWN_V6,
            Some(D::Transport),
        ),
        (
            "RFC 9568 §5.1.1.2: unicast to one who speaks multicast",
            V3,
            |p| p.route.destination = OWN,
            Some(D::Transport),
        ),
        (
            "RFC 9568 §5.1.2.2: another group",
            V6,
            |p| p.route.destination = IpAddr::from([0xff02, 0, 0, 0, 0, 0, 0, 1]),
            Some(D::Transport),
        ),
        (
            "unicast draft: a stranger",
            V6Unicast(255),
            |p| p.route.source = v6(9),
            Some(D::NotAPeer),
        ),
        (
            "a stranger in multicast is a router like any other",
            V6,
            |p| p.route.source = v6(9),
            None,
        ),
        (
            "its own address",
            V6,
            |p| p.route.source = OWN_V6,
            Some(D::OwnAddress),
        ),
        (
            "RFC 9568 §5.2.9: IPv6 to a router of IPv4",
            V3,
            |p| *p = V6.packet(),
            Some(D::Family),
        ),
        (
            "RFC 9568 §5.2.9: IPv4 to a router of IPv6",
            V6,
            |p| *p = V3.packet(),
            Some(D::Family),
        ),
    ]
}

#[test]
fn each_receive_check_has_its_counter() {
    for (case, is, change, expected) in cases() {
        let mut router = started(is.spec());
        let mut packet = is.packet();
        change(&mut packet);
        let effects = packet.heard_by(&mut router);
        let counters = router.counters();
        assert_eq!(counters.received, u64::from(expected.is_none()), "{case}");
        assert_eq!(router.master().is_some(), expected.is_none(), "{case}");
        let differs = u64::from(case.contains("other addresses"));
        assert_eq!(counters.address_list_differs, differs, "{case}");
        for reason in Discard::ALL {
            let count = u64::from(expected == Some(reason));
            assert_eq!(counters.discarded(reason), count, "{case}: {reason:?}");
        }
        let told = expected.map(|reason| Effect::Discarded {
            reason,
            source: Some(packet.route.source),
        });
        assert_eq!(effects, Vec::from_iter(told), "{case}");
    }
}

#[test]
fn every_reason_that_needs_no_key_has_a_case() {
    let cases = cases();
    for reason in Discard::ALL {
        let has_case = cases.iter().any(|(.., expected)| *expected == Some(reason));
        let needs_key = reason.name().starts_with("hmac");
        assert!(has_case != needs_key, "{reason:?}");
    }
}

#[test]
fn damaged_ip_headers_are_discarded() {
    type Damage = fn(&mut Vec<u8>);
    let cases: [(&str, Damage, Option<Discard>); 7] = [
        ("untouched", |_| {}, None),
        (
            "padded to a short Ethernet frame",
            |p| p.resize(46, 0),
            None,
        ),
        ("IPv6", |p| p[0] = 0x65, Some(Discard::Version)),
        ("another protocol", |p| p[9] = 51, Some(Discard::Version)),
        (
            "no room for a header",
            |p| p.truncate(19),
            Some(Discard::Length),
        ),
        ("header length 4", |p| p[0] = 0x41, Some(Discard::Length)),
        ("longer than it is", |p| p[3] = 41, Some(Discard::Length)),
    ];
    for (case, damage, expected) in cases {
        let mut octets = Is::V2.packet().octets();
        damage(&mut octets);
        let reason = match Event::of_packet(&octets) {
            Event::Advert(_) => None,
            Event::Malformed(reason, _) => Some(reason),
            other => panic!("{case}: {other:?}"),
        };
        assert_eq!(reason, expected, "{case}");
    }
}
