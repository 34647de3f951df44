//! Reload: prepare, acknowledge by all, commit. Any failure before the last acknowledgement changes
//! nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use actix::prelude::*;
use ipc::event::{Severity, What};
use settings::Settings;
use tokio::sync::oneshot;

use super::{Supervisor, script_plans};
use crate::changes;
use crate::child::{ChildId, Step};
use crate::children::Loads;
use crate::control::Answer;
use crate::credentials::{Credentials, Stamps};
use crate::holdings::Additions;
use crate::snapshots;

/// How long children may take to make ready, and then to switch.
const PATIENCE: Duration = Duration::from_secs(5);

/// A change on its way.
pub(super) struct Reload {
    generation: u64,
    waiting: BTreeSet<ChildId>,
    phase: Phase,
    changes: Vec<String>,
    /// What the files for TLS look like, where nothing but their contents changes.
    renewed: Option<Stamps>,
    answer: Option<oneshot::Sender<Answer>>,
    limit: SpawnHandle,
}

/// A change that could be made.
pub(super) struct Plan {
    settings: Settings,
    additions: Additions,
    loads: Loads,
    changes: Vec<String>,
    renewed: Option<Stamps>,
}

impl Plan {
    /// A phrase for each change.
    pub(super) fn changes(&self) -> &[String] {
        &self.changes
    }

    /// The certificates and keys as they are now.
    pub(super) fn credentials(self) -> Credentials {
        self.additions.credentials
    }
}

enum Phase {
    /// Nothing has changed yet.
    Preparing {
        settings: Box<Settings>,
        additions: Box<Additions>,
    },
    /// It is decided, and everybody is told.
    Committing,
}

impl Reload {
    /// Whether it can still be given up.
    const fn is_undecided(&self) -> bool {
        matches!(self.phase, Phase::Preparing { .. })
    }
}

impl Supervisor {
    /// Reads the configuration again and begins to change to it. A reload that comes while another
    /// is under way is refused: the file may be read when that one is done.
    pub(super) fn begin_reload(
        &mut self,
        answer: Option<oneshot::Sender<Answer>>,
        ctx: &mut Context<Self>,
    ) {
        if self.stop.is_some() {
            return refuse(answer, vec!["it is stopping".into()]);
        }
        if self.upgrade.is_some() {
            return refuse(answer, vec!["an upgrade is under way".into()]);
        }
        if self.reload.is_some() {
            return refuse(
                answer,
                vec!["another reload is under way; try again".into()],
            );
        }
        let settings = settings::load(&self.source).map_err(|report| vec![report.to_string()]);
        match settings.and_then(|settings| self.plan_change(settings)) {
            Err(errors) => self.reload_refused(errors, answer),
            Ok(Plan { changes, .. }) if changes.is_empty() => {
                tracing::info!("reloaded: nothing has changed");
                reply(answer, Answer::Reloaded { changes });
            }
            Ok(plan) => self.begin_change(plan, answer, ctx),
        }
    }

    /// Asks everybody to make ready. Nothing else is under way.
    pub(super) fn begin_change(
        &mut self,
        plan: Plan,
        answer: Option<oneshot::Sender<Answer>>,
        ctx: &mut Context<Self>,
    ) {
        let Some(children) = &self.children else {
            return;
        };
        children.prepare(&plan.loads);
        self.generation_asked += 1;
        let generation = self.generation_asked;
        let limit = ctx.run_later(PATIENCE, move |supervisor, ctx| {
            supervisor.reload_too_slow(generation, ctx);
        });
        self.reload = Some(Reload {
            generation,
            waiting: children.ids().into_iter().collect(),
            phase: Phase::Preparing {
                settings: Box::new(plan.settings),
                additions: Box::new(plan.additions),
            },
            changes: plan.changes,
            renewed: plan.renewed,
            answer,
            limit,
        });
    }

    /// What `settings` would change, and everything that is needed for it.
    pub(super) fn plan_change(&self, settings: Settings) -> Result<Plan, Vec<String>> {
        let shown = |report: settings::Report| vec![report.to_string()];
        let mut changes = changes::between(&self.settings, &settings).map_err(shown)?;
        let additions = self
            .holdings
            .additions(&settings, self.slots, self.identity)
            .map_err(shown)?;
        let generation = self.generation_asked + 1;
        let loads = Loads::make(
            &self.holdings,
            &settings,
            generation,
            self.slots,
            Some(&additions),
        )
        .map_err(|error| vec![error.to_string()])?;
        let stamps = additions.credentials.stamps();
        let renewed = changes.is_empty().then(|| stamps.clone());
        changes.extend(additions.credentials.changes(self.holdings.credentials()));
        Ok(Plan {
            settings,
            additions,
            loads,
            changes,
            renewed,
        })
    }

    pub(super) fn prepared(&mut self, child: ChildId, generation: u64, ctx: &mut Context<Self>) {
        let Some(reload) = &mut self.reload else {
            return;
        };
        if reload.generation != generation || !matches!(reload.phase, Phase::Preparing { .. }) {
            return;
        }
        reload.waiting.remove(&child);
        if reload.waiting.is_empty() {
            self.commit(ctx);
        }
    }

