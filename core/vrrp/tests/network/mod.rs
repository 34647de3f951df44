//! Nodes, a link between them, and a clock that goes from event to event.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use core_vrrp::{
    AnnouncePlan, Effect, Effects, Event, Found, GROUP, Priority, Protocol, Route, Router, Spec,
    State, Time, Transport, Vrid, encode,
};

const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 105));
const LEASE: Duration = Duration::from_secs(2);
const LATENCY_MAX: Duration = Duration::from_millis(2);

/// What may go wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// Adverts are lost and nodes do not hear one another.
    Partitions,
    /// That, and nodes that freeze, die, fall ill and begin late.
    Everything,
}

/// xorshift64*: the same numbers from the same seed on every machine.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn duration(&mut self, max: Duration) -> Duration {
        let max_us = u64::try_from(max.as_micros()).expect("short").max(1);
        Duration::from_micros(self.below(max_us))
    }
}

struct Node {
    router: Router,
    address: IpAddr,
    priority: Priority,
    /// Until when the kernel has the address, unless that is renewed.
    held_until: Option<Time>,
    is_frozen: bool,
    is_stopped: bool,
    is_well: bool,
    /// Packets that came while it was frozen.
    backlog: Vec<Vec<u8>>,
}

/// Something that is in flight.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    at: Time,
    number: u64,
    to: usize,
    packet: Vec<u8>,
}

/// The nodes and the link.
pub(crate) struct Network {
    seed: u64,
    protocol: Protocol,
    dice: Dice,
    now: Time,
    nodes: Vec<Node>,
    flights: BinaryHeap<Reverse<Flight>>,
    flights_sent: u64,
    /// Per pair, when the last packet arrives.
    arrivals: BTreeMap<(usize, usize), Time>,
    /// Per pair, whether the second hears the first.
    deaf: BTreeMap<(usize, usize), bool>,
    loss_percent: u64,
    gaps_forbidden: bool,
    last_owner: Option<usize>,
    changes_of_owner: u32,
    log: Vec<String>,
}

impl Network {
    /// Nodes with different priorities, started, all well.
    pub(crate) fn new(seed: u64, count: usize, protocol: Protocol) -> Self {
        let mut dice = Dice::new(seed);
        let mut nodes = Vec::new();
        for (index, octet) in (101u8..).take(count).enumerate() {
            let lowest = 60 * u64::try_from(index).expect("few");
            let number = u8::try_from(1 + lowest + dice.below(50)).expect("below 255");
            let priority = Priority::new(number).expect("above 0");
            let address = IpAddr::from([192, 168, 0, octet]);
            nodes.push(Node {
                router: Router::new(spec(protocol, priority, address)),
                address,
                priority,
                held_until: None,
                is_frozen: false,
                is_stopped: false,
                is_well: true,
                backlog: Vec::new(),
            });
        }
        let mut network = Self {
            seed,
            protocol,
            dice,
            now: Time(Duration::from_secs(1000)),
            nodes,
            flights: BinaryHeap::new(),
            flights_sent: 0,
            arrivals: BTreeMap::new(),
            deaf: BTreeMap::new(),
            loss_percent: 0,
            gaps_forbidden: false,
            last_owner: None,
            changes_of_owner: 0,
            log: Vec::new(),
        };
        for node in network.nodes() {
            network.tell(node, Event::MayLead);
            network.tell(node, Event::Start(Found::Nothing));
        }
        network
    }

    pub(crate) fn now(&self) -> Time {
        self.now
    }

    pub(crate) fn interval(&self) -> Duration {
        self.protocol.interval()
    }

    pub(crate) fn latency_max(&self) -> Duration {
        LATENCY_MAX
    }

    pub(crate) fn lease(&self) -> Duration {
        LEASE
    }

    pub(crate) fn nodes(&self) -> std::ops::Range<usize> {
        0..self.nodes.len()
    }

    pub(crate) fn changes_of_owner(&self) -> u32 {
        self.changes_of_owner
    }

    pub(crate) fn weakest(&self) -> Priority {
        self.nodes
            .iter()
            .map(|node| node.priority)
            .min()
            .expect("nodes")
    }

    /// The node that should be Master: the best of those that run.
    pub(crate) fn best(&self) -> usize {
        let running = self.nodes().filter(|node| self.runs(*node));
        running
            .max_by_key(|node| self.nodes[*node].router.effective_priority())
            .expect("one")
    }

    /// Who has the address in its kernel.
    pub(crate) fn owners(&self) -> Vec<usize> {
        self.nodes().filter(|node| self.owns(*node)).collect()
    }

