//! How a Master stops being one: in good order, or because it finds that it has slept.
//!
//! In good order, peers are told first, and the addresses stay and are served until one of them
//! says that it is Master, so that there is an owner at every moment.

use super::{HandingOver, Heard, Machine, Router, Then, Turn};
use crate::event::{Cause, Effect, FaultCause};
use crate::spec::{OnUnhealthy, Transport};
use crate::timer::handover;
use crate::units::{Priority, Time};

impl Router {
    /// Says that we give up, and goes on serving until somebody else does.
    pub(super) fn hand_over(&mut self, then: Then, turn: &mut Turn<'_>) {
        self.release(turn);
        let until = turn.now + handover(&self.spec.protocol);
        let renew_at = self.next_renewal(turn.now, turn);
        self.machine = Machine::HandingOver(HandingOver {
            until,
            renew_at,
            then,
        });
    }

    fn release(&mut self, turn: &mut Turn<'_>) {
        self.send(Priority::RELEASE, turn);
        if matches!(self.spec.transport, Transport::Unicast { .. }) {
            // A lost one would cost the peer its whole timer.
            self.send(Priority::RELEASE, turn);
        }
    }

    /// On the transition only, so that two that are ill do not pass the addresses to and fro.
    /// keepalived does not: its peers take over when they have heard the worse priority for long
    /// enough.
    pub(super) fn master_worsens(&mut self, turn: &mut Turn<'_>) {
        match self.spec.on_unhealthy {
            OnUnhealthy::Abdicate => self.hand_over(Then::Stay, turn),
            OnUnhealthy::Deprioritise => {}
        }
    }

    /// A predecessor died as Master and its addresses are still here: its peers are counting.
    pub(super) fn resume(&mut self, turn: &mut Turn<'_>) {
        let from = self.state();
        turn.push(Effect::AddAddresses);
        self.hand_over(Then::Stay, turn);
        self.tell(from, Cause::Resumed, turn);
    }

    /// Without its interface there is nothing to hand over with; else peers are told first, or, as
    /// in keepalived, when the addresses are gone.
    pub(super) fn master_fails(&mut self, cause: FaultCause, turn: &mut Turn<'_>) {
        match (cause, self.spec.on_unhealthy) {
            (FaultCause::Link, _) => self.let_go(Machine::Fault, Cause::Fault(cause), turn),
            (FaultCause::Track | FaultCause::Group, OnUnhealthy::Abdicate) => {
                self.hand_over(Then::Fault(cause), turn);
            }
            (FaultCause::Track | FaultCause::Group, OnUnhealthy::Deprioritise) => {
                turn.push(Effect::RemoveAddresses);
                self.release(turn);
                self.enter(Machine::Fault, Cause::Fault(cause), turn);
            }
        }
    }

    pub(super) fn handing_over_fails(
        &mut self,
        over: HandingOver,
        cause: FaultCause,
        turn: &mut Turn<'_>,
    ) {
        match (cause, over.then) {
            (FaultCause::Link, Then::Finish) => {
                self.let_go(Machine::Finished, Cause::Shutdown, turn);
            }
            (FaultCause::Link, Then::Stay | Then::Follow | Then::Fault(_)) => {
                self.let_go(Machine::Fault, Cause::Fault(cause), turn);
            }
            (FaultCause::Track | FaultCause::Group, Then::Stay | Then::Follow) => {
                self.change_plan(over, Then::Fault(cause));
            }
            (FaultCause::Track | FaultCause::Group, Then::Finish | Then::Fault(_)) => {}
        }
    }

    pub(super) fn handing_over_recovers(&mut self, over: HandingOver) {
        if let Then::Fault(_) = over.then {
            self.change_plan(over, Then::Stay);
        }
    }

    pub(super) fn handing_over_follows(&mut self, over: HandingOver) {
        if let Then::Stay = over.then {
            self.change_plan(over, Then::Follow);
        }
    }

    pub(super) fn change_plan(&mut self, over: HandingOver, then: Then) {
        self.machine = Machine::HandingOver(HandingOver { then, ..over });
    }

    /// Somebody else is Master: now nobody is left without an owner by our letting go.
    pub(super) fn handed_over(&mut self, over: HandingOver, heard: Heard, turn: &mut Turn<'_>) {
        if heard.peer.priority == Priority::RELEASE {
            return;
        }
        match over.then {
            Then::Finish => self.let_go(Machine::Finished, Cause::Shutdown, turn),
            Then::Fault(cause) => self.let_go(Machine::Fault, Cause::Fault(cause), turn),
            Then::Stay | Then::Follow => {
                turn.push(Effect::RemoveAddresses);
                self.follow(Some(heard), Cause::HandedOver(heard.peer), turn);
            }
        }
    }

    pub(super) fn handing_over_wakes(&mut self, mut over: HandingOver, turn: &mut Turn<'_>) {
        if turn.now < over.until {
            // No peer counts from an advert any more.
            self.renew_if_due(&mut over.renew_at, turn.now, turn);
            self.machine = Machine::HandingOver(over);
            return;
        }
        match over.then {
            Then::Finish => self.let_go(Machine::Finished, Cause::Shutdown, turn),
            Then::Fault(cause) => self.let_go(Machine::Fault, Cause::Fault(cause), turn),
            Then::Stay if self.may_lead => self.own(turn),
            Then::Stay => {
                turn.push(Effect::RemoveAddresses);
                self.follow(None, Cause::NobodyTookOver, turn);
            }
            Then::Follow => {
                turn.push(Effect::RemoveAddresses);
                self.follow(None, Cause::GroupGaveUp, turn);
            }
        }
    }

    /// Whether a Master slept until others must have taken over.
    pub(super) fn has_overslept(&self, now: Time) -> bool {
        let due = match &self.machine {
            Machine::Master(master) => master.advert_at,
            Machine::HandingOver(over) => over.until,
            _ => return false,
        };
        // The advert before the one that is due was an interval earlier.
        let adverts = u32::from(self.spec.down_timer_adverts)
            .saturating_sub(1)
            .max(1);
        now.since(due) >= self.spec.protocol.interval() * adverts
    }

    /// Lets go first; listens before it speaks.
    pub(super) fn fence(&mut self, turn: &mut Turn<'_>) {
        match self.machine {
            Machine::HandingOver(HandingOver {
                then: Then::Finish, ..
            }) => {
                self.let_go(Machine::Finished, Cause::Shutdown, turn);
            }
            Machine::HandingOver(HandingOver {
                then: Then::Fault(cause),
                ..
            }) => {
                self.let_go(Machine::Fault, Cause::Fault(cause), turn);
            }
            _ => {
                turn.push(Effect::RemoveAddresses);
                self.follow(None, Cause::Overslept, turn);
            }
        }
    }
}
