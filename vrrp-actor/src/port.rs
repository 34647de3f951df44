//! A router's connection to the link: its packet socket, and what announces its addresses.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use core_vrrp::{GROUP, Priority, Route, Router, encode};
use ipc::vrrp::{RouterSpec, Transport};
use platform::announce::Announcer;
use platform::interfaces::Interface;
use platform::vrrp_socket::{Endpoint, Packet, VrrpSocket};
use tokio::sync::Notify;

use crate::virtual_addresses::carrier;

/// Opened on one interface, for as long as that interface is the same.
pub(crate) struct Port {
    interface: Interface,
    socket: VrrpSocket,
    /// By interface: addresses may lie on others.
    announcers: BTreeMap<String, Announcer>,
    identification: u16,
    packet: Vec<u8>,
}

impl Port {
    /// Opens sockets on `interface`, which is the router's.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(
        spec: &RouterSpec,
        interface: &Interface,
        interfaces: &[Interface],
    ) -> io::Result<Self> {
        let socket = VrrpSocket::open(&Endpoint {
            interface: interface.name.clone(),
            interface_index: interface.index,
            group: matches!(spec.transport, Transport::Multicast { .. }).then_some(GROUP),
            vrid: spec.vrid,
        })?;
        let mut announcers = BTreeMap::new();
        for address in &spec.addresses {
            let name = carrier(spec, address);
            let found = interfaces.iter().find(|interface| interface.name == name);
            if let Some(interface) = found.filter(|found| found.mac.is_some()) {
                announcers.insert(name.to_owned(), Announcer::open(interface)?);
            }
        }
        Ok(Self {
            interface: interface.clone(),
            socket,
            announcers,
            identification: 0,
            packet: Vec::new(),
        })
    }

    /// Whether it is open on this interface, not on a former one of the same name.
    pub(crate) fn is_on(&self, interface: &Interface) -> bool {
        (self.interface.index, self.interface.mac) == (interface.index, interface.mac)
    }

    /// Tells when [`Port::next`] has something.
    pub(crate) fn arrival(&self) -> Arc<Notify> {
        self.socket.arrival()
    }

    /// The next packet that came in.
    pub(crate) fn next(&self) -> Option<Packet> {
        self.socket.try_next()
    }

    /// How many packets were lost because too many waited.
    pub(crate) fn lost(&self) -> u64 {
        self.socket.lost()
    }

    /// Sends an advert to everyone who is to hear it.
    ///
    /// # Errors
    /// That of the last destination that failed; the others have been sent to.
    pub(crate) fn send(&mut self, router: &Router, priority: Priority) -> io::Result<()> {
        match &router.spec().transport {
            core_vrrp::Transport::Multicast => {
                self.send_to(router, priority, router.spec().group())
            }
            core_vrrp::Transport::Unicast { peers, .. } => {
                let mut outcome = Ok(());
                for peer in peers {
                    outcome = self.send_to(router, priority, *peer).and(outcome);
                }
                outcome
            }
        }
    }

    fn send_to(
        &mut self,
        router: &Router,
        priority: Priority,
        destination: IpAddr,
    ) -> io::Result<()> {
        let IpAddr::V4(to) = destination else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        // Never zero, which would ask the kernel for a number of its own.
        self.identification = self.identification.checked_add(1).unwrap_or(1);
        let route = Route {
            source: router.spec().source,
            destination,
        };
        encode(
            &router.advert(priority),
            route,
            router.checksum(),
            self.identification,
            &mut self.packet,
        );
        self.socket.send(&self.packet, to)
    }

    /// Announces all addresses once.
    ///
    /// # Errors
    /// That of the last address that failed; the others have been announced.
    pub(crate) fn announce(&mut self, spec: &RouterSpec) -> io::Result<()> {
        let mut outcome = Ok(());
        for address in &spec.addresses {
            if let Some(announcer) = self.announcers.get_mut(carrier(spec, address)) {
                outcome = announcer.announce(address.address).and(outcome);
            }
        }
        outcome
    }
}