    /// From now on it is a failure if nobody owns the address.
    pub(crate) fn forbid_gaps(&mut self, are_forbidden: bool) {
        self.gaps_forbidden = are_forbidden;
    }

    pub(crate) fn set_proxy(&mut self, node: usize, well: bool) {
        self.nodes[node].is_well = well;
        self.tell(node, Event::Proxy { well });
    }

    pub(crate) fn shut_down(&mut self, node: usize) {
        self.nodes[node].is_stopped = true;
        self.tell(node, Event::Shutdown);
    }

    pub(crate) fn freeze(&mut self, node: usize) {
        self.note(node, "freezes");
        self.nodes[node].is_frozen = true;
    }

    /// A frozen node wakes: its timer first, or what has come in meanwhile, as chance has it.
    pub(crate) fn thaw(&mut self, node: usize) {
        self.note(node, "thaws");
        self.nodes[node].is_frozen = false;
        if self.dice.percent(50) {
            self.tell(node, Event::Timeout);
        }
        for packet in std::mem::take(&mut self.nodes[node].backlog) {
            self.tell(node, Event::of_packet(&packet));
        }
    }

    /// Everybody runs, is well, hears everybody.
    pub(crate) fn calm_down(&mut self) {
        self.deaf.clear();
        self.loss_percent = 0;
        for node in self.nodes() {
            if self.nodes[node].is_frozen {
                self.thaw(node);
            }
            if !self.nodes[node].is_well {
                self.set_proxy(node, true);
            }
        }
    }

    /// Lets so much time pass, with such trouble.
    pub(crate) fn run(&mut self, duration: Duration, trouble: Trouble) {
        let end = self.now + duration;
        let mut trouble_at = self.now;
        while self.now < end {
            if trouble != Trouble::None && self.now >= trouble_at {
                self.make(trouble);
                let pause = self.dice.duration(3 * self.interval());
                trouble_at = self.now + pause;
            }
            let until = if trouble == Trouble::None {
                end
            } else {
                end.min(trouble_at)
            };
            self.step(until);
        }
    }

    fn make(&mut self, trouble: Trouble) {
        self.loss_percent = self.dice.below(60);
        let (from, to) = (self.any_node(), self.any_node());
        let is_deaf = self.dice.percent(50);
        self.deaf.insert((from, to), is_deaf);
        if trouble == Trouble::Partitions {
            return;
        }
        let node = self.any_node();
        match self.dice.below(5) {
            0 => self.freeze(node),
            1 if self.nodes[node].is_frozen => self.thaw(node),
            2 => self.restart(node),
            3 if self.runs(node) => {
                let well = self.dice.percent(50);
                self.set_proxy(node, well);
            }
            _ => {}
        }
    }

    /// The process dies and another one begins at once.
    fn restart(&mut self, node: usize) {
        self.note(node, "dies and is restarted");
        let leftovers = self.owns(node);
        let is_well = self.nodes[node].is_well;
        let own = &mut self.nodes[node];
        own.is_frozen = false;
        own.backlog.clear();
        own.held_until = own.held_until.filter(|_| leftovers);
        own.router = Router::new(own.router.spec().clone());
        self.tell(node, Event::MayLead);
        self.tell(node, Event::Proxy { well: is_well });
        let found = if leftovers {
            Found::Leftovers
        } else {
            Found::Nothing
        };
        self.tell(node, Event::Start(found));
    }

    fn any_node(&mut self) -> usize {
        let count = u64::try_from(self.nodes.len()).expect("few");
        usize::try_from(self.dice.below(count)).expect("few")
    }

    fn runs(&self, node: usize) -> bool {
        !self.nodes[node].is_frozen && !self.nodes[node].is_stopped
    }

    fn owns(&self, node: usize) -> bool {
        self.nodes[node]
            .held_until
            .is_some_and(|until| self.now < until)
    }

    /// To the next arrival or timer, or to `until`.
    fn step(&mut self, until: Time) {
        let arrival = self.flights.peek().map(|Reverse(flight)| flight.at);
        let timers = self.nodes().filter(|node| !self.nodes[*node].is_frozen);
        let timer = timers
            .filter_map(|node| Some((self.nodes[node].router.poll_timeout()?, node)))
            .min();
        let next = arrival.into_iter().chain(timer.map(|(at, _)| at)).min();
        let Some(next) = next.filter(|next| *next <= until) else {
            self.advance(until);
            return;
        };
        self.advance(next.max(self.now));
        match timer {
            Some((at, node)) if at == next => {
                // Real timers are late a little.
                let late = self.dice.duration(Duration::from_micros(200));
                self.now = self.now + late;
                self.tell(node, Event::Timeout);
            }
            _ => {
                if let Some(Reverse(flight)) = self.flights.pop() {
                    self.arrive(flight);
                }
            }
        }
        self.observe();
    }

