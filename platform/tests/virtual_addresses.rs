//! What the VRRP process does to the network, against the real kernel: addresses with a lease and a
//! mark, adverts over raw sockets, gratuitous ARP, interface states. Needs root; each test has
//! networks of its own.

use std::io;
use std::net::Ipv4Addr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use platform::addresses::{Addresses, Assignment};
use platform::announce::Announcer;
use platform::interfaces::{Changes, Interface, Interfaces};
use platform::topology::{Bridge, Namespace};
use platform::vrrp_socket::{Endpoint, Packet, VrrpSocket};

const A: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 101);
const B: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 102);
const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 105);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const PATIENCE: Duration = Duration::from_secs(5);

/// Two nodes on one switch, each with an interface `em1`.
struct Link {
    a: Namespace,
    b: Namespace,
    _bridge: Bridge,
}

fn link() -> Link {
    let bridge = Bridge::new(Namespace::new().expect("root"), "br0").expect("a bridge");
    let a = Namespace::new().expect("a namespace");
    let b = Namespace::new().expect("a namespace");
    bridge.connect("a", &a, "em1", A, 24).expect("a cable");
    bridge.connect("b", &b, "em1", B, 24).expect("a cable");
    for node in [&a, &b] {
        // Until the kernel has noticed the carrier, an interface swallows what is sent.
        let is_up = || eventually("a carrier", || interface("em1").is_up);
        node.run(is_up).expect("the namespace");
    }
    Link {
        a,
        b,
        _bridge: bridge,
    }
}

/// Runs `ip` in the namespace of the calling thread.
fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .expect("iproute2");
    assert!(output.status.success(), "ip {arguments}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn interface(name: &str) -> Interface {
    let list = Interfaces::open()
        .and_then(|mut all| all.list())
        .expect("netlink");
    list.into_iter()
        .find(|found| found.name == name)
        .expect("the interface")
}

fn assignment(address: Ipv4Addr, prefix_len: u8) -> Assignment {
    Assignment {
        interface_index: interface("em1").index,
        address: address.into(),
        prefix_len,
        scope: 0,
        label: Some("em1:vip".into()),
    }
}

/// Waits for something that is going to be true; how long it took.
fn eventually(what: &str, mut is_true: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_true() {
        assert!(
            begun.elapsed() < PATIENCE,
            "{what} did not happen within {PATIENCE:?}"
        );
        thread::sleep(Duration::from_millis(10));
    }
    begun.elapsed()
}

#[test]
fn an_address_is_held_found_by_its_mark_and_released() {
    let link = link();
    let test = || -> io::Result<()> {
        let mut addresses = Addresses::open()?;
        let (vip, other) = (
            assignment(VIP, 32),
            assignment(Ipv4Addr::new(10, 1, 2, 3), 24),
        );
        ip("address add 192.168.0.107/32 dev em1");

        addresses.hold(&vip, None)?;
        addresses.hold(&vip, Some(60))?;
        addresses.hold(&other, Some(60))?;
        let mut owned = addresses.owned()?;
        owned.sort_by_key(|found| found.prefix_len);
        assert_eq!(owned, [other.clone(), vip.clone()]);
        assert_eq!(addresses.primary(vip.interface_index)?, Some(A));

        assert!(addresses.release(&vip)?);
        assert!(!addresses.release(&vip)?, "it was gone");
        assert!(addresses.release(&other)?);
        assert_eq!(addresses.owned()?, []);
        assert!(
            ip("address show dev em1").contains("192.168.0.107/32"),
            "not ours, not touched"
        );

        let elsewhere = Assignment {
            interface_index: 4711,
            ..vip
        };
        assert!(!addresses.release(&elsewhere)?, "no such interface");
        assert!(
            addresses.hold(&elsewhere, None).is_err(),
            "no such interface"
        );
        Ok(())
    };
    link.a.run(test).expect("the namespace").expect("netlink");
}

#[test]
fn the_kernel_ends_a_lease_that_is_not_renewed() {
    let link = link();
    let test = || -> io::Result<()> {
        let mut addresses = Addresses::open()?;
        let vip = assignment(VIP, 32);
        addresses.hold(&vip, Some(1))?;
        let renewed_until = Instant::now() + Duration::from_millis(2500);
        while Instant::now() < renewed_until {
            addresses.hold(&vip, Some(1))?;
            assert_eq!(addresses.owned()?, std::slice::from_ref(&vip));
            thread::sleep(Duration::from_millis(100));
        }
        let lasted = eventually("the end of the lease", || {
            addresses.owned().is_ok_and(|owned| owned.is_empty())
        });
        let bounds = Duration::from_millis(800)..Duration::from_millis(2200);
        assert!(bounds.contains(&lasted), "a lease of 1 s lasted {lasted:?}");
        Ok(())
    };
    link.a.run(test).expect("the namespace").expect("netlink");
}

