//! One virtual router: feeds the core with packets, time and news, and carries out what it says.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message,
    SpawnHandle, WrapFuture,
};
use core_vrrp::{
    Cause, Effect, Effects, Event, Found, Priority, Router as Core, State, Time, Transition,
};
use ipc::vrrp::{RouterSpec, TrackSubject};
use platform::addresses::Assignment;
use platform::clock::boottime;
use platform::interfaces::Interface;
use tokio::sync::oneshot;

use crate::configuration::{core_spec, no_source, track_name};
use crate::links::Links;
use crate::node::Known;
use crate::port::Port;
use crate::reporter::{Report, Reporter};
use crate::seldom::Seldom;
use crate::virtual_addresses::VirtualAddresses;

mod status;
#[cfg(test)]
pub(crate) mod tests;

use status::Entered;

/// How often the state is reported, and a port that could not be opened is tried again.
const TICK: Duration = Duration::from_secs(1);

/// Something changed that routers have to know.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum News {
    /// The node is ready.
    MayLead,
    /// A track was checked.
    Track { subject: TrackSubject, up: bool },
    /// The node's proxy serves or does not.
    Proxy { well: bool },
}

/// The configuration of this router changed; interface and vrid are the same.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Reload(pub(crate) RouterSpec);

/// Hand over, then say so and end.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Shutdown(pub(crate) oneshot::Sender<()>);

/// End as if nothing had been: the addresses are a successor's.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Leave;

/// Packets have come in.
#[derive(Message)]
#[rtype(result = "()")]
struct Arrived;

/// Some interface changed.
#[derive(Message)]
#[rtype(result = "()")]
struct LinksChanged;

/// The actor.
pub(crate) struct Router {
    spec: RouterSpec,
    core: Core,
    effects: Effects,
    addresses: VirtualAddresses,
    /// Open while the interface is up.
    port: Option<(Port, SpawnHandle)>,
    links: Links,
    known: Known,
    has_leftovers: bool,
    timer: Option<SpawnHandle>,
    entered: Entered,
    seldom: Seldom,
    reporter: Addr<Reporter>,
    finished: Option<oneshot::Sender<()>>,
}

impl Router {
    /// A router that starts with its actor. `leftovers` are addresses of a predecessor that died.
    ///
    /// # Errors
    /// Why it cannot run at all: no netlink, or a configuration that was not inspected.
    pub(crate) fn new(
        spec: RouterSpec,
        leftovers: Vec<Assignment>,
        links: Links,
        known: Known,
        reporter: Addr<Reporter>,
    ) -> Result<Self, String> {
        let has_leftovers = !leftovers.is_empty();
        let addresses = VirtualAddresses::open(leftovers).map_err(|error| error.to_string())?;
        let source = no_source(&spec);
        Ok(Self {
            core: Core::new(core_spec(&spec, source)?),
            spec,
            effects: Effects::default(),
            addresses,
            port: None,
            links,
            known,
            has_leftovers,
            timer: None,
            entered: Entered::at_start(),
            seldom: Seldom::default(),
            reporter,
            finished: None,
        })
    }

    /// All that is known already, then the start.
    fn begin(&mut self, context: &mut Context<Self>) {
        for (script, up) in self.known.scripts.clone() {
            self.track(&TrackSubject::Script(script), up, context);
        }
        self.feed(
            Event::Proxy {
                well: self.proxy_counts_as_well(),
            },
            context,
        );
        if self.known.may_lead {
            self.feed(Event::MayLead, context);
        }
        self.look_at_links(context);
        self.feed(
            Event::Start(match (self.has_leftovers, self.known.succeeds) {
                (false, _) => Found::Nothing,
                (true, false) => Found::Leftovers,
                (true, true) => Found::Succession,
            }),
            context,
        );
        self.report(None);
    }

