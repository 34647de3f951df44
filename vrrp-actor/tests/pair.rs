//! The real program on two nodes, driven as the supervisor drives it. Version 3 with ten adverts a
//! second, so that a Master is missed after 0.3 s; a lease of 1 s. Needs root.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ipc::lifecycle::{FromChild, Role, ToChild, Welcome};
use ipc::status::RouterState;
use ipc::vrrp::{
    AnnounceSpec, Failback, FromVrrp, OnUnhealthy, RouterSpec, ToVrrp, Transport, VirtualAddress,
    VrrpSnapshot,
};
use platform::announce::Announcer;
use platform::claims::ClaimWatch;
use platform::interfaces::Interfaces;
use platform::process::{Image, Signal, kill_group};
use platform::seqpacket::SeqPacket;
use platform::topology::{Bridge, Namespace, addresses};

const A: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 101);
const B: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 102);
const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 105);
const PATIENCE: Duration = Duration::from_secs(10);
const SAMPLE: Duration = Duration::from_millis(2);

/// "nobody": the program must do with its two capabilities.
const NOBODY: u32 = 65_534;

fn spec(own: Ipv4Addr) -> RouterSpec {
    let (priority, peer) = if own == A { (200, B) } else { (100, A) };
    RouterSpec {
        name: "gateway".into(),
        interface: "em1".into(),
        vrid: 101,
        vmac: false,
        version: 3,
        advert_interval: Duration::from_millis(100),
        priority,
        transport: Transport::Unicast {
            source: own.into(),
            peers: vec![peer.into()],
            min_ttl: 255,
        },
        checksum: None,
        auth: None,
        failback: Failback::Auto(Duration::ZERO),
        on_unhealthy: OnUnhealthy::Abdicate,
        sync_group: None,
        notify_priority_changes: false,
        addresses: vec![VirtualAddress {
            address: VIP.into(),
            prefix_len: 32,
            interface: None,
            label: None,
            scope: 0,
        }],
        excluded_addresses: Vec::new(),
        lease_seconds: Some(1),
        tracks: Vec::new(),
        track_proxy: true,
        announce: AnnounceSpec {
            repeat: 5,
            delay: Duration::from_secs(5),
            refresh: Duration::from_secs(60),
            interval: Duration::ZERO,
        },
        startup_delay: Duration::ZERO,
        down_timer_adverts: 3,
    }
}

/// A node with the program, which runs or does not.
struct Node {
    address: Ipv4Addr,
    /// What it begins with.
    spec: RouterSpec,
    namespace: Namespace,
    runtime: tokio::runtime::Runtime,
    running: Option<(tokio::process::Child, SeqPacket)>,
    generation: u64,
    /// What was said before a configuration was in force, and has not been looked at.
    early: RefCell<VecDeque<FromChild<FromVrrp>>>,
}

impl Node {
    fn new(bridge: &Bridge, address: Ipv4Addr) -> Self {
        let namespace = Namespace::new().expect("root");
        let port = format!("port{}", address.octets()[3]);
        bridge
            .connect(&port, &namespace, "em1", address, 24)
            .expect("a cable");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        Self {
            address,
            spec: spec(address),
            namespace,
            runtime,
            running: None,
            generation: 0,
            early: RefCell::default(),
        }
    }

    /// Starts the program and lets it lead.
    fn start(&mut self) {
        let (ours, theirs) = SeqPacket::pair().expect("a socket pair");
        let image = Image::open(Path::new(env!("CARGO_BIN_EXE_evenkeel-vrrp"))).expect("built");
        let runtime = self.runtime.handle().clone();
        let started = self.namespace.run(|| {
            let _within = runtime.enter();
            image.start("evenkeel: vrrp", theirs)
        });
        let child = started.expect("the namespace").expect("started");
        self.running = Some((child, ours));
        self.say(&ToChild::Welcome(Welcome {
            version: ipc::VERSION,
            role: Role::Vrrp,
            slot: 0,
            uid: NOBODY,
            gid: NOBODY,
            log_level: "info".into(),
            realtime: true,
        }));
        self.configure(self.spec.clone());
        self.say(&ToChild::Role(ToVrrp::MayLead));
    }

    /// Has it run this router from now on.
    fn configure(&mut self, router: RouterSpec) {
        self.generation += 1;
        let generation = self.generation;
        let snapshot = VrrpSnapshot {
            node: self.address.to_string(),
            routers: vec![router],
            succession: None,
        };
        let bytes = ipc::codec::encode_snapshot(&snapshot).expect("encoded");
        let memfd = platform::memfd::sealed("snapshot", &bytes).expect("a memfd");
        let prepare = ipc::codec::encode_packet(&ToChild::<ToVrrp>::Prepare { generation });
        let sent = self
            .socket()
            .send(&prepare.expect("encoded"), &[memfd.as_fd()]);
        sent.expect("sent");
        self.hear(|message| matches!(message, FromChild::Prepared { .. }));
        self.say(&ToChild::Commit { generation });
        let early = RefCell::default();
        self.hear(|message| {
            let is_it = matches!(message, FromChild::Committed { .. });
            if !is_it {
                VecDeque::push_back(&mut early.borrow_mut(), message.clone());
            }
            is_it
        });
        self.early.borrow_mut().append(&mut early.borrow_mut());
    }