fn endpoint(group: Option<Ipv4Addr>, vrid: u8) -> Endpoint {
    let interface = interface("em1");
    Endpoint {
        interface: interface.name,
        interface_index: interface.index,
        group,
        vrid,
    }
}

/// An advert for `vrid`, filled up to tell one from another. Its checksum is nobody's concern here.
fn packet(source: Ipv4Addr, destination: Ipv4Addr, vrid: u8, mark: u8) -> Vec<u8> {
    let mut packet = vec![0x45, 0xc0, 0, 40, 0, mark, 0, 0, 255, 112, 0, 0];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend([0x21, vrid, mark, 1, 0, 1, 0, 0]);
    packet.resize(40, 0);
    packet
}

/// The next packet without the checksum of its header, which the kernel wrote.
fn next(socket: &VrrpSocket) -> Vec<u8> {
    let mut next: Option<Packet> = None;
    eventually("a packet", || {
        next = socket.try_next();
        next.is_some()
    });
    let mut octets = next.expect("a packet").octets().to_vec();
    octets[10..12].fill(0);
    octets
}

#[test]
fn adverts_travel_as_they_were_written_and_only_to_their_router() {
    let link = link();
    let open = |group, vrid| move || VrrpSocket::open(&endpoint(group, vrid)).expect("a socket");
    for (group, destination) in [(Some(GROUP), GROUP), (None, B)] {
        let sender = link.a.run(open(group, 101)).expect("the namespace");
        let receiver = link.b.run(open(group, 101)).expect("the namespace");
        for vrid in [102, 101] {
            let packet = packet(A, destination, vrid, vrid);
            sender.send(&packet, destination).expect("sent");
        }
        assert_eq!(
            next(&receiver),
            packet(A, destination, 101, 101),
            "to {destination}"
        );
        assert!(
            receiver.try_next().is_none(),
            "that of router 102 is not received"
        );
        assert!(sender.try_next().is_none(), "nobody hears himself");
    }
}

#[test]
fn without_its_group_a_socket_hears_no_multicast() {
    let link = link();
    let open = |group| move || VrrpSocket::open(&endpoint(group, 101)).expect("a socket");
    let sender = link.a.run(open(Some(GROUP))).expect("the namespace");
    let member = link.b.run(open(Some(GROUP))).expect("the namespace");
    let unicast = link.b.run(open(None)).expect("the namespace");
    sender.send(&packet(A, GROUP, 101, 1), GROUP).expect("sent");
    sender.send(&packet(A, B, 101, 2), B).expect("sent");
    assert_eq!(next(&member), packet(A, GROUP, 101, 1));
    assert_eq!(next(&unicast), packet(A, B, 101, 2));
}

#[test]
fn a_router_that_does_not_read_loses_packets_and_they_are_counted() {
    let link = link();
    let open = || VrrpSocket::open(&endpoint(None, 101)).expect("a socket");
    let sender = link.a.run(open).expect("the namespace");
    let receiver = link.b.run(open).expect("the namespace");
    for mark in 1..=100 {
        sender.send(&packet(A, B, 101, mark), B).expect("sent");
        thread::sleep(Duration::from_micros(200));
    }
    eventually("a full queue", || receiver.lost() == 36);
    assert_eq!(
        next(&receiver),
        packet(A, B, 101, 1),
        "the oldest were kept"
    );
}

#[test]
fn a_gratuitous_arp_changes_what_a_neighbour_believes() {
    let link = link();
    let believed = || ip("neighbour show 192.168.0.105");
    link.b
        .run(|| ip("neighbour add 192.168.0.105 lladdr 02:00:00:00:00:99 dev em1 nud stale"))
        .expect("the namespace");
    let announce = || {
        let interface = interface("em1");
        Announcer::open(&interface)
            .and_then(|mut arp| arp.announce(VIP.into()))
            .expect("sent");
        interface.mac.expect("a MAC address")
    };
    let mac = link.a.run(announce).expect("the namespace");
    let mac: Vec<String> = mac.iter().map(|octet| format!("{octet:02x}")).collect();
    let mac = mac.join(":");
    link.b
        .run(|| eventually("the neighbour's change", || believed().contains(&mac)))
        .expect("the namespace");
}

#[test]
fn interfaces_are_seen_going_down_and_coming_up() {
    let link = link();
    let test = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut changes = Changes::watch().expect("netlink");
            assert!(interface("em1").is_up);
            for (command, is_up) in [("link set em1 down", false), ("link set em1 up", true)] {
                ip(command);
                while interface("em1").is_up != is_up {
                    let change = tokio::time::timeout(PATIENCE, changes.next()).await;
                    change.expect("a notice in time").expect("netlink");
                }
            }
        });
    };
    link.a.run(test).expect("the namespace");
}
