//! `evenkeel-check`: checks back ends once for the whole node, reads track files, counts track
//! processes, and says when track scripts are due.
//!
//! Started by the supervisor alone. The rules (when a check is due, when it has decided) are
//! `core_health::check`; this program connects, asks, and reports.

mod checks;
mod configuration;
mod file;
mod outcome;
mod probe;
mod question;
mod stream;
mod supervisor_link;

use std::process::ExitCode;

use actix::Actor;
use ipc::check::Check;
use link::LinkError;
use link::child::{self, Start};
use tokio::sync::oneshot;

use crate::checks::Checks;

fn main() -> ExitCode {
    let start = match child::start::<Check>(&[]) {
        Ok(start) => start,
        Err(error) => {
            eprintln!("evenkeel-check: {error}");
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

/// Until the supervisor ends it, or cannot be told something any more. There is nothing to finish:
/// what was found is known to the supervisor.
async fn run(start: Start<Check>) -> Result<(), LinkError> {
    let supervisor = start.into_link()?;
    let (ended, end) = oneshot::channel();
    let checks = Checks::new(supervisor.clone(), ended).start();
    tokio::select! {
        () = supervisor_link::follow(&supervisor, &checks) => Ok(()),
        error = end => error.map_or(Ok(()), Err),
    }
}
