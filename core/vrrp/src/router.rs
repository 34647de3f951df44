//! The state machine of one virtual router (RFC 9568 §6.4, RFC 3768 §6.4).
//!
//! [`Router::step`] is the whole machine: one match over state and input. Beyond the RFCs it
//! hands over before it lets go, gives up when it finds that it has slept, and lets nobody lead
//! whose node does not serve while somebody else can.

mod backup;
mod condition;
mod handover;
mod lease;
mod master;

use std::net::IpAddr;
use std::time::Duration;

use crate::announce::Announcer;
use crate::checks::{Counters, check};
use crate::event::{Cause, Effect, Effects, Event, FaultCause, Found, Peer, State, Transition};
use crate::group::{Accord, Course};
use crate::hmac::{Authenticator, Signature};
use crate::packet::{Advert, ChecksumForm, Protocol, Received};
use crate::priority::Tracks;
use crate::spec::Spec;
use crate::timer::master_down;
use crate::units::{Priority, Time};

/// A virtual router on this node.
#[derive(Debug)]
pub struct Router {
    spec: Spec,
    tracks: Tracks,
    proxy_well: bool,
    link_up: bool,
    may_lead: bool,
    /// Of the sync group, if it is in one.
    accord: Accord,
    /// Startup delay: no election before.
    not_before: Time,
    machine: Machine,
    counters: Counters,
    authenticator: Authenticator,
    /// When an address of ours was claimed last.
    claimed_at: Option<Time>,
    /// What the checksum of the last advert that was listened to is over, in version 3 over IPv4.
    checksum_heard: Option<ChecksumForm>,
}

#[derive(Debug, Clone, Copy)]
enum Machine {
    Initialize,
    Backup(Listening),
    Master(Owning),
    /// Master still, for whoever looks; its peers know better.
    HandingOver(HandingOver),
    Fault,
    Finished,
}

#[derive(Debug, Clone, Copy)]
struct Listening {
    /// Master_Down_Timer; `None` when it has run out and the sync group is waited for.
    down_at: Option<Time>,
    /// That of the Master that was listened to last, if one was: its interval is learned.
    heard: Option<Protocol>,
    /// The Master heard last.
    master: Option<Peer>,
    /// Why we become Master if the timer runs out now.
    cause: Cause,
    /// Since when all Masters heard were worse than we are, and we were well enough to take over.
    worse_since: Option<Time>,
}

#[derive(Debug, Clone, Copy)]
struct Owning {
    /// Adver_Timer.
    advert_at: Time,
    renew_at: Option<Time>,
    announcer: Announcer,
    claim: Option<Claim>,
}

/// Somebody else said that an address is theirs. A new Master does so a moment before its advert
/// comes in: whoever is Master still when the answer is due was not succeeded.
#[derive(Debug, Clone, Copy)]
struct Claim {
    address: IpAddr,
    mac: [u8; 6],
    answer_at: Time,
    /// How often it was said.
    times: u64,
    /// Whether it had been quiet before.
    is_news: bool,
}

#[derive(Debug, Clone, Copy)]
struct HandingOver {
    until: Time,
    renew_at: Option<Time>,
    then: Then,
}

/// What comes after a hand-over.
#[derive(Debug, Clone, Copy)]
enum Then {
    Finish,
    Fault(FaultCause),
    /// Backup if somebody took over, else Master again: best stays.
    Stay,
    /// Backup: the sync group gave up.
    Follow,
}

/// An event as far as the state machine is concerned.
#[derive(Debug, Clone, Copy)]
enum Input {
    Start(Found),
    MayLead,
    Advert(Heard),
    Timeout,
    /// The band got worse.
    Worse,
    /// The effective priority was this.
    Reprioritised {
        from: Priority,
    },
    Fault(FaultCause),
    Recovered,
    Contested {
        address: IpAddr,
        mac: [u8; 6],
    },
    Group(Course),
    Reload {
        readdressed: bool,
    },
    Shutdown,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    peer: Peer,
    protocol: Protocol,
}

