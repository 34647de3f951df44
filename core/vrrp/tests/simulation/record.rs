//! What a node has been told and has seen, kept beside the core: from this every change of state has
//! to follow.

use std::time::Duration;

use core_vrrp::{
    Advert, Cause, Event, Failback, FaultCause, Found, Peer, Priority, Protocol, Received, Spec,
    State, Time, TrackEffect, Transition, Verdict,
};

use crate::rules;

/// An event, as far as it can be the reason of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Start(Found),
    MayLead,
    Heard(Peer, Protocol),
    Timeout,
    Track {
        up: bool,
    },
    Proxy,
    Link {
        up: bool,
    },
    Reload,
    Shutdown,
    /// Something that is not listened to.
    Noise,
}

impl Told {
    pub(crate) fn of(event: &Event<'_>) -> Self {
        match event {
            Event::Start(found) => Self::Start(*found),
            Event::MayLead => Self::MayLead,
            Event::Advert(Received { route, advert, .. }) => {
                let Advert {
                    priority, protocol, ..
                } = *advert;
                let address = route.source;
                Self::Heard(Peer { address, priority }, protocol)
            }
            Event::Timeout => Self::Timeout,
            Event::Track { verdict, .. } => Self::Track {
                up: *verdict != Verdict::Down,
            },
            Event::Proxy { .. } => Self::Proxy,
            Event::Link { up } => Self::Link { up: *up },
            Event::Reload(_) => Self::Reload,
            Event::Shutdown => Self::Shutdown,
            Event::Malformed(..)
            | Event::WallClock(_)
            | Event::Contested { .. }
            | Event::Group(_) => Self::Noise,
        }
    }
}

/// All times are by the node's clock.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) may_lead: bool,
    pub(crate) is_stopping: bool,
    pub(crate) not_before: Time,
    link_up: bool,
    script_up: bool,
    /// Master_Down_Timer: not before this it may take over,
    down_at: Time,
    /// and this would be why.
    reason: Reason,
    /// That of the Master that it listened to last.
    heard: Option<Protocol>,
    worse_since: Option<Time>,
    /// When it last said that it is Master.
    said_at: Time,
    /// What it was to be silent after that at most: its peers go by the interval that it said.
    patience: Duration,
    /// When it said that it gives up, if that was its last word.
    gave_up_at: Option<Time>,
    /// How long it is quiet then.
    quiet: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Silence,
    Release,
    Better(Peer),
}

/// A node at the time of an event.
pub(crate) struct Moment<'a> {
    pub(crate) now: Time,
    pub(crate) spec: &'a Spec,
    /// Its effective priority.
    pub(crate) own: Priority,
    /// What that was before the event.
    pub(crate) before: Priority,
    /// The state before the event.
    pub(crate) state: State,
}

