//! What a router does as Backup (RFC 9568 §6.4.2).

use std::time::Duration;

use super::{Heard, Listening, Machine, Router, Turn};
use crate::event::{Cause, Peer};
use crate::packet::Protocol;
use crate::priority::Band;
use crate::spec::{Failback, OnUnhealthy};
use crate::timer::{handover, skew};
use crate::units::{Priority, Time};

impl Router {
    pub(super) fn backup_hears(
        &mut self,
        mut backup: Listening,
        heard: Heard,
        turn: &mut Turn<'_>,
    ) {
        let Heard { peer, protocol } = heard;
        if peer.priority == Priority::RELEASE {
            // RFC 9568 §6.4.2: the timer becomes Skew_Time.
            backup.down_at = Some(turn.now + self.release_wait(&self.listens_by(&backup)));
            backup.master = None;
            backup.cause = Cause::MasterReleased;
        } else if self.preempts(&mut backup, peer, turn.now) {
            // RFC 9568 §6.4.2: discarded, and the timer runs on until we take over.
            backup.master = Some(peer);
            backup.cause = Cause::Outranks(peer);
        } else {
            // RFC 9568 §6.4.2: this is the Master.
            backup.heard = Some(protocol);
            backup.down_at = Some(turn.now + self.master_down(&self.listens_by(&backup)));
            backup.master = Some(peer);
            backup.cause = Cause::MasterSilent;
        }
        self.machine = Machine::Backup(backup);
    }

    /// How long a Backup waits for others when the Master gives up: Skew_Time, if it is well.
    ///
    /// Beyond the RFCs, one that is not leaves it to those who are, and to the Master itself, which
    /// goes on at the end of its hand-over if nobody took over: of nodes that are ill alike, the one
    /// that leads stays, and the degraded go before the unhealthy.
    fn release_wait(&self, protocol: &Protocol) -> Duration {
        let intervals = match self.band() {
            _ if self.spec.on_unhealthy == OnUnhealthy::Deprioritise => 0,
            Band::Healthy => 0,
            Band::Degraded => 2,
            Band::Unhealthy => 3,
        };
        if intervals == 0 {
            return skew(protocol, self.effective_priority());
        }
        let interval = protocol.interval();
        let silent = self
            .master_down(protocol)
            .max(handover(protocol) + 2 * interval);
        silent + interval * (intervals - 2)
    }

    /// Whether to take over from this Master; notes since when it is a worse one.
    fn preempts(&self, backup: &mut Listening, peer: Peer, now: Time) -> bool {
        if peer.priority >= self.effective_priority() {
            backup.worse_since = None;
            return false;
        }
        if self.must_go_before(peer) {
            return true;
        }
        let wait = match self.spec.failback {
            Failback::Auto(wait) => wait,
            Failback::After(wait) if self.may_lead && self.band() == Band::Healthy => wait,
            Failback::After(_) | Failback::Manual => {
                backup.worse_since = None;
                return false;
            }
        };
        let since = *backup.worse_since.get_or_insert(now);
        now.since(since) >= wait
    }

    /// Whether no failback is to keep it from taking over from this Master: the owner of the
    /// addresses always preempts (RFC 9568 §6.1). Beyond the RFC, so does who is in a better band,
    /// or else nobody would serve.
    fn must_go_before(&self, peer: Peer) -> bool {
        let is_better = self.spec.has_bands() && self.band() > Band::said_by(peer.priority);
        is_better || self.effective_priority() == Priority::OWNER
    }

    /// The priority changed. As in keepalived the timer moves with it, so that it is the best that
    /// comes first; one that ran because the Master was worse starts again when it is not any more.
    pub(super) fn backup_reprioritised(
        &mut self,
        mut backup: Listening,
        from: Priority,
        turn: &Turn<'_>,
    ) {
        let own = self.effective_priority();
        if self.band() != Band::Healthy {
            backup.worse_since = None;
        }
        let protocol = &self.listens_by(&backup);
        backup.down_at = match backup.cause {
            Cause::MasterReleased => Some(turn.now + self.release_wait(protocol)),
            Cause::Outranks(peer) if peer.priority >= own => {
                backup.cause = Cause::MasterSilent;
                Some(turn.now + self.master_down(protocol))
            }
            _ => backup.down_at.map(|down_at| {
                let moved = down_at.earlier(skew(protocol, from)) + skew(protocol, own);
                // One that has just begun with the new priority is not to move once more.
                moved.min(turn.now + self.master_down(protocol))
            }),
        };
        self.machine = Machine::Backup(backup);
    }

