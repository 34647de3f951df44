//! One node: its machine with kernel and clock, and the process that the core lives in.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use core_vrrp::{Priority, Route, Router, Spec, State, Time};

use crate::record::Record;

/// What a socket keeps for a process that does not read; the rest is lost.
const INBOX_MAX: usize = 64;

/// An advert on the wire.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) route: Route,
    /// Over IPv4 the packet, over IPv6 what follows its header.
    pub(crate) octets: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    Runs,
    /// Suspended: nothing runs, nothing is answered. Its clock counts the time when it wakes, as
    /// the boot time of Linux does, or does not, as after the pause of a virtual machine.
    Asleep {
        since: Time,
        clock_stands: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    Runs,
    /// It does nothing; its kernel does all that it was told.
    Frozen,
    /// Gone, without having done anything about it.
    Dead,
    /// Ended in good order.
    Stopped,
}

/// How the kernel holds the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    No,
    Until(Time),
    ForEver,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) address: IpAddr,
    /// The configuration on its disk.
    pub(crate) spec: Rc<Spec>,
    pub(crate) machine: Machine,
    pub(crate) process: Process,
    /// `Some` while there is a process.
    pub(crate) router: Option<Router>,
    pub(crate) hold: Hold,
    pub(crate) link_up: bool,
    /// By how much its clock is behind.
    pub(crate) lag: Duration,
    pub(crate) inbox: Vec<Rc<Frame>>,
    /// When its timer was set to, by its clock, and when it will fire.
    pub(crate) wake: Option<(Time, Time)>,
    pub(crate) is_well: bool,
    pub(crate) script_up: bool,
    /// What is scheduled for an earlier life is void.
    pub(crate) life: u32,
    /// Since when it does what it is told and hears what is said.
    pub(crate) acts_since: Time,
    /// Since when it has held the address without a break.
    pub(crate) held_since: Time,
    /// When it last said that it is Master.
    pub(crate) said_at: Time,
    /// When it said that it gives up, if that was its last word.
    pub(crate) gave_up_at: Option<Time>,
    /// Until when it is quiet then.
    pub(crate) quiet_until: Time,
    /// When it last told its neighbours.
    pub(crate) announced_at: Time,
    /// When it last began to be Master, and announced it.
    pub(crate) led_at: Time,
    pub(crate) record: Record,
}

impl Node {
    pub(crate) fn new(spec: Spec, now: Time) -> Self {
        Self {
            address: spec.source,
            record: Record::new(now),
            spec: Rc::new(spec),
            machine: Machine::Runs,
            process: Process::Stopped,
            router: None,
            hold: Hold::No,
            link_up: true,
            lag: Duration::ZERO,
            inbox: Vec::new(),
            wake: None,
            is_well: true,
            script_up: true,
            life: 0,
            acts_since: now,
            held_since: now,
            said_at: Time(Duration::ZERO),
            gave_up_at: None,
            quiet_until: now,
            announced_at: Time(Duration::ZERO),
            led_at: Time(Duration::ZERO),
        }
    }

    /// What its own clock says.
    pub(crate) fn clock(&self, now: Time) -> Time {
        Time(now.0 - self.lag)
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.machine == Machine::Runs
    }

    /// Whether its process does what it should.
    pub(crate) fn acts(&self) -> bool {
        self.is_awake() && self.process == Process::Runs
    }

    /// Whether its kernel has the address.
    pub(crate) fn holds(&self, now: Time) -> bool {
        match self.hold {
            Hold::No => false,
            Hold::Until(end) => now < end,
            Hold::ForEver => true,
        }
    }

    /// Whether whoever asks for the address gets an answer from this node.
    pub(crate) fn answers(&self, now: Time) -> bool {
        self.is_awake() && self.link_up && self.holds(now)
    }

    /// Whether it could become Master, if nobody else were.
    pub(crate) fn is_candidate(&self, now: Time) -> bool {
        let takes_part = |router: &Router| matches!(router.state(), State::Backup | State::Master);
        self.acts()
            && self.link_up
            && self.router.as_ref().is_some_and(takes_part)
            && self.record.may_lead
            && !self.record.is_stopping
            && self.record.not_before <= self.clock(now)
    }

    /// What it says in its adverts, or would say.
    pub(crate) fn priority(&self) -> Priority {
        let router = self.router.as_ref();
        router.map_or(Priority::LEAST, Router::effective_priority)
    }

    /// What comes while the process does not read waits for it.
    pub(crate) fn keep(&mut self, frame: Rc<Frame>) {
        if self.inbox.len() < INBOX_MAX {
            self.inbox.push(frame);
        }
    }
}
