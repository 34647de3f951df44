//! The actor that owns the checks: starts what the core says is due, feeds it the results, tells
//! the supervisor what has changed. One timer serves all checks.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, SpawnHandle};
use core_health::check::{Change, Checks as Core, Run};
use ipc::check::{Check, CheckSnapshot, FromCheck, ServerCheck, ToCheck};
use link::LinkError;
use link::child::Supervisor;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::configuration::{Subject, subject, timings};
use crate::outcome::Outcome;
use crate::probe::probe;

/// Probes and scripts that run at one time; more wait for a result.
const RUNNING_MAX: usize = 256;

/// A new configuration is in force.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Configure(pub(crate) CheckSnapshot);

/// The supervisor said something.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Told(pub(crate) ToCheck);

/// A probe has an answer.
#[derive(Message)]
#[rtype(result = "()")]
struct Probed {
    run: Run<Subject>,
    outcome: Outcome,
}

/// The actor.
pub(crate) struct Checks {
    core: Core<Subject>,
    servers: BTreeMap<Subject, Server>,
    /// Names and time limits.
    scripts: BTreeMap<String, Duration>,
    timer: Option<SpawnHandle>,
    supervisor: Supervisor<Check>,
    /// Taken when the supervisor cannot be told something any more.
    ended: Option<oneshot::Sender<LinkError>>,
}

/// A server and the probe that was started last.
struct Server {
    check: Rc<ServerCheck>,
    probe: Option<AbortHandle>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(probe) = &self.probe {
            probe.abort();
        }
    }
}

impl Actor for Checks {
    type Context = Context<Self>;
}

impl Checks {
    /// Without a configuration. `ended` is told why when this process cannot go on.
    pub(crate) fn new(supervisor: Supervisor<Check>, ended: oneshot::Sender<LinkError>) -> Self {
        Self {
            core: Core::new(RUNNING_MAX),
            servers: BTreeMap::new(),
            scripts: BTreeMap::new(),
            timer: None,
            supervisor,
            ended: Some(ended),
        }
    }

    /// Starts what is due and sets the timer for what comes next. Owed after each input.
    fn advance(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        while let Some(run) = self.core.poll_run(now) {
            self.perform_run(run, ctx);
        }
        if self.core.poll_first_round_over() {
            self.tell(FromCheck::FirstRoundDone, ctx);
        }
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.timer = self.core.poll_timeout().map(|at| {
            let wait = at.saturating_duration_since(now);
            ctx.run_later(wait, |actor, ctx| {
                actor.timer = None;
                actor.advance(ctx);
            })
        });
    }

    fn perform_run(&mut self, run: Run<Subject>, ctx: &mut Context<Self>) {
        if let Subject::Script(script) = &run.key {
            let script = script.clone();
            self.tell(FromCheck::RunScript { script }, ctx);
        } else if let Some(server) = self.servers.get_mut(&run.key) {
            let check = Rc::clone(&server.check);
            let checks = ctx.address();
            let task = actix_rt::spawn(async move {
                let outcome = Outcome::from(probe(&check).await);
                // Waits where the mailbox is full; fails where the process is ending.
                let _ = checks.send(Probed { run, outcome }).await;
            });
            server.probe = Some(task.abort_handle());
        }
    }

    fn handle_outcome(&mut self, run: &Run<Subject>, outcome: Outcome, ctx: &mut Context<Self>) {
        tracing::debug!("{:?}: {}", run.key, outcome.reason);
        if let Some(change) = self.core.handle_result(run, outcome.success) {
            self.tell(changed(run.key.clone(), change, outcome.reason), ctx);
        }
        self.advance(ctx);
    }

    /// Says it to the supervisor, or ends: a verdict that never arrives would be wrong for ever. The
    /// supervisor starts a new checker and tells it what is known.
    fn tell(&mut self, message: FromCheck, ctx: &mut Context<Self>) {
        if let Err(error) = self.supervisor.send(message) {
            if let Some(ended) = self.ended.take() {
                let _ = ended.send(error);
            }
            ctx.stop();
        }
    }

    /// Takes over the servers; one that is asked something else is asked at once.
    fn replace_servers(&mut self, checks: Vec<ServerCheck>) -> Vec<Subject> {
        let mut old = std::mem::take(&mut self.servers);
        let mut restarted = Vec::new();
        for check in checks {
            let subject = subject(&check);
            let server = match old.remove(&subject) {
                Some(mut server) if is_same_question(&server.check, &check) => {
                    server.check = Rc::new(check);
                    server
                }
                before => {
                    restarted.extend(before.map(|_| subject.clone()));
                    Server {
                        check: Rc::new(check),
                        probe: None,
                    }
                }
            };
            self.servers.insert(subject, server);
        }
        restarted
    }
}

fn is_same_question(one: &ServerCheck, other: &ServerCheck) -> bool {
    one.probe == other.probe && one.timeout == other.timeout
}

fn changed(subject: Subject, change: Change, reason: String) -> FromCheck {
    let Change { up, first } = change;
    match subject {
        Subject::Server(upstream, address) => FromCheck::ServerChanged {
            upstream,
            address,
            up,
            reason,
            first,
        },
        Subject::Script(script) => FromCheck::ScriptChanged {
            script,
            up,
            reason,
            first,
        },
    }
}

impl Handler<Configure> for Checks {
    type Result = ();

    fn handle(&mut self, Configure(snapshot): Configure, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let timings = timings(&snapshot);
        let restarted = self.replace_servers(snapshot.servers);
        let scripts = snapshot.scripts.into_iter();
        self.scripts = scripts
            .map(|script| (script.name, script.timeout))
            .collect();
        let held = self.core.handle_configuration(timings, now);
        for subject in restarted {
            self.core.restart(&subject, now);
        }
        for (subject, up) in held {
            let change = Change { up, first: true };
            self.tell(changed(subject, change, "not run yet".into()), ctx);
        }
        self.advance(ctx);
    }
}

impl Handler<Told> for Checks {
    type Result = ();

    fn handle(&mut self, Told(message): Told, ctx: &mut Context<Self>) {
        match message {
            ToCheck::ScriptEnded { script, outcome } => {
                let timeout = self.scripts.get(&script).copied().unwrap_or_default();
                // A script that was removed by a reload meanwhile has no run.
                if let Some(run) = self.core.active_run(&Subject::Script(script)) {
                    self.handle_outcome(&run, Outcome::of_script(outcome, timeout), ctx);
                }
            }
            ToCheck::Known { servers, scripts } => {
                for (upstream, address, up) in servers {
                    self.core
                        .handle_known(Subject::Server(upstream, address), up);
                }
                for (script, up) in scripts {
                    self.core.handle_known(Subject::Script(script), up);
                }
            }
        }
    }
}

impl Handler<Probed> for Checks {
    type Result = ();

    fn handle(&mut self, Probed { run, outcome }: Probed, ctx: &mut Context<Self>) {
        self.handle_outcome(&run, outcome, ctx);
    }
}
