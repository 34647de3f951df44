//! How findings are said.

use std::net::IpAddr;

use core_vrrp::diagnosis::{Finding, Holder, Severity};
use core_vrrp::{Discard, GROUP, GROUP_V6, TTL};

use super::scene::{OTHER_VIP, PEER, PEER_6, VIP, VIP_6, mac, v2, v3};

#[test]
fn the_advice_is_for_the_family() {
    let far = |speaker, ttl, ttl_min| Finding::Rejected {
        speaker,
        reason: Discard::Ttl,
        ttl,
        ttl_min,
        heard: None,
        own: v3(100),
    };
    let no_master = |group: Option<IpAddr>| Finding::NoMaster {
        group,
        rules: Vec::new(),
    };
    let unanswered = |address| Finding::Unanswered { address };
    let cases = [
        (
            far(PEER, 64, 255),
            "their TTL is 64, it must be 255. A router",
        ),
        (
            far(PEER_6, 64, 255),
            "their hop limit is 64, it must be 255.",
        ),
        (far(PEER_6, 64, 255), "set `unicast_min_ttl = 64`"),
        (far(PEER_6, 254, 255), "it must be 255. A router"),
        (far(PEER_6, 60, 64), "it must be 64 or more"),
        (no_master(Some(GROUP.into())), "snoops IGMP"),
        (no_master(Some(GROUP_V6.into())), "snoops MLD"),
        (no_master(None), "list this node's address"),
        (unanswered(VIP), "answers ARP for 192.168.0.105. Look"),
        (unanswered(VIP_6), "neighbour solicitations for fe80::69"),
        (unanswered(VIP_6), "let ICMPv6 through"),
    ];
    for (finding, part) in cases {
        let said = format!("{finding}. {}.", finding.advice());
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn findings_are_sentences_with_advice() {
    let reject = |reason, heard| Finding::Rejected {
        speaker: PEER,
        reason,
        ttl: 64,
        ttl_min: TTL,
        heard,
        own: v2(1, Some(b"testpass")),
    };
    let cases = [
        (
            reject(Discard::Ttl, None),
            "adverts of 192.168.0.102 are not listened to: their TTL is 64, it must be 255",
        ),
        (
            reject(Discard::Interval, Some(v2(3, Some(b"testpass")))),
            "adverts of 192.168.0.102 are not listened to: their interval is 3s, here 1s",
        ),
        (
            reject(Discard::Version, Some(v3(100))),
            "adverts of 192.168.0.102 are not listened to: version 3, here 2",
        ),
        (
            reject(Discard::AuthType, Some(v2(1, None))),
            "adverts of 192.168.0.102 are not listened to: without a password, here with a password",
        ),
        (
            Finding::AddressList {
                speaker: PEER,
                missing: vec![VIP],
                added: vec![OTHER_VIP],
            },
            "192.168.0.102 has other virtual addresses: without 192.168.0.105 also with 192.168.0.106",
        ),
        (
            Finding::SeveralOwners {
                address: VIP,
                holders: vec![Holder::Here, Holder::There(mac(0x66))],
                has_silent: true,
            },
            "192.168.0.105 has 2 owners: this node, 02:00:00:00:00:66",
        ),
    ];
    for (finding, expected) in cases {
        assert_eq!(finding.to_string(), expected);
        assert!(finding.advice().len() > 10, "{finding}");
        assert!(finding.severity() < Severity::Note, "{finding}");
    }
}
