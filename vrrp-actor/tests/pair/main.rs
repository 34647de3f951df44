//! The real program on two nodes, driven as the supervisor drives it. Version 3 with ten adverts a
//! second, so that a Master is missed after 0.3 s; a lease of 1 s. Needs root.

mod node;
mod watch;

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use ipc::lifecycle::{FromChild, ToChild};
use ipc::status::RouterState;
use ipc::vrrp::{FromVrrp, ToVrrp, VirtualAddress};
use platform::announce::Announcer;
use platform::claims::ClaimWatch;
use platform::interfaces::Interfaces;
use platform::process::Signal;
use platform::topology::{Bridge, Namespace, addresses};

use crate::node::{Node, spec};
use crate::watch::Watch;

const A: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 101);
const B: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 102);
const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 105);
const PATIENCE: Duration = Duration::from_secs(10);
const SAMPLE: Duration = Duration::from_millis(2);

/// Two nodes, the first of which is Master.
fn pair() -> (Bridge, Node, Node) {
    let bridge = Bridge::new(Namespace::new().expect("root"), "br0").expect("a bridge");
    let (mut a, mut b) = (Node::new(&bridge, A), Node::new(&bridge, B));
    a.start();
    a.hear_state(RouterState::Master);
    b.start();
    b.hear_state(RouterState::Backup);
    // The first advert of a Master that did not know of it.
    thread::sleep(Duration::from_millis(500));
    (bridge, a, b)
}

/// Gives a program time to start on a slow machine: until then its address neither goes nor is
/// taken over.
fn be_patient(a: &mut Node, b: &mut Node) {
    for node in [a, b] {
        node.spec.lease_seconds = Some(30);
        node.spec.down_timer_adverts = 150;
        node.configure(node.spec.clone());
    }
    // An advert to count 15 s from, and a lease that begins anew.
    thread::sleep(Duration::from_millis(500));
}

/// Of two owners where one hands over to the other, which takes an advert. A hand-over that only
/// its own limit ends, 350 ms, leaves two for 290 ms; a lease ends later still.
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn a_stop_hands_over_without_a_gap_and_a_start_takes_back() {
    let (_bridge, mut a, mut b) = pair();
    let watch = Watch::new(&a, &b);
    a.say(&ToChild::Stop {
        within: Duration::from_secs(5),
    });
    assert!(a.reap(), "ends in good order");
    b.hear_state(RouterState::Master);
    a.start();
    a.hear_state(RouterState::Master);
    b.hear_state(RouterState::Backup);
    assert!(b.lose_supervisor(), "ends in good order");
    let seen = watch.finish();
    assert_eq!(seen.nobody, Duration::ZERO, "{seen:?}");
    assert!(seen.both < SHORT, "{seen:?}");
    assert_eq!(seen.last, [true, false], "{seen:?}");
}

#[test]
fn the_end_of_the_supervisor_hands_over_too() {
    let (_bridge, mut a, b) = pair();
    let watch = Watch::new(&a, &b);
    assert!(a.lose_supervisor(), "ends in good order");
    b.hear_state(RouterState::Master);
    let seen = watch.finish();
    assert_eq!(
        (seen.nobody, seen.last),
        (Duration::ZERO, [false, true]),
        "{seen:?}"
    );
}

#[test]
fn a_killed_master_loses_the_address_by_its_lease() {
    let (_bridge, mut a, b) = pair();
    let watch = Watch::new(&a, &b);
    a.signal(Signal::SIGKILL);
    assert!(!a.reap());
    b.hear_state(RouterState::Master);
    thread::sleep(Duration::from_millis(3000));
    let seen = watch.finish();
    assert_eq!(seen.last, [false, true], "{seen:?}");
    // The kernel may end a lease half a second late.
    assert!(seen.both < Duration::from_millis(2500), "{seen:?}");
}

#[test]
fn a_killed_master_that_is_restarted_hands_over() {
    let (_bridge, mut a, mut b) = pair();
    be_patient(&mut a, &mut b);
    let watch = Watch::new(&a, &b);
    a.signal(Signal::SIGKILL);
    assert!(!a.reap());
    a.start();
    a.hear_state(RouterState::Backup);
    let seen = watch.finish();
    assert_eq!(seen.nobody, Duration::ZERO, "{seen:?}");
    assert!(seen.both < SHORT, "{seen:?}");
    b.hear_state(RouterState::Master);
}

#[test]
fn a_frozen_master_that_wakes_listens_before_it_speaks() {
    let (_bridge, a, b) = pair();
    a.signal(Signal::SIGSTOP);
    b.hear_state(RouterState::Master);
    thread::sleep(Duration::from_millis(2500));
    let watch = Watch::new(&a, &b);
    a.signal(Signal::SIGCONT);
    a.hear_state(RouterState::Backup);
    // It is better, and preempts in good order.
    a.hear_state(RouterState::Master);
    b.hear_state(RouterState::Backup);
    let seen = watch.finish();
    assert_eq!(seen.nobody, Duration::ZERO, "{seen:?}");
    assert!(seen.both < SHORT, "{seen:?}");
}

