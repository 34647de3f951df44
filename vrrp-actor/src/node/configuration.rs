//! From one configuration to the next: which routers stay, change, go and come, and what was on this
//! machine before they came.

use std::rc::Rc;

use ipc::vrrp::{RouterSpec, VrrpSnapshot};
use platform::addresses::Assignment;
use platform::interfaces::Interface;

use super::{Known, Node};
use crate::router::{Leaving, Router};
use crate::virtual_addresses::{Carriers, leftovers};

impl Node {
    /// Goes over to `snapshot`: see [`super::Configure`].
    pub(super) fn configure(&mut self, snapshot: VrrpSnapshot) {
        // A router that comes later finds nothing that was left to it.
        let found = (!self.is_configured).then(|| self.found_at_start());
        self.is_configured = true;
        self.host.look_at_clock();
        if let Some(succession) = snapshot.succession {
            self.known = Known {
                may_lead: succession.may_lead,
                proxy_well: succession.proxy_well,
                tracks: succession.tracks.into_iter().collect(),
                succeeds: true,
            };
        }
        // The verdict on what is tracked no more is not to be believed when it is tracked again.
        self.known.tracks.retain(|subject, _| {
            let mut tracks = snapshot.routers.iter().flat_map(|router| &router.tracks);
            tracks.any(|track| track.subject == *subject)
        });
        self.host.look_again();
        for router in &mut self.routers {
            let successor = snapshot
                .routers
                .iter()
                .find(|it| it.name == router.spec().name);
            if router.leaving().is_none() && !successor.is_some_and(|it| is_same(router, it)) {
                let leaving = match successor {
                    Some(_) => Leaving::ForNow,
                    None => Leaving::ForEver,
                };
                router.shut_down(leaving, &mut self.host);
            }
        }
        for spec in snapshot.routers {
            let mut staying = self.routers.iter_mut().filter(|it| it.leaving().is_none());
            match staying.find(|it| it.spec().name == spec.name) {
                Some(router) if *router.spec() == spec => {}
                Some(router) => router.reload(spec, &self.known, &mut self.host),
                None => self.begin(spec, found.as_deref()),
            }
        }
        self.known.succeeds = false;
        self.groups.configure(&self.routers);
        self.rearrange();
        self.sweep();
        self.settle();
        self.host.reporter.hurry();
    }

    /// Removes interfaces with virtual MAC addresses that no router here has.
    pub(super) fn sweep(&mut self) {
        let interfaces = Rc::clone(&self.host.interfaces);
        let routers = self.routers.iter().map(Router::spec);
        self.host.virtual_macs.sweep(routers, &interfaces);
    }

    fn begin(&mut self, spec: RouterSpec, found: Option<&[Assignment]>) {
        let (virtual_one, left) = match found {
            Some(found) => self.left_to(&spec, found),
            None => (None, Vec::new()),
        };
        let name = spec.name.clone();
        match Router::new(spec, virtual_one, left, &mut self.host) {
            Ok(mut router) => {
                router.begin(&self.known, &mut self.host);
                self.routers.push(router);
            }
            Err(why) => tracing::error!("{name} cannot run: {why}"),
        }
    }

    /// The interface with the virtual MAC address of a router, and its addresses, that are on this
    /// machine before it runs.
    fn left_to(
        &mut self,
        spec: &RouterSpec,
        found: &[Assignment],
    ) -> (Option<Interface>, Vec<Assignment>) {
        let interfaces = Rc::clone(&self.host.interfaces);
        let virtual_one = self.host.virtual_macs.find(spec, &interfaces);
        let virtual_one = virtual_one.unwrap_or_else(|error| {
            tracing::error!("{}: cannot look for its interface: {error}", spec.name);
            None
        });
        let carriers = Carriers {
            spec,
            virtual_one: virtual_one.as_ref(),
            interfaces: &interfaces,
        };
        let left = leftovers(&carriers, found);
        (virtual_one, left)
    }

    /// Addresses with our mark that are on this machine before any router runs.
    fn found_at_start(&mut self) -> Vec<Assignment> {
        self.host.addresses.owned().unwrap_or_else(|error| {
            tracing::error!("cannot look for addresses left behind: {error}");
            Vec::new()
        })
    }
}

/// A router is the same as long as its peers and its neighbours know it as the same.
fn is_same(router: &Router, spec: &RouterSpec) -> bool {
    let own = router.spec();
    (&own.interface, own.vrid, own.vmac) == (&spec.interface, spec.vrid, spec.vmac)
}
