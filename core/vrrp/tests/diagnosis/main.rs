//! The doctor's table: what was seen, and what is said about it.

mod ipv6;
mod scene;
mod sentences;

use std::time::Duration;

use core_vrrp::diagnosis::{Finding, Firewall, Holder, Link, Observations};
use core_vrrp::{GROUP, Protocol, Spec, Transport};

use scene::{
    Change, OTHER_VIP, PEER, STRANGER, Sender, VIP, codes, diagnosis_of, drops_vrrp,
    healthy_backup, healthy_master, mac, mac_of, peer, seen, spec, this_node, v2, v3, with_peer,
};

#[test]
fn what_the_peer_says_is_judged_as_the_router_judges_it() {
    let cases: [(&str, Sender, &[&str]); 11] = [
        ("as it should be", peer(), &[]),
        (
            "priority 0 is no Master",
            Sender {
                priority: 0,
                ..peer()
            },
            &[],
        ),
        (
            "another password",
            Sender {
                protocol: v2(1, Some(b"secret\0\0")),
                ..peer()
            },
            &["auth_password"],
        ),
        (
            "no password",
            Sender {
                protocol: v2(1, None),
                ..peer()
            },
            &["auth_type"],
        ),
        (
            "another interval",
            Sender {
                protocol: v2(2, Some(b"testpass")),
                ..peer()
            },
            &["interval"],
        ),
        (
            "another version",
            Sender {
                protocol: v3(100),
                ..peer()
            },
            &["version"],
        ),
        ("through a router", Sender { ttl: 254, ..peer() }, &["ttl"]),
        (
            "multicast to one that speaks unicast",
            Sender {
                destination: GROUP.into(),
                ..peer()
            },
            &["transport"],
        ),
        (
            "other addresses",
            Sender {
                addresses: vec![OTHER_VIP],
                ..peer()
            },
            &["address-list"],
        ),
        (
            "our address in another virtual router",
            Sender { vrid: 7, ..peer() },
            &["no-master", "other-vrid"],
        ),
        (
            "another virtual router beside ours",
            Sender {
                vrid: 7,
                addresses: vec![OTHER_VIP],
                ..peer()
            },
            &["no-master"],
        ),
    ];
    for (what, sender, expected) in cases {
        let diagnosis = diagnosis_of(&spec(), &with_peer(sender));
        assert_eq!(codes(&diagnosis), expected, "{what}: {diagnosis:?}");
    }
}

#[test]
fn what_version_3_tolerates_is_said() {
    let ours = Spec {
        protocol: v3(100),
        ..spec()
    };
    let cases: [(&str, Protocol, &[&str]); 2] = [
        ("the same", v3(100), &[]),
        ("another interval", v3(10), &["interval-learned"]),
    ];
    for (what, protocol, expected) in cases {
        let seen = with_peer(Sender { protocol, ..peer() });
        assert_eq!(codes(&diagnosis_of(&ours, &seen)), expected, "{what}");
    }
    // RFC 9568 leaves the pseudo-header out of the sum.
    let mut seen = with_peer(Sender {
        protocol: v3(100),
        ..peer()
    });
    for packet in &mut seen.packets {
        let message = &mut packet.octets[20..];
        message[6..8].fill(0);
        let sum = message.chunks(2).fold(0u32, |sum, pair| {
            sum + u32::from(u16::from_be_bytes([pair[0], pair[1]]))
        });
        let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).expect("folded");
        message[6..8].copy_from_slice(&(!folded).to_be_bytes());
    }
    assert_eq!(codes(&diagnosis_of(&ours, &seen)), ["checksum-form"]);
}

