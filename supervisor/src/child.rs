//! Child: one process, from its start to its end, over and over.
//!
//! The actor starts the program, greets it, hands over its configuration, passes messages both
//! ways and starts it again when it ends. Whether it hangs, and what its messages mean, the
//! supervisor decides.

mod life;
mod orders;
mod report;

pub(crate) use orders::{Kill, LogReopened, Ping, Renew, Step, Stop, Tell};
pub(crate) use report::{ChildId, News, Report, Reporting, RoleNews};

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;
use core_health::supervise::Backoff;
use ipc::lifecycle::{self, FromChild, ToChild, Welcome};
use life::{Life, describe, life};
use link::{Link, LinkError};
use platform::privilege::Identity;
use platform::process::{self, Image, Signal};
use platform::seqpacket::SeqPacket;

/// A configuration as one child gets it.
#[derive(Debug)]
pub(crate) struct Load {
    /// Which configuration.
    pub(crate) generation: u64,
    /// The sealed snapshot first, then the role's descriptors.
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// What all children have in common.
#[derive(Debug)]
pub(crate) struct Common {
    /// Who they become.
    pub(crate) identity: Identity,
    /// How much they log.
    pub(crate) log_level: String,
    /// Whether the one that speaks VRRP runs before all others.
    pub(crate) realtime: bool,
}

type SupervisorLink<C> =
    Link<ToChild<<C as lifecycle::Child>::To>, FromChild<<C as lifecycle::Child>::From>>;

/// The actor.
pub(crate) struct Child<C: Reporting> {
    id: ChildId,
    image: Rc<Image>,
    common: Rc<Common>,
    /// Goes with the greeting.
    greeting: Vec<OwnedFd>,
    supervisor: Recipient<Report>,
    /// The configuration in force, as a new process gets it.
    load: Arc<Load>,
    /// What the first process gets instead.
    first: Option<Arc<Load>>,
    /// What follows it, and the process that made ready for it.
    prepared: Option<(Arc<Load>, u32)>,
    backoff: Backoff,
    state: State<C>,
}

enum State<C: Reporting> {
    /// A process runs.
    Running {
        pid: u32,
        link: Rc<SupervisorLink<C>>,
        told_to_stop: bool,
    },
    /// It ended and will be started again.
    Pausing,
    /// It ended for good.
    Stopped,
}

impl<C: Reporting> Child<C> {
    /// An actor that starts its process at once.
    pub(crate) fn new(
        slot: u16,
        image: Rc<Image>,
        common: Rc<Common>,
        greeting: Vec<OwnedFd>,
        load: Arc<Load>,
        supervisor: Recipient<Report>,
    ) -> Self {
        let id = ChildId {
            role: C::ROLE,
            slot,
        };
        let (prepared, backoff, state) = (None, Backoff::new(), State::Pausing);
        Self {
            id,
            image,
            common,
            greeting,
            supervisor,
            load,
            first: None,
            prepared,
            backoff,
            state,
        }
    }

    /// Gives the first process another configuration than its successors.
    pub(crate) fn with_first(mut self, first: Option<Arc<Load>>) -> Self {
        self.first = first;
        self
    }

    fn report(&self, news: News) {
        // The supervisor's mailbox is bounded by what children may say between two of its turns;
        // do_send does not drop while the supervisor lives, and when it ends nobody listens.
        self.supervisor.do_send(Report {
            child: self.id,
            news,
        });
    }

    fn start(&mut self, ctx: &mut Context<Self>) {
        match self.try_start(ctx) {
            Ok((pid, socket)) => {
                self.backoff.handle_started(Instant::now());
                self.report(News::Started { pid, socket });
            }
            Err(error) => self.ended(format!("cannot be started: {error}"), ctx),
        }
    }

    fn try_start(&mut self, ctx: &mut Context<Self>) -> io::Result<(u32, SeqPacket)> {
        let (ours, theirs) = SeqPacket::pair()?;
        let socket = ours.try_clone()?;
        let title = format!("evenkeel: {} {}", self.id.role, self.id.slot);
        let process = self.image.start(&title, theirs)?;
        let pid = process
            .id()
            .ok_or_else(|| io::Error::other("it has no process id"))?;
        let link = Rc::new(SupervisorLink::<C>::new(ours)?);
        ctx.add_stream(life::<C>(Rc::clone(&link), process));
        self.state = State::Running {
            pid,
            link: Rc::clone(&link),
            told_to_stop: false,
        };
        self.greet(&link);
        Ok((pid, socket))
    }

