//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Virtual addresses by VRRP, a proxy behind them, and word when something moves.
#[derive(Parser, Debug)]
#[command(name = "evenkeel", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run in the foreground, or with --daemon in the background
    Run(Run),
    /// Check the configuration as a start and a reload would
    Check(ConfigArgs),
    /// Read the configuration again; a running instance changes to it, or says why not
    Reload(RunDir),
    /// Hand over the addresses, end the connections, and stop
    Stop(Stop),
    /// Show what the running instance does
    Status(Status),
    /// Show the event journal
    Events(Events),
    /// Listen on the network, and say what is wrong with the virtual addresses
    Doctor(Doctor),
    /// A pair on this machine, in network namespaces, with a live page
    Demo(Demo),
}

/// Which configuration, and for which node.
#[derive(Args, Debug, Clone)]
pub(crate) struct ConfigArgs {
    /// The configuration file
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    #[arg(default_value = "/etc/evenkeel/evenkeel.toml")]
    pub(crate) config: PathBuf,
    /// This node's name in [nodes] [default: $EVENKEEL_NODE, then the host name]
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Option<String>,
    #[command(flatten)]
    pub(crate) run_dir: RunDir,
}

/// Where a running instance is found.
#[derive(Args, Debug, Clone)]
pub(crate) struct RunDir {
    /// Folder of the pid file and the control socket
    #[arg(long, value_name = "DIR", default_value = "/run/evenkeel")]
    pub(crate) run_dir: PathBuf,
}

#[derive(Args, Debug, Clone)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Folder of the event journal
    #[arg(long, value_name = "DIR", default_value = "/var/lib/evenkeel")]
    pub(crate) state_dir: PathBuf,
    /// Go to the background, and return when it is ready
    #[arg(long)]
    pub(crate) daemon: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Stop {
    #[command(flatten)]
    pub(crate) run_dir: RunDir,
    /// Hand over the addresses, and cut the connections
    #[arg(long)]
    pub(crate) now: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) run_dir: RunDir,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Again every second
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Events {
    #[command(flatten)]
    pub(crate) run_dir: RunDir,
    /// Folder of the event journal, when nothing is running
    #[arg(long, value_name = "DIR", default_value = "/var/lib/evenkeel")]
    pub(crate) state_dir: PathBuf,
    /// As JSON, one event a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on as events happen
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// Show only the last COUNT events
    #[arg(long, short = 'n', value_name = "COUNT")]
    pub(crate) lines: Option<usize>,
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// How long to listen [default: 5, or four intervals where that is longer]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) seconds: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// What the demo understands; see `evenkeel demo -- --help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}
