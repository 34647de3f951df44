//! Nodes, neighbours and the link between them, and a time that goes from one happening to the next.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::time::Duration;

use core_vrrp::{Effects, Event, Found, Router, Spec, State, Time, Verdict};

use crate::dice::Dice;
use crate::link::Link;
use crate::node::{Frame, Hold, Machine, Node, Process};
use crate::record::{Moment, Told};
use crate::scenario::{Latency, Profile, Scenario};
use crate::watch::Watch;

/// A station that sends to the virtual address. It believes who said last that the address is his.
#[derive(Debug)]
pub(crate) struct Neighbour {
    pub(crate) kind: Kind,
    /// Which node; `None`: it has to ask, and so learns what is right.
    pub(crate) points_at: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its table of addresses learns from announcements.
    Client,
    /// Its table of ports learns from every frame that a virtual MAC address sends.
    Switch,
}

/// What is going to happen.
#[derive(Debug)]
pub(crate) enum Happening {
    Arrives {
        to: usize,
        frame: Rc<Frame>,
        is_rough: bool,
    },
    Learns {
        neighbour: usize,
        from: usize,
        is_rough: bool,
    },
    /// If the node still lives the life that this was meant for.
    Turns { node: usize, life: u32, to: Turn },
    /// A lease may have ended.
    Look,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn {
    /// It is no more frozen, dead, asleep or stopped.
    Recovers,
    /// After sleep, the process runs a little later than the kernel.
    Acts,
    MayLead,
    /// The process is told that the link went down, or came back.
    LinkTold(bool),
    LinkUp,
    /// A successor of a process that left in good order.
    Succeeds,
}

struct Entry {
    at: Time,
    number: u64,
    what: Happening,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) profile: Profile,
    pub(crate) latency: Latency,
    pub(crate) dice: Dice,
    pub(crate) now: Time,
    pub(crate) nodes: Vec<Node>,
    pub(crate) neighbours: Vec<Neighbour>,
    pub(crate) link: Link,
    pub(crate) watch: Watch,
    agenda: BinaryHeap<Reverse<Entry>>,
    numbered: u64,
    effects: Effects,
    /// What happened, for whoever replays it.
    story: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, tells: bool) -> Self {
        let mut dice = Dice::new(seed);
        let scenario = Scenario::new(seed, &mut dice);
        let now = Time(Duration::from_secs(100_000));
        let kinds = (0..scenario.clients).map(|number| match number {
            0 => Kind::Client,
            _ => Kind::Switch,
        });
        let neighbours = kinds.map(|kind| Neighbour {
            kind,
            points_at: None,
        });
        let nodes = scenario.specs.into_iter().map(|spec| Node::new(spec, now));
        let mut world = Self {
            seed,
            profile: scenario.profile,
            latency: scenario.latency,
            dice,
            now,
            nodes: nodes.collect(),
            neighbours: neighbours.collect(),
            link: Link::new(scenario.latency.link),
            watch: Watch::new(now),
            agenda: BinaryHeap::new(),
            numbered: 0,
            effects: Effects::default(),
            story: tells.then(Vec::new),
        };
        world.say(|world| format!("{:?}, {:?}", world.profile, world.latency));
        for node in 0..world.nodes.len() {
            world.say(|world| format!("node {node}: {:?}", world.nodes[node].spec));
        }
        world
    }

    /// Adds a line to the story, if one is told.
    pub(crate) fn say(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.story.is_some() {
            let line = format!(
                "{:>14.6} {}",
                self.now.0.as_secs_f64() - 100_000.0,
                line(self)
            );
            self.story
                .iter_mut()
                .for_each(|story| story.push(line.clone()));
        }
    }

    pub(crate) fn take_story(&mut self) -> Vec<String> {
        self.story.take().unwrap_or_default()
    }

    /// A promise was broken.
    pub(crate) fn fail(&self, what: &str) -> ! {
        for line in self.story.iter().flatten() {
            println!("{line}");
        }
        panic!(
            "seed {seed}, {:.6} s: {what}\nreplay it with\n    SEED={seed} cargo test -p core-vrrp --test simulation replay -- --nocapture",
            self.now.0.as_secs_f64() - 100_000.0,
            seed = self.seed,
        );
    }

    pub(crate) fn schedule(&mut self, at: Time, what: Happening) {
        self.numbered += 1;
        let number = self.numbered;
        self.agenda.push(Reverse(Entry { at, number, what }));
    }

    pub(crate) fn schedule_turn(&mut self, node: usize, after: Duration, to: Turn) {
        let life = self.nodes[node].life;
        self.schedule(self.now + after, Happening::Turns { node, life, to });
    }

    /// Lets so much time pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.next_at().filter(|at| *at <= end) {
            self.advance(at);
            self.happen();
        }
        self.advance(end);
    }

    fn next_at(&self) -> Option<Time> {
        let agenda = self.agenda.peek().map(|Reverse(entry)| entry.at);
        agenda
            .into_iter()
            .chain(self.next_wake().map(|(at, _)| at))
            .min()
    }

    fn next_wake(&self) -> Option<(Time, usize)> {
        let awake = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.acts());
        awake
            .filter_map(|(index, node)| Some((node.wake?.1, index)))
            .min()
    }

    fn advance(&mut self, to: Time) {
        let to = to.max(self.now);
        self.check_until(to);
        self.now = to;
        self.observe();
    }

    /// What is due now: what comes in is heard before timers are looked at, as in the real actor.
    fn happen(&mut self) {
        let now = self.now;
        if self
            .agenda
            .peek()
            .is_some_and(|Reverse(entry)| entry.at <= now)
        {
            if let Some(Reverse(entry)) = self.agenda.pop() {
                self.perform_happening(entry.what);
            }
        } else if let Some((_, node)) = self.next_wake() {
            self.tell(node, Event::Timeout);
        }
        self.observe();
    }

    fn perform_happening(&mut self, what: Happening) {
        match what {
            Happening::Arrives {
                to,
                frame,
                is_rough,
            } => {
                self.watch.rough_under_way -= u32::from(is_rough);
                self.arrive(to, frame);
            }
            Happening::Learns {
                neighbour,
                from,
                is_rough,
            } => {
                self.watch.rough_under_way -= u32::from(is_rough);
                self.neighbours[neighbour].points_at = Some(from);
            }
            Happening::Turns { node, life, to } => {
                if self.nodes[node].life == life {
                    self.watch.disturb(self.now);
                    self.turn(node, to);
                }
            }
            Happening::Look => {}
        }
    }

    fn arrive(&mut self, to: usize, frame: Rc<Frame>) {
        let node = &mut self.nodes[to];
        if !node.is_awake() || !node.link_up {
            return;
        }
        match node.process {
            Process::Runs => self.hear(to, &frame),
            Process::Frozen => node.keep(frame),
            Process::Dead | Process::Stopped => {}
        }
    }

    fn hear(&mut self, node: usize, frame: &Frame) {
        let event = match frame.route.source.is_ipv4() {
            true => Event::of_packet(&frame.octets),
            false => Event::of_ipv6(frame.route, core_vrrp::TTL, &frame.octets),
        };
        self.tell(node, event);
    }

    /// A frozen process that runs again: what has come in, then what is due.
    pub(crate) fn catch_up(&mut self, node: usize) {
        for frame in std::mem::take(&mut self.nodes[node].inbox) {
            self.hear(node, &frame);
            self.observe();
        }
        let due = self.nodes[node].wake.is_some_and(|(_, at)| at <= self.now);
        if due {
            self.tell(node, Event::Timeout);
            self.observe();
        }
    }

    /// A process begins; it finds what a predecessor may have left.
    pub(crate) fn begin(&mut self, index: usize, may_lead: bool, is_successor: bool) {
        let now = self.now;
        let node = &mut self.nodes[index];
        let found = match (node.holds(now), is_successor) {
            (false, _) => Found::Nothing,
            (true, false) => Found::Leftovers,
            (true, true) => Found::Succession,
        };
        node.process = Process::Runs;
        node.acts_since = now;
        node.router = Some(Router::new(Spec::clone(&node.spec)));
        node.record = crate::record::Record::new(node.clock(now));
        node.inbox.clear();
        node.wake = None;
        node.gave_up_at = None;
        let (up, well, link_up) = (node.script_up, node.is_well, node.link_up);
        self.tell(index, verdict_event(up));
        self.tell(index, Event::Proxy { well });
        if may_lead {
            self.tell(index, Event::MayLead);
        }
        self.tell(index, Event::Link { up: link_up });
        self.tell(index, Event::Start(found));
    }

    /// Feeds the core and does what it says, like the actor.
    pub(crate) fn tell(&mut self, index: usize, event: Event<'_>) {
        let told = Told::of(&event);
        let node = &mut self.nodes[index];
        let now = node.clock(self.now);
        let Some(router) = &mut node.router else {
            return;
        };
        let (state, before) = (router.state(), router.effective_priority());
        let mut effects = std::mem::take(&mut self.effects);
        router.handle(now, event, &mut effects);
        let own = router.effective_priority();
        let spec = Rc::clone(&node.spec);
        let moment = Moment {
            now,
            spec: &spec,
            own,
            before,
            state,
        };
        node.record.note(told, &moment);
        for effect in effects.drain() {
            self.perform(index, effect, told, &moment);
        }
        self.effects = effects;
        self.after(index);
    }

    fn after(&mut self, index: usize) {
        let late = self.dice.duration(self.latency.timer);
        let now = self.now;
        let node = &mut self.nodes[index];
        let Some(router) = &node.router else { return };
        if router.is_finished() {
            node.process = Process::Stopped;
            node.router = None;
            node.wake = None;
            return;
        }
        let wanted = router.poll_timeout();
        if wanted != node.wake.map(|(wanted, _)| wanted) {
            let lag = node.lag;
            node.wake = wanted.map(|wanted| (wanted, (wanted + lag).max(now) + late));
        } else if let Some((_, at)) = &mut node.wake
            && *at <= now
        {
            *at = now + late + Duration::from_micros(1);
        }
        self.check_hold(index);
    }

    /// Who is Master has the address, unless the kernel took it away; nobody else has it.
    fn check_hold(&self, index: usize) {
        let node = &self.nodes[index];
        let Some(router) = &node.router else { return };
        let is_wrong = match router.state() {
            State::Initialize => false, // what a predecessor left stays until the start
            State::Backup | State::Fault => node.holds(self.now),
            State::Master => node.hold == Hold::No,
        };
        if is_wrong {
            self.fail(&format!(
                "node {index} is {:?} and holds {:?}",
                router.state(),
                node.hold
            ));
        }
    }

    /// Nobody renews the lease of a node that does not run: its end changes who has the address.
    pub(crate) fn expect_end_of_lease(&mut self, index: usize) {
        if let Hold::Until(end) = self.nodes[index].hold {
            self.schedule(end, Happening::Look);
        }
    }

    /// The machine is asleep no more.
    pub(crate) fn wake_machine(&mut self, index: usize) {
        let now = self.now;
        let node = &mut self.nodes[index];
        let Machine::Asleep {
            since,
            clock_stands,
        } = node.machine
        else {
            return;
        };
        let slept = now.since(since);
        node.machine = Machine::Runs;
        // The kernel's timers stood still.
        if let Hold::Until(end) = &mut node.hold {
            *end = *end + slept;
        }
        if clock_stands {
            node.lag += slept;
            node.said_at = node.said_at + slept;
            node.announced_at = node.announced_at + slept;
            node.gave_up_at = node.gave_up_at.map(|at| at + slept);
            node.quiet_until = node.quiet_until + slept;
            node.wake = node.wake.map(|(wanted, at)| (wanted, at + slept));
        }
    }
}

pub(crate) fn verdict_event(up: bool) -> Event<'static> {
    let verdict = if up { Verdict::Up } else { Verdict::Down };
    Event::Track {
        name: "script",
        verdict,
    }
}
