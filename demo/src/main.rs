//! A pair on this machine: two nodes that run the real programs, two back ends and a client, in
//! network namespaces, with a page on which things can be broken.
//!
//! The program divides: the half outside waits, for the terminal and for the end; the half inside is
//! process 1 of a world that vanishes with it. Only the page's listening socket is the host's.

mod action;
mod admin;
mod answer;
mod backend;
mod client;
mod configuration;
mod journal;
mod keys;
mod network;
mod node;
mod outside;
mod ownership;
mod processes;
mod programs;
mod stage;
mod story;
mod tally;
mod terminal;
mod view;
mod web;

use std::fmt::Display;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use clap::Parser;
use platform::isolate::{Half, divide};
use platform::privilege::is_root;

use crate::programs::Programs;

/// Two nodes, two back ends and a client on this machine, with a live page.
#[derive(Debug, Parser)]
#[command(name = "evenkeel demo", version)]
struct Arguments {
    /// Where the page is served; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8480")]
    bind: SocketAddr,
    /// Neither keys nor a live line in the terminal.
    #[arg(long)]
    headless: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("evenkeel demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let programs = Programs::find()?;
    let listener = listen(arguments.bind)?;
    // An ordinary user becomes the only user of the world inside.
    let sole_user = !is_root();
    match divide()? {
        Half::Outside(inside) => outside::wait(&inside, arguments.headless),
        Half::Inside => stage::play(&programs, listener, arguments.headless, sole_user),
    }
}

/// Opened before the program leaves the host's network.
fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "{address} is taken by another program; choose another port, for example --bind {}:0",
            address.ip()
        ),
        _ => format!("cannot listen on {address}: {error}"),
    })
}

/// Tells the user. That nobody reads it (any more) is no reason to end.
fn say(what: impl Display) {
    let _ = writeln!(io::stdout(), "{what}");
}
