//! Supervisor: the actor that keeps everything together. Children report to it, commands and
//! signals come to it; what it decides by itself is little: whom to restart is [`Child`]'s, who
//! hangs is [`Heartbeat`]'s, whether the proxy serves is [`ProxyHealth`]'s, which state to be in is
//! VRRP's.
//!
//! [`Child`]: crate::child::Child

mod logs;
mod reload;
mod renewal;
mod reports;
mod show;
mod stop;
mod upgrade;

pub(crate) use stop::notify_systemd;
pub(crate) use upgrade::Rebirth;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use core_health::proxy::{Change, GRACE, ProxyHealth};
use core_health::retirement::LOOK_INTERVAL;
use core_health::supervise::Heartbeat;
use ipc::event::{Event, Severity, What};
use ipc::lifecycle::Role;
use ipc::notify::ToNotify;
use ipc::proxy::TICKET_LIFETIME;
use platform::clock;
use platform::privilege::Identity;
use platform::seqpacket::SeqPacket;
use settings::{Settings, Source};
use tokio::sync::oneshot;

use crate::child::{ChildId, Common, Tell};
use crate::children::{Children, Images, Loads};
use crate::control::{Answer, Asked, Request};
use crate::holdings::{Holdings, Places};
use crate::legacy::Knowledge;
use crate::node::Node;
use crate::outbox::Outbox;
use crate::retired::Retired;
use crate::signals::Signal;
use crate::tickets::Tickets;

/// How long after its start a child may be silent: a loaded machine takes its time to load it.
const START_PATIENCE: Duration = Duration::from_secs(5);

/// How long VRRP waits for the first round of checks before it may lead without.
const FIRST_ROUND_MAX: Duration = Duration::from_secs(5);

/// How often the state is shown when nothing changes, for the counters in it.
const STATUS_IDLE_INTERVAL: Duration = Duration::from_secs(1);

const NOTIFIER: ChildId = ChildId {
    role: Role::Notify,
    slot: 0,
};

/// How a start ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Started {
    /// Everybody is in service.
    InService,
    /// It was told to stop before that, and has stopped.
    Stopped,
}

/// Everything that a supervisor starts with.
pub(crate) struct Beginning {
    /// Where the configuration came from, and comes from again at a reload.
    pub(crate) source: Source,
    /// The configuration.
    pub(crate) settings: Settings,
    /// Where things lie.
    pub(crate) places: Places,
    /// The user of the children.
    pub(crate) identity: Identity,
    /// Their programs.
    pub(crate) images: Images,
    /// Their sockets and files.
    pub(crate) holdings: Holdings,
    /// How many proxy workers.
    pub(crate) slots: u16,
    /// How this program is started again.
    pub(crate) rebirth: Rebirth,
    /// Who still ends its work, of images before this one.
    pub(crate) retired: Retired,
    /// What the image before this one knew, after an upgrade.
    pub(crate) knowledge: Option<Knowledge>,
    /// Told once: everybody is in service, or why not.
    pub(crate) ready: oneshot::Sender<Result<Started, String>>,
}

/// The actor.
pub(crate) struct Supervisor {
    source: Source,
    settings: Settings,
    generation: u64,
    /// The highest generation that children were ever asked to make ready for: the answer to a
    /// change that was given up must not be taken for one to the next.
    generation_asked: u64,
    places: Places,
    identity: Identity,
    images: Images,
    holdings: Holdings,
    slots: u16,
    ready: Option<oneshot::Sender<Result<Started, String>>>,
    /// Set from the moment the actor runs.
    children: Option<Children>,
    heartbeat: Heartbeat<ChildId>,
    /// Our ends of the children's links, for the image after this one.
    sockets: BTreeMap<ChildId, SeqPacket>,
    retired: Retired,
    proxy_health: ProxyHealth,
    lead: Lead,
    node: Node,
    outbox: Outbox,
    status_due: Option<SpawnHandle>,
    tickets: Tickets,
    looks: renewal::Looks,
    /// Time limits of script runs, and who runs them.
    scripts: BTreeMap<String, ScriptPlan>,
    /// The scripts that run now, and their processes.
    scripts_running: BTreeMap<String, u32>,
    /// Log files are to be opened again when the reload that is under way is over.
    reopen_due: bool,
    rebirth: Rebirth,
    /// What the image before this one knew, until the children are started with it.
    knowledge: Option<Knowledge>,
    reload: Option<reload::Reload>,
    stop: Option<stop::Stop>,
    upgrade: Option<upgrade::Upgrade>,
}

/// What must be before a virtual router may become Master.
#[derive(Clone, Copy, Debug, Default)]
struct Lead {
    first_round_done: bool,
    proxy_served: bool,
    allowed: bool,
}