impl Router {
    /// A router that waits for [`Event::Start`].
    pub fn new(spec: Spec) -> Self {
        Self {
            tracks: Tracks::new(&spec.tracks),
            authenticator: Authenticator::new(&spec),
            spec,
            proxy_well: true,
            link_up: true,
            may_lead: false,
            accord: Accord::NONE,
            not_before: Time(Duration::ZERO),
            machine: Machine::Initialize,
            counters: Counters::default(),
            claimed_at: None,
            checksum_heard: None,
        }
    }

    /// Takes an event at the time `now`, which never goes back, and appends what is to be done.
    pub fn handle(&mut self, now: Time, event: Event<'_>, effects: &mut Effects) {
        let mut turn = Turn { now, effects };
        if self.has_overslept(now) {
            self.fence(&mut turn);
        }
        self.authenticator.advance(now);
        let before = self.condition();
        if let Some(input) = self.take_note(event, &mut turn) {
            self.step(input, &mut turn);
        }
        self.follow_up(before, &mut turn);
    }

    /// When [`Event::Timeout`] is wanted; `None`: not before another event.
    pub fn poll_timeout(&self) -> Option<Time> {
        match &self.machine {
            Machine::Backup(backup) if self.may_lead => self.election_at(backup),
            Machine::Backup(_) => None,
            Machine::Master(master) => [master.renew_at, master.announcer.due_at()]
                .into_iter()
                .chain([master.claim.map(|claim| claim.answer_at)])
                .flatten()
                .chain([master.advert_at])
                .min(),
            Machine::HandingOver(over) => over.renew_at.into_iter().chain([over.until]).min(),
            Machine::Initialize | Machine::Fault | Machine::Finished => None,
        }
    }

    /// The configuration.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The state.
    pub fn state(&self) -> State {
        match self.machine {
            Machine::Initialize | Machine::Finished => State::Initialize,
            Machine::Backup(_) => State::Backup,
            Machine::Master(_) | Machine::HandingOver(_) => State::Master,
            Machine::Fault => State::Fault,
        }
    }

    /// Whether a shutdown is done and nothing will come any more.
    pub fn is_finished(&self) -> bool {
        matches!(self.machine, Machine::Finished)
    }

    /// The Master that a Backup hears.
    pub fn master(&self) -> Option<Peer> {
        match &self.machine {
            Machine::Backup(backup) => backup.master,
            _ => None,
        }
    }