    fn advance(&mut self, to: Time) {
        self.now = to;
        self.observe();
    }

    /// Who owns the address now, and whether that may be.
    fn observe(&mut self) {
        let owners = self.owners();
        assert!(
            !self.gaps_forbidden || !owners.is_empty(),
            "nobody owns it: {self:?}"
        );
        if let [owner] = owners.as_slice() {
            self.changes_of_owner += u32::from(self.last_owner != Some(*owner));
            self.last_owner = Some(*owner);
        }
    }

    fn arrive(&mut self, flight: Flight) {
        let Flight { to, packet, .. } = flight;
        if self.nodes[to].is_frozen {
            self.nodes[to].backlog.push(packet);
        } else {
            self.tell(to, Event::of_packet(&packet));
        }
    }

    fn tell(&mut self, node: usize, event: Event<'_>) {
        let mut effects = Effects::default();
        self.nodes[node]
            .router
            .handle(self.now, event, &mut effects);
        let effects: Vec<Effect> = effects.drain().collect();
        for effect in effects {
            self.perform(node, effect);
        }
        let own = &self.nodes[node];
        let is_owner = own.held_until.is_some();
        match own.router.state() {
            // What a predecessor left is still there until the start.
            State::Initialize if !own.router.is_finished() => {}
            state => assert_eq!(is_owner, state == State::Master, "{self:?}"),
        }
    }

    fn perform(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::AddAddresses | Effect::RenewLease => {
                self.nodes[node].held_until = Some(self.now + LEASE);
            }
            Effect::RemoveAddresses => self.nodes[node].held_until = None,
            Effect::SendAdvert(priority) => self.send(node, priority),
            Effect::Transition(change) => {
                self.note(node, &format!("{:?}: {}", change.to, change.cause));
            }
            Effect::Announce { .. } | Effect::Discarded { .. } => {}
        }
    }

    fn send(&mut self, node: usize, priority: Priority) {
        let sender = &self.nodes[node];
        let route = Route {
            source: sender.address,
            destination: GROUP.into(),
        };
        let mut packet = Vec::new();
        encode(
            &sender.router.advert(priority),
            route,
            sender.router.checksum(),
            1,
            &mut packet,
        );
        for to in self.nodes() {
            let is_deaf = self.deaf.get(&(node, to)).is_some_and(|deaf| *deaf);
            if to == node || is_deaf || self.dice.percent(self.loss_percent) {
                continue;
            }
            let at = self.now + self.dice.duration(LATENCY_MAX);
            // A link does not change the order of what one node sends to another.
            let before = self.arrivals.entry((node, to)).or_insert(at);
            let at = at.max(*before);
            *before = at;
            self.flights_sent += 1;
            let number = self.flights_sent;
            self.flights.push(Reverse(Flight {
                at,
                number,
                to,
                packet: packet.clone(),
            }));
        }
    }

    fn note(&mut self, node: usize, what: &str) {
        self.log.push(format!(
            "{:?} {}: {what}",
            self.now.0, self.nodes[node].address
        ));
    }
}

fn spec(protocol: Protocol, priority: Priority, source: IpAddr) -> Spec {
    Spec {
        vrid: Vrid::new(101).expect("in range"),
        protocol,
        priority,
        preempt: true,
        preempt_delay: Duration::ZERO,
        checksum: None,
        source,
        transport: Transport::Multicast,
        addresses: vec![VIP],
        tracks: Vec::new(),
        lease: Some(LEASE),
        announce: AnnouncePlan {
            repeat: 5,
            interval: Duration::ZERO,
            delay: Duration::from_secs(5),
            refresh: Duration::from_secs(60),
        },
        startup_delay: Duration::ZERO,
        down_timer_adverts: 3,
    }
}

/// What is needed to replay a failure and to understand it.
impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}, {:?}, at {:?}",
            self.seed, self.protocol, self.now.0
        )?;
        for node in &self.nodes {
            let (state, priority) = (node.router.state(), node.priority);
            writeln!(
                f,
                "{} {priority}: {state:?}, held {:?}",
                node.address, node.held_until
            )?;
        }
        for line in self.log.iter().rev().take(40).rev() {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}