/// How a script is run.
#[derive(Clone, Debug)]
struct ScriptPlan {
    command: Vec<String>,
    identity: Option<Identity>,
    limit: Duration,
}

impl Supervisor {
    /// An actor that starts all children when it runs.
    pub(crate) fn new(beginning: Beginning) -> Self {
        let scripts = script_plans(&beginning.settings, beginning.identity);
        let mut node = Node::new(clock::unix_ms());
        let mut lead = Lead::default();
        let mut outbox = Outbox::default();
        let knowledge = beginning.knowledge;
        if let Some(knowledge) = &knowledge {
            node.handle_knowledge(knowledge, clock::unix_ms());
            node.handle_settings(&beginning.settings);
            lead.allowed = knowledge.may_lead;
            knowledge
                .events
                .iter()
                .for_each(|event| outbox.push(event.clone()));
        }
        let generation = knowledge
            .as_ref()
            .map_or(0, |knowledge| knowledge.generation)
            + 1;
        Self {
            source: beginning.source,
            settings: beginning.settings,
            generation,
            generation_asked: generation,
            places: beginning.places,
            identity: beginning.identity,
            images: beginning.images,
            holdings: beginning.holdings,
            slots: beginning.slots,
            ready: Some(beginning.ready),
            children: None,
            heartbeat: Heartbeat::new(Instant::now()),
            sockets: BTreeMap::new(),
            retired: beginning.retired,
            proxy_health: ProxyHealth::new(GRACE),
            lead,
            node,
            outbox,
            status_due: None,
            tickets: Tickets::new(),
            looks: renewal::Looks::default(),
            scripts,
            scripts_running: BTreeMap::new(),
            reopen_due: false,
            rebirth: beginning.rebirth,
            knowledge,
            reload: None,
            stop: None,
            upgrade: None,
        }
    }

    fn start_children(&mut self, ctx: &mut Context<Self>) -> Result<(), String> {
        let additions = self
            .holdings
            .additions(&self.settings, self.slots, self.identity)
            .map_err(|report| report.to_string())?;
        self.holdings.adopt(additions, &self.settings);
        let common = Rc::new(Common {
            identity: self.identity,
            log_level: self.settings.global.log.level.as_str().to_owned(),
            realtime: self.settings.global.realtime,
        });
        let knowledge = self.knowledge.take();
        let start = || {
            let holdings = &self.holdings;
            let mut loads =
                Loads::make(holdings, &self.settings, self.generation, self.slots, None)?;
            if let Some(knowledge) = &knowledge {
                loads.succeed(holdings, &self.settings, self.generation, knowledge)?;
            }
            let to = ctx.address().recipient();
            Children::start(&self.images, &common, holdings, &loads, &to)
        };
        self.children = Some(start().map_err(|error| format!("cannot start: {error}"))?);
        Ok(())
    }

