//! One virtual router: feeds the core with packets, time and news, and carries out what it says.

use std::io;
use std::net::IpAddr;
use std::rc::Rc;

use core_vrrp::{
    Cause, Effect, Event, Found, Member, Priority, Router as Core, State, Time, Transition,
    WallTime,
};
use ipc::event::{ContestEvent, PriorityEvent, TransitionEvent};
use ipc::mac::Mac;
use ipc::status::RouterStatus;
use ipc::vrrp::{FromVrrp, RouterSpec, TrackSubject, TrackVerdict, Transport};
use platform::addresses::Assignment;
use platform::clock::{boottime, walltime};
use platform::interfaces::Interface;

use crate::configuration::{core_spec, no_source, verdict as core_verdict};
use crate::host::Host;
use crate::node::Known;
use crate::ports::PortId;
use crate::seldom::Seldom;
use crate::virtual_addresses::{Carriers, VirtualAddresses};
use crate::wording::{discarded, speaker};

mod status;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use status::state as router_state;
use status::{Entered, OutsideCore};

/// A router of this node.
pub(crate) struct Router {
    spec: RouterSpec,
    core: Core,
    addresses: VirtualAddresses,
    has_leftovers: bool,
    /// Known while the interface is up.
    port: Option<PortId>,
    /// The interface with the virtual MAC address, on top of the router's.
    virtual_one: Option<Interface>,
    /// Where adverts to all go out, when they come from the virtual MAC address.
    virtual_port: Option<PortId>,
    entered: Entered,
    seldom: Seldom,
    announcements_sent: u64,
    leaving: Option<Leaving>,
}

/// How a router goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// It is configured no more.
    ForEver,
    /// It, or another of its name, comes again.
    ForNow,
}

impl Router {
    /// A router that is to [`Router::begin`]. `virtual_one` is the interface with its virtual MAC
    /// address and `leftovers` are addresses, of a predecessor that died.
    ///
    /// # Errors
    /// A phrase, when the configuration was not inspected.
    pub(crate) fn new(
        spec: RouterSpec,
        virtual_one: Option<Interface>,
        leftovers: Vec<Assignment>,
        host: &mut Host,
    ) -> Result<Self, String> {
        Ok(Self {
            core: Core::new(core_spec(&spec, no_source(&spec))?),
            has_leftovers: !leftovers.is_empty(),
            addresses: VirtualAddresses::new(leftovers, spec.lease_seconds, &mut host.holders),
            spec,
            port: None,
            virtual_one,
            virtual_port: None,
            entered: Entered::at_start(),
            seldom: Seldom::default(),
            announcements_sent: 0,
            leaving: None,
        })
    }

    /// All that is known already, then the start.
    pub(crate) fn begin(&mut self, known: &Known, host: &mut Host) {
        self.note_clock(host);
        if !self.has_leftovers {
            self.lower(host);
        }
        for (subject, verdict) in &known.tracks {
            self.track(subject, *verdict, host);
        }
        self.note_proxy(known, host);
        if known.may_lead {
            self.feed(Event::MayLead, host);
        }
        self.look_at_links(host);
        let found = match (self.has_leftovers, known.succeeds) {
            (false, _) => Found::Nothing,
            (true, false) => Found::Leftovers,
            (true, true) => Found::Succession,
        };
        self.feed(Event::Start(found), host);
    }

    /// Another configuration; interface and vrid are the same.
    pub(crate) fn reload(&mut self, spec: RouterSpec, known: &Known, host: &mut Host) {
        self.spec = spec;
        self.note_clock(host);
        // The port first: the core has something to say when it is told.
        self.look_at_links(host);
        self.reload_core(self.core.spec().source, host);
        // Now that the core knows of new ones.
        self.track_interfaces(host);
        self.note_proxy(known, host);
    }

    /// What the clock on the wall says.
    fn note_clock(&mut self, host: &mut Host) {
        self.feed(Event::WallClock(WallTime(walltime())), host);
    }

