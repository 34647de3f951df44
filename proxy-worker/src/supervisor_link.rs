//! The supervisor's orders: configuration in two phases, the node's state, the end.

use std::collections::HashMap;
use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use actix::fut::{ActorFutureExt as _, WrapFuture as _};
use actix::{Actor, Addr, AsyncContext as _, Context, System};
use ipc::proxy::{ENDING_BEAT, FromProxy, Proxy, ProxySnapshot, ToProxy};
use link::child::{Order, Supervisor};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use crate::access_log::AccessLog;
use crate::deadline::TICK;
use crate::io::{Dial, Network};
use crate::listener::{BelongTo, Listener, StopAccepting};
use crate::plan::{ListenerId, Plan};
use crate::worker::Worker;

/// How often a draining worker looks whether it is done.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

/// How long an orphan goes on accepting: until the vrrp-actor has handed over the addresses, for which
/// it waits for a peer's advert, and clients have heard of it.
const ORPHAN_SERVICE: Duration = Duration::from_secs(2);

/// Listens to the supervisor.
pub(crate) struct SupervisorLink {
    supervisor: Supervisor<Proxy>,
    worker: Rc<Worker<Network>>,
    listeners: HashMap<SocketAddr, Addr<Listener>>,
    prepared: Option<Prepared>,
    /// When the worker ends, whatever is still open; `None` while it serves.
    ending: Option<Ending>,
}

/// The end that has begun.
struct Ending {
    /// Of requests; `None`: that is over.
    requests: Option<Instant>,
    /// Of tunnels.
    tunnels: Instant,
    /// Connections and streams cut so far.
    cut: u32,
}

/// A configuration with everything that came with it.
struct Prepared {
    generation: u64,
    plan: Plan<<Network as Dial>::Io>,
    binds: Vec<(SocketAddr, ListenerId)>,
    sockets: HashMap<SocketAddr, AsyncFd<OwnedFd>>,
    logs: Vec<AccessLog>,
}

impl Actor for SupervisorLink {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(TICK, |actor, _| actor.worker.tick());
        self.await_order(ctx);
    }
}

impl SupervisorLink {
    pub(crate) fn new(supervisor: Supervisor<Proxy>, worker: Rc<Worker<Network>>) -> Self {
        Self {
            supervisor,
            worker,
            listeners: HashMap::new(),
            prepared: None,
            ending: None,
        }
    }

    fn await_order(&self, ctx: &mut Context<Self>) {
        let supervisor = self.supervisor.clone();
        let next = async move { supervisor.next().await };
        ctx.spawn(next.into_actor(self).map(|order, actor, ctx| {
            actor.handle_order(order, ctx);
            actor.await_order(ctx);
        }));
    }

    fn handle_order(&mut self, order: Order<Proxy>, ctx: &mut Context<Self>) {
        match order {
            Order::Prepare {
                generation,
                snapshot,
                descriptors,
            } => match self.prepare(generation, &snapshot, descriptors) {
                Ok(prepared) => {
                    self.prepared = Some(prepared);
                    self.supervisor.prepared(generation);
                }
                Err(why) => self.supervisor.refused(generation, why),
            },
            Order::Commit { generation } => self.handle_commit(generation),
            Order::Abort { generation } => {
                self.prepared
                    .take_if(|prepared| prepared.generation == generation);
            }
            Order::Role {
                message: ToProxy::Status(status),
                ..
            } => {
                self.worker.handle_status(*status);
            }
            Order::Role {
                message: ToProxy::TicketKeys(keys),
                ..
            } => self.worker.tickets.replace(&keys),
            Order::Role {
                message: ToProxy::LogsReopened,
                descriptors,
            } => match open_logs(descriptors) {
                Ok(logs) => self.worker.replace_logs(logs),
                Err(why) => tracing::error!("{why}"),
            },
            Order::Stop { within } => {
                self.stop_accepting();
                // Nobody takes over: a restart must not wait for tunnels longer than for requests.
                self.drain(within, within, ctx);
            }
            Order::Gone => {
                let plan = self.worker.plan();
                let (within, for_tunnels) = plan.map_or_else(Default::default, |plan| {
                    (plan.drain_timeout, plan.tunnel_drain_timeout)
                });
                tracing::error!("the supervisor is gone; ending");
                self.drain(within, for_tunnels.max(within), ctx);
                ctx.run_later(ORPHAN_SERVICE, |actor, _| actor.stop_accepting());
                ctx.run_interval(ENDING_BEAT, |actor, _| {
                    // Where nobody has taken the supervisor's place, nobody hears it.
                    let _ = actor.supervisor.send(FromProxy::Ending);
                });
            }
        }
    }

