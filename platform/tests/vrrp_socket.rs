//! Adverts over raw sockets, against the real kernel. Needs root; each test has networks of its own.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use platform::topology::Namespace;
use platform::vrrp_socket::{Family, Inbox, Packet, VrrpSocket};
use tokio::runtime::Runtime;

mod lan;

use lan::{A, B, interface, ip, link};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
const A_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xa);
const B_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xb);
const PATIENCE: Duration = Duration::from_secs(5);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn open(runtime: &Runtime, node: &Namespace, group: Option<IpAddr>, family: Family) -> VrrpSocket {
    let open = || {
        let _within = runtime.enter();
        let interface = interface("em1");
        let mut socket =
            VrrpSocket::open(&interface.name, interface.index, family).expect("a socket");
        if let Some(group) = group {
            socket.join(group).expect("joined");
        }
        socket
    };
    node.run(open).expect("the namespace")
}

/// An advert filled up to tell one from another. Its checksum is nobody's concern here.
fn packet(source: Ipv4Addr, destination: Ipv4Addr, mark: u8) -> Vec<u8> {
    let mut packet = vec![0x45, 0xc0, 0, 40, 0, mark, 0, 0, 255, 112, 0, 0];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend([0x21, 101, mark, 1, 0, 1, 0, 0]);
    packet.resize(40, 0);
    packet
}

fn send(socket: &mut VrrpSocket, source: IpAddr, destination: IpAddr, octets: &[u8]) {
    let write = |packet: &mut Vec<u8>| octets.clone_into(packet);
    socket.send(source, destination, write).expect("room");
}

