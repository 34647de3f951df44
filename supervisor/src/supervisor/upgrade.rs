//! Upgrade: the running programs are replaced by those now installed, and no connection is dropped.
//!
//! The new image checks the configuration first. Then the processes that nobody waits for end, the
//! vrrp-actor leaves the addresses where they are, and this process becomes the new image, which finds
//! the listening sockets open. The old workers notice that their supervisor is gone and end their
//! connections; new ones accept meanwhile.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use actix::prelude::*;
use ipc::lifecycle::Role;
use ipc::vrrp::ToVrrp;
use platform::process;

use super::Supervisor;
use crate::child::ChildId;
use crate::legacy::{self, Testament};

/// How long the new image may take to check the configuration.
const CHECK_MAX: Duration = Duration::from_secs(10);

/// How long the processes may take to end. What waits in the notifier is in the journal.
const END_MAX: Duration = Duration::from_secs(2);

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
    left: Vec<ChildId>,
    vrrp_told: bool,
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
        let checked = async move { tokio::time::timeout(CHECK_MAX, check.status()).await };
        ctx.spawn(
            checked
                .into_actor(self)
                .map(|checked, supervisor, ctx| match checked {
                    Ok(Ok(status)) if status.success() => supervisor.end_for_upgrade(ctx),
                    Ok(Ok(status)) => {
                        tracing::error!("no upgrade: the installed program's check: {status}")
                    }
                    Ok(Err(error)) => tracing::error!("no upgrade: it cannot be run: {error}"),
                    Err(_) => {
                        tracing::error!("no upgrade: the check takes longer than {CHECK_MAX:?}")
                    }
                }),
        );
    }

    fn end_for_upgrade(&mut self, ctx: &mut Context<Self>) {
        let Some(children) = &self.children else {
            return;
        };
        let roles = [Role::Notify, Role::Check, Role::Admin];
        let left = children
            .ids()
            .into_iter()
            .filter(|child| roles.contains(&child.role));
        let left: Vec<ChildId> = left.collect();
        for child in &left {
            self.heartbeat.forget(*child);
        }
        for role in roles {
            children.stop(role, END_MAX);
        }
        tracing::info!("upgrading to the programs now installed");
        self.upgrade = Some(Upgrade {
            left,
            vrrp_told: false,
        });
        ctx.run_later(END_MAX * 2, |supervisor, _| supervisor.kill_for_upgrade());
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
        let (Some(children), Some(upgrade)) = (&self.children, &mut self.upgrade) else {
            return;
        };
        upgrade.left.retain(|left| *left != child);
        if !upgrade.left.is_empty() {
            return;
        }
        if upgrade.vrrp_told {
            return self.be_reborn();
        }
        // Last, so that the time without adverts is as short as can be.
        let vrrp = ChildId {
            role: Role::Vrrp,
            slot: 0,
        };
        upgrade.vrrp_told = true;
        upgrade.left.push(vrrp);
        self.heartbeat.forget(vrrp);
        children.tell_vrrp(ToVrrp::Leave);
        children.stop(Role::Vrrp, END_MAX);
        ctx.run_later(END_MAX, |supervisor, _| supervisor.kill_for_upgrade());
    }

    fn be_reborn(&self) {
        let testament = Testament {
            listening: self.holdings.listening_numbers(),
            admin: self.holdings.admin_numbers(),
            control: self.rebirth.control.as_raw_fd(),
            pid_file: self.rebirth.pid_file.as_raw_fd(),
            counters: self.holdings.counters.as_fd().as_raw_fd(),
            children: self.node.pids(),
            knowledge: self.node.knowledge(self.generation, self.lead.allowed),
        };
        let mut descriptors: Vec<BorrowedFd<'_>> = self.holdings.kept();
        descriptors.extend([self.rebirth.control.as_fd(), self.rebirth.pid_file.as_fd()]);
        let error = match serde_json::to_string(&testament) {
            Ok(text) => process::become_program(
                &self.rebirth.program,
                &self.rebirth.arguments,
                (legacy::VARIABLE, &text),
                &descriptors,
            ),
            Err(error) => error.into(),
        };
        // The vrrp-actor has ended, and so has the rest: a restart by the init system is quicker and
        // surer than putting everything back together.
        tracing::error!("cannot run {}: {error}", self.rebirth.program.display());
        System::current().stop_with_code(1);
    }
}
