//! The doctor's table over IPv6, and beside it.

use std::net::Ipv6Addr;

use core_vrrp::diagnosis::{Firewall, Observations, Sighting};
use core_vrrp::{GROUP, Spec};

use super::scene::{
    Change, OTHER_VIP_6, OWN_6, PEER, PEER_6, PEER_GLOBAL, STRANGER_6, Sender, VIP, VIP_6, codes,
    diagnosis_of, drops_vrrp, healthy_backup_6, healthy_master_6, mac, mac_of, peer, peer_6, seen,
    spec, spec_6, this_node, this_node_6, unicast_6, v2, v3, with_peer_6,
};

#[test]
fn what_the_peer_says_over_ipv6_is_judged_the_same_way() {
    let unicast = |ttl| Sender {
        destination: OWN_6,
        ttl,
        ..peer_6()
    };
    let cases: [(&str, Spec, Sender, &[&str]); 13] = [
        ("as it should be", spec_6(), peer_6(), &[]),
        ("unicast", unicast_6(255), unicast(255), &[]),
        (
            "unicast as keepalived sends it",
            unicast_6(255),
            unicast(64),
            &["ttl"],
        ),
        (
            "unicast as keepalived sends it, and that is known",
            unicast_6(64),
            unicast(64),
            &[],
        ),
        (
            "from farther away than is allowed",
            unicast_6(64),
            unicast(63),
            &["ttl"],
        ),
        (
            "multicast to one that speaks unicast",
            unicast_6(255),
            peer_6(),
            &["transport"],
        ),
        (
            "unicast to one that speaks multicast",
            spec_6(),
            unicast(255),
            &["transport"],
        ),
        (
            "another version",
            spec_6(),
            Sender {
                protocol: v2(1, None),
                ..peer_6()
            },
            &["version"],
        ),
        (
            "another interval",
            spec_6(),
            Sender {
                protocol: v3(10),
                ..peer_6()
            },
            &["interval-learned"],
        ),
        (
            "other addresses",
            spec_6(),
            Sender {
                addresses: vec![OTHER_VIP_6],
                ..peer_6()
            },
            &["address-list"],
        ),
        (
            "our address in another virtual router",
            spec_6(),
            Sender {
                vrid: 7,
                ..peer_6()
            },
            &["no-master", "other-vrid"],
        ),
        (
            "somebody else",
            spec_6(),
            Sender {
                source: STRANGER_6,
                ..peer_6()
            },
            &["foreign", "held-by-stranger"],
        ),
        (
            "the peer over IPv4",
            spec_6(),
            Sender {
                destination: GROUP.into(),
                ..peer()
            },
            &["family", "no-master"],
        ),
    ];
    for (what, spec, sender, expected) in cases {
        let diagnosis = diagnosis_of(&spec, &with_peer_6(sender));
        assert_eq!(codes(&diagnosis), expected, "{what}: {diagnosis:?}");
    }
}

#[test]
fn a_damaged_packet_of_ipv6_is_named() {
    type Harm = fn(&mut Vec<u8>);
    let cases: [(&str, Harm, &str); 4] = [
        ("changed", |packet| packet[60] ^= 1, "checksum"),
        ("cut", |packet| packet.truncate(45), "length"),
        (
            "with an address less than it counts",
            |packet| packet[5] -= 16,
            "length",
        ),
        ("of another type", |packet| packet[40] = 0x32, "type"),
    ];
    for (what, harm, expected) in cases {
        let mut seen = healthy_backup_6();
        let packets = seen.packets.iter_mut();
        packets.for_each(|packet| harm(&mut packet.octets));
        assert_eq!(codes(&diagnosis_of(&spec_6(), &seen)), [expected], "{what}");
    }
    // What is too short to say anything, and what is padded.
    let mut seen = healthy_backup_6();
    for packet in &mut seen.packets {
        packet.octets.extend([0; 6]);
    }
    seen.packets.push(Sighting {
        octets: vec![0x60; 41],
        ..seen.packets[0].clone()
    });
    assert_eq!(codes(&diagnosis_of(&spec_6(), &seen)), [""; 0]);
}

#[test]
fn a_link_local_speaker_is_the_node_whose_address_is_at_its_mac() {
    let mut seen = healthy_backup_6();
    let heard = diagnosis_of(&spec_6(), &seen).heard;
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].speaker, PEER_6);
    assert_eq!(heard[0].node, Some(PEER_GLOBAL));
    // Its IPv4 address says as much.
    seen.answers[1].0 = PEER;
    assert_eq!(diagnosis_of(&spec_6(), &seen).heard[0].node, Some(PEER));
    seen.answers.truncate(1);
    let diagnosis = diagnosis_of(&spec_6(), &seen);
    assert_eq!(diagnosis.heard[0].node, None);
    assert_eq!(codes(&diagnosis), ["foreign"]);
    // Adverts from the virtual MAC address: where their source is says who it is.
    for packet in &mut seen.packets {
        packet.mac = [0, 0, 0x5e, 0, 2, 101];
    }
    for (asked, expected) in [(STRANGER_6, None), (PEER_6, Some(PEER))] {
        seen.answers = [VIP_6, PEER, asked]
            .map(|address| (address, mac_of(PEER_6)))
            .to_vec();
        let heard = diagnosis_of(&spec_6(), &seen).heard;
        assert_eq!(heard[0].node, expected, "{asked}");
    }
    let ours = diagnosis_of(&spec_6(), &healthy_master_6());
    assert_eq!(ours.heard[0].node, Some(OWN_6));
}

