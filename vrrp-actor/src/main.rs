//! `evenkeel-vrrp`: the virtual addresses of this node.
//!
//! Started by the supervisor alone. Who is Master is decided by `core_vrrp`; this program gives it
//! packets, time and news, and carries out what it says: addresses, adverts, gratuitous ARP. It ends
//! in good order when it is told to and when the supervisor is gone: addresses are handed over.

mod claims;
mod configuration;
mod groups;
mod host;
mod lateness;
mod links;
mod node;
mod ports;
mod reporter;
mod router;
mod schedule;
mod seldom;
mod supervisor_link;
mod virtual_addresses;
mod virtual_macs;
mod wording;

use std::io;
use std::process::ExitCode;

use actix::Actor;
use ipc::vrrp::Vrrp;
use link::LinkError;
use link::child::{self, Start};
use platform::privilege::Cap;

use crate::node::Node;
use crate::reporter::Reporter;

/// Addresses are changed and sockets are opened for as long as there are reloads.
const CAPABILITIES: [Cap; 2] = [Cap::CAP_NET_ADMIN, Cap::CAP_NET_RAW];

/// Why the program cannot go on.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("cannot begin: {0}")]
    Begin(#[from] io::Error),
}

fn main() -> ExitCode {
    let start = match child::start::<Vrrp>(&CAPABILITIES) {
        Ok(start) => start,
        Err(error) => {
            eprintln!("evenkeel-vrrp: {error}");
            return ExitCode::from(2);
        }
    };
    match actix_rt::System::new().block_on(run(start)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("ends: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(start: Start<Vrrp>) -> Result<(), Failure> {
    let scheduling = start.scheduling.clone();
    let supervisor = start.into_link()?;
    let links = links::watch()?;
    let reporter = Reporter::new(supervisor.clone());
    let node = Node::new(links, reporter, scheduling)?.start();
    supervisor_link::follow(&supervisor, node).await;
    Ok(())
}