/// Waits for packets and hands them to `take`, without the checksum of an IPv4 header, which the
/// kernel wrote.
fn arrive(runtime: &Runtime, socket: &mut VrrpSocket, mut take: impl FnMut(Packet<'_>)) {
    let arrival = async {
        let arrived = poll_fn(|context| socket.poll_arrival(context));
        tokio::time::timeout(PATIENCE, arrived).await
    };
    runtime.block_on(arrival).expect("a packet in time");
    let mut inbox = Inbox::new();
    while let Some(packet) = socket.receive(&mut inbox) {
        take(packet);
    }
}

fn octets(packet: Packet<'_>) -> Vec<u8> {
    let Packet::Ipv4(octets) = packet else {
        panic!("{packet:?} came over IPv4");
    };
    let mut octets = octets.to_vec();
    octets[10..12].fill(0);
    octets
}

#[test]
fn adverts_travel_as_they_were_written_and_together() {
    let (link, runtime) = (link(), runtime());
    for (group, destination) in [(Some(GROUP.into()), GROUP), (None, B)] {
        let mut sender = open(&runtime, &link.a, group, Family::Ipv4);
        let mut receiver = open(&runtime, &link.b, group, Family::Ipv4);
        // More than one system call takes.
        let marks = 1..=150;
        for mark in marks.clone() {
            let packet = packet(A, destination, mark);
            send(&mut sender, A.into(), destination.into(), &packet);
        }
        sender.flush().expect("sent");
        let mut heard = Vec::new();
        while heard.len() < marks.len() {
            arrive(&runtime, &mut receiver, |packet| {
                assert_eq!(packet.vrid(), Some(101));
                heard.push(octets(packet));
            });
        }
        let written: Vec<_> = marks.map(|mark| packet(A, destination, mark)).collect();
        assert_eq!(heard, written, "to {destination}");
        assert!(
            sender.receive(&mut Inbox::new()).is_none(),
            "nobody hears himself"
        );
        assert_eq!(receiver.lost(), 0);
    }
}

#[test]
fn over_ipv6_the_header_is_told_beside_the_message() {
    let (link, runtime) = (link(), runtime());
    for (node, address) in [(&link.a, A_V6), (&link.b, B_V6)] {
        let add = || ip(&format!("address add {address}/64 dev em1 nodad"));
        node.run(add).expect("the namespace");
    }
    for (group, destination) in [(Some(GROUP_V6.into()), GROUP_V6), (None, B_V6)] {
        let mut sender = open(&runtime, &link.a, group, Family::Ipv6);
        let mut receiver = open(&runtime, &link.b, group, Family::Ipv6);
        let written = [0x31, 101, 100, 0, 0, 100, 0xab, 0xcd];
        send(&mut sender, A_V6.into(), destination.into(), &written);
        sender.flush().expect("sent");
        let mut heard = Vec::new();
        arrive(&runtime, &mut receiver, |packet| {
            assert_eq!(packet.vrid(), Some(101));
            let Packet::Ipv6 {
                source,
                destination,
                hop_limit,
                message,
            } = packet
            else {
                panic!("{packet:?} came over IPv6");
            };
            heard.push((source, destination, hop_limit, message.to_vec()));
        });
        assert_eq!(heard, [(A_V6, destination, 255, written.to_vec())]);
        assert!(
            sender.receive(&mut Inbox::new()).is_none(),
            "nobody hears himself"
        );
    }
}

#[test]
fn without_its_group_a_socket_hears_no_multicast() {
    let (link, runtime) = (link(), runtime());
    let group = Some(GROUP.into());
    let mut sender = open(&runtime, &link.a, group, Family::Ipv4);
    let mut member = open(&runtime, &link.b, group, Family::Ipv4);
    let mut other = open(&runtime, &link.b, None, Family::Ipv4);
    for destination in [GROUP, B] {
        let packet = packet(A, destination, 1);
        send(&mut sender, A.into(), destination.into(), &packet);
    }
    sender.flush().expect("sent");
    let mut heard = [Vec::new(), Vec::new()];
    while heard[0].len() < 2 {
        arrive(&runtime, &mut member, |packet| {
            heard[0].push(octets(packet))
        });
    }
    arrive(&runtime, &mut other, |packet| heard[1].push(octets(packet)));
    assert_eq!(heard[0], [packet(A, GROUP, 1), packet(A, B, 1)]);
    assert_eq!(heard[1], [packet(A, B, 1)]);
}

#[test]
fn one_that_cannot_be_sent_does_not_keep_the_others() {
    let (link, runtime) = (link(), runtime());
    let mut sender = open(&runtime, &link.a, None, Family::Ipv4);
    let mut receiver = open(&runtime, &link.b, None, Family::Ipv4);
    let mut too_long = packet(A, B, 6);
    too_long.resize(2000, 0);
    for packet in [&too_long, &packet(A, B, 7), &too_long, &packet(A, B, 7)] {
        send(&mut sender, A.into(), B.into(), packet);
    }
    let down = || ip("link set em1 down");
    assert!(sender.flush().is_err(), "no packet is so long");
    let mut heard = Vec::new();
    while heard.len() < 2 {
        arrive(&runtime, &mut receiver, |packet| heard.push(octets(packet)));
    }
    assert_eq!(heard, [packet(A, B, 7), packet(A, B, 7)]);
    link.a.run(down).expect("the namespace");
    send(&mut sender, A.into(), B.into(), &packet(A, B, 8));
    assert!(sender.flush().is_err(), "the interface is down");
}

#[test]
fn packets_that_nobody_receives_are_lost_and_counted() {
    let (link, runtime) = (link(), runtime());
    let mut sender = open(&runtime, &link.a, None, Family::Ipv4);
    let mut receiver = open(&runtime, &link.b, None, Family::Ipv4);
    let sent = 10_000;
    let mut kept = 0;
    let last = packet(A, B, 2);
    while receiver.lost() == 0 {
        // On a busy machine the network may lose the better part of them before the socket does.
        kept = 0;
        for _ in 0..sent {
            send(&mut sender, A.into(), B.into(), &packet(A, B, 1));
        }
        sender.flush().expect("sent");
        // It is told with the next packet that is not lost.
        for _ in 0..2 {
            arrive(&runtime, &mut receiver, |packet| {
                kept += u64::from(octets(packet) != last);
            });
            send(&mut sender, A.into(), B.into(), &last);
            sender.flush().expect("sent");
        }
    }
    assert!(kept > 250, "only {kept} were kept");
    assert!(receiver.lost() >= sent - kept, "{} lost", receiver.lost());
}
