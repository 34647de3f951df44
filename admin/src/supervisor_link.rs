//! What the supervisor orders. The listening sockets come with the first configuration and stay.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use actix_web::dev::ServerHandle;
use ipc::admin::{Admin, AdminSnapshot, ToAdmin};
use link::child::{Order, Supervisor};

use crate::events::{Append, Entry};
use crate::server::{self, Listeners, Site};
use crate::state::SetStatus;

/// How far it has got.
enum Phase {
    /// There is no configuration.
    Waiting,
    /// There is one that is not in force.
    Prepared(AdminSnapshot, Listeners),
    /// Requests are served. Of a later configuration nothing can differ.
    Serving(Option<SocketAddr>, ServerHandle),
}

/// Follows orders until the supervisor says stop or is gone.
pub(crate) async fn follow(supervisor: &Supervisor<Admin>, site: Site) {
    let mut phase = Phase::Waiting;
    loop {
        match supervisor.next().await {
            Order::Prepare {
                generation,
                snapshot,
                descriptors,
            } => match prepare(&mut phase, snapshot, descriptors) {
                Ok(()) => supervisor.prepared(generation),
                Err(why) => supervisor.refused(generation, why),
            },
            Order::Commit { generation } => {
                phase = match commit(phase, &site) {
                    Ok(phase) => phase,
                    // Without its answer the supervisor replaces this process.
                    Err(error) => return tracing::error!("cannot serve: {error}"),
                };
                supervisor.committed(generation);
            }
            Order::Abort { .. } => {
                if let Phase::Prepared(..) = phase {
                    phase = Phase::Waiting;
                }
            }
            Order::Role { message, .. } => show(&site, message).await,
            Order::Stop { .. } | Order::Gone => break,
        }
    }
    if let Phase::Serving(_, server) = phase {
        server.stop(false).await;
    }
}

fn prepare(
    phase: &mut Phase,
    snapshot: AdminSnapshot,
    descriptors: Vec<OwnedFd>,
) -> Result<(), String> {
    if let Phase::Serving(bind, _) = phase {
        if *bind != snapshot.bind {
            return Err("admin.bind cannot be changed by a reload, only by a restart".into());
        }
        return Ok(());
    }
    let count = descriptors.len();
    let mut descriptors = descriptors.into_iter();
    let unix = descriptors.next().map(UnixListener::from);
    let tcp = descriptors.next().map(TcpListener::from);
    match (unix, tcp, count) {
        (Some(unix), tcp, 1 | 2) if tcp.is_some() == snapshot.bind.is_some() => {
            *phase = Phase::Prepared(snapshot, Listeners { unix, tcp });
            Ok(())
        }
        _ => Err(format!("{count} sockets came for the admin process")),
    }
}

fn commit(phase: Phase, site: &Site) -> std::io::Result<Phase> {
    match phase {
        Phase::Prepared(snapshot, listeners) => {
            let server = server::start(listeners, snapshot.node, site.clone())?;
            Ok(Phase::Serving(snapshot.bind, server))
        }
        Phase::Waiting | Phase::Serving(..) => Ok(phase),
    }
}

/// Waits until the actor has taken it: the supervisor is not read faster than it can be shown.
async fn show(site: &Site, message: ToAdmin) {
    let taken = match message {
        ToAdmin::Status(status) => site.state.send(SetStatus(*status)).await,
        ToAdmin::Event { seq, event } => match Entry::new(seq, &event) {
            Ok(entry) => site.events.send(Append(entry)).await,
            Err(error) => return tracing::error!("event {seq} cannot be written: {error}"),
        },
    };
    if let Err(error) = taken {
        tracing::error!("cannot show what the supervisor said: {error}");
    }
}