    /// Everything a new process needs in one go; it reads one after the other.
    fn greet(&mut self, link: &SupervisorLink<C>) {
        let welcome = Welcome {
            version: ipc::VERSION,
            role: self.id.role,
            slot: self.id.slot,
            uid: self.common.identity.uid,
            gid: self.common.identity.gid,
            log_level: self.common.log_level.clone(),
            realtime: self.common.realtime && self.id.role == lifecycle::Role::Vrrp,
        };
        let first = self.first.take();
        let load = first.as_ref().unwrap_or(&self.load);
        let generation = load.generation;
        self.send_on(link, &ToChild::Welcome(welcome), &borrow(&self.greeting));
        let prepare = ToChild::Prepare { generation };
        self.send_on(link, &prepare, &borrow(&load.descriptors));
        self.send_on(link, &ToChild::Commit { generation }, &[]);
    }

    fn send(&self, message: &ToChild<C::To>, descriptors: &[BorrowedFd<'_>]) {
        if let State::Running { link, .. } = &self.state {
            self.send_on(link, message, descriptors);
        }
    }

    fn send_on(&self, link: &SupervisorLink<C>, message: &ToChild<C::To>, fds: &[BorrowedFd<'_>]) {
        match link.send(message, fds) {
            // A closed link means that the process is ending; its end is reported by wait().
            Ok(()) | Err(LinkError::Closed) => {}
            // A child that does not read is found by its heartbeat, which it does not answer either.
            Err(error) => tracing::warn!("{} {}: {error}", self.id.role, self.id.slot),
        }
    }

    fn kill(&self) {
        if let State::Running { pid, .. } = self.state
            && let Err(error) = process::kill_group(pid, Signal::SIGKILL)
        {
            tracing::warn!("cannot kill {} {}: {error}", self.id.role, self.id.slot);
        }
    }

    fn prepare(&mut self, now: &Load, restart: Arc<Load>) {
        let generation = now.generation;
        if let State::Running { pid, .. } = self.state {
            self.prepared = Some((restart, pid));
            self.send(&ToChild::Prepare { generation }, &borrow(&now.descriptors));
        } else {
            let why = format!(
                "{} {} is being restarted; try again",
                self.id.role, self.id.slot
            );
            self.report(News::Refused { generation, why });
        }
    }

    fn commit(&mut self) {
        let Some((load, prepared_pid)) = self.prepared.take() else {
            return;
        };
        self.load = load;
        match self.state {
            State::Running { pid, .. } if pid == prepared_pid => {
                self.send(
                    &ToChild::Commit {
                        generation: self.load.generation,
                    },
                    &[],
                );
            }
            // It was replaced since, by a process with the old configuration: replace that too.
            State::Running { .. } => self.kill(),
            State::Pausing | State::Stopped => {}
        }
    }

    fn said(&self, message: FromChild<C::From>) {
        match message {
            FromChild::Hello { version } if version != ipc::VERSION => {
                tracing::error!("{} speaks version {version} of our messages", self.id.role);
                self.kill();
            }
            FromChild::Hello { .. } => {}
            FromChild::Pong { seq } => self.report(News::Pong { seq }),
            FromChild::Prepared { generation } => self.report(News::Prepared { generation }),
            FromChild::Refused { generation, why } => {
                self.report(News::Refused { generation, why });
            }
            FromChild::Committed { generation } => self.report(News::Committed { generation }),
            FromChild::Role(message) => self.report(News::Role(C::news(message))),
        }
    }

    fn ended(&mut self, how: String, ctx: &mut Context<Self>) {
        let told = matches!(
            self.state,
            State::Running {
                told_to_stop: true,
                ..
            } | State::Stopped
        );
        self.report(News::Ended { how, told });
        if told {
            self.state = State::Stopped;
            return;
        }
        self.state = State::Pausing;
        let pause = self.backoff.handle_ended(Instant::now());
        ctx.run_later(pause, |actor, ctx| {
            if matches!(actor.state, State::Pausing) {
                actor.start(ctx);
            }
        });
    }
}

impl<C: Reporting> Actor for Child<C> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.start(ctx);
    }
}

impl<C: Reporting> StreamHandler<Life<C::From>> for Child<C> {
    fn handle(&mut self, life: Life<C::From>, ctx: &mut Context<Self>) {
        match life {
            Life::Said(message) => self.said(message),
            Life::Babbled(error) => {
                // It is a bug or an attack: a process that talks nonsense is replaced.
                tracing::error!("{} {} is killed: {error}", self.id.role, self.id.slot);
                self.kill();
            }
            Life::Ended(status) => self.ended(describe(status), ctx),
        }
    }

    /// The stream ends with the process; the actor lives on and starts another.
    fn finished(&mut self, _: &mut Context<Self>) {}
}

fn borrow(descriptors: &[OwnedFd]) -> Vec<BorrowedFd<'_>> {
    descriptors.iter().map(AsFd::as_fd).collect()
}
