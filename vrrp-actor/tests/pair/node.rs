//! A node with the program, driven as the supervisor drives it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ipc::lifecycle::{FromChild, Role, ToChild, Welcome};
use ipc::status::RouterState;
use ipc::vrrp::{
    AnnounceSpec, Failback, FromVrrp, OnUnhealthy, RouterSpec, ToVrrp, Transport, VirtualAddress,
    VrrpSnapshot,
};
use platform::process::{Image, Signal, kill_group};
use platform::seqpacket::SeqPacket;
use platform::topology::{Bridge, Namespace};

use crate::{A, B, PATIENCE, SAMPLE, VIP};

/// "nobody": the program must do with its two capabilities.
const NOBODY: u32 = 65_534;

/// What a node runs.
pub(crate) fn spec(own: Ipv4Addr) -> RouterSpec {
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
pub(crate) struct Node {
    address: Ipv4Addr,
    /// What it begins with.
    pub(crate) spec: RouterSpec,
    pub(crate) namespace: Namespace,
    pub(crate) runtime: tokio::runtime::Runtime,
    running: Option<(tokio::process::Child, SeqPacket)>,
    generation: u64,
    /// What was said before a configuration was in force, and has not been looked at.
    early: RefCell<VecDeque<FromChild<FromVrrp>>>,
}

impl Node {
    pub(crate) fn new(bridge: &Bridge, address: Ipv4Addr) -> Self {
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
    pub(crate) fn start(&mut self) {
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
    pub(crate) fn configure(&mut self, router: RouterSpec) {
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

    pub(crate) fn say(&self, message: &ToChild<ToVrrp>) {
        let packet = ipc::codec::encode_packet(message).expect("encoded");
        self.socket().send(&packet, &[]).expect("sent");
    }

    /// Reads messages until the one that is waited for.
    pub(crate) fn hear(&self, is_it: impl Fn(&FromChild<FromVrrp>) -> bool) {
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

    pub(crate) fn hear_state(&self, state: RouterState) {
        self.hear(|message| match message {
            FromChild::Role(FromVrrp::Transition(event)) => event.to == state,
            _ => false,
        });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let (child, _) = self.running.as_ref().expect("running");
        kill_group(child.id().expect("running"), signal).expect("signalled");
    }

    /// Waits for the end of the program and says whether it was in good order.
    pub(crate) fn reap(&mut self) -> bool {
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
    pub(crate) fn lose_supervisor(&mut self) -> bool {
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
