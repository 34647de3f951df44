//! `evenkeel-admin`: shows the node to people and to monitoring: dashboard, metrics, API.
//!
//! Started by the supervisor alone, which hands over the listening sockets and says what happens. It
//! only shows; nothing that comes in over HTTP changes anything.

mod access;
mod api;
mod dashboard;
mod events;
mod metrics;
mod server;
mod state;
mod stream;
mod supervisor_link;

use std::process::ExitCode;

use actix::Actor;
use ipc::admin::Admin;
use link::LinkError;
use link::child::{self, Start};

use crate::events::Events;
use crate::server::Site;
use crate::state::State;

fn main() -> ExitCode {
    let start = match child::start::<Admin>(&[]) {
        Ok(start) => start,
        Err(error) => {
            eprintln!("evenkeel-admin: {error}");
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

/// Until the supervisor ends it. Nobody waits for an answer of this process for long, so it ends at
/// once.
async fn run(start: Start<Admin>) -> Result<(), LinkError> {
    let site = Site {
        uid: start.welcome.uid,
        state: State::default().start(),
        events: Events::default().start(),
    };
    let supervisor = start.into_link()?;
    supervisor_link::follow(&supervisor, site).await;
    Ok(())
}