    /// RFC 9568 §6.4.2, Active_Down_Timer. Who comes too late has perhaps slept through an advert
    /// and listens once more.
    pub(super) fn backup_wakes(&mut self, mut backup: Listening, turn: &mut Turn<'_>) {
        let Some(due) = self.election_at(&backup) else {
            return;
        };
        if !self.may_lead || turn.now < due {
            return;
        }
        let protocol = self.listens_by(&backup);
        if turn.now.since(due) >= protocol.interval() {
            backup.down_at = Some(turn.now + self.master_down(&protocol));
            backup.cause = Cause::MasterSilent;
            self.machine = Machine::Backup(backup);
        } else {
            self.stand(backup, turn);
        }
    }

    /// The owner need not wait; who had to wait longer than its timer makes up for it.
    pub(super) fn backup_may_lead(&mut self, mut backup: Listening, turn: &mut Turn<'_>) {
        if self.owner_may_lead(turn) {
            backup.cause = Cause::Owner;
            self.stand(backup, turn);
        } else if self.election_at(&backup).is_some_and(|due| due <= turn.now) {
            self.stand(backup, turn);
        }
    }

    /// Its time has come: becomes Master, or waits for its sync group.
    pub(super) fn stand(&mut self, mut backup: Listening, turn: &mut Turn<'_>) {
        if self.spec.is_grouped {
            backup.down_at = None;
            self.machine = Machine::Backup(backup);
        } else {
            self.lead(backup.cause, turn);
        }
    }

    /// The sync group becomes Master: every member has said that its time has come.
    pub(super) fn backup_elected(&mut self, backup: Listening, turn: &mut Turn<'_>) {
        if backup.down_at.is_none() {
            self.lead(backup.cause, turn);
        }
    }

    /// The timer starts again: a Master with a longer interval is not to be taken for silent.
    pub(super) fn backup_reloads(&mut self, mut backup: Listening, turn: &Turn<'_>) {
        let again = turn.now + self.master_down(&self.listens_by(&backup));
        backup.down_at = backup.down_at.max(Some(again));
        self.machine = Machine::Backup(backup);
    }

    /// Our own, with the interval learned from the Master (RFC 9568 §6.4.2, Active_Adver_Interval).
    fn listens_by(&self, backup: &Listening) -> Protocol {
        let own = self.spec.protocol;
        backup
            .heard
            .map_or(own, |heard| own.with_interval_of(&heard))
    }

    pub(super) fn election_at(&self, backup: &Listening) -> Option<Time> {
        Some(backup.down_at?.max(self.not_before))
    }

    fn owner_may_lead(&self, turn: &Turn<'_>) -> bool {
        let is_owner = self.effective_priority() == Priority::OWNER;
        is_owner && self.may_lead && self.not_before <= turn.now
    }

    /// RFC 9568 §6.4.1: the owner of the addresses becomes Master, everybody else Backup.
    pub(super) fn begin(&mut self, turn: &mut Turn<'_>) {
        let is_at_once = self.owner_may_lead(turn);
        if is_at_once && !self.spec.is_grouped {
            return self.lead(Cause::Owner, turn);
        }
        let mut backup = self.listening(None, turn);
        if is_at_once {
            backup.down_at = None;
            backup.cause = Cause::Owner;
        }
        self.enter(Machine::Backup(backup), Cause::Started, turn);
    }

    /// To Backup, with a fresh timer and the Master that was heard, if one was.
    pub(super) fn follow(&mut self, heard: Option<Heard>, cause: Cause, turn: &mut Turn<'_>) {
        let backup = self.listening(heard, turn);
        self.enter(Machine::Backup(backup), cause, turn);
    }

    fn listening(&self, heard: Option<Heard>, turn: &Turn<'_>) -> Listening {
        let mut backup = Listening {
            down_at: None,
            heard: heard.map(|heard| heard.protocol),
            master: heard.map(|heard| heard.peer),
            cause: Cause::MasterSilent,
            worse_since: None,
        };
        backup.down_at = Some(turn.now + self.master_down(&self.listens_by(&backup)));
        backup
    }
}