    /// Hands over; done when [`Router::is_finished`].
    pub(crate) fn shut_down(&mut self, leaving: Leaving, host: &mut Host) {
        self.leaving = Some(leaving);
        self.feed(Event::Shutdown, host);
    }

    /// Ends as if nothing had been: the addresses are a successor's.
    pub(crate) fn leave(&mut self, host: &mut Host) {
        self.addresses.leave(&mut host.addresses);
    }

    /// Holds nothing any more, whatever the core thinks: the end.
    pub(crate) fn release(&mut self, host: &mut Host) {
        self.addresses
            .release(&mut host.holders, &mut host.addresses);
    }

    /// Lets the core take an event and carries out what it says. What can go out together with that
    /// of other routers waits for [`Host::flush`].
    pub(crate) fn feed(&mut self, event: Event<'_>, host: &mut Host) {
        let mut effects = std::mem::take(&mut host.effects);
        self.core.handle(host.now(), event, &mut effects);
        for effect in effects.drain() {
            self.perform(effect, host);
        }
        host.effects = effects;
    }

    /// A track was checked.
    pub(crate) fn track(&mut self, subject: &TrackSubject, verdict: TrackVerdict, host: &mut Host) {
        let name = subject.to_string();
        let verdict = core_verdict(subject, verdict);
        let track = Event::Track {
            name: &name,
            verdict,
        };
        self.feed(track, host);
    }

    /// The node's proxy serves or does not.
    pub(crate) fn note_proxy(&mut self, known: &Known, host: &mut Host) {
        let well = known.proxy_well;
        self.feed(Event::Proxy { well }, host);
    }

    /// Brings the port and the tracked interfaces in line with what the interfaces are now.
    pub(crate) fn look_at_links(&mut self, host: &mut Host) {
        self.track_interfaces(host);
        let interfaces = Rc::clone(&host.interfaces);
        let own = interfaces
            .iter()
            .find(|it| it.name == self.spec.interface && it.is_up);
        let is_connected = match own {
            Some(own) => self.connect(own, host),
            None => {
                (self.port, self.virtual_port) = (None, None);
                Ok(false)
            }
        };
        let up = is_connected.unwrap_or_else(|error| {
            self.complain("cannot open its sockets", Err(error));
            false
        });
        self.feed(Event::Link { up }, host);
    }

    fn track_interfaces(&mut self, host: &mut Host) {
        let interfaces = Rc::clone(&host.interfaces);
        let is_up = |name: &str| interfaces.iter().any(|it| it.name == name && it.is_up);
        for track in self.spec.tracks.clone() {
            if let TrackSubject::Interface(name) = &track.subject {
                let verdict = if is_up(name) {
                    TrackVerdict::Up
                } else {
                    TrackVerdict::Down
                };
                self.track(&track.subject, verdict, host);
            }
        }
    }

    /// Whether adverts can be sent: the port is open and there is an address to send them from.
    fn connect(&mut self, own: &Interface, host: &mut Host) -> io::Result<bool> {
        let is_multicast = matches!(self.spec.transport, Transport::Multicast { .. });
        let is_ipv6 = no_source(&self.spec).is_ipv6();
        self.port = Some(host.ports.open(own, is_ipv6, is_multicast)?);
        if self.spec.vmac && !self.connect_virtual(own, is_ipv6, is_multicast, host)? {
            return Ok(false);
        }
        let source = match &self.spec.transport {
            Transport::Multicast { source: None } => host.source(own.index, is_ipv6)?,
            Transport::Multicast { source } => *source,
            Transport::Unicast { source, .. } => Some(*source),
        };
        let Some(source) = source else {
            return Ok(false);
        };
        if source != self.core.spec().source {
            self.reload_core(source, host);
        }
        Ok(true)
    }

