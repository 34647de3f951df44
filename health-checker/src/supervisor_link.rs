//! What the supervisor orders, handed on to the checks. Configurations wait here between their
//! preparation and their commit.

use actix::Addr;
use ipc::check::{Check, CheckSnapshot};
use link::child::{Order, Supervisor};

use crate::checks::{Checks, Configure, Told};
use crate::configuration::inspect;

/// Follows orders until the supervisor says stop or is gone.
pub(crate) async fn follow(supervisor: &Supervisor<Check>, checks: &Addr<Checks>) {
    let mut waiting: Option<(u64, CheckSnapshot)> = None;
    loop {
        // Only a stopped actor does not take a message, and its end ends this process as well.
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
                        let _ = checks.send(Configure(snapshot)).await;
                        supervisor.committed(generation);
                    }
                    None => tracing::error!("generation {generation} was never prepared"),
                }
            }
            Order::Abort { .. } => waiting = None,
            Order::Role { message, .. } => {
                let _ = checks.send(Told(message)).await;
            }
            Order::Stop { .. } | Order::Gone => return,
        }
    }
}
