//! What the supervisor orders, handed on to the node. Configurations wait here between their
//! preparation and their commit.

use std::time::Duration;

use actix::Addr;
use ipc::vrrp::{Vrrp, VrrpSnapshot};
use link::child::{Order, Supervisor};

use crate::configuration::inspect;
use crate::node::{Configure, News, Node, Shutdown};

/// How long an orphan waits before it says priority 0. Whoever kills the whole node kills the
/// supervisor first or last, but at one go; to be killed just after a peer was told to take over
/// would leave two owners until the lease ends.
const ORPHAN_PAUSE: Duration = Duration::from_millis(50);

/// Follows orders until the supervisor says stop or is gone, and then until all addresses are handed
/// over.
pub(crate) async fn follow(supervisor: &Supervisor<Vrrp>, node: Addr<Node>) {
    let mut waiting: Option<(u64, VrrpSnapshot)> = None;
    loop {
        match supervisor.next().await {
            Order::Prepare {
                generation,
                snapshot,
                ..
            } => match inspect(&snapshot) {
                Ok(()) => {
                    waiting = Some((generation, snapshot));
                    supervisor.prepared(generation);
                }
                Err(why) => supervisor.refused(generation, why),
            },
            Order::Commit { generation } => {
                match waiting.take_if(|(prepared, _)| *prepared == generation) {
                    Some((_, snapshot)) => {
                        // It fails only for a node that is gone, and then nothing is in force.
                        if node.send(Configure(snapshot)).await.is_ok() {
                            supervisor.committed(generation);
                        }
                    }
                    None => tracing::error!("generation {generation} was never prepared"),
                }
            }
            Order::Abort { .. } => waiting = None,
            Order::Role { message, .. } => {
                // It fails only for a node that is gone and has nobody to tell.
                let _ = node.send(News(message)).await;
            }
            Order::Stop { within } => return hand_over(supervisor, node, Some(within)).await,
            Order::Gone => {
                tracing::warn!("the supervisor is gone, giving up all addresses");
                tokio::time::sleep(ORPHAN_PAUSE).await;
                return hand_over(supervisor, node, None).await;
            }
        }
    }
}

/// Heartbeats are answered meanwhile; other orders come too late.
async fn hand_over(supervisor: &Supervisor<Vrrp>, node: Addr<Node>, within: Option<Duration>) {
    let ordinary_end = async {
        match within {
            Some(within) => {
                if tokio::time::timeout(within, node.send(Shutdown))
                    .await
                    .is_err()
                {
                    tracing::warn!("not all addresses were handed over within {within:?}");
                }
            }
            None => {
                let _ = node.send(Shutdown).await;
            }
        }
    };
    tokio::pin!(ordinary_end);
    loop {
        tokio::select! {
            () = &mut ordinary_end => return,
            _ = supervisor.next() => {}
        }
    }
}
