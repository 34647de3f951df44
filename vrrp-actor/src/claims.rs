//! Claims: hears who else says that a virtual address is his.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::task::Context;

use platform::claims::{Claim, ClaimWatch};
use platform::clock::boottime;
use platform::interfaces::Interface;

use crate::seldom::Seldom;

/// Listens for the addresses of all routers. Without anything to listen with, nothing is heard, and
/// that is said.
#[derive(Default)]
pub(crate) struct Claims {
    watch: Option<ClaimWatch>,
    seldom: Seldom,
}

impl Claims {
    /// The addresses of this node's routers, from now on.
    pub(crate) fn set_addresses(&mut self, addresses: BTreeSet<IpAddr>) {
        let set = self.open().and_then(|watch| watch.set_addresses(addresses));
        if let Err(error) = set
            && let Some(more) = self.seldom.may_say("claims", boottime())
        {
            tracing::warn!("cannot listen for claims of addresses: {error}; {more} more");
        }
    }

    fn open(&mut self) -> io::Result<&mut ClaimWatch> {
        match &mut self.watch {
            Some(watch) => Ok(watch),
            closed => Ok(closed.insert(ClaimWatch::open()?)),
        }
    }

    /// Whether claims may have come in since the last call. If so, all must be taken.
    pub(crate) fn poll_arrival(&self, context: &mut Context<'_>) -> bool {
        let ready = |watch: &ClaimWatch| watch.poll_arrival(context).is_ready();
        self.watch.as_ref().is_some_and(ready)
    }

    /// The next claim of somebody else, with the interface that it came in on.
    pub(crate) fn next<'a>(&mut self, interfaces: &'a [Interface]) -> Option<(&'a str, Claim)> {
        let watch = self.watch.as_mut()?;
        loop {
            let claim = watch.next_claim()?;
            // A node with two interfaces on one link hears itself.
            let is_ours = |it: &Interface| it.mac == Some(claim.mac);
            let from = interfaces
                .iter()
                .find(|it| it.index == claim.interface_index);
            if let Some(from) = from.filter(|_| !interfaces.iter().any(is_ours)) {
                return Some((&from.name, claim));
            }
        }
    }
}
