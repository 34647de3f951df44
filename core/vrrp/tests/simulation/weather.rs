//! What goes wrong, and when; and how it ends.

use std::rc::Rc;
use std::time::Duration;

use core_vrrp::{Event, Failback, OnUnhealthy, Priority, Protocol, Spec, State};

use crate::link::STATIONS_MAX;
use crate::node::{Hold, Machine, Process};
use crate::rules;
use crate::scenario::{Profile, any_v3, virtual_addresses};
use crate::world::{Turn, World, verdict_event};

/// Between the start of the kernel and that of the process, when a machine wakes.
const LATE_START: Duration = Duration::from_millis(5);

impl World {
    /// The whole life of a world.
    pub(crate) fn live(&mut self) {
        for node in 0..self.nodes.len() {
            let after = self.any_pause();
            self.schedule_turn(node, after, Turn::Recovers);
        }
        if self.profile == Profile::Calm {
            self.recover_all();
            self.settle();
            for _ in 0..4 {
                self.plan_something();
                self.settle();
            }
            return;
        }
        for _ in 0..2 {
            for _ in 0..6 + self.dice.below(10) {
                self.trouble();
                let pause = self.any_pause();
                self.run(pause);
            }
            self.recover_all();
            self.settle();
        }
    }

    /// Waits until everything must have settled; then nothing may move.
    fn settle(&mut self) {
        self.run(self.settling());
        self.check_best();
        self.watch.is_still = true;
        let interval = self.nodes[0].spec.protocol.interval();
        let calm = (8 * interval).max(self.announced());
        self.run(calm);
        self.watch.is_still = false;
    }

    /// Until the announcements that repair a table must have come; now and then, since it is long.
    fn announced(&mut self) -> Duration {
        let plans = self.nodes.iter().map(|node| node.spec.announce);
        let longest = plans.map(|plan| plan.refresh.max(plan.delay) + Duration::from_secs(1));
        match self.dice.percent(25) {
            true => longest.max().unwrap_or_default(),
            false => Duration::ZERO,
        }
    }

    /// From a part of an interval to longer than anybody waits.
    fn any_pause(&mut self) -> Duration {
        let spec = &self.nodes[0].spec;
        let interval = spec.protocol.interval();
        let down = rules::down(&spec.protocol, spec, Priority::LEAST);
        let longest = match spec.lease {
            Some(lease) if self.dice.percent(40) => lease + down,
            _ => 2 * down,
        };
        let bound = self.dice.one_of(&[interval, 2 * interval, down, longest]);
        self.dice.duration(bound)
    }

    fn trouble(&mut self) {
        let has_bad_network = matches!(self.profile, Profile::Network | Profile::Storm);
        let has_bad_nodes = matches!(self.profile, Profile::Nodes | Profile::Storm);
        if has_bad_network && (!has_bad_nodes || self.dice.percent(50)) {
            self.network_trouble();
        } else {
            self.node_trouble();
        }
    }

    fn network_trouble(&mut self) {
        let interval = self.nodes[0].spec.protocol.interval();
        match self.dice.below(6) {
            0 => {
                self.link.heal();
                self.say(|_| "the network is whole".into());
            }
            1 | 2 => {
                let mut side = [false; STATIONS_MAX];
                side.iter_mut()
                    .for_each(|side| *side = self.dice.percent(50));
                self.link.split(side);
                self.say(|_| format!("the network splits: {side:?}"));
            }
            3 => {
                let stations = self.nodes.len() + self.neighbours.len();
                let (from, to) = (self.dice.index(self.nodes.len()), self.dice.index(stations));
                self.link.deafen(from, to);
                self.say(|_| format!("{to} does not hear {from}"));
            }
            _ => {
                let (loss, double) = (self.dice.below(70), self.dice.below(30));
                let delays = [Duration::ZERO, interval / 2, 2 * interval, 5 * interval];
                let delay = self.dice.one_of(&delays);
                self.link.worsen(loss, double, delay);
                self.say(|_| format!("{loss} % lost, {double} % doubled, {delay:?} late"));
            }
        }
        self.observe();
    }

    fn node_trouble(&mut self) {
        let index = self.dice.index(self.nodes.len());
        if !self.nodes[index].acts() || !self.nodes[index].link_up {
            return;
        }
        self.watch.disturb(self.now);
        match self.dice.below(11) {
            0 | 1 => self.freeze(index),
            2 | 3 => self.kill(index),
            4 => self.power_off(index),
            5 => self.sleep(index),
            6 => self.unplug(index),
            7 => self.change_health(index),
            8 => self.upgrade(index),
            9 => self.stop(index),
            _ => self.reload(index),
        }
        self.observe();
    }

