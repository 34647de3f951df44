//! Certificates that are replaced while everything runs: the files are looked at every few seconds,
//! and what has changed goes the way of every change of configuration.

use std::time::Duration;

use actix::prelude::*;

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

impl Supervisor {
    pub(super) fn watch_credentials(&self, ctx: &mut Context<Self>) {
        ctx.run_interval(LOOK_INTERVAL, Self::look_at_credentials);
    }

    /// A certificate and its key are two files: who replaces them has done so when nothing moves from
    /// one look to the next. What cannot be used is told once.
    fn look_at_credentials(&mut self, ctx: &mut Context<Self>) {
        let is_busy = self.reload.is_some() || self.stop.is_some() || self.upgrade.is_some();
        if is_busy || self.ready.is_some() {
            return;
        }
        let now = Stamps::of(&self.settings);
        let is_moving = std::mem::replace(&mut self.looks.last, now.clone()) != now;
        let is_known = *self.holdings.credentials().stamps() == now;
        if is_moving || is_known || self.looks.refused.as_ref() == Some(&now) {
            return;
        }
        match self.plan_change(self.settings.clone()) {
            Ok(plan) if plan.changes().is_empty() => self.holdings.note(plan.credentials()),
            Ok(plan) => self.begin_change(plan, None, ctx),
            Err(errors) => {
                self.looks.refused = Some(now);
                for error in errors {
                    tracing::error!("certificates have changed and are not used:\n{error}");
                }
            }
        }
    }
}
