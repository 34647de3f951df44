//! What children report, and what follows from it.

use std::net::SocketAddr;
use std::time::Instant;

use actix::prelude::*;
use ipc::check::{FromCheck, ScriptOutcome, ToCheck};
use ipc::event::{Event, GroupEvent, Severity, TransitionEvent, What};
use ipc::lifecycle::Role;
use ipc::notify::{FromNotify, ToNotify};
use ipc::proxy::{FromProxy, ToProxy};
use ipc::status::RouterState;
use ipc::vrrp::{FromVrrp, ToVrrp};
use platform::clock;

use super::{START_PATIENCE, Started, Supervisor};
use crate::child::{ChildId, News, Report, RoleNews, Tell};
use crate::node::{is_checked, is_tracked};
use crate::snapshots;
use crate::{scripts, tracks};

impl Handler<Report> for Supervisor {
    type Result = ();

    fn handle(&mut self, report: Report, ctx: &mut Context<Self>) {
        let child = report.child;
        match report.news {
            News::Pong { seq } => self.heartbeat.handle_pong(child, seq, Instant::now()),
            News::Started { pid, socket } => {
                tracing::info!("{} {} started, process {pid}", child.role, child.slot);
                self.heartbeat.watch(child, Instant::now() + START_PATIENCE);
                self.node.handle_started(child, pid, clock::unix_ms());
                self.sockets.insert(child, socket);
                self.status_changed(ctx);
            }
            News::Prepared { generation } => self.prepared(child, generation, ctx),
            News::Refused { generation, why } => self.refused(child, generation, &why),
            News::Committed { generation } => self.committed(child, generation, ctx),
            News::Ended { how, told } => self.ended(child, how, told, ctx),
            News::Role(news) => self.role_news(news, ctx),
        }
    }
}

impl Supervisor {
    fn committed(&mut self, child: ChildId, generation: u64, ctx: &mut Context<Self>) {
        let is_new = self.node.handle_in_service(child);
        match child.role {
            Role::Proxy => {
                if is_new {
                    self.brief_proxy(child.slot);
                }
                if let Some(change) = self.proxy_health.handle_in_service(child.slot) {
                    self.proxy_changed(change, ctx);
                }
            }
            Role::Vrrp => self.brief_vrrp(),
            Role::Check => self.brief_check(),
            Role::Notify if is_new => self.brief_notify(),
            // One that has changed to a new configuration has every event already.
            Role::Notify | Role::Admin => {}
        }
        self.status_changed(ctx);
        self.committed_reload(child, generation, ctx);
        if self.stop.is_none() && self.node.missing().is_empty() {
            self.tell_ready(Ok(Started::InService));
        }
    }

    /// A vrrp-actor that has just started, or has another configuration, does not know all of what went
    /// before.
    fn brief_vrrp(&self) {
        let Some(children) = &self.children else {
            return;
        };
        for (subject, verdict) in self.node.tracks() {
            children.tell_vrrp(ToVrrp::TrackChanged { subject, verdict });
        }
        self.tell_proxy_health();
        if self.lead.allowed {
            children.tell_vrrp(ToVrrp::MayLead);
        }
    }

    /// A worker that has just started has no keys for tickets.
    fn brief_proxy(&self, slot: u16) {
        if let Some(children) = &self.children {
            let keys = ToProxy::TicketKeys(self.tickets.keys());
            children.tell_proxy(usize::from(slot), plain(keys));
        }
    }

    /// All workers get the keys that count now.
    pub(super) fn tell_ticket_keys(&self) {
        let Some(children) = &self.children else {
            return;
        };
        for slot in 0..children.proxy_count() {
            children.tell_proxy(slot, plain(ToProxy::TicketKeys(self.tickets.keys())));
        }
    }

    fn brief_check(&self) {
        let (servers, tracks) = (self.node.servers(), self.node.tracks());
        if let Some(children) = &self.children
            && !(servers.is_empty() && tracks.is_empty())
        {
            children.tell_check(ToCheck::Known { servers, tracks });
        }
    }