    fn prepare(
        &self,
        generation: u64,
        snapshot: &ProxySnapshot,
        descriptors: Vec<OwnedFd>,
    ) -> Result<Prepared, String> {
        let binds: Vec<_> = snapshot
            .listeners
            .iter()
            .flat_map(|listener| listener.binds.iter().map(move |bind| (listener, bind)))
            .collect();
        let new: Vec<_> = binds.iter().filter(|(_, bind)| bind.new).collect();
        let expected = new.len() + snapshot.log_files.len();
        if descriptors.len() != expected {
            let count = descriptors.len();
            return Err(format!(
                "{count} descriptors came along instead of {expected}"
            ));
        }
        if let Some((_, bind)) = binds
            .iter()
            .find(|(_, bind)| !bind.new && !self.listeners.contains_key(&bind.address))
        {
            return Err(format!("the socket of {} is missing", bind.address));
        }
        let mut descriptors = descriptors.into_iter();
        let sockets = new
            .iter()
            .zip(descriptors.by_ref())
            .map(|((_, bind), socket)| {
                let watched = platform::watch::descriptor(socket);
                watched
                    .map(|socket| (bind.address, socket))
                    .map_err(|error| error.to_string())
            })
            .collect::<Result<_, _>>()?;
        Ok(Prepared {
            generation,
            plan: self.worker.prepare(snapshot)?,
            binds: binds
                .iter()
                .map(|(listener, bind)| (bind.address, self.worker.listener_id(&listener.name)))
                .collect(),
            sockets,
            logs: open_logs(descriptors)?,
        })
    }

    fn handle_commit(&mut self, generation: u64) {
        let Some(prepared) = self.prepared.take_if(|one| one.generation == generation) else {
            tracing::error!("told to switch to configuration {generation}, which is not prepared");
            return;
        };
        let Prepared {
            plan,
            binds,
            mut sockets,
            logs,
            ..
        } = prepared;
        self.worker.commit(plan, logs);
        let gone = self.listeners.extract_if(|address, _| {
            !binds.iter().any(|(kept, _)| kept == address) || sockets.contains_key(address)
        });
        for (_, listener) in gone {
            listener.do_send(StopAccepting);
        }
        for (address, id) in binds {
            if let Some(socket) = sockets.remove(&address) {
                let worker = Rc::clone(&self.worker);
                self.listeners
                    .insert(address, Listener { socket, worker, id }.start());
            } else if let Some(listener) = self.listeners.get(&address) {
                listener.do_send(BelongTo(id));
            }
        }
        self.supervisor.committed(generation);
    }

    /// Takes nothing more than what waits already.
    fn stop_accepting(&mut self) {
        for (_, listener) in self.listeners.drain() {
            listener.do_send(StopAccepting);
        }
    }

    /// Serves what is there to its end, and ends when nothing is left and nothing more is taken.
    /// A second order can only shorten it.
    fn drain(&mut self, within: Duration, for_tunnels: Duration, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let (requests, tunnels) = (now + within, now + for_tunnels);
        if let Some(ending) = &mut self.ending {
            ending.requests = ending.requests.map(|end| end.min(requests));
            ending.tunnels = ending.tunnels.min(tunnels);
            return;
        }
        self.ending = Some(Ending {
            requests: Some(requests),
            tunnels,
            cut: 0,
        });
        self.worker.drain();
        ctx.run_interval(DRAIN_LOOK, |actor, _| actor.look_at_end());
    }

    fn look_at_end(&mut self) {
        let Some(ending) = &mut self.ending else {
            return;
        };
        let now = Instant::now();
        if ending.requests.is_some_and(|end| end <= now) {
            ending.requests = None;
            ending.cut += self.worker.cut_requests();
        }
        if now >= ending.tunnels {
            let cut = ending.cut + self.worker.tunnels();
            self.end(cut);
        } else if self.worker.open() == 0 && self.listeners.is_empty() {
            let cut = ending.cut;
            self.end(cut);
        }
    }

    fn end(&self, cut: u32) {
        self.worker.close_logs();
        if let Err(error) = self.supervisor.send(FromProxy::Drained { cut }) {
            tracing::debug!("nobody hears that this worker is done: {error}");
        }
        System::current().stop();
    }
}

fn open_logs(files: impl IntoIterator<Item = OwnedFd>) -> Result<Vec<AccessLog>, String> {
    files
        .into_iter()
        .map(|file| AccessLog::new(File::from(file)).map_err(|error| error.to_string()))
        .collect()
}