    fn socket(&self) -> &SeqPacket {
        &self.running.as_ref().expect("running").1
    }

    fn say(&self, message: &ToChild<ToVrrp>) {
        let packet = ipc::codec::encode_packet(message).expect("encoded");
        self.socket().send(&packet, &[]).expect("sent");
    }

    /// Reads messages until the one that is waited for.
    fn hear(&self, is_it: impl Fn(&FromChild<FromVrrp>) -> bool) {
        let begun = Instant::now();
        let mut buffer = vec![0; ipc::codec::PACKET_MAX];
        while begun.elapsed() < PATIENCE {
            if let Some(message) = self.early.borrow_mut().pop_front() {
                if is_it(&message) {
                    return;
                }
            } else if let Ok(packet) = self.socket().receive(&mut buffer) {
                let message = ipc::codec::decode(&buffer[..packet.length]).expect("a message");
                if is_it(&message) {
                    return;
                }
            } else {
                thread::sleep(SAMPLE);
            }
        }
        panic!("{} did not say what was waited for", self.address);
    }

    fn hear_state(&self, state: RouterState) {
        self.hear(|message| match message {
            FromChild::Role(FromVrrp::Transition(event)) => event.to == state,
            _ => false,
        });
    }

    fn signal(&self, signal: Signal) {
        let (child, _) = self.running.as_ref().expect("running");
        kill_group(child.id().expect("running"), signal).expect("signalled");
    }

    /// Waits for the end of the program and says whether it was in good order.
    fn reap(&mut self) -> bool {
        let (mut child, socket) = self.running.take().expect("running");
        let ended = async { tokio::time::timeout(PATIENCE, child.wait()).await };
        let status = self
            .runtime
            .block_on(ended)
            .expect("an end in time")
            .expect("waited");
        drop(socket);
        status.success()
    }

    /// As the end of the supervisor looks to the program.
    fn lose_supervisor(&mut self) -> bool {
        let (mut child, socket) = self.running.take().expect("running");
        drop(socket);
        let ended = async { tokio::time::timeout(PATIENCE, child.wait()).await };
        self.runtime
            .block_on(ended)
            .expect("an end in time")
            .expect("waited")
            .success()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.signal(Signal::SIGKILL);
            self.reap();
        }
    }
}

/// Who has the address, sampled.
struct Watch {
    is_over: Arc<AtomicBool>,
    samples: JoinHandle<Vec<(Instant, [bool; 2])>>,
}

/// What was seen.
#[derive(Debug)]
struct Seen {
    /// The longest time without an owner, after the first and before the last.
    nobody: Duration,
    /// The longest time with two.
    both: Duration,
    /// Who had it in the end.
    last: [bool; 2],
}

impl Watch {
    fn new(a: &Node, b: &Node) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let open = |node: &Node| {
            let opened = node.namespace.run(Namespace::of_this_thread);
            opened.expect("the namespace").expect("its handle")
        };
        let namespaces = [open(a), open(b)];
        let over = Arc::clone(&is_over);
        let samples = thread::spawn(move || {
            let mut samples = Vec::new();
            loop {
                // What holds in the end is sampled after the end, however seldom this thread runs.
                let is_last = over.load(Ordering::Relaxed);
                let owners = namespaces.each_ref().map(|namespace| {
                    namespace.enter().expect("the namespace");
                    addresses("em1").expect("its addresses").contains(&VIP)
                });
                samples.push((Instant::now(), owners));
                if is_last {
                    return samples;
                }
                thread::sleep(SAMPLE);
            }
        });
        Self { is_over, samples }
    }

    fn finish(self) -> Seen {
        self.is_over.store(true, Ordering::Relaxed);
        let samples = self.samples.join().expect("samples");
        let is_owned = |(_, owners): &(Instant, [bool; 2])| owners.contains(&true);
        let first = samples.iter().position(is_owned).expect("an owner");
        let end = samples.iter().rposition(is_owned).expect("an owner") + 1;
        let owned = &samples[first..end];
        Seen {
            nobody: longest(owned, [false, false]),
            both: longest(owned, [true, true]),
            last: samples.last().expect("samples").1,
        }
    }
}

fn longest(samples: &[(Instant, [bool; 2])], wanted: [bool; 2]) -> Duration {
    let mut longest = Duration::ZERO;
    let mut since = None;
    for (at, owners) in samples {
        if *owners == wanted {
            longest = longest.max(*at - *since.get_or_insert(*at));
        } else {
            since = None;
        }
    }
    longest
}

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
