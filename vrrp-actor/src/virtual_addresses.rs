//! The addresses that one router holds on this node.

use ipc::vrrp::{RouterSpec, VirtualAddress};
use platform::addresses::{Addresses, Assignment, Renewals};
use platform::interfaces::Interface;

use crate::wording::listed;

/// Puts a router's addresses on and takes them off.
#[derive(Debug)]
pub(crate) struct VirtualAddresses {
    held: Vec<Assignment>,
    /// What renews the lease of all that is held.
    renewals: Renewals,
}

impl VirtualAddresses {
    /// Holds what a predecessor of this process left behind.
    pub(crate) fn new(
        leftovers: Vec<Assignment>,
        lease_seconds: Option<u32>,
        holders: &mut Holders,
    ) -> Self {
        holders.note(&leftovers);
        Self {
            renewals: renewals(&leftovers, lease_seconds),
            held: leftovers,
        }
    }

    /// Holds all addresses of the router, and none that an earlier one had.
    pub(crate) fn hold(
        &mut self,
        carriers: &Carriers<'_>,
        holders: &mut Holders,
        kernel: &mut Addresses,
    ) {
        let wanted: Vec<_> = carriers.assignments().collect();
        carriers.complain_of_missing();
        holders.note(&wanted);
        for old in std::mem::take(&mut self.held) {
            let is_last = holders.forget(&old);
            if is_last {
                release_one(&old, kernel);
            }
        }
        self.renewals = renewals(&wanted, carriers.spec.lease_seconds);
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
    pub(crate) fn release(&mut self, holders: &mut Holders, kernel: &mut Addresses) {
        for held in std::mem::take(&mut self.held) {
            if holders.forget(&held) {
                release_one(&held, kernel);
            }
        }
        self.renewals.clear();
    }

    fn renew_now(&self, kernel: &mut Addresses) {
        if self.held.is_empty() {
            return;
        }
        if let Err(error) = kernel.renew(&self.renewals) {
            let addresses = listed(self.held.iter().map(|it| it.address));
            tracing::error!("cannot hold all of {addresses}: {error}");
        }
    }
}

/// Who holds what on this node: an address that a reload moves from one router to another is held by
/// both for a while, and taken off by neither.
#[derive(Debug, Default)]
pub(crate) struct Holders(Vec<Assignment>);

impl Holders {
    /// One router more holds these.
    fn note(&mut self, held: &[Assignment]) {
        self.0.extend_from_slice(held);
    }

    /// One router less holds this. Returns whether none is left.
    fn forget(&mut self, held: &Assignment) -> bool {
        let is_it = |it: &Assignment| it.is_same_address(held);
        if let Some(place) = self.0.iter().position(is_it) {
            self.0.swap_remove(place);
        }
        !self.0.iter().any(is_it)
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
pub(crate) fn leftovers(carriers: &Carriers<'_>, owned: &[Assignment]) -> Vec<Assignment> {
    let is_left = |ours: &Assignment| owned.iter().any(|found| found.is_same_address(ours));
    carriers.assignments().filter(is_left).collect()
}

/// Which interfaces carry the addresses of a router.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carriers<'a> {
    /// The router.
    pub(crate) spec: &'a RouterSpec,
    /// The interface with its virtual MAC address, if it has one.
    pub(crate) virtual_one: Option<&'a Interface>,
    /// All interfaces.
    pub(crate) interfaces: &'a [Interface],
}

impl<'a> Carriers<'a> {
    /// The interface that carries an address. `None` while there is none.
    pub(crate) fn of(&self, address: &VirtualAddress) -> Option<&'a Interface> {
        match &address.interface {
            None if self.spec.vmac => self.virtual_one,
            own => {
                let name = own.as_ref().unwrap_or(&self.spec.interface);
                self.interfaces.iter().find(|it| it.name == *name)
            }
        }
    }

    /// Where its addresses belong, as far as there is something to carry them.
    fn assignments(&self) -> impl Iterator<Item = Assignment> {
        self.spec.held().filter_map(|address| {
            Some(Assignment {
                interface_index: self.of(address)?.index,
                address: address.address,
                prefix_len: address.prefix_len,
                scope: address.scope,
                label: address.label.clone(),
            })
        })
    }

    fn complain_of_missing(&self) {
        for address in self.spec.held().filter(|held| self.of(held).is_none()) {
            let router = &self.spec.name;
            let name = address.interface.as_ref().unwrap_or(&self.spec.interface);
            let address = address.address;
            tracing::error!("{router}: there is no interface {name} for {address}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assignment(prefix_len: u8) -> Assignment {
        Assignment {
            interface_index: 2,
            address: [192, 168, 0, 105].into(),
            prefix_len,
            scope: 0,
            label: None,
        }
    }

    #[test]
    fn only_the_last_holder_of_an_address_takes_it_off() {
        let mut holders = Holders::default();
        let held = assignment(32);
        holders.note(std::slice::from_ref(&held));
        holders.note(&[held.clone(), assignment(24)]);
        assert!(!holders.forget(&held), "another router has it");
        assert!(holders.forget(&held), "nobody has it any more");
        assert!(
            holders.forget(&assignment(24)),
            "another length is another address"
        );
    }
}
