//! What the routers of this node share of the machine.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;

use core_vrrp::{Effects, Time};
use platform::addresses::{Addresses, Renewals};
use platform::clock::boottime;
use platform::interfaces::Interface;

use crate::claims::Claims;
use crate::ports::Ports;
use crate::reporter::Reporter;
use crate::seldom::Seldom;
use crate::virtual_addresses::Holders;
use crate::virtual_macs::VirtualMacs;

/// So many octets of requests go to the kernel at once.
const RENEWALS_OCTETS_MAX: usize = 16 * 1024;

/// The machine, as routers use it.
pub(crate) struct Host {
    /// The moment of this turn. All that is done in a turn is done at one moment.
    now: Time,
    /// As they are now.
    pub(crate) interfaces: Rc<[Interface]>,
    /// Where adverts go out and come in.
    pub(crate) ports: Ports,
    /// Who else says that our addresses are his.
    pub(crate) claims: Claims,
    /// Changes addresses.
    pub(crate) addresses: Addresses,
    /// Which routers hold which.
    pub(crate) holders: Holders,
    /// Interfaces of routers with MAC addresses of their own.
    pub(crate) virtual_macs: VirtualMacs,
    /// Where news of routers goes.
    pub(crate) reporter: Reporter,
    /// A buffer for what a core wants done.
    pub(crate) effects: Effects,
    renewals: Renewals,
    /// Own addresses of interfaces, by number and whether IPv6 is meant, as far as they were asked
    /// for since [`Host::look_again`].
    sources: BTreeMap<(u32, bool), Option<IpAddr>>,
    seldom: Seldom,
}

impl Host {
    /// Opens the way to the kernel.
    ///
    /// # Errors
    /// When there is no netlink.
    pub(crate) fn new(interfaces: Rc<[Interface]>, reporter: Reporter) -> io::Result<Self> {
        Ok(Self {
            now: Time(boottime()),
            interfaces,
            ports: Ports::default(),
            claims: Claims::default(),
            addresses: Addresses::open()?,
            holders: Holders::default(),
            virtual_macs: VirtualMacs::new()?,
            reporter,
            effects: Effects::default(),
            renewals: Renewals::default(),
            sources: BTreeMap::new(),
            seldom: Seldom::default(),
        })
    }

    /// A turn begins, or goes on after some work.
    pub(crate) fn look_at_clock(&mut self) -> Time {
        self.now = Time(boottime());
        self.now
    }

    /// The moment of this turn.
    pub(crate) fn now(&self) -> Time {
        self.now
    }

    /// What was seen of addresses and of interfaces with virtual MAC addresses may be out of date.
    pub(crate) fn look_again(&mut self) {
        self.sources.clear();
        self.virtual_macs.look_again();
    }

    /// The address that is an interface's own; over IPv6 the link-local one. `None` while there is
    /// none.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn source(&mut self, interface: u32, is_ipv6: bool) -> io::Result<Option<IpAddr>> {
        if let Some(known) = self.sources.get(&(interface, is_ipv6)) {
            return Ok(*known);
        }
        let source = if is_ipv6 {
            self.addresses.link_local(interface)?.map(IpAddr::V6)
        } else {
            self.addresses.primary(interface)?.map(IpAddr::V4)
        };
        self.sources.insert((interface, is_ipv6), source);
        Ok(source)
    }

    /// Renews leases with the others of this turn.
    pub(crate) fn renew(&mut self, renewals: &Renewals) {
        self.renewals.append(renewals);
        if self.renewals.octets() >= RENEWALS_OCTETS_MAX {
            self.flush_renewals();
        }
    }

    /// Ends a turn: everything that waits for others of its kind goes out.
    pub(crate) fn flush(&mut self) {
        self.ports.flush();
        self.flush_renewals();
        self.virtual_macs.flush(Time(boottime()));
    }

    /// Renews what waits for it. Owed before addresses are taken off: it would put them back.
    pub(crate) fn flush_renewals(&mut self) {
        if self.renewals.is_empty() {
            return;
        }
        let renewed = self.addresses.renew(&self.renewals);
        self.renewals.clear();
        if let Err(error) = renewed
            && let Some(more) = self.seldom.may_say("renew", boottime())
        {
            tracing::error!("cannot renew the lease of an address: {error}; {more} more");
        }
    }
}
