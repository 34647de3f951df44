//! Stop: the addresses are handed over while the workers still serve, then the connections end,
//! then the rest.

use std::time::Duration;

use actix::prelude::*;
use ipc::event::{Severity, What};
use ipc::lifecycle::Role;

use super::{Started, Supervisor};
use crate::child::ChildId;

/// How long handing over the addresses may take: a skew time is at most a second in version 2, 16 s
/// with the longest interval of version 3.
const HAND_OVER_MAX: Duration = Duration::from_secs(20);

/// How long the notifier may take to send what waits.
const NOTIFY_MAX: Duration = Duration::from_secs(5);

/// What is added to a child's own limit before it is killed.
const MARGIN: Duration = Duration::from_secs(2);

/// How far it has come.
pub(super) struct Stop {
    phase: Phase,
    /// Connections are cut, not waited for.
    now: bool,
    left: Vec<ChildId>,
    limit: Option<SpawnHandle>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    HandingOver,
    Draining,
    Closing,
}

impl Supervisor {
    /// Begins to stop. Asked again for a stop at once, it no longer waits for connections; asked
    /// again for a graceful one, it goes on as it does.
    pub(super) fn begin_stop(&mut self, now: bool, ctx: &mut Context<Self>) {
        if let Some(stop) = &mut self.stop {
            let hurry = now && !stop.now;
            stop.now |= now;
            if hurry && stop.phase == Phase::Draining {
                tracing::info!("connections are cut");
                self.kill_left();
            }
            return;
        }
        tracing::info!("stopping");
        self.give_up_reload("it is stopping");
        self.give_up_upgrade(ctx);
        self.outbox_event(Severity::Info, What::Stopping);
        notify_systemd(sd_notify::NotifyState::Stopping);
        self.stop = Some(Stop {
            phase: Phase::HandingOver,
            now,
            left: Vec::new(),
            limit: None,
        });
        self.enter(Phase::HandingOver, ctx);
    }

    /// Whether the workers have been told to end.
    pub(super) fn accepts_no_more(&self) -> bool {
        let phase = self.stop.as_ref().map(|stop| stop.phase);
        phase.is_some_and(|phase| phase != Phase::HandingOver)
    }

    fn enter(&mut self, phase: Phase, ctx: &mut Context<Self>) {
        let (Some(children), Some(stop)) = (&self.children, &mut self.stop) else {
            return;
        };
        let drain = if stop.now {
            Duration::ZERO
        } else {
            self.settings.proxy.drain_timeout
        };
        let (roles, within): (&[Role], _) = match phase {
            Phase::HandingOver => (&[Role::Vrrp], HAND_OVER_MAX),
            Phase::Draining => (&[Role::Proxy], drain),
            Phase::Closing => (&[Role::Check, Role::Notify, Role::Admin], NOTIFY_MAX),
        };
        let ids = children.ids();
        stop.phase = phase;
        stop.left = ids
            .into_iter()
            .filter(|child| roles.contains(&child.role))
            .collect();
        for child in &stop.left {
            self.heartbeat.forget(*child);
        }
        for role in roles {
            children.stop(*role, within);
        }
        if let Some(limit) = stop.limit.take() {
            ctx.cancel_future(limit);
        }
        let limit = within + MARGIN;
        stop.limit = Some(ctx.run_later(limit, |supervisor, _| supervisor.stop_too_slow()));
    }

    fn kill_left(&self) {
        let (Some(children), Some(stop)) = (&self.children, &self.stop) else {
            return;
        };
        stop.left.iter().for_each(|child| children.kill(*child));
    }

    fn stop_too_slow(&mut self) {
        for child in self.stop.iter().flat_map(|stop| &stop.left) {
            tracing::warn!("{} {} does not end; killing it", child.role, child.slot);
        }
        self.kill_left();
    }

    /// A child that was told to end has ended.
    pub(super) fn ended_in_stop(&mut self, child: ChildId, ctx: &mut Context<Self>) {
        let Some(stop) = &mut self.stop else { return };
        stop.left.retain(|left| *left != child);
        if !stop.left.is_empty() {
            return;
        }
        match stop.phase {
            Phase::HandingOver => self.enter(Phase::Draining, ctx),
            Phase::Draining => self.enter(Phase::Closing, ctx),
            Phase::Closing => {
                let unwritten = self.outbox.len();
                if unwritten > 0 {
                    tracing::error!("{unwritten} events are in no journal: the notifier was down");
                }
                tracing::info!("stopped");
                self.tell_ready(Ok(Started::Stopped));
                System::current().stop();
            }
        }
    }
}

/// Tells systemd, where it is there.
pub(crate) fn notify_systemd(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!("systemd was not told: {error}");
    }
}