    /// Lets the core take an event, carries out what it says, and sets the timer anew.
    fn feed(&mut self, event: Event<'_>, context: &mut Context<Self>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.core.handle(now(), event, &mut effects);
        for effect in effects.drain() {
            self.perform(effect);
        }
        self.effects = effects;
        self.set_timer(context);
        if self.core.is_finished() {
            if let Some(finished) = self.finished.take() {
                // Nobody waits when the process is ending anyway.
                let _ = finished.send(());
            }
            context.stop();
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::AddAddresses => self.addresses.hold(&self.spec, &self.links.borrow()),
            Effect::RemoveAddresses => self.addresses.release(),
            Effect::RenewLease => self.addresses.renew(),
            Effect::SendAdvert(priority) => self.perform_send(priority),
            Effect::Announce { times } => self.perform_announce(times),
            Effect::Transition(transition) => self.perform_transition(&transition),
            Effect::Discarded { reason, source } => {
                if let Some(more) = self.seldom.may_say(reason.name(), boottime()) {
                    let (name, reason) = (&self.spec.name, reason.name());
                    tracing::warn!("{name}: advert of {source:?} discarded: {reason}; {more} more");
                }
            }
        }
    }

    fn perform_send(&mut self, priority: Priority) {
        let Some((port, _)) = &mut self.port else {
            return;
        };
        let sent = port.send(&self.core, priority);
        self.complain("cannot send an advert", sent);
    }

    fn perform_announce(&mut self, times: u8) {
        for _ in 0..times {
            if let Some((port, _)) = &mut self.port {
                let announced = port.announce(&self.spec);
                self.complain("cannot announce", announced);
            }
        }
    }

    fn complain(&mut self, what: &'static str, outcome: io::Result<()>) {
        if let Err(error) = outcome
            && let Some(more) = self.seldom.may_say(what, boottime())
        {
            tracing::error!("{}: {what}: {error}; {more} more", self.spec.name);
        }
    }

    fn perform_transition(&mut self, transition: &Transition) {
        self.entered = Entered::by(transition);
        let event = self.entered.event(&self.spec, transition);
        let (name, cause) = (&self.spec.name, &event.cause);
        tracing::info!("{name}: {} to {}: {cause}", event.from, event.to);
        // To the world, a router that goes on after an upgrade has been Master all the time.
        let is_news = transition.cause != Cause::Succeeded;
        self.report(is_news.then_some(event));
    }

    fn report(&mut self, transition: Option<ipc::event::TransitionEvent>) {
        let lost = self.port.as_ref().map_or(0, |(port, _)| port.lost());
        let status = self.entered.status(&self.spec, &self.core, lost);
        // The reporter never waits: its mailbox is full only if it is dead.
        if self
            .reporter
            .try_send(Report { status, transition })
            .is_err()
        {
            tracing::error!("{}: a report was lost", self.spec.name);
        }
    }