impl Record {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            may_lead: false,
            is_stopping: false,
            not_before: now,
            link_up: true,
            script_up: true,
            down_at: now,
            reason: Reason::Silence,
            heard: None,
            worse_since: None,
            said_at: Time(Duration::ZERO),
            patience: Duration::ZERO,
            gave_up_at: None,
            quiet: Duration::ZERO,
        }
    }

    /// Its own interval, or that of the Master that it listened to.
    pub(crate) fn goes_by(&self, spec: &Spec) -> Protocol {
        let own = &spec.protocol;
        self.heard.map_or(*own, |heard| rules::learned(own, &heard))
    }

    /// Notes an event, after the core has had it.
    pub(crate) fn note(&mut self, told: Told, at: &Moment<'_>) {
        let is_backup = at.state == State::Backup;
        match told {
            Told::Start(_) => self.not_before = at.now + at.spec.startup_delay,
            Told::MayLead => self.may_lead = true,
            Told::Shutdown => self.is_stopping = true,
            Told::Link { up } => self.link_up = up,
            Told::Track { up } => self.script_up = up,
            Told::Reload if is_backup => {
                self.down_at = self.down_at.max(at.now + self.down(at));
            }
            Told::Timeout if is_backup => self.wakes(at),
            Told::Heard(peer, protocol) if is_backup => self.hears(peer, protocol, at),
            Told::Reload | Told::Timeout | Told::Heard(..) | Told::Proxy | Told::Noise => {}
        }
        if is_backup && at.before != at.own {
            self.is_reprioritised(at);
        }
    }

    /// As in keepalived, the timer moves with the priority, so that the best is the first.
    fn is_reprioritised(&mut self, at: &Moment<'_>) {
        if at.own.get() <= 2 && rules::has_bands(at.spec) {
            self.worse_since = None;
        }
        self.down_at = match self.reason {
            Reason::Release => {
                at.now + rules::release_wait(&self.goes_by(at.spec), at.spec, at.own)
            }
            Reason::Better(peer) if peer.priority >= at.own => {
                self.reason = Reason::Silence;
                at.now + self.down(at)
            }
            Reason::Silence | Reason::Better(_) => {
                let [before, own] = [at.before, at.own]
                    .map(|priority| rules::skew(&self.goes_by(at.spec), priority));
                let moved = Time(self.down_at.0.saturating_sub(before) + own);
                moved.min(at.now + self.down(at))
            }
        };
    }

    /// RFC 9568 §6.4.2, RFC 3768 §6.4.2.
    fn hears(&mut self, peer: Peer, protocol: Protocol, at: &Moment<'_>) {
        if rules::learned(&at.spec.protocol, &protocol) != protocol
            && at.spec.protocol.interval() != protocol.interval()
        {
            return; // RFC 3768 §7.1: another interval, not listened to
        }
        if peer.priority == Priority::RELEASE {
            self.down_at = at.now + rules::release_wait(&self.goes_by(at.spec), at.spec, at.own);
            self.reason = Reason::Release;
            return;
        }
        if self.takes_over_from(peer.priority, at) {
            self.reason = Reason::Better(peer);
            return;
        }
        self.heard = Some(protocol);
        self.down_at = at.now + self.down(at);
        self.reason = Reason::Silence;
    }

    /// Whether a worse Master is not listened to any more.
    fn takes_over_from(&mut self, master: Priority, at: &Moment<'_>) -> bool {
        let needs_start = matches!(at.spec.failback, Failback::After(_)) && !self.may_lead;
        let patience = rules::patience(at.spec, at.own, master)
            .filter(|patience| patience.is_zero() || !needs_start);
        match patience {
            Some(patience) if patience.is_zero() => true,
            Some(patience) => {
                let since = *self.worse_since.get_or_insert(at.now);
                at.now.since(since) >= patience
            }
            None => {
                self.worse_since = None;
                false
            }
        }
    }

    /// Whoever wakes an interval too late may have missed something, and listens once more.
    fn wakes(&mut self, at: &Moment<'_>) {
        let due = self.down_at.max(self.not_before);
        if self.may_lead && at.now.since(due) >= self.goes_by(at.spec).interval() {
            self.down_at = at.now + self.down(at);
            self.reason = Reason::Silence;
        }
    }

    fn down(&self, at: &Moment<'_>) -> Duration {
        rules::down(&self.goes_by(at.spec), at.spec, at.own)
    }

    pub(crate) fn said(&mut self, priority: Priority, at: &Moment<'_>) {
        if priority == Priority::RELEASE {
            self.gave_up_at = Some(at.now);
            self.quiet = rules::handover(&at.spec.protocol);
        } else {
            self.said_at = at.now;
            self.patience = at.spec.protocol.interval() * u32::from(at.spec.down_timer_adverts);
            self.gave_up_at = None;
        }
    }

    /// Whether the node was silent for so long that nobody takes it for Master any more.
    pub(crate) fn is_forgotten(&self, at: &Moment<'_>) -> bool {
        self.gave_up_at.is_none() && at.now.since(self.said_at) >= self.patience
    }

    /// Whether a change of state follows from what the node has been told and has seen. Notes it.
    pub(crate) fn explains(&mut self, change: &Transition, told: Told, at: &Moment<'_>) -> bool {
        let is_explained = match (change.from, change.to) {
            (State::Initialize, State::Backup) => {
                change.cause == Cause::Started && told == Told::Start(Found::Nothing)
            }
            (State::Initialize | State::Backup, State::Master) => self.may_take(change, told, at),
            (State::Master, State::Backup) => self.may_lose(change, told, at),
            (_, State::Fault) => match change.cause {
                Cause::Fault(FaultCause::Link) => !self.link_up,
                Cause::Fault(FaultCause::Track) => self.has_failed(at),
                _ => false,
            },
            (State::Fault, State::Backup) => {
                change.cause == Cause::Recovered && self.link_up && !self.has_failed(at)
            }
            (_, State::Initialize) => change.cause == Cause::Shutdown && self.is_stopping,
            _ => false,
        };
        if change.to == State::Backup {
            self.follows(told, change.cause, at);
            if let (Cause::Overslept, Told::Heard(peer, protocol)) = (change.cause, told) {
                self.hears(peer, protocol, at);
            }
        }
        if change.to != State::Master {
            self.gave_up_at = None;
        }
        is_explained
    }

    fn may_take(&self, change: &Transition, told: Told, at: &Moment<'_>) -> bool {
        let may_lead = self.may_lead && self.not_before <= at.now;
        let is_time = may_lead && self.down_at <= at.now;
        match change.cause {
            Cause::Resumed => {
                matches!(told, Told::Start(Found::Leftovers | Found::Succession))
            }
            Cause::Succeeded => self.may_lead && told == Told::Start(Found::Succession),
            Cause::Owner => may_lead && at.own == Priority::OWNER,
            Cause::MasterSilent => is_time && self.reason == Reason::Silence,
            Cause::MasterReleased => is_time && self.reason == Reason::Release,
            Cause::Outranks(peer) => {
                let is_better = at.own > peer.priority;
                is_time && is_better && self.reason == Reason::Better(peer)
            }
            _ => false,
        }
    }

    fn may_lose(&self, change: &Transition, told: Told, at: &Moment<'_>) -> bool {
        let is_over = |time: Time, wait: Duration| at.now.since(time) >= wait;
        let interval = at.spec.protocol.interval();
        match (change.cause, told) {
            // RFC 9568 §6.4.3: a higher priority, or the same and a higher address.
            (Cause::Outranked(by), Told::Heard(peer, _)) => {
                let outranks = peer.priority > at.own
                    || (peer.priority == at.own && peer.address > at.spec.source);
                by == peer && outranks && self.gave_up_at.is_none()
            }
            (Cause::HandedOver(to), Told::Heard(peer, _)) => {
                to == peer && peer.priority != Priority::RELEASE && self.gave_up_at.is_some()
            }
            (Cause::NobodyTookOver, _) => {
                !self.may_lead
                    && (self.gave_up_at).is_some_and(|gave_up| is_over(gave_up, self.quiet))
            }
            (Cause::Overslept, _) => match self.gave_up_at {
                Some(gave_up) => is_over(gave_up, interval),
                None => is_over(
                    self.said_at,
                    interval * u32::from(at.spec.down_timer_adverts - 1),
                ),
            },
            _ => false,
        }
    }

    /// To Backup: the timer starts, by the Master that was heard, if one was.
    fn follows(&mut self, told: Told, cause: Cause, at: &Moment<'_>) {
        self.heard = match (cause, told) {
            (Cause::Outranked(_) | Cause::HandedOver(_), Told::Heard(_, protocol)) => {
                Some(protocol)
            }
            _ => None,
        };
        self.down_at = at.now + self.down(at);
        self.reason = Reason::Silence;
        self.worse_since = None;
    }

    fn has_failed(&self, at: &Moment<'_>) -> bool {
        !self.script_up
            && (at.spec.tracks.iter()).any(|track| track.effect == TrackEffect::Weight(0))
    }
}