#[test]
fn what_is_seen_on_the_link_and_on_the_node() {
    let cases: [(&str, Observations, Change, &[&str]); 19] = [
        ("a Backup in health", healthy_backup(), |_| {}, &[]),
        ("a Master in health", healthy_master(), |_| {}, &[]),
        (
            "no interface",
            healthy_backup(),
            |it| it.link = None,
            &["interface-missing"],
        ),
        (
            "an interface without a carrier",
            healthy_backup(),
            |it| {
                it.link = it.link.map(|link| Link {
                    is_up: false,
                    ..link
                })
            },
            &["interface-down"],
        ),
        ("nobody", seen(&[]), |_| {}, &["no-master"]),
        (
            "nobody, in too short a time",
            seen(&[]),
            |it| it.listened = Duration::from_secs(2),
            &["too-short"],
        ),
        (
            "adverts that no program gets",
            healthy_backup(),
            |it| it.delivered.clear(),
            &["swallowed"],
        ),
        (
            "adverts that no program gets, and a rule that says why",
            healthy_backup(),
            |it| {
                it.delivered.clear();
                drops_vrrp(it);
            },
            &["swallowed"],
        ),
        (
            "a rule that drops VRRP for nothing",
            healthy_backup(),
            drops_vrrp,
            &["firewall"],
        ),
        (
            "two Masters",
            seen(&[peer(), this_node()]),
            |it| {
                it.held = vec![VIP];
                it.answers = vec![(VIP, mac_of(PEER))];
            },
            &["several-masters", "several-owners"],
        ),
        (
            "two machines answer",
            healthy_backup(),
            |it| it.answers.push((VIP, mac(9))),
            &["several-owners"],
        ),
        (
            "the same machine answers twice",
            healthy_backup(),
            |it| it.answers.push((VIP, mac_of(PEER))),
            &[],
        ),
        (
            "a machine answers that is not the Master",
            healthy_backup(),
            |it| it.answers = vec![(VIP, mac(9))],
            &["held-by-stranger"],
        ),
        (
            "the virtual MAC address answers",
            healthy_backup(),
            |it| it.answers = vec![(VIP, [0, 0, 0x5e, 0, 1, 101])],
            &[],
        ),
        (
            "nobody answers",
            healthy_backup(),
            |it| it.answers.clear(),
            &["unanswered"],
        ),
        (
            "a Master that cannot be heard",
            seen(&[]),
            |it| it.held = vec![VIP],
            &["held-silently"],
        ),
        (
            "our own address from another machine",
            healthy_master(),
            |it| it.packets[0].mac = mac(9),
            &["node-address-taken"],
        ),
        (
            "no answers to ARP",
            healthy_backup(),
            |it| it.arp_ignore = 8,
            &["arp-ignored"],
        ),
        (
            "unknown segments",
            healthy_backup(),
            |it| {
                it.firewall = Firewall {
                    nft: "ct state invalid drop".into(),
                    is_tcp_strict: true,
                    ..Firewall::default()
                };
            },
            &["unknown-segments"],
        ),
    ];
    for (what, mut seen, change, expected) in cases {
        change(&mut seen);
        let diagnosis = diagnosis_of(&spec(), &seen);
        assert_eq!(codes(&diagnosis), expected, "{what}: {diagnosis:?}");
    }
}

#[test]
fn an_owner_that_says_nothing_is_told_from_one_that_speaks() {
    let cases = [
        (vec![this_node()], mac_of(PEER), true),
        (vec![this_node(), peer()], mac_of(PEER), false),
        (vec![this_node(), peer()], mac(9), true),
        // Nobody speaks: there is no silence to wonder about.
        (vec![], mac(9), false),
    ];
    for (senders, other, expected) in cases {
        let mut seen = seen(&senders);
        seen.held = vec![VIP];
        seen.answers = vec![(VIP, other)];
        let several = Finding::SeveralOwners {
            address: VIP,
            holders: vec![Holder::Here, Holder::There(other)],
            has_silent: expected,
        };
        let diagnosis = diagnosis_of(&spec(), &seen);
        assert!(diagnosis.findings.contains(&several), "{diagnosis:?}");
    }
}

#[test]
fn a_master_that_hands_over_while_we_look_is_no_second_one() {
    let mut seen = seen(&[peer(), this_node()]);
    seen.held = vec![VIP];
    let handed_over = Duration::from_secs(2);
    seen.packets
        .retain(|packet| (packet.mac == mac_of(PEER)) == (packet.at < handed_over));
    assert_eq!(codes(&diagnosis_of(&spec(), &seen)), [""; 0]);
}

#[test]
fn a_stranger_is_named_once_whatever_it_says() {
    let multicast = Spec {
        transport: Transport::Multicast,
        ..spec()
    };
    let cases = [
        (
            spec(),
            Sender {
                source: STRANGER,
                ..peer()
            },
            false,
        ),
        (
            spec(),
            Sender {
                source: STRANGER,
                protocol: v3(100),
                ..peer()
            },
            false,
        ),
        (
            multicast,
            Sender {
                source: STRANGER,
                destination: GROUP.into(),
                ..peer()
            },
            true,
        ),
    ];
    for (spec, stranger, is_accepted) in cases {
        let ours = Sender {
            destination: GROUP.into(),
            ..this_node()
        };
        let mut seen = seen(&[ours, stranger]);
        seen.held = vec![VIP];
        let diagnosis = diagnosis_of(&spec, &seen);
        let expected = Finding::Foreign {
            speaker: STRANGER,
            priority: 199,
            adverts: 5,
            is_accepted,
        };
        assert!(diagnosis.findings.contains(&expected), "{diagnosis:?}");
        let about = diagnosis
            .findings
            .iter()
            .filter(|it| it.to_string().contains("192.168.0.50 "));
        assert_eq!(
            about.count(),
            2,
            "as a foreigner and as a Master: {diagnosis:?}"
        );
    }
}
