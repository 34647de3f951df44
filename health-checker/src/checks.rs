//! The actor that owns the checks: starts what the core says is due, feeds it the results, tells
//! the supervisor what has changed. One timer serves all checks.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, SpawnHandle};
use core_health::check::{Checks as Core, Run};
use ipc::check::{Check, CheckSnapshot, FromCheck, ToCheck};
use ipc::vrrp::{TrackSubject, TrackVerdict};
use link::LinkError;
use link::child::Supervisor;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::configuration::{Subject, questions, timings};
use crate::outcome::Outcome;
use crate::question::Question;

/// Questions and scripts that run at one time; more wait for a result.
const RUNNING_MAX: usize = 256;

/// How long an address of the proxy that did not answer, and has gone to another node since, counts
/// as ill.
const FORGIVEN_AFTER: Duration = Duration::from_secs(20);

/// A new configuration is in force.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Configure(pub(crate) CheckSnapshot);

/// The supervisor said something.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Told(pub(crate) ToCheck);

/// A question has an answer.
#[derive(Message)]
#[rtype(result = "()")]
struct Answered {
    run: Run<Subject>,
    /// None where there was nobody to ask.
    outcome: Option<Outcome>,
}

/// The actor.
pub(crate) struct Checks {
    core: Core<Subject>,
    asked: BTreeMap<Subject, Asked>,
    /// Names and time limits.
    scripts: BTreeMap<String, Duration>,
    /// The verdicts that the supervisor knows.
    told: BTreeMap<Subject, TrackVerdict>,
    timer: Option<SpawnHandle>,
    supervisor: Supervisor<Check>,
    /// Taken when the supervisor cannot be told something any more.
    ended: Option<oneshot::Sender<LinkError>>,
}

/// A question and the run that was started last.
struct Asked {
    question: Rc<Question>,
    run: Option<AbortHandle>,
    /// The last time that the answer was a failure.
    failed_at: Option<Instant>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(run) = &self.run {
            run.abort();
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
            asked: BTreeMap::new(),
            scripts: BTreeMap::new(),
            told: BTreeMap::new(),
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
        if let Subject::Track(TrackSubject::Script(script)) = &run.key {
            let script = script.clone();
            self.tell(FromCheck::RunScript { script }, ctx);
        } else if let Some(asked) = self.asked.get_mut(&run.key) {
            let question = Rc::clone(&asked.question);
            let checks = ctx.address();
            let task = actix_rt::spawn(async move {
                let outcome = question.ask().await;
                // Waits where the mailbox is full; fails where the process is ending.
                let _ = checks.send(Answered { run, outcome }).await;
            });
            asked.run = Some(task.abort_handle());
        }
    }

    /// Tells a verdict when it is new: when it turned, when a file has another number, and when what
    /// was ill cannot be run any more or can again.
    fn handle_outcome(&mut self, run: &Run<Subject>, outcome: Outcome, ctx: &mut Context<Self>) {
        tracing::debug!("{:?}: {}", run.key, outcome.reason);
        let Outcome { verdict, reason } = outcome;
        let change = self.core.handle_result(run, verdict.is_up());
        let holds = self.core.is_up(&run.key) == Some(verdict.is_up());
        let is_news = self.told.get(&run.key) != Some(&verdict);
        if change.is_some() || (holds && is_news) {
            let first = change.is_some_and(|change| change.first);
            self.tell_verdict(run.key.clone(), verdict, reason, first, ctx);
        }
        self.advance(ctx);
    }