    /// One thing after the other, as an operator does it.
    fn plan_something(&mut self) {
        self.watch.disturb(self.now);
        let index = self.dice.index(self.nodes.len());
        if !self.nodes[index].acts() {
            self.recover_all();
            return;
        }
        let now = self.now;
        let others = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let has_successor = others
            .filter(|(_, other)| other.priority().get() > 2 && other.is_candidate(now))
            .count()
            > 0;
        let choice = self.dice.below(5);
        let before = self.nodes[index].priority();
        match choice {
            0 => self.stop(index),
            1 | 2 => self.change_health(index),
            3 => self.upgrade(index),
            _ => self.reload(index),
        }
        let node = &self.nodes[index];
        let abdicates = node.spec.on_unhealthy == OnUnhealthy::Abdicate;
        let takes_part = node.is_candidate(now) || choice == 0;
        // An upgrade is a moment without a process, and the address stays.
        let is_gradual = node.acts() && (abdicates || !matches!(choice, 1 | 2));
        let is_worse = rules::band(&node.spec, node.priority()) < rules::band(&node.spec, before);
        let by = now + rules::handover(&node.spec.protocol);
        if has_successor && node.acts() && abdicates && is_worse && matches!(choice, 1 | 2) {
            self.watch.leaves = Some((index, by));
        }
        self.watch.is_seamless = has_successor && takes_part && is_gradual;
        self.observe();
    }

    fn freeze(&mut self, index: usize) {
        self.say(|_| format!("node {index} freezes"));
        self.nodes[index].process = Process::Frozen;
        self.expect_end_of_lease(index);
        self.recover_later(index);
    }

    /// The process dies; the address stays for whoever comes next, or until the lease ends.
    fn kill(&mut self, index: usize) {
        self.say(|_| format!("node {index} dies"));
        let node = &mut self.nodes[index];
        node.process = Process::Dead;
        node.router = None;
        node.wake = None;
        self.expect_end_of_lease(index);
        self.recover_later(index);
    }

    fn power_off(&mut self, index: usize) {
        self.kill(index);
        self.nodes[index].hold = Hold::No;
    }

    fn sleep(&mut self, index: usize) {
        let clock_stands = self.dice.percent(30);
        self.say(|_| format!("node {index} sleeps, clock stands: {clock_stands}"));
        self.nodes[index].machine = Machine::Asleep {
            since: self.now,
            clock_stands,
        };
        self.watch.restart(self.now);
        self.recover_later(index);
    }

    fn unplug(&mut self, index: usize) {
        self.say(|_| format!("node {index} loses its link"));
        self.nodes[index].link_up = false;
        self.watch.restart(self.now);
        let told = self.dice.duration(LATE_START);
        self.schedule_turn(index, told, Turn::LinkTold(false));
        let pause = told + self.any_pause();
        self.schedule_turn(index, pause, Turn::LinkUp);
    }

    fn change_health(&mut self, index: usize) {
        if self.dice.percent(50) {
            let well = !self.nodes[index].is_well;
            self.say(|_| format!("node {index} is well: {well}"));
            self.nodes[index].is_well = well;
            self.tell(index, Event::Proxy { well });
        } else {
            let up = !self.nodes[index].script_up;
            self.say(|_| format!("the script of node {index} is up: {up}"));
            self.nodes[index].script_up = up;
            self.tell(index, verdict_event(up));
        }
    }

    /// The process leaves the address to its successor.
    fn upgrade(&mut self, index: usize) {
        self.say(|_| format!("node {index} is upgraded"));
        let node = &mut self.nodes[index];
        let is_master = node
            .router
            .as_ref()
            .is_some_and(|it| it.state() == State::Master);
        node.router = None;
        node.wake = None;
        node.process = Process::Dead;
        if is_master && let (Hold::Until(end), Some(lease)) = (node.hold, node.spec.lease) {
            node.hold = Hold::Until(end.max(self.now + lease));
        }
        let pause = self.dice.duration(self.shortest_interval() / 2);
        self.schedule_turn(index, pause, Turn::Succeeds);
    }

