//! What the supervisor wants of a child.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use ipc::lifecycle::ToChild;

use super::{Child, Load, News, Reporting, State, borrow};

/// A heartbeat.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub(crate) struct Ping(pub(crate) u64);

impl<C: Reporting> Handler<Ping> for Child<C> {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Context<Self>) {
        self.send(&ToChild::Ping { seq: ping.0 }, &[]);
    }
}

/// End the process at once: it hangs, or its time is up.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub(crate) struct Kill;

impl<C: Reporting> Handler<Kill> for Child<C> {
    type Result = ();

    fn handle(&mut self, _: Kill, _: &mut Context<Self>) {
        self.kill();
    }
}

/// A step of a change of configuration.
#[derive(Message, Clone, Debug)]
#[rtype(result = "()")]
pub(crate) enum Step {
    /// Ask the running process to make ready for `now`; should it be restarted after the change,
    /// the new process gets `restart`.
    Prepare { now: Arc<Load>, restart: Arc<Load> },
    /// Switch.
    Commit,
    /// Forget.
    Abort,
}

impl<C: Reporting> Handler<Step> for Child<C> {
    type Result = ();

    fn handle(&mut self, step: Step, _: &mut Context<Self>) {
        match step {
            Step::Prepare { now, restart } => self.prepare(&now, restart),
            Step::Commit => self.commit(),
            Step::Abort => {
                if let Some((load, _)) = self.prepared.take() {
                    self.send(
                        &ToChild::Abort {
                            generation: load.generation,
                        },
                        &[],
                    );
                }
            }
        }
    }
}

/// The configuration in force with descriptors of its own, for the next process.
#[derive(Message, Clone, Debug)]
#[rtype(result = "()")]
pub(crate) struct Renew(pub(crate) Arc<Load>);

impl<C: Reporting> Handler<Renew> for Child<C> {
    type Result = ();

    fn handle(&mut self, renew: Renew, _: &mut Context<Self>) {
        self.load = renew.0;
    }
}

/// Passes on what only this role is told.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub(crate) struct Tell<M> {
    /// The message.
    pub(crate) message: M,
    /// What goes along.
    pub(crate) descriptors: Vec<OwnedFd>,
}

impl<C: Reporting> Handler<Tell<C::To>> for Child<C> {
    type Result = ();

    fn handle(&mut self, tell: Tell<C::To>, _: &mut Context<Self>) {
        self.send(&ToChild::Role(tell.message), &borrow(&tell.descriptors));
    }
}

/// The supervisor's own log was opened anew; the process changes to it too.
#[derive(Message, Clone, Debug)]
#[rtype(result = "()")]
pub(crate) struct LogReopened(pub(crate) Arc<OwnedFd>);

impl<C: Reporting> Handler<LogReopened> for Child<C> {
    type Result = ();

    fn handle(&mut self, log: LogReopened, _: &mut Context<Self>) {
        self.send(&ToChild::LogReopened, &[log.0.as_fd()]);
    }
}

/// End in good order, and stay ended.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub(crate) struct Stop {
    /// How long it may take; the supervisor kills what is left.
    pub(crate) within: Duration,
}

impl<C: Reporting> Handler<Stop> for Child<C> {
    type Result = ();

    fn handle(&mut self, stop: Stop, _: &mut Context<Self>) {
        self.send(
            &ToChild::Stop {
                within: stop.within,
            },
            &[],
        );
        match &mut self.state {
            State::Running { told_to_stop, .. } => *told_to_stop = true,
            // Said again by one that an upgrade has ended before it was given up.
            State::Pausing | State::Stopped => {
                self.state = State::Stopped;
                self.report(News::Ended {
                    how: "was not running".into(),
                    told: true,
                });
            }
        }
    }
}
