//! Certificates that are replaced while everything runs: the files are looked at every few seconds,
//! and what has changed goes the way of every change of configuration.

use std::time::{Duration, Instant};

use actix::prelude::*;
use ipc::event::{Severity, What};
use settings::Report;

use super::Supervisor;
use crate::credentials::{Credentials, Stamps};

/// Between two looks at the files.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// After a change that could not be made though nothing is wrong with the files, until it is tried again:
/// twice as long each time.
const PAUSE_MIN: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// What the files looked like.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// At the last look.
    last: Stamps,
    /// When they were found to be of no use.
    refused: Option<Stamps>,
    /// When they could not be put in force for another reason.
    hindered: Option<Hindered>,
}

/// A change that waits for better times.
#[derive(Debug)]
struct Hindered {
    stamps: Stamps,
    since: Instant,
    pause: Duration,
}

impl Looks {
    /// The files look like `now`, and when they were read for the last time they looked like `used`.
    /// Whether they are to be read again: a certificate and its key are two files, and who replaces
    /// them has done so when nothing moves from one look to the next.
    fn handle_look(&mut self, now: &Stamps, used: &Stamps, at: Instant) -> bool {
        let is_moving = std::mem::replace(&mut self.last, now.clone()) != *now;
        let hindered = self.hindered.as_ref();
        let must_wait = hindered.is_some_and(|it| it.stamps == *now && at - it.since < it.pause);
        !is_moving && now != used && self.refused.as_ref() != Some(now) && !must_wait
    }

    /// What they hold is of no use. It is not tried again, and nobody is told again, until they
    /// change.
    fn handle_refused(&mut self, stamps: Stamps) {
        self.refused = Some(stamps);
    }

    /// Something else kept them from being put in force. Says for how long they are left alone now,
    /// unless they change, and whether it is the first time.
    fn handle_hindered(&mut self, stamps: Stamps, at: Instant) -> (Duration, bool) {
        let before = self.hindered.take().filter(|it| it.stamps == stamps);
        let is_first = before.is_none();
        let pause = before.map_or(PAUSE_MIN, |it| (it.pause * 2).min(PAUSE_MAX));
        self.hindered = Some(Hindered {
            stamps,
            since: at,
            pause,
        });
        (pause, is_first)
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
        if !self.looks.handle_look(&now, used, Instant::now()) {
            if self.looks.refused.as_ref() == Some(&now) {
                tracing::debug!("certificates are as they were when they were refused: left alone");
            }
            return;
        }
        // By themselves first: what else may be wrong is none of their fault.
        let mut report = Report::new();
        Credentials::read(&self.settings, &mut report);
        if report.has_errors() {
            self.looks.handle_refused(now);
            return self.credentials_refused(report.to_string());
        }
        match self.plan_change(self.settings.clone()) {
            Ok(plan) if plan.changes().is_empty() => self.holdings.note(plan.credentials()),
            Ok(plan) => self.begin_change(plan, None, ctx),
            Err(errors) => self.renewal_hindered(now, errors),
        }
    }

    fn credentials_refused(&mut self, error: String) {
        tracing::error!("certificates have changed and are not used:\n{error}");
        let errors = vec![error];
        self.outbox_event(Severity::Warning, What::ReloadRefused { errors });
    }

    /// The change to files that look like `stamps` was given up. People are told once.
    pub(super) fn renewal_hindered(&mut self, stamps: Stamps, errors: Vec<String>) {
        let (pause, is_first) = self.looks.handle_hindered(stamps, Instant::now());
        for error in &errors {
            tracing::error!(
                "certificates have changed and cannot be used now; next attempt in {pause:?}:\n{error}"
            );
        }
        if is_first {
            self.outbox_event(Severity::Warning, What::ReloadRefused { errors });
        }
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
        let (mut looks, at) = (Looks::default(), Instant::now());
        let cases = [
            ("the first look", &old, false),
            ("nothing has changed", &old, false),
            ("the first of two files", &half, false),
            ("the second", &new, false),
            ("they stand still", &new, true),
            ("it was given up", &new, true),
        ];
        for (what, now, read) in cases {
            assert_eq!(looks.handle_look(now, &old, at), read, "{what}");
        }
    }

    #[test]
    fn what_was_refused_is_tried_again_when_it_changes() {
        let [old, _, new, newer] = looks();
        let (mut looks, at) = (Looks::default(), Instant::now());
        looks.handle_look(&new, &old, at);
        assert!(looks.handle_look(&new, &old, at));
        looks.handle_refused(new.clone());
        let cases = [
            (&new, false),
            (&new, false),
            (&newer, false),
            (&newer, true),
        ];
        for (now, read) in cases {
            assert_eq!(looks.handle_look(now, &old, at), read, "{now:?}");
        }
    }

    /// None of it is the fault of the files: a child died or was late, memory ran out.
    #[test]
    fn what_was_hindered_is_tried_again_after_a_pause_that_grows() {
        let [old, _, new, newer] = looks();
        let (mut looks, begun) = (Looks::default(), Instant::now());
        looks.handle_look(&new, &old, begun);
        let mut at = begun;
        for (seconds, first) in [5, 10, 20, 40, 80, 160, 320, 600, 600]
            .into_iter()
            .zip([true].into_iter().chain(std::iter::repeat(false)))
        {
            assert!(looks.handle_look(&new, &old, at));
            let pause = Duration::from_secs(seconds);
            assert_eq!(looks.handle_hindered(new.clone(), at), (pause, first));
            let early = at + pause - Duration::from_millis(1);
            assert!(!looks.handle_look(&new, &old, early), "{seconds}");
            at += pause;
        }
        // Other files begin anew, and at once.
        assert!(!looks.handle_look(&newer, &old, at));
        assert!(looks.handle_look(&newer, &old, at));
        let (pause, first) = looks.handle_hindered(newer.clone(), at);
        assert_eq!((pause, first), (PAUSE_MIN, true));
    }
}
