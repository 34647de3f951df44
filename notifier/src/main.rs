//! The notifier: event journal, mail, short messages, log, web, exec.
//!
//! Events come from the supervisor, are written to the [`journal`] first, and are then sent by the
//! [`sink`]s, each at its own pace. Nothing here decides what is an event: that is its source's.

mod board;
mod channel;
#[cfg(test)]
mod examples;
mod journal;
mod prepare;
mod shell;
mod sink;
mod wording;

use std::process::ExitCode;

use ipc::notify::Notify;

fn main() -> ExitCode {
    let start = match link::child::start::<Notify>(&[]) {
        Ok(start) => start,
        Err(error) => {
            eprintln!("evenkeel-notify: {error}");
            return ExitCode::from(2);
        }
    };
    match actix_rt::System::new().block_on(shell::run(start)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("cannot talk to the supervisor: {error}");
            ExitCode::FAILURE
        }
    }
}
