//! A link on which nodes speak, and what the doctor sees of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use core_vrrp::diagnosis::{Diagnosis, Finding, Link, Mac, Observations, Sighting, diagnose};
use core_vrrp::{
    Advert, AnnouncePlan, Auth, Centiseconds, ChecksumForm, Failback, GROUP_V6, OnUnhealthy,
    Password, Priority, Protocol, Route, Seconds, Spec, Transport, Vrid, encode,
};

pub(crate) const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 101));
pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 102));
pub(crate) const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 50));
pub(crate) const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 105));
pub(crate) const OTHER_VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 106));

/// The same nodes over IPv6: their link-local addresses, and those that `[nodes]` has of them.
pub(crate) const OWN_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 101));
pub(crate) const PEER_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 102));
pub(crate) const STRANGER_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 50));
pub(crate) const PEER_GLOBAL: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 102));
pub(crate) const VIP_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 105));
pub(crate) const OTHER_VIP_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 106));

pub(crate) fn mac(last: u8) -> Mac {
    [2, 0, 0, 0, 0, last]
}

/// The last octet of a node's address is that of its MAC address here.
pub(crate) fn mac_of(address: IpAddr) -> Mac {
    match address {
        IpAddr::V4(address) => mac(address.octets()[3]),
        IpAddr::V6(address) => mac(address.octets()[15]),
    }
}

pub(crate) fn v2(interval: u8, password: Option<&[u8; 8]>) -> Protocol {
    Protocol::V2 {
        interval: Seconds::new(interval).expect("in range"),
        auth: password.map_or(Auth::None, |octets| Auth::Pass(Password::new(*octets))),
    }
}

pub(crate) fn v3(centiseconds: u16) -> Protocol {
    Protocol::V3 {
        interval: Centiseconds::new(centiseconds).expect("in range"),
    }
}

pub(crate) fn spec() -> Spec {
    Spec {
        vrid: Vrid::new(101).expect("in range"),
        protocol: v2(1, Some(b"testpass")),
        hmac: None,
        priority: Priority::new(200).expect("in range"),
        failback: Failback::Auto(Duration::ZERO),
        on_unhealthy: OnUnhealthy::Abdicate,
        checksum: None,
        source: OWN,
        transport: Transport::Unicast {
            peers: vec![PEER],
            min_ttl: 255,
        },
        addresses: vec![VIP],
        tracks: Vec::new(),
        track_proxy: true,
        is_grouped: false,
        lease: None,
        announce: AnnouncePlan {
            repeat: 5,
            interval: Duration::ZERO,
            delay: Duration::ZERO,
            refresh: Duration::ZERO,
        },
        startup_delay: Duration::ZERO,
        down_timer_adverts: 3,
    }
}

/// Multicast over IPv6.
pub(crate) fn spec_6() -> Spec {
    Spec {
        protocol: v3(100),
        source: OWN_6,
        transport: Transport::Multicast,
        addresses: vec![VIP_6],
        ..spec()
    }
}

pub(crate) fn unicast_6(min_ttl: u8) -> Spec {
    Spec {
        transport: Transport::Unicast {
            peers: vec![PEER_6],
            min_ttl,
        },
        ..spec_6()
    }
}

/// Who sends what to whom, once a second for five seconds.
pub(crate) struct Sender {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: Protocol,
    pub(crate) vrid: u8,
    pub(crate) priority: u8,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) ttl: u8,
}

/// As the peer should send it.
pub(crate) fn peer() -> Sender {
    Sender {
        source: PEER,
        destination: OWN,
        protocol: v2(1, Some(b"testpass")),
        vrid: 101,
        priority: 199,
        addresses: vec![VIP],
        ttl: 255,
    }
}

pub(crate) fn peer_6() -> Sender {
    Sender {
        source: PEER_6,
        destination: GROUP_V6.into(),
        protocol: v3(100),
        addresses: vec![VIP_6],
        ..peer()
    }
}

pub(crate) fn this_node_6() -> Sender {
    Sender {
        source: OWN_6,
        priority: 200,
        ..peer_6()
    }
}

