//! What a router is worth now: its fault, its band, its priority, and what follows when they change.

use super::{Input, Machine, Router, Turn};
use crate::event::{Effect, FaultCause, State, Verdict};
use crate::group::{Member, Part};
use crate::priority::{Band, Share, effective};
use crate::spec::Track;
use crate::units::Priority;

/// What a router is worth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition {
    fault: Option<FaultCause>,
    band: Band,
    priority: Priority,
    state: State,
}

impl Router {
    pub(super) fn condition(&self) -> Condition {
        Condition {
            fault: self.fault(),
            band: self.band(),
            priority: self.effective_priority(),
            state: self.state(),
        }
    }

    /// Lets the state machine know what has changed with an event beside what that said itself.
    pub(super) fn follow_up(&mut self, before: Condition, turn: &mut Turn<'_>) {
        let now = self.condition();
        match (before.fault, now.fault) {
            (fault, Some(cause)) if fault != Some(cause) => self.step(Input::Fault(cause), turn),
            (Some(_), None) => self.step(Input::Recovered, turn),
            _ => {}
        }
        if now.priority != before.priority {
            let from = before.priority;
            self.step(Input::Reprioritised { from }, turn);
        }
        if now.band < before.band {
            self.step(Input::Worse, turn);
        }
        let state = self.state();
        if now.priority != before.priority
            && state == before.state
            && matches!(state, State::Backup | State::Master)
        {
            turn.push(Effect::PriorityChanged {
                state,
                from: before.priority,
                to: now.priority,
            });
        }
    }

    /// The priority with everything that moves it.
    pub fn effective_priority(&self) -> Priority {
        let spec = &self.spec;
        effective(spec.priority, &self.tracks, self.band(), spec.has_bands())
    }

    /// How well the node is, by all that is tracked here and by the sync group.
    pub fn band(&self) -> Band {
        let own = self.own_band();
        if self.spec.is_grouped {
            own.min(self.accord.band)
        } else {
            own
        }
    }

    /// What is tracked, in the order of the spec: what it is known to be, if anything, and what
    /// follows from that.
    pub fn tracks(&self) -> impl Iterator<Item = (&Track, Option<Verdict>, Share)> {
        self.tracks.each()
    }

    /// What the sync group has to know: to be asked for after every event.
    pub fn member(&self) -> Member {
        Member {
            part: match &self.machine {
                Machine::Initialize | Machine::Finished => Part::Out,
                Machine::Backup(backup) if backup.down_at.is_none() => Part::Ready,
                Machine::Backup(_) => Part::Follows,
                Machine::Master(_) => Part::Leads,
                Machine::HandingOver(_) => Part::HandsOver,
                Machine::Fault => Part::Fault,
            },
            has_fault: self.own_fault().is_some(),
            band: self.own_band(),
        }
    }

    fn own_band(&self) -> Band {
        let band = self.tracks.band();
        if self.spec.track_proxy && !self.proxy_well {
            band.min(Band::Unhealthy)
        } else {
            band
        }
    }

    pub(super) fn fault(&self) -> Option<FaultCause> {
        let of_group = self.spec.is_grouped && self.accord.has_fault;
        self.own_fault().or(of_group.then_some(FaultCause::Group))
    }

    fn own_fault(&self) -> Option<FaultCause> {
        if !self.link_up {
            Some(FaultCause::Link)
        } else {
            self.tracks.failed().then_some(FaultCause::Track)
        }
    }
}