    fn brief_notify(&mut self) {
        let events = self.outbox.resend(clock::unix_ms());
        let Some(children) = &self.children else {
            return;
        };
        for event in events {
            children.tell_notify(Tell {
                message: ToNotify::Event(event),
                descriptors: Vec::new(),
            });
        }
    }

    fn ended(&mut self, child: ChildId, how: String, told: bool, ctx: &mut Context<Self>) {
        self.heartbeat.forget(child);
        self.node.handle_ended(child);
        self.sockets.remove(&child);
        if child.role == Role::Proxy {
            self.proxy_health.handle_lost(child.slot, Instant::now());
            self.holdings.gauges.clear(usize::from(child.slot));
        }
        self.status_changed(ctx);
        self.ended_in_reload(child);
        if told {
            self.ended_in_upgrade(child, ctx);
            return self.ended_in_stop(child, ctx);
        }
        tracing::error!("{} {} ended: {how}", child.role, child.slot);
        let what = What::ProcessDied {
            role: child.role,
            slot: child.slot,
            how,
        };
        self.outbox_event(Severity::Error, what);
    }

    fn role_news(&mut self, news: RoleNews, ctx: &mut Context<Self>) {
        match news {
            RoleNews::Vrrp(FromVrrp::Transition(transition)) => self.transition(transition),
            RoleNews::Vrrp(FromVrrp::GroupTransition(group)) => self.group_transition(group),
            RoleNews::Vrrp(FromVrrp::PriorityChanged(change)) => {
                self.outbox_event(Severity::Info, What::PriorityChanged(change));
            }
            RoleNews::Vrrp(FromVrrp::Contested(contest)) => {
                self.outbox_event(Severity::Critical, What::Contested(contest));
            }
            RoleNews::Vrrp(FromVrrp::Status(routers)) => {
                if self.node.handle_routers(routers) {
                    self.show_status();
                } else {
                    self.status_changed(ctx);
                }
            }
            RoleNews::Vrrp(FromVrrp::Timers(timers)) => self.node.handle_timers(timers),
            RoleNews::Proxy(FromProxy::Drained { cut }) => {
                if cut > 0 {
                    tracing::warn!(
                        "{cut} connections and streams were cut at the end of the drain"
                    );
                }
            }
            // It takes this process for gone, and would end anyway.
            RoleNews::Proxy(FromProxy::Ending) => {}
            RoleNews::Check(news) => self.check_news(news, ctx),
            RoleNews::Notify(FromNotify::Written { seq, event }) => {
                self.outbox.handle_written(&event);
                if let Some(children) = &self.children {
                    children.tell_admin(ipc::admin::ToAdmin::Event { seq, event });
                }
            }
            RoleNews::Notify(FromNotify::Queues(queues)) => {
                for (sink, waiting, error) in queues {
                    if let Some(error) = error {
                        tracing::warn!("{sink}: {waiting} messages wait: {error}");
                    }
                }
            }
            RoleNews::Admin(never) => match never {},
        }
    }

    fn transition(&mut self, transition: TransitionEvent) {
        let severity = severity(transition.to, transition.planned);
        let at_unix_ms = transition.at_unix_ms;
        self.deliver(Event {
            at_unix_ms,
            severity,
            what: What::Transition(transition),
        });
    }

    fn group_transition(&mut self, group: GroupEvent) {
        let severity = severity(group.to, group.planned);
        self.outbox_event(severity, What::GroupTransition(group));
    }