    /// Serves what is due, and waits for what is due next. The only place that arms this timer.
    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        if now >= self.heartbeat.poll_timeout() {
            self.beat(now);
        }
        if let Some(change) = self.proxy_health.handle_timeout(now) {
            self.proxy_changed(change, ctx);
        }
        let next = self.heartbeat.poll_timeout();
        let next = self
            .proxy_health
            .poll_timeout()
            .map_or(next, |other| next.min(other));
        ctx.run_later(next.saturating_duration_since(now), Self::tick);
    }

    fn beat(&mut self, now: Instant) {
        let beat = self.heartbeat.handle_timeout(now);
        if let (Some(seq), Some(children)) = (beat.ping, &self.children) {
            children.ping(seq);
        }
        for (child, silent) in beat.silent {
            tracing::error!(
                "{} {} is silent for {silent:?}; killing it",
                child.role,
                child.slot
            );
            if let Some(children) = &self.children {
                children.kill(child);
            }
            let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
            let what = What::ProcessHung {
                role: child.role,
                slot: child.slot,
                silent_ms,
            };
            self.outbox_event(Severity::Error, what);
        }
    }

    fn proxy_changed(&mut self, change: Change, ctx: &mut Context<Self>) {
        let well = matches!(change, Change::Well);
        let is_first = well && !self.lead.proxy_served;
        self.lead.proxy_served |= well;
        self.tell_proxy_health();
        self.maybe_lead();
        self.status_changed(ctx);
        // That it serves at last is no news at a start, nor that it does not at a stop.
        if is_first || self.stop.is_some() {
            return;
        }
        let (severity, what) = if well {
            (Severity::Info, What::ProxyWell)
        } else {
            (Severity::Critical, What::ProxyIll)
        };
        self.outbox_event(severity, what);
    }

    fn tell_proxy_health(&self) {
        if let Some(children) = &self.children {
            children.tell_vrrp(ipc::vrrp::ToVrrp::ProxyHealth {
                well: self.proxy_health.is_well(),
            });
        }
    }

    fn maybe_lead(&mut self) {
        if !self.lead.allowed && self.lead.first_round_done && self.lead.proxy_served {
            self.allow_lead();
        }
    }

    fn allow_lead(&mut self) {
        self.lead.allowed = true;
        if let Some(children) = &self.children {
            children.tell_vrrp(ipc::vrrp::ToVrrp::MayLead);
        }
    }

    /// Writes an event down, and tells whoever is to be told.
    fn outbox_event(&mut self, severity: Severity, what: What) {
        self.deliver(Event {
            at_unix_ms: clock::unix_ms(),
            severity,
            what,
        });
    }

    fn deliver(&mut self, event: Event) {
        self.outbox.push(event.clone());
        // A notifier that is being started gets everything when it is in service.
        if self.node.is_in_service(NOTIFIER)
            && let Some(children) = &self.children
        {
            children.tell_notify(Tell {
                message: ToNotify::Event(event),
                descriptors: Vec::new(),
            });
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        if let Err(why) = self.start_children(ctx) {
            self.tell_ready(Err(why));
            return System::current().stop_with_code(1);
        }
        self.outbox_event(
            Severity::Info,
            What::Started {
                version: env!("CARGO_PKG_VERSION").into(),
            },
        );
        ctx.run_later(FIRST_ROUND_MAX, |supervisor, _| {
            if !supervisor.lead.allowed && supervisor.stop.is_none() {
                tracing::warn!("the first checks take too long; VRRP goes on without them");
                supervisor.allow_lead();
            }
        });
        ctx.run_interval(STATUS_IDLE_INTERVAL, |supervisor, ctx| {
            supervisor.status_changed(ctx)
        });
        ctx.run_interval(LOOK_INTERVAL, |supervisor, _| {
            supervisor.retired.look(Instant::now());
        });
        self.watch_credentials(ctx);
        let lifetime = Duration::from_secs(TICKET_LIFETIME.into());
        ctx.run_interval(lifetime, |supervisor, _| {
            supervisor.tickets.rotate();
            supervisor.tell_ticket_keys();
        });
        self.tick(ctx);
    }
}

impl Supervisor {
    fn tell_ready(&mut self, result: Result<Started, String>) {
        if let Some(ready) = self.ready.take() {
            // Whoever waited has given up; it says so itself.
            let _ = ready.send(result);
        }
    }
}

impl Handler<Asked> for Supervisor {
    type Result = ();

    fn handle(&mut self, asked: Asked, ctx: &mut Context<Self>) {
        let answer = match asked.request {
            Request::Status => Answer::Status {
                status: Box::new(self.status()),
            },
            Request::Journal => Answer::Journal {
                folder: self.places.journal.clone(),
            },
            Request::Listening => {
                let admin = self.settings.admin.bind.as_ref().map(|bind| *bind.value());
                let addresses = self.holdings.addresses().into_iter().chain(admin).collect();
                Answer::Listening { addresses }
            }
            Request::Stop { now } => {
                self.begin_stop(now, ctx);
                Answer::Stopping
            }
            Request::Reload => return self.begin_reload(Some(asked.answer), ctx),
        };
        // A client that left does not want the answer.
        let _ = asked.answer.send(answer);
    }
}

impl Handler<Signal> for Supervisor {
    type Result = ();

    fn handle(&mut self, signal: Signal, ctx: &mut Context<Self>) {
        match signal {
            Signal::Reload => self.begin_reload(None, ctx),
            Signal::ReopenLogs => self.reopen_logs(),
            Signal::Upgrade => self.begin_upgrade(ctx),
            Signal::Stop => self.begin_stop(false, ctx),
            Signal::StopNow => self.begin_stop(true, ctx),
        }
    }
}

/// How each script is run. One whose user is the children's runs as they do, whoever that came to
/// be; another user who does not exist makes it a script that cannot be run.
fn script_plans(settings: &Settings, own: Identity) -> BTreeMap<String, ScriptPlan> {
    let identity = |user: &String| {
        if user == settings.global.user.value() {
            return Some(own);
        }
        platform::privilege::identity(user, None).unwrap_or_else(|error| {
            tracing::warn!("cannot look up user {user}: {error}");
            None
        })
    };
    let plan = |script: &settings::Script| ScriptPlan {
        command: script.command.value().clone(),
        identity: identity(script.user.value()),
        limit: script.timeout,
    };
    settings
        .scripts
        .iter()
        .map(|script| (script.name.clone(), plan(script)))
        .collect()
}