    /// What was sent and heard.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The advert for [`Effect::SendAdvert`] with its priority.
    pub fn advert(&self, priority: Priority) -> Advert<'_> {
        Advert {
            protocol: self.spec.protocol,
            vrid: self.spec.vrid,
            priority,
            addresses: self.spec.addresses.as_slice().into(),
        }
    }

    /// What the checksum of an advert is to be over, if it is of version 3 and goes over IPv4: what
    /// the spec says, else what that of the last advert that was listened to is over, else a
    /// pseudo-header too, as most peers on Linux have it.
    pub fn checksum(&self) -> ChecksumForm {
        let form = self.spec.checksum.or(self.checksum_heard);
        form.unwrap_or(ChecksumForm::PseudoHeader)
    }

    /// What the trailer of an advert is signed with: asked for once for each
    /// [`Effect::SendAdvert`], since no two may have the same. `None`: the advert has no trailer.
    pub fn sign(&mut self) -> Option<Signature> {
        self.authenticator.sign(self.spec.hmac.as_ref()?)
    }

    /// Notes what an event says about the world; returns what the state machine has to know.
    fn take_note(&mut self, event: Event<'_>, turn: &mut Turn<'_>) -> Option<Input> {
        match event {
            Event::WallClock(wall) => {
                self.authenticator.set_clock(wall);
                None
            }
            Event::Start(found) => {
                self.not_before = turn.now + self.spec.startup_delay;
                Some(Input::Start(found))
            }
            Event::MayLead => {
                self.may_lead = true;
                Some(Input::MayLead)
            }
            Event::Advert(received) => self.listen(&received, turn),
            Event::Malformed(reason, source) => {
                self.counters.count_discarded(reason);
                turn.push(Effect::Discarded { reason, source });
                None
            }
            Event::Timeout => Some(Input::Timeout),
            Event::Track { name, verdict } => {
                self.tracks.note(name, verdict);
                None
            }
            Event::Proxy { well } => {
                self.proxy_well = well;
                None
            }
            Event::Link { up } => {
                self.link_up = up;
                None
            }
            Event::Contested { address, mac } => Some(Input::Contested { address, mac }),
            Event::Group(accord) => {
                self.accord = accord;
                Some(Input::Group(accord.course))
            }
            Event::Reload(spec) => {
                let readdressed = spec.addresses != self.spec.addresses;
                self.tracks.replace(&spec.tracks);
                self.authenticator.reload(&spec);
                self.spec = *spec;
                Some(Input::Reload { readdressed })
            }
            Event::Shutdown => Some(Input::Shutdown),
        }
    }

    fn listen(&mut self, received: &Received<'_>, turn: &mut Turn<'_>) -> Option<Input> {
        let verified = check(&self.spec, received)
            .and_then(|()| self.authenticator.admit(&self.spec, received));
        if let Err(reason) = verified {
            self.counters.count_discarded(reason);
            let source = Some(received.route.source);
            turn.push(Effect::Discarded { reason, source });
            return None;
        }
        self.counters.count_received(&self.spec, received);
        self.note_checksum(received, turn);
        let Advert {
            priority, protocol, ..
        } = received.advert;
        let peer = Peer {
            address: received.route.source,
            priority,
        };
        Some(Input::Advert(Heard { peer, protocol }))
    }

    /// Both forms are in the field only in version 3 over IPv4.
    fn note_checksum(&mut self, received: &Received<'_>, turn: &mut Turn<'_>) {
        let is_v3 = matches!(received.advert.protocol, Protocol::V3 { .. });
        let source = received.route.source;
        let heard = received.checksum;
        if !is_v3 || source.is_ipv6() || self.checksum_heard == Some(heard) {
            return;
        }
        self.checksum_heard = Some(heard);
        if self.spec.checksum.is_some_and(|own| own != heard) {
            turn.push(Effect::ChecksumDiffers { source, heard });
        }
    }

    fn step(&mut self, input: Input, turn: &mut Turn<'_>) {
        use Input as I;
        use Machine as M;
        match (self.machine, input) {
            // RFC 9568 §6.4.1, Initialize.
            (M::Initialize, I::Start(found)) => self.start(found, turn),
            (M::Initialize, I::Shutdown) => self.enter(M::Finished, Cause::Shutdown, turn),

            // RFC 9568 §6.4.2, Backup.
            (M::Backup(backup), I::Advert(heard)) => self.backup_hears(backup, heard, turn),
            (M::Backup(backup), I::Timeout) => self.backup_wakes(backup, turn),
            (M::Backup(backup), I::MayLead) => self.backup_may_lead(backup, turn),
            (M::Backup(_), I::Shutdown) => self.enter(M::Finished, Cause::Shutdown, turn),

            // RFC 9568 §6.4.3, Active.
            (M::Master(master), I::Advert(heard)) => self.master_hears(master, heard, turn),
            (M::Master(master), I::Timeout) => self.master_wakes(master, turn),
            (M::Master(_), I::Shutdown) => self.hand_over(Then::Finish, turn),

            // Shutdown of RFC 9568 §6.4.3 under way: the addresses stay a little longer.
            (M::HandingOver(over), I::Advert(heard)) => self.handed_over(over, heard, turn),
            (M::HandingOver(over), I::Timeout) => self.handing_over_wakes(over, turn),
            (M::HandingOver(over), I::Shutdown) => self.change_plan(over, Then::Finish),

            // Beyond the RFCs: who gets worse gives up while somebody else may be better.
            (M::Master(_), I::Worse) => self.master_worsens(turn),
            (M::Backup(backup), I::Reprioritised { from }) => {
                self.backup_reprioritised(backup, from, turn);
            }

            // Beyond the RFCs: neighbours are told again when somebody else claims an address.
            (M::Master(master), I::Contested { address, mac }) => {
                self.master_contested(master, address, mac, turn);
            }

            // Beyond the RFCs: sync groups.
            (M::Backup(backup), I::Group(Course::Lead)) => self.backup_elected(backup, turn),
            (M::Master(_), I::Group(Course::Follow)) => self.hand_over(Then::Follow, turn),
            (M::HandingOver(over), I::Group(Course::Follow)) => self.handing_over_follows(over),

            // Beyond the RFCs: what cannot take part says nothing and holds nothing.
            (M::Backup(_), I::Fault(cause)) => self.enter(M::Fault, Cause::Fault(cause), turn),
            (M::Master(_), I::Fault(cause)) => self.master_fails(cause, turn),
            (M::HandingOver(over), I::Fault(cause)) => self.handing_over_fails(over, cause, turn),
            (M::HandingOver(over), I::Recovered) => self.handing_over_recovers(over),
            (M::Fault, I::Recovered) => self.follow(None, Cause::Recovered, turn),
            (M::Fault, I::Shutdown) => self.enter(M::Finished, Cause::Shutdown, turn),

            // Beyond the RFCs: a reload keeps the state.
            (M::Backup(backup), I::Reload { .. }) => self.backup_reloads(backup, turn),
            (M::Master(master), I::Reload { readdressed }) => {
                self.master_reloads(master, readdressed, turn);
            }
            (M::HandingOver(_), I::Reload { .. }) => turn.push(Effect::AddAddresses),

            // What changes nothing.
            (M::Initialize | M::Finished, _)
            | (M::Backup(_), I::Worse | I::Recovered | I::Contested { .. })
            | (M::Master(_), I::MayLead | I::Recovered | I::Reprioritised { .. })
            | (M::HandingOver(_), I::MayLead | I::Worse | I::Reprioritised { .. })
            | (M::HandingOver(_), I::Contested { .. })
            | (M::Fault, I::Advert(_) | I::Timeout | I::MayLead | I::Worse)
            | (M::Fault, I::Reprioritised { .. } | I::Contested { .. } | I::Group(_))
            | (M::Fault, I::Fault(_) | I::Reload { .. })
            | (_, I::Group(_) | I::Start(_)) => {}
        }
    }

    fn start(&mut self, found: Found, turn: &mut Turn<'_>) {
        match (self.fault(), found) {
            (Some(cause), Found::Nothing) => self.enter(Machine::Fault, Cause::Fault(cause), turn),
            (Some(cause), _) => self.let_go(Machine::Fault, Cause::Fault(cause), turn),
            (None, Found::Succession) if self.may_lead => self.lead(Cause::Succeeded, turn),
            (None, Found::Leftovers | Found::Succession) => self.resume(turn),
            (None, Found::Nothing) => self.begin(turn),
        }
    }

    fn let_go(&mut self, to: Machine, cause: Cause, turn: &mut Turn<'_>) {
        turn.push(Effect::RemoveAddresses);
        self.enter(to, cause, turn);
    }

    fn enter(&mut self, to: Machine, cause: Cause, turn: &mut Turn<'_>) {
        let from = self.state();
        self.machine = to;
        self.tell(from, cause, turn);
    }

    fn tell(&mut self, from: State, cause: Cause, turn: &mut Turn<'_>) {
        let (to, priority) = (self.state(), self.effective_priority());
        if from != to {
            self.counters.became_master += u64::from(to == State::Master);
            self.counters.ceased_master += u64::from(from == State::Master);
            turn.push(Effect::Transition(Transition {
                from,
                to,
                priority,
                cause,
            }));
        }
    }

    fn send(&mut self, priority: Priority, turn: &mut Turn<'_>) {
        self.counters.sent += 1;
        self.counters.releases_sent += u64::from(priority == Priority::RELEASE);
        turn.push(Effect::SendAdvert(priority));
    }

    fn master_down(&self, protocol: &Protocol) -> Duration {
        master_down(
            protocol,
            self.spec.down_timer_adverts,
            self.effective_priority(),
        )
    }
}

/// The moment of an event, and where its effects go.
struct Turn<'a> {
    now: Time,
    effects: &'a mut Effects,
}

impl Turn<'_> {
    fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    fn announce(&mut self, times: u8) {
        if times > 0 {
            self.push(Effect::Announce { times });
        }
    }
}
