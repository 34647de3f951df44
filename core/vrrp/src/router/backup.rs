//! What a router does as Backup (RFC 9568 §6.4.2).

use super::{Heard, Listening, Machine, Router, Turn};
use crate::event::Cause;
use crate::timer::skew;
use crate::units::{Priority, Time};

impl Router {
    pub(super) fn backup_hears(
        &mut self,
        mut backup: Listening,
        heard: Heard,
        turn: &mut Turn<'_>,
    ) {
        let own = self.effective_priority();
        let Heard { peer, protocol } = heard;
        let better = self.spec.preempt && peer.priority < own;
        if peer.priority == Priority::RELEASE {
            // RFC 9568 §6.4.2: wait for Skew_Time. Who is ill leaves it to those who are not, and
            // to the one who gives up: it waits as for a Master that has gone silent.
            let wait = if self.proxy_well {
                skew(&backup.protocol, own)
            } else {
                self.master_down(&backup.protocol)
            };
            backup.down_at = turn.now + wait;
            backup.master = None;
            backup.cause = Cause::MasterReleased;
        } else if better && self.preempt_delay_is_over(&mut backup, turn) {
            // RFC 9568 §6.4.2: discarded, and the timer runs on until we take over.
            backup.master = Some(peer);
            backup.cause = Cause::Outranks(peer);
        } else {
            // RFC 9568 §6.4.2: this is the Master.
            backup.protocol = self.spec.protocol.with_interval_of(&protocol);
            backup.down_at = turn.now + self.master_down(&backup.protocol);
            backup.master = Some(peer);
            backup.cause = Cause::MasterSilent;
            backup.worse_since = backup.worse_since.filter(|_| better);
        }
        self.machine = Machine::Backup(backup);
    }

    pub(super) fn preempt_delay_is_over(&self, backup: &mut Listening, turn: &Turn<'_>) -> bool {
        let since = *backup.worse_since.get_or_insert(turn.now);
        turn.now.since(since) >= self.spec.preempt_delay
    }

    /// RFC 9568 §6.4.2, Active_Down_Timer. Who comes too late has perhaps slept through an advert
    /// and listens once more.
    pub(super) fn backup_wakes(&mut self, mut backup: Listening, turn: &mut Turn<'_>) {
        let due = self.election_at(&backup);
        if !self.may_lead || turn.now < due {
            return;
        }
        if turn.now.since(due) >= backup.protocol.interval() {
            backup.down_at = turn.now + self.master_down(&backup.protocol);
            backup.cause = Cause::MasterSilent;
            self.machine = Machine::Backup(backup);
        } else {
            self.lead(backup.cause, turn);
        }
    }

    /// The owner need not wait; who had to wait longer than its timer makes up for it.
    pub(super) fn backup_may_lead(&mut self, backup: Listening, turn: &mut Turn<'_>) {
        if self.owner_may_lead(turn) {
            self.lead(Cause::Owner, turn);
        } else if self.election_at(&backup) <= turn.now {
            self.lead(backup.cause, turn);
        }
    }

    /// The timer starts again: a Master with a longer interval is not to be taken for silent.
    pub(super) fn backup_reloads(&mut self, mut backup: Listening, turn: &Turn<'_>) {
        backup.protocol = self.spec.protocol.with_interval_of(&backup.protocol);
        backup.down_at = backup
            .down_at
            .max(turn.now + self.master_down(&backup.protocol));
        self.machine = Machine::Backup(backup);
    }

    pub(super) fn election_at(&self, backup: &Listening) -> Time {
        backup.down_at.max(self.not_before)
    }

    pub(super) fn owner_may_lead(&self, turn: &Turn<'_>) -> bool {
        let is_owner = self.effective_priority() == Priority::OWNER;
        is_owner && self.may_lead && self.not_before <= turn.now
    }

    /// To Backup, with a fresh timer and the Master that was heard, if one was.
    pub(super) fn follow(&mut self, heard: Option<Heard>, cause: Cause, turn: &mut Turn<'_>) {
        let own = self.spec.protocol;
        let protocol = heard.map_or(own, |heard| own.with_interval_of(&heard.protocol));
        let listening = Listening {
            down_at: turn.now + self.master_down(&protocol),
            protocol,
            master: heard.map(|heard| heard.peer),
            cause: Cause::MasterSilent,
            worse_since: None,
        };
        self.enter(Machine::Backup(listening), cause, turn);
    }
}
