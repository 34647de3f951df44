//! The `evenkeel` command: the supervisor and the command line in one.
//!
//! The supervisor is the only privileged process. It reads the configuration, opens what needs
//! privilege, starts the other programs, gives each its part, watches them and starts them again.
//! It relays no request and decides nothing about VRRP.
//!
//! Its peers: evenkeel-vrrp, evenkeel-proxy (one a slot), evenkeel-check, evenkeel-notify and
//! evenkeel-admin, each over a socket pair of its own; the command line over the control socket.

mod changes;
mod child;
mod children;
mod cli;
mod commands;
mod control;
mod credentials;
mod holdings;
mod legacy;
mod node;
mod outbox;
mod paths;
mod retired;
mod scripts;
mod signals;
mod snapshots;
mod supervisor;
mod tickets;
mod tracks;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    commands::perform(cli::Cli::parse().command)
}