#[test]
fn an_ill_proxy_moves_the_address_and_a_well_one_moves_it_back() {
    let (_bridge, a, b) = pair();
    let watch = Watch::new(&a, &b);
    a.say(&ToChild::Role(ToVrrp::ProxyHealth { well: false }));
    b.hear_state(RouterState::Master);
    a.hear_state(RouterState::Backup);
    a.say(&ToChild::Role(ToVrrp::ProxyHealth { well: true }));
    a.hear_state(RouterState::Master);
    b.hear_state(RouterState::Backup);
    let seen = watch.finish();
    assert_eq!(seen.nobody, Duration::ZERO, "{seen:?}");
    assert!(seen.both < SHORT, "{seen:?}");
}

#[test]
fn a_reload_keeps_the_master_and_changes_its_addresses() {
    let (_bridge, mut a, b) = pair();
    let watch = Watch::new(&a, &b);
    let added = Ipv4Addr::new(192, 168, 0, 106);
    let mut router = spec(A);
    let another = VirtualAddress {
        address: added.into(),
        ..router.addresses[0].clone()
    };
    router.addresses.push(another);
    a.configure(router);
    let held = a
        .namespace
        .run(|| addresses("em1"))
        .expect("the namespace")
        .expect("addresses");
    assert!(held.contains(&VIP) && held.contains(&added), "{held:?}");
    a.configure(spec(A));
    let held = a
        .namespace
        .run(|| addresses("em1"))
        .expect("the namespace")
        .expect("addresses");
    assert!(held.contains(&VIP) && !held.contains(&added), "{held:?}");
    let seen = watch.finish();
    assert_eq!(
        (seen.nobody, seen.both),
        (Duration::ZERO, Duration::ZERO),
        "{seen:?}"
    );
    assert_eq!(seen.last, [true, false], "{seen:?}");
}

#[test]
fn excluded_addresses_of_either_family_are_held_with_the_others() {
    let (_bridge, mut a, _b) = pair();
    let mut router = spec(A);
    let excluded = ["192.168.0.107", "fd00::107"].map(|text| VirtualAddress {
        address: text.parse().expect("an address"),
        prefix_len: if text.contains(':') { 64 } else { 24 },
        ..router.addresses[0].clone()
    });
    router.excluded_addresses.extend(excluded);
    a.configure(router);
    let shown = || {
        let shown = a.namespace.run(|| {
            let output = Command::new("ip").args(["address", "show", "em1"]).output();
            String::from_utf8(output.expect("iproute2").stdout).expect("text")
        });
        shown.expect("the namespace")
    };
    let text = shown();
    for held in ["192.168.0.105/32", "192.168.0.107/24", "fd00::107/64"] {
        assert!(text.contains(held), "{held}: {text}");
    }
    a.say(&ToChild::Stop { within: PATIENCE });
    a.hear_state(RouterState::Stop);
    let text = shown();
    assert!(!text.contains("107"), "{text}");
    assert!(a.reap());
}

/// Claims `address` from a node's network, and waits until its owner says that it has it.
fn claim(node: &Node, address: IpAddr) {
    let runtime = node.runtime.handle().clone();
    let answered = node.namespace.run(|| {
        let all = Interfaces::open().and_then(|mut all| all.list());
        let all = all.expect("netlink");
        let interface = all.iter().find(|it| it.name == "em1").expect("em1");
        let _within = runtime.enter();
        let mut watch = ClaimWatch::open().expect("sockets");
        watch.set_addresses([address].into()).expect("a filter");
        let mut announcer = Announcer::open(interface).expect("a socket");
        announcer.announce(address).expect("sent");
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if watch.next_claim().is_some() {
                return true;
            }
            thread::sleep(SAMPLE);
        }
        false
    });
    assert!(answered.expect("the namespace"), "{address} is left");
}

#[test]
fn a_claim_of_somebody_else_is_told_and_answered() {
    let (bridge, mut a, _b) = pair();
    let mut router = spec(A);
    let of_six: IpAddr = "fd00::107".parse().expect("an address");
    router.excluded_addresses.push(VirtualAddress {
        address: of_six,
        prefix_len: 64,
        ..router.addresses[0].clone()
    });
    // Announcements come only as answers.
    router.announce.delay = Duration::ZERO;
    router.announce.refresh = Duration::ZERO;
    a.configure(router);
    let stranger = Node::new(&bridge, Ipv4Addr::new(192, 168, 0, 110));
    for address in [IpAddr::from(VIP), of_six] {
        claim(&stranger, address);
    }
    a.hear(|message| match message {
        FromChild::Role(FromVrrp::Contested(contest)) => {
            assert_eq!(contest.router, "gateway");
            contest.address == VIP
        }
        _ => false,
    });
}
