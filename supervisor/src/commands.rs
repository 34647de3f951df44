//! The commands, each with its exit status.

mod ask;
mod check;
mod demo;
mod doctor;
mod events;
mod failover;
mod run;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use settings::Source;

use crate::cli::{Command, ConfigArgs};

/// It failed; the message is on standard error.
pub(crate) const FAILED: u8 = 1;
/// Bad usage.
pub(crate) const USAGE: u8 = 2;
/// Nothing is running.
pub(crate) const NOT_RUNNING: u8 = 3;

/// Does what the command line says.
pub(crate) fn perform(command: Command) -> ExitCode {
    match command {
        Command::Run(arguments) => run::perform(&arguments),
        Command::Check(arguments) => check::perform(&arguments),
        Command::Reload(arguments) => ask::reload(&arguments),
        Command::Stop(arguments) => ask::stop(&arguments),
        Command::Status(arguments) => status::perform(&arguments),
        Command::Events(arguments) => events::perform(&arguments),
        Command::Doctor(arguments) => doctor::perform(&arguments),
        Command::Demo(arguments) => demo::perform(&arguments),
    }
}

/// Prints a message and gives the exit status that goes with it.
fn fail(status: u8, message: impl std::fmt::Display) -> ExitCode {
    eprintln!("evenkeel: {message}");
    ExitCode::from(status)
}

/// Where the configuration comes from, by the command line and the environment.
fn source(arguments: &ConfigArgs) -> Source {
    let node = arguments
        .node
        .clone()
        .or_else(|| std::env::var("EVENKEEL_NODE").ok())
        .or_else(|| platform::process::host_name().ok())
        .unwrap_or_default();
    // Absolute, since a reload reads it again after the working directory has changed.
    let file =
        std::path::absolute(&arguments.config).unwrap_or_else(|_| PathBuf::from(&arguments.config));
    Source {
        file,
        node,
        environment: std::env::vars_os().filter_map(text).collect(),
    }
}

fn text((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}