pub(crate) fn this_node() -> Sender {
    Sender {
        source: OWN,
        destination: PEER,
        priority: 200,
        ..peer()
    }
}

impl Sender {
    pub(crate) fn packets(&self) -> Vec<Sighting> {
        let advert = Advert {
            protocol: self.protocol,
            vrid: Vrid::new(self.vrid).expect("in range"),
            priority: Priority::new(self.priority).unwrap_or(Priority::RELEASE),
            addresses: self.addresses.as_slice().into(),
        };
        let route = Route {
            source: self.source,
            destination: self.destination,
        };
        let mut octets = Vec::new();
        encode(&advert, route, ChecksumForm::PseudoHeader, 1, &mut octets);
        match (self.source, self.destination) {
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let length = u16::try_from(octets.len()).expect("short");
                let mut packet = vec![0x6c, 0, 0, 0];
                packet.extend(length.to_be_bytes());
                packet.extend([112, self.ttl]);
                packet.extend(source.octets());
                packet.extend(destination.octets());
                packet.append(&mut octets);
                octets = packet;
            }
            _ => octets[8] = self.ttl,
        }
        let seen = |second| Sighting {
            at: Duration::from_secs(second),
            mac: mac_of(self.source),
            octets: octets.clone(),
        };
        (0..5).map(seen).collect()
    }
}

/// Five seconds on a link where these speak; what is for this node gets there.
pub(crate) fn seen(senders: &[Sender]) -> Observations {
    let mut packets: Vec<Sighting> = senders.iter().flat_map(Sender::packets).collect();
    packets.sort_by_key(|packet| packet.at);
    let is_own = |sender: &&Sender| [OWN, OWN_6].contains(&sender.source);
    let heard = senders.iter().filter(|sender| !is_own(sender));
    Observations {
        listened: Duration::from_secs(5),
        link: Some(Link {
            is_up: true,
            mac: mac_of(OWN),
        }),
        packets,
        delivered: heard.map(|sender| sender.source).collect(),
        ..Observations::default()
    }
}

/// The peer is Master and answers for the address.
pub(crate) fn healthy_backup() -> Observations {
    Observations {
        answers: vec![(VIP, mac_of(PEER))],
        ..seen(&[peer()])
    }
}

/// The same over IPv6, where the peer is known by where its own address was found.
pub(crate) fn healthy_backup_6() -> Observations {
    with_peer_6(peer_6())
}

pub(crate) fn with_peer_6(sender: Sender) -> Observations {
    let at_peer = [VIP_6, PEER_GLOBAL].map(|address| (address, mac_of(PEER_6)));
    Observations {
        answers: at_peer.to_vec(),
        ..seen(&[sender])
    }
}

pub(crate) fn healthy_master_6() -> Observations {
    Observations {
        held: vec![VIP_6],
        ..seen(&[this_node_6()])
    }
}

pub(crate) fn healthy_master() -> Observations {
    Observations {
        held: vec![VIP],
        ..seen(&[this_node()])
    }
}

/// The peer is Master, and this is what it sends.
pub(crate) fn with_peer(sender: Sender) -> Observations {
    Observations {
        answers: vec![(VIP, mac_of(PEER))],
        ..seen(&[sender])
    }
}

pub(crate) fn diagnosis_of(spec: &Spec, seen: &Observations) -> Diagnosis {
    diagnose(spec, &[OWN, PEER, PEER_GLOBAL], seen)
}

/// The words of the findings, each of which the manual explains.
pub(crate) fn codes(diagnosis: &Diagnosis) -> Vec<&'static str> {
    let codes: Vec<_> = diagnosis.findings.iter().map(Finding::code).collect();
    let manual = include_str!("../../../../docs/manual/doctor.md");
    for code in &codes {
        assert!(manual.contains(&format!("`[{code}]`")), "{code}");
    }
    codes
}

/// What is different from a scene in health.
pub(crate) type Change = fn(&mut Observations);

pub(crate) fn drops_vrrp(seen: &mut Observations) {
    seen.firewall.nft = "ip protocol 112 drop".into();
}
