//! The node's connections to its links: one packet socket for all routers of an interface and a
//! family, and what announces addresses on an interface.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::task::Context;

use core_vrrp::{
    Event, GROUP, GROUP_V6, Priority, Route, Router, Signature, Transport, encode, encode_signed,
};
use platform::announce::Announcer;
use platform::clock::boottime;
use platform::interfaces::Interface;
use platform::vrrp_socket::{Family, Inbox, Packet, VrrpSocket};

use crate::seldom::Seldom;

/// Which port. An interface that is made anew has another number, so that its port is another, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PortId {
    interface_index: u32,
    family: Family,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Ports {
    open: Vec<Port>,
    announcers: Vec<(Interface, Announcer)>,
    seldom: Seldom,
}

struct Port {
    id: PortId,
    interface: String,
    socket: VrrpSocket,
    /// Which routers listen here: identifier, and place among the node's routers.
    listeners: Vec<(u8, usize)>,
    /// Identifiers that no router here has and that were heard.
    strangers: BTreeSet<u8>,
    /// The number of the packet that was sent last.
    identification: u16,
}

impl Ports {
    /// The port for a router on `interface`; opened if it is the first.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(
        &mut self,
        interface: &Interface,
        is_ipv6: bool,
        is_multicast: bool,
    ) -> io::Result<PortId> {
        let id = PortId::new(interface, is_ipv6);
        if self.port(id).is_none() {
            let socket = VrrpSocket::open(&interface.name, id.interface_index, id.family)?;
            self.open.push(Port::new(id, interface, socket));
        }
        if let Some(port) = self.port(id)
            && is_multicast
        {
            port.socket.join(id.group())?;
        }
        Ok(id)
    }

    /// The port of a router on its own interface, with the virtual MAC address: where its adverts to
    /// all go out, and where those of another Master come in that has the same MAC address. Those
    /// of all others come in at the interface below, and there alone.
    ///
    /// # Errors
    /// The system's; `Unsupported` without a MAC address.
    pub(crate) fn open_virtual(
        &mut self,
        interface: &Interface,
        is_ipv6: bool,
    ) -> io::Result<PortId> {
        let id = PortId::new(interface, is_ipv6);
        if self.port(id).is_none() {
            let (index, family) = (id.interface_index, id.family);
            let mac = interface.mac.ok_or(io::ErrorKind::Unsupported)?;
            let mut socket = VrrpSocket::open_virtual(&interface.name, index, family, mac)?;
            socket.join(id.group())?;
            self.open.push(Port::new(id, interface, socket));
        }
        Ok(id)
    }

    /// Who listens where from now on: port, identifier, place. A port without anybody is closed.
    pub(crate) fn set_listeners(&mut self, listeners: impl Iterator<Item = (PortId, u8, usize)>) {
        for port in &mut self.open {
            port.listeners.clear();
        }
        for (id, vrid, place) in listeners {
            if let Some(port) = self.port(id) {
                port.listeners.push((vrid, place));
            }
        }
        self.open.retain(|port| !port.listeners.is_empty());
    }

    /// Forgets what announced on interfaces that are no more, or have another MAC address.
    pub(crate) fn set_interfaces(&mut self, interfaces: &[Interface]) {
        self.announcers.retain(|(of, _)| {
            let is_same = |it: &Interface| (it.index, it.mac) == (of.index, of.mac);
            interfaces.iter().any(is_same)
        });
    }

    /// Whether packets may have come in since the last call. If so, all must be received.
    pub(crate) fn poll_arrival(&self, context: &mut Context<'_>) -> bool {
        let ready = |port: &Port| port.socket.poll_arrival(context).is_ready();
        // Each is asked, or it would not wake us.
        self.open.iter().map(ready).fold(false, |any, it| any | it)
    }

    /// How many ports there are.
    pub(crate) fn count(&self) -> usize {
        self.open.len()
    }

    /// The next packet that came in at the port of this number.
    pub(crate) fn receive<'a>(&mut self, port: usize, inbox: &'a mut Inbox) -> Option<Packet<'a>> {
        self.open.get_mut(port)?.socket.receive(inbox)
    }

    /// The place of the first router from place `from` on to whom a packet is addressed that came in
    /// at the port of this number.
    pub(crate) fn listener(&self, port: usize, vrid: u8, from: usize) -> Option<usize> {
        let listeners = &self.open.get(port)?.listeners;
        let is_meant = |it: &&(u8, usize)| it.0 == vrid && it.1 >= from;
        listeners.iter().find(is_meant).map(|(_, place)| *place)
    }

    /// A packet was addressed to nobody here: said once of each identifier.
    pub(crate) fn note_stranger(&mut self, port: usize, vrid: u8) {
        if let Some(port) = self.open.get_mut(port)
            && port.strangers.insert(vrid)
        {
            let interface = &port.interface;
            tracing::info!("{interface}: adverts of vrid {vrid}, which no router here has");
        }
    }

    /// Packets that were lost at a port because too many waited.
    pub(crate) fn lost(&self, id: PortId) -> u64 {
        let port = self.open.iter().find(|port| port.id == id);
        port.map_or(0, |port| port.socket.lost())
    }

    /// Puts a router's advert to those that [`Ports::flush`] sends, to everyone who is to hear it.
    pub(crate) fn send(&mut self, id: PortId, router: &mut Router, priority: Priority) {
        let Some(port) = self.open.iter_mut().find(|port| port.id == id) else {
            return;
        };
        let signature = router.sign();
        let mut send = |destination| port.send(router, priority, signature.as_ref(), destination);
        let sent = match &router.spec().transport {
            Transport::Multicast => send(router.spec().group()),
            Transport::Unicast { peers, .. } => {
                let mut outcome = Ok(());
                for peer in peers {
                    outcome = send(*peer).and(outcome);
                }
                outcome
            }
        };
        complain(&mut self.seldom, &port.interface, sent);
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self) {
        for port in &mut self.open {
            let sent = port.socket.flush();
            complain(&mut self.seldom, &port.interface, sent);
        }
    }

    /// Announces an address once.
    ///
    /// # Errors
    /// The system's. On an interface without MAC address nothing is announced.
    pub(crate) fn announce(&mut self, interface: &Interface, address: IpAddr) -> io::Result<()> {
        if interface.mac.is_none() {
            return Ok(());
        }
        if let Some((_, announcer)) = self.announcers.iter_mut().find(|(of, _)| of == interface) {
            return announcer.announce(address);
        }
        let mut announcer = Announcer::open(interface)?;
        let announced = announcer.announce(address);
        self.announcers.push((interface.clone(), announcer));
        announced
    }

    fn port(&mut self, id: PortId) -> Option<&mut Port> {
        self.open.iter_mut().find(|port| port.id == id)
    }
}