    fn stop(&mut self, index: usize) {
        self.say(|_| format!("node {index} stops"));
        self.tell(index, Event::Shutdown);
        if self.profile != Profile::Calm {
            self.recover_later(index);
        }
    }

    fn reload(&mut self, index: usize) {
        let mut spec = Spec::clone(&self.nodes[index].spec);
        match self.dice.below(4) {
            0 if spec.priority != Priority::OWNER => {
                let number = self.dice.number(1, 254);
                spec.priority = Priority::new(number).expect("above 0");
            }
            1 if matches!(spec.protocol, Protocol::V3 { .. }) => {
                spec.protocol = any_v3(&mut self.dice);
            }
            2 => {
                let manual = self.dice.percent(30);
                spec.failback = if manual {
                    Failback::Manual
                } else {
                    Failback::Auto(Duration::ZERO)
                };
            }
            _ => {
                let count = self.dice.number(1, 3);
                spec.addresses = virtual_addresses(spec.source.is_ipv6(), count);
            }
        }
        self.say(|_| format!("node {index} is given {spec:?}"));
        self.nodes[index].spec = Rc::new(spec.clone());
        self.tell(index, Event::Reload(Box::new(spec)));
    }

    fn recover_later(&mut self, index: usize) {
        let pause = self.any_pause();
        self.schedule_turn(index, pause, Turn::Recovers);
    }

    /// The network is whole, and all nodes run and are well.
    fn recover_all(&mut self) {
        self.link.heal();
        self.say(|_| "all recover".into());
        for index in 0..self.nodes.len() {
            self.watch.disturb(self.now);
            if !self.nodes[index].link_up {
                self.turn(index, Turn::LinkUp);
                self.nodes[index].life += 1;
                self.turn(index, Turn::LinkTold(true));
            }
            self.nodes[index].life += 1;
            if !self.nodes[index].acts() {
                self.turn(index, Turn::Recovers);
            }
            if !self.nodes[index].acts() {
                self.turn(index, Turn::Acts);
            }
            self.turn(index, Turn::MayLead);
            if !self.nodes[index].is_well {
                self.nodes[index].is_well = true;
                self.tell(index, Event::Proxy { well: true });
            }
            if !self.nodes[index].script_up {
                self.nodes[index].script_up = true;
                self.tell(index, verdict_event(true));
            }
            self.observe();
        }
    }

    /// What was scheduled for a node happens.
    pub(crate) fn turn(&mut self, index: usize, to: Turn) {
        match to {
            Turn::Recovers => self.recover(index),
            Turn::Acts => {
                self.say(|_| format!("the process of node {index} runs"));
                self.nodes[index].process = Process::Runs;
                self.nodes[index].acts_since = self.now;
                self.catch_up(index);
            }
            Turn::Succeeds => self.begin(index, true, true),
            Turn::MayLead => {
                if self.nodes[index].acts() && !self.nodes[index].record.may_lead {
                    self.tell(index, Event::MayLead);
                }
            }
            Turn::LinkTold(up) => {
                if self.nodes[index].acts() {
                    self.tell(index, Event::Link { up });
                }
            }
            Turn::LinkUp => {
                self.say(|_| format!("node {index} has its link again"));
                self.nodes[index].link_up = true;
                self.watch.restart(self.now);
                let told = self.dice.duration(LATE_START);
                self.schedule_turn(index, told, Turn::LinkTold(true));
            }
        }
    }

    fn recover(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        match (node.machine, node.process) {
            (Machine::Asleep { .. }, _) => {
                self.wake_machine(index);
                self.watch.restart(self.now);
                self.nodes[index].process = Process::Frozen;
                self.expect_end_of_lease(index);
                let late = self.dice.duration(LATE_START);
                self.schedule_turn(index, late, Turn::Acts);
                self.say(|_| format!("node {index} wakes"));
            }
            (_, Process::Frozen) => self.turn(index, Turn::Acts),
            (_, Process::Dead | Process::Stopped) => {
                self.say(|_| format!("node {index} begins"));
                let is_ready = self.dice.percent(50);
                self.begin(index, is_ready, false);
                if !is_ready {
                    let after = self.any_pause();
                    self.schedule_turn(index, after, Turn::MayLead);
                }
            }
            (_, Process::Runs) => {}
        }
    }

    fn shortest_interval(&self) -> Duration {
        let intervals = self.nodes.iter().map(|node| node.spec.protocol.interval());
        intervals.min().unwrap_or_default()
    }
}