    fn tell_verdict(
        &mut self,
        subject: Subject,
        verdict: TrackVerdict,
        reason: String,
        first: bool,
        ctx: &mut Context<Self>,
    ) {
        self.told.insert(subject.clone(), verdict);
        let message = match subject {
            Subject::Server(upstream, address) => FromCheck::ServerChanged {
                upstream,
                address,
                up: verdict.is_up(),
                reason,
                first,
            },
            Subject::Listener(address) => FromCheck::ListenerChanged {
                address,
                up: verdict.is_up(),
                reason,
            },
            Subject::Track(subject) => FromCheck::TrackChanged {
                subject,
                verdict,
                reason,
                first,
            },
        };
        self.tell(message, ctx);
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

    /// Takes over the questions; one that has changed is asked at once.
    fn replace_questions(&mut self, questions: Vec<Question>) -> Vec<Subject> {
        let mut old = std::mem::take(&mut self.asked);
        let mut restarted = Vec::new();
        for question in questions {
            let subject = question.subject();
            let asked = match old.remove(&subject) {
                Some(mut asked) if asked.question.is_same(&question) => {
                    asked.question = Rc::new(question);
                    asked
                }
                before => {
                    restarted.extend(before.map(|_| subject.clone()));
                    Asked {
                        question: Rc::new(question),
                        run: None,
                        failed_at: None,
                    }
                }
            };
            self.asked.insert(subject, asked);
        }
        restarted
    }

    /// Whether what cannot be asked at present counts as well: if it is, and if it was ill so long ago
    /// that it may be tried again. At once would let a virtual address that is not served go to and
    /// fro.
    fn is_forgiven(&self, subject: &Subject) -> bool {
        let failed_at = self.asked.get(subject).and_then(|asked| asked.failed_at);
        self.core.is_up(subject) != Some(false)
            || failed_at.is_none_or(|at| at.elapsed() >= FORGIVEN_AFTER)
    }

    /// What an earlier process had found. A verdict that it told is not told again.
    fn handle_known(&mut self, subject: Subject, verdict: TrackVerdict) {
        self.core.handle_known(subject.clone(), verdict.is_up());
        self.told.entry(subject).or_insert(verdict);
    }
}

const fn plain(up: bool) -> TrackVerdict {
    if up {
        TrackVerdict::Up
    } else {
        TrackVerdict::Down
    }
}

impl Handler<Configure> for Checks {
    type Result = ();

    fn handle(&mut self, Configure(snapshot): Configure, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let timings = timings(&snapshot);
        let questions = questions(&snapshot).unwrap_or_else(|why| {
            // It was inspected before it was put in force.
            tracing::error!("{why}");
            Vec::new()
        });
        let restarted = self.replace_questions(questions);
        self.told.retain(|subject, _| timings.contains_key(subject));
        let scripts = snapshot.scripts.into_iter();
        self.scripts = scripts
            .map(|script| (script.name, script.timeout))
            .collect();
        let held = self.core.handle_configuration(timings, now);
        for subject in restarted {
            self.core.restart(&subject, now);
        }
        for (subject, up) in held {
            // What the supervisor knows of the proxy stands until there is an answer.
            if matches!(subject, Subject::Listener(_)) {
                continue;
            }
            let verdict = plain(up);
            self.tell_verdict(subject, verdict, "not run yet".into(), true, ctx);
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
                if let Some(run) = self.core.active_run(&Subject::script(&script)) {
                    self.handle_outcome(&run, Outcome::of_script(outcome, timeout), ctx);
                }
            }
            ToCheck::Known { servers, tracks } => {
                for (upstream, address, up) in servers {
                    self.handle_known(Subject::Server(upstream, address), plain(up));
                }
                for (subject, verdict) in tracks {
                    self.handle_known(Subject::Track(subject), verdict);
                }
            }
        }
    }
}

impl Handler<Answered> for Checks {
    type Result = ();

    fn handle(&mut self, Answered { run, outcome }: Answered, ctx: &mut Context<Self>) {
        match outcome {
            Some(outcome) => {
                if let Some(asked) = self.asked.get_mut(&run.key)
                    && !outcome.verdict.is_up()
                {
                    asked.failed_at = Some(Instant::now());
                }
                self.handle_outcome(&run, outcome, ctx);
            }
            None => {
                let verdict = plain(self.is_forgiven(&run.key));
                let reason = "is not on this node".into();
                self.handle_outcome(&run, Outcome { verdict, reason }, ctx);
            }
        }
    }
}
