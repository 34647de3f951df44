//! The routers of this node: which there are, and what all of them have to know.

use std::collections::BTreeMap;

use actix::{Actor, Addr};
use ipc::vrrp::{RouterSpec, ToVrrp, TrackSubject, VrrpSnapshot};
use platform::addresses::{Addresses, Assignment};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::links::Links;
use crate::reporter::{Finish, Gone, Reporter};
use crate::router::{Leave, News, Reload, Router, Shutdown};
use crate::virtual_addresses::leftovers;

/// Starts routers, changes them, and passes on what they are told.
pub(crate) struct Node {
    links: Links,
    reporter: Addr<Reporter>,
    routers: BTreeMap<String, Running>,
    /// Routers that are no longer configured and hand over.
    leaving: Vec<JoinHandle<()>>,
    known: Known,
    is_configured: bool,
}

struct Running {
    spec: RouterSpec,
    router: Addr<Router>,
}

/// What was told so far, for routers that come later.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) may_lead: bool,
    pub(crate) proxy_well: bool,
    pub(crate) scripts: BTreeMap<String, bool>,
    /// Addresses that are found were left to us in good order.
    pub(crate) succeeds: bool,
}

impl Node {
    /// Without a configuration.
    pub(crate) fn new(links: Links, reporter: Addr<Reporter>) -> Self {
        let known = Known {
            may_lead: false,
            proxy_well: true,
            scripts: BTreeMap::new(),
            succeeds: false,
        };
        Self {
            links,
            reporter,
            routers: BTreeMap::new(),
            leaving: Vec::new(),
            known,
            is_configured: false,
        }
    }

    /// Goes over to another configuration: routers that stay the same notice nothing, those that
    /// change keep their state, those that are gone hand over.
    pub(crate) async fn configure(&mut self, snapshot: VrrpSnapshot) {
        let found = if self.is_configured {
            Vec::new()
        } else {
            found_at_start()
        };
        self.is_configured = true;
        if let Some(succession) = snapshot.succession {
            self.known = Known {
                may_lead: succession.may_lead,
                proxy_well: succession.proxy_well,
                scripts: succession.scripts.into_iter().collect(),
                succeeds: true,
            };
        }
        self.leaving.retain(|leaving| !leaving.is_finished());
        let names: Vec<_> = self.routers.keys().cloned().collect();
        for name in names {
            let successor = snapshot.routers.iter().find(|spec| spec.name == name);
            if !successor.is_some_and(|spec| self.is_the_same(spec)) {
                self.leave(&name, successor.is_none()).await;
            }
        }
        for spec in snapshot.routers {
            match self.routers.get_mut(&spec.name) {
                Some(running) if running.spec == spec => {}
                Some(running) => {
                    running.spec = spec.clone();
                    let _ = running.router.send(Reload(spec)).await;
                }
                None => self.begin(spec, &found),
            }
        }
        // A router that comes later finds nothing that was left to it.
        self.known.succeeds = false;
    }

    /// Passes news on to all routers.
    pub(crate) async fn told(&mut self, message: ToVrrp) {
        let news = match message {
            ToVrrp::MayLead => {
                self.known.may_lead = true;
                News::MayLead
            }
            ToVrrp::ScriptChanged { script, up } => {
                self.known.scripts.insert(script.clone(), up);
                News::Track {
                    subject: TrackSubject::Script(script),
                    up,
                }
            }
            ToVrrp::ProxyHealth { well } => {
                self.known.proxy_well = well;
                News::Proxy { well }
            }
            ToVrrp::Leave => {
                for (_, running) in std::mem::take(&mut self.routers) {
                    // A router that has ended has nothing to leave.
                    let _ = running.router.send(Leave).await;
                }
                return;
            }
        };
        for running in self.routers.values() {
            // Only a router that is about to end does not take it.
            let _ = running.router.send(news.clone()).await;
        }
    }

    /// Hands over all addresses. Dropped before it is done, it leaves what is held to be taken off
    /// when the process ends.
    pub(crate) async fn shut_down(mut self) {
        for name in self.routers.keys().cloned().collect::<Vec<_>>() {
            self.leave(&name, false).await;
        }
        for leaving in self.leaving {
            let _ = leaving.await;
        }
        // The process ends next, and with it whatever is not sent: the supervisor is owed the last
        // transitions. It fails only where there is nobody to report to.
        let _ = self.reporter.send(Finish).await;
    }

    /// A router is the same as long as its peers know it as the same.
    fn is_the_same(&self, spec: &RouterSpec) -> bool {
        self.routers.get(&spec.name).is_some_and(|running| {
            (&running.spec.interface, running.spec.vrid) == (&spec.interface, spec.vrid)
        })
    }

    fn begin(&mut self, spec: RouterSpec, found: &[Assignment]) {
        let left = leftovers(&spec, &self.links.borrow(), found);
        let known = self.known.clone();
        let reporter = self.reporter.clone();
        match Router::new(spec.clone(), left, self.links.clone(), known, reporter) {
            Ok(router) => {
                let running = Running {
                    spec,
                    router: router.start(),
                };
                self.routers.insert(running.spec.name.clone(), running);
            }
            Err(why) => tracing::error!("{} cannot run: {why}", spec.name),
        }
    }

    async fn leave(&mut self, name: &str, for_ever: bool) {
        let Some((name, running)) = self.routers.remove_entry(name) else {
            return;
        };
        let (done, until_done) = oneshot::channel();
        let _ = running.router.send(Shutdown(done)).await;
        let reporter = self.reporter.clone();
        self.leaving.push(actix_rt::spawn(async move {
            // An error means that the router ended without saying so: it is gone all the same.
            let _ = until_done.await;
            if for_ever {
                let _ = reporter.send(Gone(name)).await;
            }
        }));
    }
}

/// Addresses with our mark that are on this machine before any router runs.
fn found_at_start() -> Vec<Assignment> {
    Addresses::open()
        .and_then(|mut netlink| netlink.owned())
        .unwrap_or_else(|error| {
            tracing::error!("cannot look for addresses left behind: {error}");
            Vec::new()
        })
}
