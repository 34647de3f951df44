//! Upgrade: the running programs are replaced by those now installed, and no connection is dropped.
//!
//! The new image checks the configuration first. Then the processes that nobody waits for end, the
//! vrrp-actor leaves the addresses where they are, and this process becomes the new image, which finds
//! the listening sockets open. The old workers notice that their supervisor is gone and end their
//! connections; new ones accept meanwhile.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use actix::prelude::*;
use ipc::lifecycle::Role;
use ipc::vrrp::ToVrrp;
use platform::process;

use super::Supervisor;
use crate::child::ChildId;
use crate::legacy::{self, Testament};
use crate::retired::Leaver;

/// How long the new image may take to check the configuration.
const CHECK_MAX: Duration = Duration::from_secs(10);

/// How long the processes may take to end. What waits in the notifier is in the journal.
const END_MAX: Duration = Duration::from_secs(2);

/// What is added to that before they are killed.
const MARGIN: Duration = Duration::from_secs(1);

/// What is needed to start this program again, as it is installed then.
#[derive(Debug)]
pub(crate) struct Rebirth {
    /// Where this program lay when it started.
    pub(crate) program: PathBuf,
    /// What it was started with.
    pub(crate) arguments: Vec<OsString>,
    /// The control socket.
    pub(crate) control: OwnedFd,
    /// The pid file, locked.
    pub(crate) pid_file: OwnedFd,
}

/// An upgrade on its way.
pub(super) struct Upgrade {
    phase: Phase,
    left: Vec<ChildId>,
    limit: Option<SpawnHandle>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The new image checks the configuration; nothing has changed.
    Checking,
    /// Those whom nobody waits for end.
    Ending,
    /// The vrrp-actor ends, last, so that the time without adverts is as short as can be.
    Leaving,
}

