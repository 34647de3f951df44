//! Tells the supervisor what the routers do: each transition at once, their state once a second when
//! it changed.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use ipc::event::TransitionEvent;
use ipc::status::RouterStatus;
use ipc::vrrp::{FromVrrp, Vrrp};
use link::child::Supervisor;

/// The longest that a change of counters waits.
const PERIOD: Duration = Duration::from_secs(1);

/// Reports that wait for the reporter, which never waits itself.
const MAILBOX: usize = 1024;

/// A router as it is now.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Report {
    pub(crate) status: RouterStatus,
    /// The change of state that is the reason for the report, if it is one.
    pub(crate) transition: Option<TransitionEvent>,
}

/// A router is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Gone(pub(crate) String);

/// Answered when everything that was reported before is on its way to the supervisor.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Finish;

/// The actor.
pub(crate) struct Reporter {
    supervisor: Supervisor<Vrrp>,
    routers: BTreeMap<String, RouterStatus>,
    is_told: bool,
}

impl Reporter {
    pub(crate) fn new(supervisor: Supervisor<Vrrp>) -> Self {
        Self {
            supervisor,
            routers: BTreeMap::new(),
            is_told: true,
        }
    }

    fn tell(&mut self, message: FromVrrp) {
        if let Err(error) = self.supervisor.send(message) {
            // Either the supervisor is gone, and this process ends; or it is stuck, and will be told
            // how things are when it goes on. A transition that is lost is in the log at least.
            tracing::warn!("cannot report to the supervisor: {error}");
        }
    }

    fn tell_status(&mut self) {
        self.is_told = true;
        self.tell(FromVrrp::Status(self.routers.values().cloned().collect()));
    }
}

impl Actor for Reporter {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
        context.run_interval(PERIOD, |reporter, _| {
            if !reporter.is_told {
                reporter.tell_status();
            }
        });
    }
}

impl Handler<Report> for Reporter {
    type Result = ();

    fn handle(&mut self, report: Report, _: &mut Self::Context) {
        let Report { status, transition } = report;
        let name = status.name.clone();
        let before = self.routers.insert(name, status.clone());
        match transition {
            Some(transition) => {
                self.tell(FromVrrp::Transition(transition));
                self.tell_status();
            }
            None if before
                .as_ref()
                .is_none_or(|it| it.priority != status.priority) =>
            {
                self.tell_status();
            }
            None => self.is_told &= before.as_ref() == Some(&status),
        }
    }
}

impl Handler<Gone> for Reporter {
    type Result = ();

    fn handle(&mut self, Gone(name): Gone, _: &mut Self::Context) {
        self.routers.remove(&name);
        self.tell_status();
    }
}

impl Handler<Finish> for Reporter {
    type Result = ();

    // Reports are handled in their order: being here is the answer.
    fn handle(&mut self, _: Finish, _: &mut Self::Context) {}
}