    /// Whether the interface with the virtual MAC address is still the one that it was.
    fn connect_virtual(
        &mut self,
        own: &Interface,
        is_ipv6: bool,
        is_multicast: bool,
        host: &mut Host,
    ) -> io::Result<bool> {
        let found = host.virtual_macs.make_sure(&self.spec, own)?;
        if self.core.state() == State::Master {
            // Whoever switched it off did not think of the addresses on it.
            host.virtual_macs.raise(found.index)?;
        }
        self.virtual_port = match is_multicast {
            true => Some(host.ports.open_virtual(&found, is_ipv6)?),
            // To a single address the way is that of all other packets.
            false => None,
        };
        let before = self.virtual_one.replace(found);
        let is_another =
            before.is_some_and(|it| Some(it.index) != self.virtual_one.as_ref().map(|it| it.index));
        // Somebody removed it, with the addresses: they are put on it after a moment in Fault.
        Ok(!(is_another && self.core.state() == State::Master))
    }

    /// Switches the interface with the virtual MAC address off, if there is one.
    fn lower(&self, host: &mut Host) {
        if let Some(virtual_one) = &self.virtual_one {
            host.virtual_macs.lower(virtual_one.index);
        }
    }

    fn reload_core(&mut self, source: IpAddr, host: &mut Host) {
        match core_spec(&self.spec, source) {
            Ok(spec) => self.feed(Event::Reload(Box::new(spec)), host),
            Err(why) => tracing::error!("{}: {why}", self.spec.name),
        }
    }

    fn perform(&mut self, effect: Effect, host: &mut Host) {
        match effect {
            Effect::AddAddresses => self.perform_add(host),
            Effect::RemoveAddresses => {
                host.flush_renewals();
                self.release(host);
                self.lower(host);
            }
            Effect::RenewLease => host.renew(self.addresses.renewals()),
            Effect::SendAdvert(priority) => self.perform_send(priority, host),
            Effect::Announce { times } => self.perform_announce(times, host),
            Effect::Transition(transition) => self.perform_transition(&transition, host),
            Effect::PriorityChanged { state, from, to } => {
                self.perform_priority_changed(state, from, to, host);
            }
            Effect::Contested { address, mac } => self.perform_contested(address, mac, host),
            Effect::ChecksumDiffers { source, heard } => {
                if let Some(more) = self.seldom.may_say("checksum", boottime()) {
                    let (name, heard) = (&self.spec.name, heard.name());
                    let source = speaker(source, &self.spec.interface);
                    tracing::warn!(
                        "{name}: {source} sends checksums of the form {heard}, and `checksum` here \
                         has the other one; {more} more"
                    );
                }
            }
            Effect::Discarded { reason, source } => {
                if let Some(more) = self.seldom.may_say(reason.name(), boottime()) {
                    let (name, interface) = (&self.spec.name, &self.spec.interface);
                    let line = discarded(source, interface, reason, more);
                    tracing::warn!("{name}: {line}");
                }
            }
        }
    }

    fn perform_add(&mut self, host: &mut Host) {
        if let Some(virtual_one) = &self.virtual_one {
            let raised = host.virtual_macs.raise(virtual_one.index);
            self.complain("cannot switch on its interface", raised);
        }
        host.flush_renewals();
        let carriers = Carriers {
            spec: &self.spec,
            virtual_one: self.virtual_one.as_ref(),
            interfaces: &host.interfaces,
        };
        self.addresses
            .hold(&carriers, &mut host.holders, &mut host.addresses);
    }

    fn perform_send(&mut self, priority: Priority, host: &mut Host) {
        if let Some(port) = self.virtual_port.or(self.port) {
            host.ports.send(port, &mut self.core, priority);
        }
    }