    fn set_timer(&mut self, context: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            context.cancel_future(timer);
        }
        if let Some(due) = self.core.poll_timeout() {
            let timer = context.run_later(due.since(now()), Self::wake);
            self.timer = Some(timer);
        }
    }

    /// What has come in is heard first: it may be that nothing is due any more.
    fn wake(&mut self, context: &mut Context<Self>) {
        self.timer = None;
        self.receive(context);
        self.feed(Event::Timeout, context);
    }

    fn receive(&mut self, context: &mut Context<Self>) {
        while let Some(packet) = self.port.as_ref().and_then(|(port, _)| port.next()) {
            self.feed(Event::of_packet(packet.octets()), context);
        }
    }

    fn track(&mut self, subject: &TrackSubject, up: bool, context: &mut Context<Self>) {
        let name = track_name(subject);
        self.feed(Event::Track { name: &name, up }, context);
    }

    fn proxy_counts_as_well(&self) -> bool {
        self.known.proxy_well || !self.spec.track_proxy
    }

    /// Brings the port and the tracked interfaces in line with what the interfaces are now.
    fn look_at_links(&mut self, context: &mut Context<Self>) {
        let interfaces = self.links.borrow_and_update().clone();
        let is_up = |name: &str| interfaces.iter().any(|it| it.name == name && it.is_up);
        for track in self.spec.tracks.clone() {
            if let TrackSubject::Interface(name) = &track.subject {
                self.track(&track.subject, is_up(name), context);
            }
        }
        let own = interfaces
            .iter()
            .find(|it| it.name == self.spec.interface && it.is_up);
        let is_connected = match own {
            Some(own) => self.connect(own, &interfaces, context),
            None => {
                self.disconnect(context);
                Ok(false)
            }
        };
        let up = is_connected.unwrap_or_else(|error| {
            self.complain("cannot open its sockets", Err(error));
            false
        });
        self.feed(Event::Link { up }, context);
    }

    /// Whether adverts can be sent: the port is open and there is an address to send them from.
    fn connect(
        &mut self,
        own: &Interface,
        interfaces: &[Interface],
        context: &mut Context<Self>,
    ) -> io::Result<bool> {
        if !self.port.as_ref().is_some_and(|(port, _)| port.is_on(own)) {
            self.disconnect(context);
            let port = Port::open(&self.spec, own, interfaces)?;
            let arrival = port.arrival();
            let router = context.address();
            let listener = async move {
                loop {
                    arrival.notified().await;
                    if router.send(Arrived).await.is_err() {
                        return;
                    }
                }
            };
            let listener = context.spawn(listener.into_actor(self));
            self.port = Some((port, listener));
        }
        let Some(source) = self.addresses.source(&self.spec, own)? else {
            return Ok(false);
        };
        if source != self.core.spec().source {
            self.reload_core(source, context);
        }
        Ok(true)
    }

    fn disconnect(&mut self, context: &mut Context<Self>) {
        if let Some((_, listener)) = self.port.take() {
            context.cancel_future(listener);
        }
    }

    fn reload_core(&mut self, source: IpAddr, context: &mut Context<Self>) {
        match core_spec(&self.spec, source) {
            Ok(spec) => self.feed(Event::Reload(Box::new(spec)), context),
            Err(why) => tracing::error!("{}: {why}", self.spec.name),
        }
    }
}

/// The core's time: since boot, sleep included.
fn now() -> Time {
    Time(boottime())
}

impl Actor for Router {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.begin(context);
        let mut links = self.links.clone();
        let router = context.address();
        let watcher = async move {
            while links.changed().await.is_ok() && router.send(LinksChanged).await.is_ok() {}
        };
        context.spawn(watcher.into_actor(self).map(|(), _, _| ()));
        context.run_interval(TICK, |router, context| {
            if router.port.is_none() || router.core.state() == State::Fault {
                router.look_at_links(context);
            }
            router.report(None);
        });
    }
}

impl Handler<Arrived> for Router {
    type Result = ();

    fn handle(&mut self, _: Arrived, context: &mut Self::Context) {
        self.receive(context);
    }
}

impl Handler<LinksChanged> for Router {
    type Result = ();

    fn handle(&mut self, _: LinksChanged, context: &mut Self::Context) {
        self.look_at_links(context);
    }
}

impl Handler<News> for Router {
    type Result = ();

    fn handle(&mut self, news: News, context: &mut Self::Context) {
        match news {
            News::MayLead => self.feed(Event::MayLead, context),
            News::Track { subject, up } => self.track(&subject, up, context),
            News::Proxy { well } => {
                self.known.proxy_well = well;
                self.feed(
                    Event::Proxy {
                        well: self.proxy_counts_as_well(),
                    },
                    context,
                );
            }
        }
    }
}

impl Handler<Reload> for Router {
    type Result = ();

    fn handle(&mut self, Reload(spec): Reload, context: &mut Self::Context) {
        let needs_another_port =
            (&self.spec.transport, &self.spec.addresses) != (&spec.transport, &spec.addresses);
        self.spec = spec;
        if needs_another_port {
            self.disconnect(context);
        }
        // The port first: the core has something to say when it is told.
        self.look_at_links(context);
        self.reload_core(self.core.spec().source, context);
        self.feed(
            Event::Proxy {
                well: self.proxy_counts_as_well(),
            },
            context,
        );
        self.report(None);
    }
}

impl Handler<Leave> for Router {
    type Result = ();

    fn handle(&mut self, _: Leave, context: &mut Self::Context) {
        self.addresses.leave();
        context.stop();
    }
}

impl Handler<Shutdown> for Router {
    type Result = ();

    fn handle(&mut self, Shutdown(finished): Shutdown, context: &mut Self::Context) {
        self.finished = Some(finished);
        self.feed(Event::Shutdown, context);
    }
}
