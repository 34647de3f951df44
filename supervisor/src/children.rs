//! All children: who there is, and how all or one are spoken to.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use ipc::lifecycle::Role;
use ipc::vrrp::Succession;
use ipc::{admin, check, notify, proxy, vrrp};
use platform::process::Image;
use settings::Settings;

use crate::child::{
    Child, ChildId, Common, Kill, Load, LogReopened, Ping, Renew, Report, Step, Stop, Tell,
};
use crate::holdings::{Additions, Holdings};
use crate::legacy::Knowledge;
use crate::paths;

/// The addresses of the child actors.
pub(crate) struct Children {
    vrrp: Addr<Child<vrrp::Vrrp>>,
    proxies: Vec<Addr<Child<proxy::Proxy>>>,
    check: Addr<Child<check::Check>>,
    notify: Addr<Child<notify::Notify>>,
    admin: Addr<Child<admin::Admin>>,
}

/// The programs, as they were when the supervisor started.
#[derive(Clone, Debug)]
pub(crate) struct Images {
    vrrp: Rc<Image>,
    proxy: Rc<Image>,
    check: Rc<Image>,
    notify: Rc<Image>,
    admin: Rc<Image>,
}

impl Images {
    /// Opens all of them.
    ///
    /// # Errors
    /// The path that cannot be opened, and why.
    pub(crate) fn open() -> Result<Self, String> {
        let open = |role: Role| {
            let path = paths::program(role.program()).map_err(|error| error.to_string())?;
            let image = Image::open(&path)
                .map_err(|error| format!("cannot run {}: {error}", path.display()))?;
            Ok::<_, String>(Rc::new(image))
        };
        Ok(Self {
            vrrp: open(Role::Vrrp)?,
            proxy: open(Role::Proxy)?,
            check: open(Role::Check)?,
            notify: open(Role::Notify)?,
            admin: open(Role::Admin)?,
        })
    }
}

/// What one change of configuration means for each child: what a running process gets, and what a
/// new one gets from then on.
#[derive(Debug)]
pub(crate) struct Loads {
    vrrp: Arc<Load>,
    /// What the first vrrp-actor after an upgrade gets instead.
    vrrp_first: Option<Arc<Load>>,
    proxies: Vec<(Arc<Load>, Arc<Load>)>,
    check: Arc<Load>,
    notify: Arc<Load>,
    admin: (Arc<Load>, Arc<Load>),
}

impl Loads {
    /// Makes them.
    ///
    /// # Errors
    /// When descriptors or memory run out.
    pub(crate) fn make(
        holdings: &Holdings,
        settings: &Settings,
        generation: u64,
        slots: u16,
        additions: Option<&Additions>,
    ) -> io::Result<Self> {
        let proxies = (0..slots).map(|slot| {
            let now = holdings.proxy_load(settings, generation, slot, false, additions)?;
            let fresh = holdings.proxy_load(settings, generation, slot, true, additions)?;
            Ok((now, fresh))
        });
        Ok(Self {
            vrrp: holdings.vrrp_load(settings, generation, None)?,
            vrrp_first: None,
            proxies: proxies.collect::<io::Result<_>>()?,
            check: holdings.check_load(settings, generation, additions)?,
            notify: holdings.notify_load(settings, generation, additions)?,
            admin: (
                holdings.admin_load(settings, generation, false)?,
                holdings.admin_load(settings, generation, true)?,
            ),
        })
    }
}

impl Loads {
    /// Lets the first vrrp-actor go on where its predecessor left.
    ///
    /// # Errors
    /// When descriptors or memory run out.
    pub(crate) fn succeed(
        &mut self,
        holdings: &Holdings,
        settings: &Settings,
        generation: u64,
        knowledge: &Knowledge,
    ) -> io::Result<()> {
        let tracks = knowledge.tracks.iter();
        let succession = Succession {
            may_lead: knowledge.may_lead,
            proxy_well: true,
            tracks: tracks
                .map(|(subject, verdict, _)| (subject.clone(), *verdict))
                .collect(),
        };
        self.vrrp_first = Some(holdings.vrrp_load(settings, generation, Some(succession))?);
        Ok(())
    }
}

impl Children {
    /// Starts them all.
    ///
    /// # Errors
    /// When descriptors run out.
    pub(crate) fn start(
        images: &Images,
        common: &Rc<Common>,
        holdings: &Holdings,
        loads: &Loads,
        supervisor: &Recipient<Report>,
    ) -> io::Result<Self> {
        let common = || Rc::clone(common);
        let to = || supervisor.clone();
        let proxies = loads.proxies.iter().zip(0..).map(|((_, fresh), slot)| {
            let (image, load) = (Rc::clone(&images.proxy), Arc::clone(fresh));
            Ok(Child::new(
                slot,
                image,
                common(),
                holdings.proxy_greeting()?,
                load,
                to(),
            )
            .start())
        });
        let (notify, check) = (Arc::clone(&loads.notify), Arc::clone(&loads.check));
        let (vrrp, admin) = (Arc::clone(&loads.vrrp), Arc::clone(&loads.admin.1));
        Ok(Self {
            notify: Child::new(0, images.notify.clone(), common(), vec![], notify, to()).start(),
            proxies: proxies.collect::<io::Result<_>>()?,
            check: Child::new(0, images.check.clone(), common(), vec![], check, to()).start(),
            vrrp: Child::new(0, images.vrrp.clone(), common(), vec![], vrrp, to())
                .with_first(loads.vrrp_first.clone())
                .start(),
            admin: Child::new(0, images.admin.clone(), common(), vec![], admin, to()).start(),
        })
    }

