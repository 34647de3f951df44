//! Certificates that are replaced while everything runs: the files are looked at every few seconds,
//! and what has changed goes the way of every change of configuration.

use std::time::Duration;

use actix::prelude::*;
use ipc::event::{Severity, What};

use super::Supervisor;
use crate::credentials::Stamps;

/// Between two looks at the files.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// What the files looked like.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// At the last look.
    last: Stamps,
    /// When they were found to be of no use.
    refused: Option<Stamps>,
}

impl Looks {
    /// The files look like `now`, and when they were read for the last time they looked like `used`.
    /// Whether they are to be read again: a certificate and its key are two files, and who replaces
    /// them has done so when nothing moves from one look to the next.
    fn handle_look(&mut self, now: &Stamps, used: &Stamps) -> bool {
        let is_moving = std::mem::replace(&mut self.last, now.clone()) != *now;
        !is_moving && now != used && self.refused.as_ref() != Some(now)
    }

    /// What they hold is of no use. It is not tried again, and nobody is told again, until they
    /// change.
    pub(super) fn handle_refused(&mut self, stamps: Stamps) {
        self.refused = Some(stamps);
    }
}

impl Supervisor {
    pub(super) fn watch_credentials(&self, ctx: &mut Context<Self>) {
        ctx.run_interval(LOOK_INTERVAL, Self::look_at_credentials);
    }

    /// Nothing is begun while a child is away: a change would be given up for its sake.
    fn look_at_credentials(&mut self, ctx: &mut Context<Self>) {
        let is_busy = self.reload.is_some() || self.stop.is_some() || self.upgrade.is_some();
        if is_busy || self.ready.is_some() || !self.node.missing().is_empty() {
            return;
        }
        let now = Stamps::of(&self.settings);
        let used = self.holdings.credentials().stamps();
        if !self.looks.handle_look(&now, used) {
            if self.looks.refused.as_ref() == Some(&now) {
                tracing::debug!("certificates are as they were when they were refused: left alone");
            }
            return;
        }
        match self.plan_change(self.settings.clone()) {
            Ok(plan) if plan.changes().is_empty() => self.holdings.note(plan.credentials()),
            Ok(plan) => self.begin_change(plan, None, ctx),
            Err(errors) => {
                self.looks.handle_refused(now);
                self.credentials_refused(errors);
            }
        }
    }

    fn credentials_refused(&mut self, errors: Vec<String>) {
        for error in &errors {
            tracing::error!("certificates have changed and are not used:\n{error}");
        }
        self.outbox_event(Severity::Warning, What::ReloadRefused { errors });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The looks of files at four moments.
    fn looks() -> [Stamps; 4] {
        [1, 2, 3, 4].map(|inode| Stamps::of_inode("/a.pem", inode))
    }

    #[test]
    fn files_are_read_when_they_have_changed_and_stand_still() {
        let [old, half, new, _] = looks();
        let mut looks = Looks::default();
        let cases = [
            ("the first look", &old, false),
            ("nothing has changed", &old, false),
            ("the first of two files", &half, false),
            ("the second", &new, false),
            ("they stand still", &new, true),
            ("it was given up", &new, true),
        ];
        for (what, now, read) in cases {
            assert_eq!(looks.handle_look(now, &old), read, "{what}");
        }
    }

    #[test]
    fn what_was_refused_is_tried_again_when_it_changes() {
        let [old, _, new, newer] = looks();
        let mut looks = Looks::default();
        looks.handle_look(&new, &old);
        assert!(looks.handle_look(&new, &old));
        looks.handle_refused(new.clone());
        let cases = [
            (&new, false),
            (&new, false),
            (&newer, false),
            (&newer, true),
        ];
        for (now, read) in cases {
            assert_eq!(looks.handle_look(now, &old), read, "{now:?}");
        }
    }
}
