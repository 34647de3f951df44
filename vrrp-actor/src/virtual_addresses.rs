//! The addresses that one router holds on this node.

use ipc::vrrp::{RouterSpec, VirtualAddress};
use platform::addresses::{Addresses, Assignment, Renewals};
use platform::interfaces::Interface;

/// Puts a router's addresses on and takes them off.
#[derive(Debug)]
pub(crate) struct VirtualAddresses {
    held: Vec<Assignment>,
    /// What renews the lease of all that is held.
    renewals: Renewals,
}

impl VirtualAddresses {
    /// Holds what a predecessor of this process left behind.
    pub(crate) fn new(leftovers: Vec<Assignment>, lease_seconds: Option<u32>) -> Self {
        Self {
            renewals: renewals(&leftovers, lease_seconds),
            held: leftovers,
        }
    }

    /// Holds all addresses of `spec`, and none that an earlier one had.
    pub(crate) fn hold(
        &mut self,
        spec: &RouterSpec,
        interfaces: &[Interface],
        kernel: &mut Addresses,
    ) {
        let wanted: Vec<_> = spec
            .held()
            .filter_map(|address| assignment(spec, address, interfaces))
            .collect();
        for old in std::mem::take(&mut self.held) {
            if !wanted.iter().any(|new| new.is_same_address(&old)) {
                release_one(&old, kernel);
            }
        }
        self.renewals = renewals(&wanted, spec.lease_seconds);
        self.held = wanted;
        self.renew_now(kernel);
    }

    /// What begins the lease of all held addresses anew. An address that somebody else took off comes
    /// back by it.
    pub(crate) fn renewals(&self) -> &Renewals {
        &self.renewals
    }

    /// Renews what is held a last time and leaves it where it is, for a successor.
    pub(crate) fn leave(&mut self, kernel: &mut Addresses) {
        self.renew_now(kernel);
        self.held.clear();
        self.renewals.clear();
    }

    /// Holds nothing any more.
    pub(crate) fn release(&mut self, kernel: &mut Addresses) {
        for held in std::mem::take(&mut self.held) {
            release_one(&held, kernel);
        }
        self.renewals.clear();
    }

    fn renew_now(&self, kernel: &mut Addresses) {
        if self.held.is_empty() {
            return;
        }
        if let Err(error) = kernel.renew(&self.renewals) {
            let addresses: Vec<_> = self.held.iter().map(|it| it.address).collect();
            tracing::error!("cannot hold all of {addresses:?}: {error}");
        }
    }
}

fn release_one(held: &Assignment, kernel: &mut Addresses) {
    if let Err(error) = kernel.release(held) {
        tracing::error!("cannot take {} off: {error}", held.address);
    }
}

fn renewals(held: &[Assignment], lease_seconds: Option<u32>) -> Renewals {
    let mut renewals = Renewals::default();
    for assignment in held {
        renewals.add(assignment, lease_seconds);
    }
    renewals
}

/// Which of `owned` belong to the router.
pub(crate) fn leftovers(
    spec: &RouterSpec,
    interfaces: &[Interface],
    owned: &[Assignment],
) -> Vec<Assignment> {
    let ours = spec
        .held()
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