impl PortId {
    fn new(interface: &Interface, is_ipv6: bool) -> Self {
        let family = if is_ipv6 { Family::Ipv6 } else { Family::Ipv4 };
        Self {
            interface_index: interface.index,
            family,
        }
    }

    fn group(self) -> IpAddr {
        match self.family {
            Family::Ipv4 => GROUP.into(),
            Family::Ipv6 => GROUP_V6.into(),
        }
    }
}

impl Port {
    fn new(id: PortId, interface: &Interface, socket: VrrpSocket) -> Self {
        Self {
            id,
            interface: interface.name.clone(),
            socket,
            listeners: Vec::new(),
            strangers: BTreeSet::new(),
            identification: 0,
        }
    }

    fn send(
        &mut self,
        router: &Router,
        priority: Priority,
        signature: Option<&Signature>,
        destination: IpAddr,
    ) -> io::Result<()> {
        // Never zero, which would ask the kernel for a number of its own.
        self.identification = self.identification.checked_add(1).unwrap_or(1);
        let identification = self.identification;
        let source = router.spec().source;
        let route = Route {
            source,
            destination,
        };
        self.socket.send(source, destination, |packet| {
            let advert = router.advert(priority);
            let sum = router.checksum();
            match signature {
                Some(by) => encode_signed(&advert, by, route, sum, identification, packet),
                None => encode(&advert, route, sum, identification, packet),
            }
        })
    }
}

fn complain(seldom: &mut Seldom, interface: &str, sent: io::Result<()>) {
    if let Err(error) = sent
        && let Some(more) = seldom.may_say("send", boottime())
    {
        tracing::error!("{interface}: cannot send an advert: {error}; {more} more");
    }
}

/// What a packet is to the router that it is addressed to.
pub(crate) fn event_of(packet: Packet<'_>) -> Event<'_> {
    match packet {
        Packet::Ipv4(packet) => Event::of_packet(packet),
        Packet::Ipv6 {
            source,
            destination,
            hop_limit,
            message,
        } => {
            let route = Route {
                source: source.into(),
                destination: destination.into(),
            };
            Event::of_ipv6(route, hop_limit, message)
        }
    }
}