#[test]
fn the_other_family_is_another_virtual_router() {
    // What speaks, whether this node has a router there too, what is found by a router of IPv4.
    let over_ipv6 = |source| Sender { source, ..peer_6() };
    let cases: [(&str, Vec<Sender>, bool, &[&str]); 5] = [
        (
            "a node that should speak IPv4",
            vec![over_ipv6(PEER_GLOBAL)],
            false,
            &["family", "no-master"],
        ),
        (
            "nobody that is known",
            vec![over_ipv6(STRANGER_6)],
            false,
            &["no-master", "other-family"],
        ),
        (
            "somebody beside us",
            vec![this_node(), over_ipv6(STRANGER_6)],
            false,
            &["other-family"],
        ),
        (
            "a twin",
            vec![this_node(), over_ipv6(PEER_GLOBAL)],
            true,
            &[],
        ),
        (
            "our own twin",
            vec![this_node(), over_ipv6(OWN_6)],
            true,
            &[],
        ),
    ];
    for (what, senders, has_twin, expected) in cases {
        let is_master = senders.len() > 1;
        let mut seen = seen(&senders);
        seen.has_twin = has_twin;
        seen.held = if is_master { vec![VIP] } else { vec![] };
        let diagnosis = diagnosis_of(&spec(), &seen);
        assert_eq!(codes(&diagnosis), expected, "{what}: {diagnosis:?}");
    }
}

#[test]
fn what_is_seen_over_ipv6_on_the_link_and_on_the_node() {
    let cases: [(&str, Observations, Change, &[&str]); 12] = [
        ("a Backup in health", healthy_backup_6(), |_| {}, &[]),
        ("a Master in health", healthy_master_6(), |_| {}, &[]),
        ("nobody", seen(&[]), |_| {}, &["no-master"]),
        (
            "adverts that no program gets",
            healthy_backup_6(),
            |it| it.delivered.clear(),
            &["swallowed"],
        ),
        ("a rule for IPv4", healthy_backup_6(), drops_vrrp, &[]),
        (
            "a rule for IPv6",
            healthy_backup_6(),
            |it| it.firewall.nft = "ip6 nexthdr vrrp drop".into(),
            &["firewall"],
        ),
        (
            "two Masters",
            seen(&[peer_6(), this_node_6()]),
            |it| {
                it.held = vec![VIP_6];
                it.answers = vec![(VIP_6, mac_of(PEER_6)), (PEER_GLOBAL, mac_of(PEER_6))];
            },
            &["several-masters", "several-owners"],
        ),
        (
            "two machines answer",
            healthy_backup_6(),
            |it| it.answers.push((VIP_6, mac(9))),
            &["several-owners"],
        ),
        (
            "the virtual MAC address answers",
            healthy_backup_6(),
            |it| it.answers[0] = (VIP_6, [0, 0, 0x5e, 0, 2, 101]),
            &[],
        ),
        (
            "the virtual MAC address of IPv4 answers",
            healthy_backup_6(),
            |it| it.answers[0] = (VIP_6, [0, 0, 0x5e, 0, 1, 101]),
            &["held-by-stranger"],
        ),
        (
            "nobody answers",
            healthy_backup_6(),
            |it| it.answers.retain(|(address, _)| *address != VIP_6),
            &["unanswered"],
        ),
        (
            "unknown segments",
            healthy_backup_6(),
            |it| {
                it.firewall = Firewall {
                    nft: "table ip6 filter {\nct state invalid drop\n}".into(),
                    is_tcp_strict: true,
                    ..Firewall::default()
                };
            },
            &["unknown-segments"],
        ),
    ];
    for (what, mut seen, change, expected) in cases {
        change(&mut seen);
        let diagnosis = diagnosis_of(&spec_6(), &seen);
        assert_eq!(codes(&diagnosis), expected, "{what}: {diagnosis:?}");
    }
    let nowhere = Spec {
        source: Ipv6Addr::UNSPECIFIED.into(),
        ..spec_6()
    };
    let diagnosis = diagnosis_of(&nowhere, &healthy_backup_6());
    assert_eq!(codes(&diagnosis), ["no-link-local"]);
}