    fn commit(&mut self, ctx: &mut Context<Self>) {
        let (Some(children), Some(reload)) = (&self.children, &mut self.reload) else {
            return;
        };
        let Phase::Preparing {
            settings,
            additions,
        } = std::mem::replace(&mut reload.phase, Phase::Committing)
        else {
            return;
        };
        reload.waiting = children.ids().into_iter().collect();
        ctx.cancel_future(reload.limit);
        let generation = reload.generation;
        reload.limit = ctx.run_later(PATIENCE, move |supervisor, ctx| {
            supervisor.reload_too_slow(generation, ctx);
        });
        self.holdings.adopt(*additions, &settings);
        self.settings = *settings;
        self.generation = reload.generation;
        self.scripts = script_plans(&self.settings, self.identity);
        self.node.handle_settings(&self.settings);
        children.decide(&Step::Commit);
        let addresses = snapshots::asked_addresses(&self.settings);
        if let Some(change) = self.proxy_health.handle_addresses(&addresses) {
            self.proxy_changed(change, ctx);
        }
    }

    pub(super) fn committed_reload(
        &mut self,
        child: ChildId,
        generation: u64,
        ctx: &mut Context<Self>,
    ) {
        let Some(reload) = &mut self.reload else {
            return;
        };
        if reload.generation != generation || !matches!(reload.phase, Phase::Committing) {
            return;
        }
        reload.waiting.remove(&child);
        if reload.waiting.is_empty() {
            self.reload_done(ctx);
        }
    }

    fn reload_done(&mut self, ctx: &mut Context<Self>) {
        let Some(reload) = self.reload.take() else {
            return;
        };
        ctx.cancel_future(reload.limit);
        tracing::info!("reloaded: {}", reload.changes.join(", "));
        let (generation, changes) = (reload.generation, reload.changes);
        self.outbox_event(
            Severity::Info,
            What::Reloaded {
                generation,
                changes: changes.clone(),
            },
        );
        reply(reload.answer, Answer::Reloaded { changes });
        self.status_changed(ctx);
        self.reopen_logs_if_due();
    }

    pub(super) fn refused(&mut self, child: ChildId, generation: u64, why: &str) {
        let error = format!("{} {}: {why}", child.role, child.slot);
        match &self.reload {
            Some(reload) if reload.generation == generation && reload.is_undecided() => {
                self.abort_reload(vec![error]);
            }
            // Of a change that was given up.
            _ if generation != self.generation => tracing::debug!("too late: {error}"),
            // The configuration of the start: it will not get better by itself.
            _ if self.ready.is_some() => {
                self.tell_ready(Err(error));
                System::current().stop_with_code(1);
            }
            // What it needs may come back (a disk that is full): it is tried again, after a pause.
            _ => {
                tracing::error!("the configuration in force is refused: {error}");
                if let Some(children) = &self.children {
                    children.kill(child);
                }
            }
        }
    }

    /// A child that dies cannot answer; while nothing is decided, nothing changes then.
    pub(super) fn ended_in_reload(&mut self, child: ChildId) {
        self.give_up_reload(&format!(
            "{} {} ended meanwhile; try again",
            child.role, child.slot
        ));
    }

    /// Gives up a reload that is not decided yet.
    pub(super) fn give_up_reload(&mut self, why: &str) {
        if self.reload.as_ref().is_some_and(Reload::is_undecided) {
            self.abort_reload(vec![why.into()]);
        }
    }

    fn reload_too_slow(&mut self, generation: u64, ctx: &mut Context<Self>) {
        let Some(reload) = &self.reload else { return };
        if reload.generation != generation {
            return;
        }
        let late = reload
            .waiting
            .iter()
            .map(|child| format!("{} {}", child.role, child.slot));
        let late = late.collect::<Vec<_>>().join(", ");
        match reload.phase {
            Phase::Preparing { .. } => {
                self.abort_reload(vec![format!("no answer from {late} within {PATIENCE:?}")]);
            }
            // It is decided: who is late gets it by a restart.
            Phase::Committing => {
                tracing::error!("no change within {PATIENCE:?}; killing {late}");
                // In a stop they end anyway.
                if let (Some(children), None) = (&self.children, &self.stop) {
                    reload
                        .waiting
                        .iter()
                        .for_each(|child| children.kill(*child));
                }
                self.reload_done(ctx);
            }
        }
    }

    fn abort_reload(&mut self, errors: Vec<String>) {
        let Some(reload) = self.reload.take() else {
            return;
        };
        if let Some(children) = &self.children {
            children.decide(&Step::Abort);
        }
        match (reload.renewed, reload.answer) {
            // Nobody waits for an answer: it is tried again.
            (Some(stamps), None) => self.renewal_hindered(stamps, errors),
            (_, answer) => self.reload_refused(errors, answer),
        }
        self.reopen_logs_if_due();
    }

    fn reopen_logs_if_due(&mut self) {
        if std::mem::take(&mut self.reopen_due) {
            self.reopen_logs();
        }
    }

    fn reload_refused(&mut self, errors: Vec<String>, answer: Option<oneshot::Sender<Answer>>) {
        for error in &errors {
            tracing::error!("the new configuration is refused, nothing has changed:\n{error}");
        }
        self.outbox_event(
            Severity::Warning,
            What::ReloadRefused {
                errors: errors.clone(),
            },
        );
        refuse(answer, errors);
    }
}

fn refuse(answer: Option<oneshot::Sender<Answer>>, errors: Vec<String>) {
    reply(answer, Answer::Refused { errors });
}

fn reply(answer: Option<oneshot::Sender<Answer>>, with: Answer) {
    if let Some(answer) = answer {
        // A client that left does not want the answer.
        let _ = answer.send(with);
    }
}