    /// Everybody who must agree to a change.
    pub(crate) fn ids(&self) -> Vec<ChildId> {
        let slots = self.proxies.len();
        let one = |role| ChildId { role, slot: 0 };
        let proxies = (0..slots).filter_map(|slot| {
            Some(ChildId {
                role: Role::Proxy,
                slot: u16::try_from(slot).ok()?,
            })
        });
        [Role::Vrrp, Role::Check, Role::Notify, Role::Admin]
            .map(one)
            .into_iter()
            .chain(proxies)
            .collect()
    }

    /// Asks everybody to make ready.
    pub(crate) fn prepare(&self, loads: &Loads) {
        let step = |now: &Arc<Load>, restart: &Arc<Load>| Step::Prepare {
            now: Arc::clone(now),
            restart: Arc::clone(restart),
        };
        self.vrrp.do_send(step(&loads.vrrp, &loads.vrrp));
        self.check.do_send(step(&loads.check, &loads.check));
        self.notify.do_send(step(&loads.notify, &loads.notify));
        self.admin.do_send(step(&loads.admin.0, &loads.admin.1));
        for (proxy, (now, fresh)) in self.proxies.iter().zip(&loads.proxies) {
            proxy.do_send(step(now, fresh));
        }
    }

    /// Gives those who write logs what a new process of theirs is to start with; the running ones are
    /// told by themselves.
    pub(crate) fn renew(&self, loads: &Loads) {
        self.notify.do_send(Renew(Arc::clone(&loads.notify)));
        for (proxy, (_, fresh)) in self.proxies.iter().zip(&loads.proxies) {
            proxy.do_send(Renew(Arc::clone(fresh)));
        }
    }

    /// Lets everybody switch, or forget.
    pub(crate) fn decide(&self, step: &Step) {
        self.all(step);
    }

    /// Sends a heartbeat to everybody.
    pub(crate) fn ping(&self, seq: u64) {
        self.all(&Ping(seq));
    }

    /// Gives everybody the new log.
    pub(crate) fn log_reopened(&self, log: &LogReopened) {
        self.all(log);
    }

    fn all<M>(&self, message: &M)
    where
        M: Message + Clone + Send + 'static,
        M::Result: Send,
        Child<vrrp::Vrrp>: Handler<M>,
        Child<proxy::Proxy>: Handler<M>,
        Child<check::Check>: Handler<M>,
        Child<notify::Notify>: Handler<M>,
        Child<admin::Admin>: Handler<M>,
    {
        self.vrrp.do_send(message.clone());
        self.check.do_send(message.clone());
        self.notify.do_send(message.clone());
        self.admin.do_send(message.clone());
        for proxy in &self.proxies {
            proxy.do_send(message.clone());
        }
    }

    /// Kills one.
    pub(crate) fn kill(&self, child: ChildId) {
        match child.role {
            Role::Vrrp => self.vrrp.do_send(Kill),
            Role::Check => self.check.do_send(Kill),
            Role::Notify => self.notify.do_send(Kill),
            Role::Admin => self.admin.do_send(Kill),
            Role::Proxy => {
                if let Some(proxy) = self.proxies.get(usize::from(child.slot)) {
                    proxy.do_send(Kill);
                }
            }
        }
    }

    /// Asks all of a role to end.
    pub(crate) fn stop(&self, role: Role, within: Duration) {
        let stop = Stop { within };
        match role {
            Role::Vrrp => self.vrrp.do_send(stop),
            Role::Check => self.check.do_send(stop),
            Role::Notify => self.notify.do_send(stop),
            Role::Admin => self.admin.do_send(stop),
            Role::Proxy => self.proxies.iter().for_each(|proxy| proxy.do_send(stop)),
        }
    }

    /// Speaks to the vrrp-actor.
    pub(crate) fn tell_vrrp(&self, message: vrrp::ToVrrp) {
        self.vrrp.do_send(Tell {
            message,
            descriptors: Vec::new(),
        });
    }

    /// Speaks to the health-checker.
    pub(crate) fn tell_check(&self, message: check::ToCheck) {
        self.check.do_send(Tell {
            message,
            descriptors: Vec::new(),
        });
    }

    /// Speaks to the notifier.
    pub(crate) fn tell_notify(&self, message: Tell<notify::ToNotify>) {
        self.notify.do_send(message);
    }

    /// Speaks to the admin process.
    pub(crate) fn tell_admin(&self, message: admin::ToAdmin) {
        self.admin.do_send(Tell {
            message,
            descriptors: Vec::new(),
        });
    }

    /// Speaks to one worker.
    pub(crate) fn tell_proxy(&self, slot: usize, message: Tell<proxy::ToProxy>) {
        if let Some(proxy) = self.proxies.get(slot) {
            proxy.do_send(message);
        }
    }

    /// How many workers there are.
    pub(crate) fn proxy_count(&self) -> usize {
        self.proxies.len()
    }
}