    fn check_news(&mut self, news: FromCheck, ctx: &mut Context<Self>) {
        match news {
            FromCheck::RunScript { script } => self.run_script(script, ctx),
            FromCheck::FirstRoundDone => {
                self.lead.first_round_done = true;
                self.maybe_lead();
            }
            // Of a configuration that is no more, or of an imagination that costs us memory.
            FromCheck::TrackChanged { subject, .. } if !is_tracked(&self.settings, &subject) => {
                tracing::debug!("a verdict on {subject}, which there is not");
            }
            FromCheck::ServerChanged {
                upstream, address, ..
            } if !is_checked(&self.settings, &upstream, address) => {
                tracing::debug!("a verdict on {upstream}/{address}, which is not checked");
            }
            FromCheck::ListenerChanged {
                address,
                up,
                reason,
            } => self.listener_changed(address, up, &reason, ctx),
            FromCheck::TrackChanged {
                subject,
                verdict,
                reason,
                first,
            } => {
                let event = tracks::event(&subject, verdict, &reason, first);
                let now = clock::unix_ms();
                self.node
                    .handle_track(subject.clone(), verdict, reason, now);
                if let Some(children) = &self.children {
                    children.tell_vrrp(ToVrrp::TrackChanged { subject, verdict });
                }
                self.status_changed(ctx);
                if let Some((severity, what)) = event {
                    self.outbox_event(severity, what);
                }
            }
            FromCheck::ServerChanged {
                upstream,
                address,
                up,
                reason,
                first,
            } => {
                let key = (upstream.clone(), address);
                self.node
                    .handle_server(key, up, reason.clone(), clock::unix_ms());
                // At once: requests are on their way to this server.
                self.show_status();
                if up && !first {
                    self.outbox_event(Severity::Info, What::ServerUp { upstream, address });
                } else if !up {
                    let what = What::ServerDown {
                        upstream,
                        address,
                        reason,
                    };
                    self.outbox_event(Severity::Error, what);
                }
            }
        }
    }

    /// Requests are answered at an address of the proxy, or are not.
    fn listener_changed(
        &mut self,
        address: SocketAddr,
        up: bool,
        reason: &str,
        ctx: &mut Context<Self>,
    ) {
        // Of a configuration that is no more, or of workers that only end what they have.
        if !snapshots::asked_addresses(&self.settings).contains(&address) || self.accepts_no_more()
        {
            return;
        }
        if !up {
            tracing::error!("the proxy does not answer at {address}: {reason}");
        }
        if let Some(change) = self.proxy_health.handle_answers(address, up) {
            self.proxy_changed(change, ctx);
        }
    }

    /// Starts a script. One that runs already (for a health-checker that is no more) is not started
    /// again: its end is the answer to this question too.
    fn run_script(&mut self, script: String, ctx: &mut Context<Self>) {
        if self.scripts_running.contains_key(&script) {
            return;
        }
        let run = match self.scripts.get(&script) {
            None => Err(ScriptOutcome::Unrunnable("there is no such script".into())),
            Some(plan) if plan.identity.is_none() => {
                Err(ScriptOutcome::Unrunnable("its user does not exist".into()))
            }
            Some(plan) => scripts::start(&plan.command, plan.identity, plan.limit),
        };
        let run = match run {
            Ok(run) => run,
            Err(outcome) => return self.script_ended(script, outcome),
        };
        if let Some(pid) = run.pid() {
            self.scripts_running.insert(script.clone(), pid);
        }
        ctx.spawn(
            run.outcome()
                .into_actor(self)
                .map(move |outcome, supervisor, _| supervisor.script_ended(script, outcome)),
        );
    }

    fn script_ended(&mut self, script: String, outcome: ScriptOutcome) {
        self.scripts_running.remove(&script);
        if let Some(children) = &self.children {
            children.tell_check(ToCheck::ScriptEnded { script, outcome });
        }
    }
}

/// A message with nothing along.
const fn plain(message: ToProxy) -> Tell<ToProxy> {
    Tell {
        message,
        descriptors: Vec::new(),
    }
}

/// How much a change of state matters.
fn severity(to: RouterState, is_planned: bool) -> Severity {
    match to {
        _ if is_planned => Severity::Info,
        RouterState::Fault => Severity::Error,
        RouterState::Master | RouterState::Backup | RouterState::Stop => Severity::Warning,
    }
}