    fn perform_announce(&mut self, times: u8, host: &mut Host) {
        let interfaces = Rc::clone(&host.interfaces);
        let carriers = Carriers {
            spec: &self.spec,
            virtual_one: self.virtual_one.as_ref(),
            interfaces: &interfaces,
        };
        let mut outcome = Ok(());
        for _ in 0..times {
            for address in self.spec.held() {
                if let Some(interface) = carriers.of(address) {
                    let announced = host.ports.announce(interface, address.address);
                    self.announcements_sent += u64::from(announced.is_ok());
                    outcome = announced.and(outcome);
                }
            }
        }
        self.complain("cannot announce", outcome);
    }

    fn complain(&mut self, what: &'static str, outcome: io::Result<()>) {
        if let Err(error) = outcome
            && let Some(more) = self.seldom.may_say(what, boottime())
        {
            tracing::error!("{}: {what}: {error}; {more} more", self.spec.name);
        }
    }

    fn perform_transition(&mut self, transition: &Transition, host: &mut Host) {
        self.entered = Entered::by(transition);
        let event: TransitionEvent = self.entered.event(&self.spec, transition);
        let (name, cause) = (&self.spec.name, &event.cause);
        tracing::info!("{name}: {} to {}: {cause}", event.from, event.to);
        // To the world, a router that goes on after an upgrade has been Master all the time.
        if transition.cause == Cause::Succeeded {
            host.reporter.hurry();
        } else {
            host.reporter.transition(event);
        }
    }

    fn perform_priority_changed(
        &self,
        state: State,
        from: Priority,
        to: Priority,
        host: &mut Host,
    ) {
        tracing::info!("{}: priority {to} instead of {from}", self.spec.name);
        if self.spec.notify_priority_changes {
            host.reporter
                .event(FromVrrp::PriorityChanged(PriorityEvent {
                    router: self.spec.name.clone(),
                    state: router_state(state),
                    from: from.get(),
                    to: to.get(),
                }));
        }
        host.reporter.hurry();
    }

    fn perform_contested(&self, address: IpAddr, mac: [u8; 6], host: &mut Host) {
        let router = self.spec.name.clone();
        let mac = Mac(mac);
        tracing::warn!("{router}: {address} is claimed by {mac}");
        let contest = ContestEvent {
            router,
            address,
            mac,
        };
        host.reporter.event(FromVrrp::Contested(contest));
    }

    /// Whether an address is one of its own on this interface.
    pub(crate) fn holds(&self, address: IpAddr, interface: &str) -> bool {
        let virtual_one = self.virtual_one.as_ref().map(|it| &it.name);
        let carrier = virtual_one.unwrap_or(&self.spec.interface);
        let mut held = self.spec.held().filter(|held| held.address == address);
        held.any(|held| held.interface.as_ref().unwrap_or(carrier) == interface)
    }

    /// What it was told to be.
    pub(crate) fn spec(&self) -> &RouterSpec {
        &self.spec
    }

    /// When it wants [`Event::Timeout`].
    pub(crate) fn due(&self) -> Option<Time> {
        self.core.poll_timeout()
    }

    /// What its sync group has to know.
    pub(crate) fn member(&self) -> Member {
        self.core.member()
    }

    /// Where it speaks and listens, while its interface is up.
    pub(crate) fn ports(&self) -> impl Iterator<Item = PortId> {
        [self.port, self.virtual_port].into_iter().flatten()
    }

    /// Whether and how it goes away.
    pub(crate) fn leaving(&self) -> Option<Leaving> {
        self.leaving
    }

    /// Whether it has handed over.
    pub(crate) fn is_finished(&self) -> bool {
        self.core.is_finished()
    }

    /// Whether looking at the interfaces again may help it.
    pub(crate) fn is_stuck(&self) -> bool {
        self.port.is_none() || self.core.state() == State::Fault
    }

    /// How it is now.
    pub(crate) fn status(&self, host: &Host) -> RouterStatus {
        let lost = self.ports().map(|port| host.ports.lost(port)).sum();
        let actor = OutsideCore {
            lost,
            announcements_sent: self.announcements_sent,
        };
        self.entered.status(&self.spec, &self.core, &actor)
    }
}
