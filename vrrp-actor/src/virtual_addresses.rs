//! The addresses that one router holds on this node.

use std::io;
use std::net::IpAddr;

use ipc::vrrp::{RouterSpec, Transport, VirtualAddress};
use platform::addresses::{Addresses, Assignment};
use platform::interfaces::Interface;

use crate::configuration::no_source;

/// Puts a router's addresses on and takes them off. What is held is taken off at the latest when this
/// is dropped.
#[derive(Debug)]
pub(crate) struct VirtualAddresses {
    netlink: Addresses,
    held: Vec<Assignment>,
    lease_seconds: Option<u32>,
}

impl VirtualAddresses {
    /// Holds what a predecessor of this process left behind.
    ///
    /// # Errors
    /// When there is no netlink.
    pub(crate) fn open(leftovers: Vec<Assignment>) -> io::Result<Self> {
        Ok(Self {
            netlink: Addresses::open()?,
            held: leftovers,
            lease_seconds: None,
        })
    }

    /// Holds all addresses of `spec`, and none that an earlier one had.
    pub(crate) fn hold(&mut self, spec: &RouterSpec, interfaces: &[Interface]) {
        self.lease_seconds = spec.lease_seconds;
        let wanted: Vec<_> = spec
            .addresses
            .iter()
            .filter_map(|address| assignment(spec, address, interfaces))
            .collect();
        for old in std::mem::take(&mut self.held) {
            if !wanted.iter().any(|new| new.is_same_address(&old)) {
                self.release_one(&old);
            }
        }
        self.held = wanted;
        self.renew();
    }

    /// Begins the lease of all held addresses anew. An address that somebody else took off comes back.
    pub(crate) fn renew(&mut self) {
        for held in &self.held {
            if let Err(error) = self.netlink.hold(held, self.lease_seconds) {
                tracing::error!("cannot hold {}: {error}", held.address);
            }
        }
    }

    /// Renews what is held a last time and leaves it where it is, for a successor.
    pub(crate) fn leave(&mut self) {
        self.renew();
        self.held.clear();
    }

    /// Holds nothing any more.
    pub(crate) fn release(&mut self) {
        for held in std::mem::take(&mut self.held) {
            self.release_one(&held);
        }
    }

    /// Where the router's adverts come from: what its configuration says, else the first address of
    /// its interface that is not virtual (over IPv6 the first link-local one); `None` while there is
    /// none.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn source(
        &mut self,
        spec: &RouterSpec,
        own: &Interface,
    ) -> io::Result<Option<IpAddr>> {
        match &spec.transport {
            Transport::Multicast { source: None } if no_source(spec).is_ipv6() => {
                let address = self.netlink.link_local(own.index)?;
                Ok(address.map(IpAddr::from))
            }
            Transport::Multicast { source: None } => {
                let address = self.netlink.primary(own.index)?;
                Ok(address.map(IpAddr::from))
            }
            Transport::Multicast { source } => Ok(*source),
            Transport::Unicast { source, .. } => Ok(Some(*source)),
        }
    }

    fn release_one(&mut self, held: &Assignment) {
        if let Err(error) = self.netlink.release(held) {
            tracing::error!("cannot take {} off: {error}", held.address);
        }
    }
}

impl Drop for VirtualAddresses {
    fn drop(&mut self) {
        self.release();
    }
}

/// Which of `owned` belong to the router.
pub(crate) fn leftovers(
    spec: &RouterSpec,
    interfaces: &[Interface],
    owned: &[Assignment],
) -> Vec<Assignment> {
    let ours = spec
        .addresses
        .iter()
        .filter_map(|address| assignment(spec, address, interfaces));
    ours.filter(|ours| owned.iter().any(|found| found.is_same_address(ours)))
        .collect()
}

/// The name of the interface that carries an address.
pub(crate) fn carrier<'a>(spec: &'a RouterSpec, address: &'a VirtualAddress) -> &'a str {
    address.interface.as_deref().unwrap_or(&spec.interface)
}

/// `None` while there is no such interface.
fn assignment(
    spec: &RouterSpec,
    address: &VirtualAddress,
    interfaces: &[Interface],
) -> Option<Assignment> {
    let name = carrier(spec, address);
    let Some(interface) = interfaces.iter().find(|interface| interface.name == name) else {
        tracing::error!(
            "{}: there is no interface {name} for {}",
            spec.name,
            address.address
        );
        return None;
    };
    Some(Assignment {
        interface_index: interface.index,
        address: address.address,
        prefix_len: address.prefix_len,
        scope: address.scope,
        label: address.label.clone(),
    })
}