impl Supervisor {
    /// Lets the new image check the configuration, and goes on when it can use it.
    pub(super) fn begin_upgrade(&mut self, ctx: &mut Context<Self>) {
        if self.stop.is_some() || self.reload.is_some() || self.upgrade.is_some() {
            return tracing::warn!("no upgrade now: a stop, a reload or an upgrade is under way");
        }
        let mut check = tokio::process::Command::new(&self.rebirth.program);
        check
            .arg("check")
            .arg("--config")
            .arg(&self.source.file)
            .args(["--node", &self.source.node, "--run-dir"])
            .arg(&self.places.run_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        self.upgrade = Some(Upgrade {
            phase: Phase::Checking,
            left: Vec::new(),
            limit: None,
        });
        let checked = async move { tokio::time::timeout(CHECK_MAX, check.status()).await };
        ctx.spawn(checked.into_actor(self).map(|checked, supervisor, ctx| {
            let refused = match checked {
                Ok(Ok(status)) if status.success() => return supervisor.end_for_upgrade(ctx),
                Ok(Ok(status)) => format!("its check: {status}"),
                Ok(Err(error)) => format!("it cannot be run: {error}"),
                Err(_) => format!("its check takes longer than {CHECK_MAX:?}"),
            };
            tracing::error!("no upgrade to the installed program: {refused}");
            supervisor.give_up_upgrade(ctx);
        }));
    }

    /// Forgets an upgrade: it is refused, or a stop has come.
    pub(super) fn give_up_upgrade(&mut self, ctx: &mut Context<Self>) {
        if let Some(limit) = self.upgrade.take().and_then(|upgrade| upgrade.limit) {
            ctx.cancel_future(limit);
        }
    }

    fn end_for_upgrade(&mut self, ctx: &mut Context<Self>) {
        // A stop has come meanwhile.
        if self.upgrade.is_none() {
            return;
        }
        tracing::info!("upgrading to the programs now installed");
        self.enter_upgrade(Phase::Ending, ctx);
    }

    fn enter_upgrade(&mut self, phase: Phase, ctx: &mut Context<Self>) {
        let (Some(children), Some(upgrade)) = (&self.children, &mut self.upgrade) else {
            return;
        };
        let roles: &[Role] = match phase {
            Phase::Checking => &[],
            Phase::Ending => &[Role::Notify, Role::Check, Role::Admin],
            Phase::Leaving => &[Role::Vrrp],
        };
        upgrade.phase = phase;
        upgrade.left = children
            .ids()
            .into_iter()
            .filter(|child| roles.contains(&child.role))
            .collect();
        for child in &upgrade.left {
            self.heartbeat.forget(*child);
        }
        if phase == Phase::Leaving {
            children.tell_vrrp(ToVrrp::Leave);
        }
        for role in roles {
            children.stop(*role, END_MAX);
        }
        if let Some(limit) = upgrade.limit.take() {
            ctx.cancel_future(limit);
        }
        let limit = END_MAX + MARGIN;
        upgrade.limit = Some(ctx.run_later(limit, |supervisor, _| supervisor.kill_for_upgrade()));
    }

    fn kill_for_upgrade(&self) {
        let (Some(children), Some(upgrade)) = (&self.children, &self.upgrade) else {
            return;
        };
        for child in &upgrade.left {
            tracing::warn!("{} {} does not end; killing it", child.role, child.slot);
            children.kill(*child);
        }
    }

    /// A child that was told to end has ended.
    pub(super) fn ended_in_upgrade(&mut self, child: ChildId, ctx: &mut Context<Self>) {
        let Some(upgrade) = &mut self.upgrade else {
            return;
        };
        upgrade.left.retain(|left| *left != child);
        if !upgrade.left.is_empty() {
            return;
        }
        match upgrade.phase {
            Phase::Checking => {}
            Phase::Ending => self.enter_upgrade(Phase::Leaving, ctx),
            Phase::Leaving => self.be_reborn(),
        }
    }

    fn be_reborn(&self) {
        let testament = Testament {
            listening: self.holdings.listening_numbers(),
            admin: self.holdings.admin_numbers(),
            control: self.rebirth.control.as_raw_fd(),
            pid_file: self.rebirth.pid_file.as_raw_fd(),
            counters: self.holdings.counters.as_fd().as_raw_fd(),
            retired: self.leavers(),
            knowledge: self.node.knowledge(
                self.generation_asked,
                self.lead.allowed,
                self.outbox.waiting(),
            ),
        };
        for socket in self.sockets.values() {
            // It has ended in this moment then.
            let _ = socket.end_sending();
        }
        let error = match testament.seal() {
            Ok(testament) => self.become_installed(&testament),
            Err(error) => error,
        };
        // The vrrp-actor has ended, and so has the rest: a restart by the init system is quicker and
        // surer than putting everything back together.
        tracing::error!("cannot run {}: {error}", self.rebirth.program.display());
        System::current().stop_with_code(1);
    }

    /// Who is not done yet: workers, which show that they live, scripts, and whom the image before this
    /// one has left.
    fn leavers(&self) -> Vec<Leaver> {
        let proxy = &self.settings.proxy;
        let drain = proxy.drain_timeout.max(proxy.tunnel_drain_timeout);
        let children = self.node.pids();
        let children =
            children.map(|(child, pid)| Leaver::new(pid, self.sockets.get(&child), drain + MARGIN));
        let scripts = self.scripts_running.iter().map(|(script, pid)| {
            let limit = self.scripts.get(script).map_or(drain, |plan| plan.limit);
            Leaver::new(*pid, None, limit + MARGIN)
        });
        let mut leavers = self.retired.leavers(Instant::now());
        leavers.extend(children.chain(scripts));
        leavers
    }

    /// Returns only when it fails.
    fn become_installed(&self, testament: &OwnedFd) -> io::Error {
        let mut descriptors: Vec<BorrowedFd<'_>> = self.holdings.kept();
        descriptors.extend(self.retired.kept());
        descriptors.extend(self.sockets.values().map(AsFd::as_fd));
        descriptors.extend([
            self.rebirth.control.as_fd(),
            self.rebirth.pid_file.as_fd(),
            testament.as_fd(),
        ]);
        process::become_program(
            &self.rebirth.program,
            &self.rebirth.arguments,
            (legacy::VARIABLE, &testament.as_raw_fd().to_string()),
            &descriptors,
        )
    }
}
