//! Supervisor and health-checker.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::lifecycle::{Child, Role};
use crate::proxy::{ProxyVersion, UpstreamProtocol, UpstreamTls};
use crate::vrrp::{TrackSubject, TrackVerdict};

/// The health-checker's types.
#[derive(Debug)]
pub enum Check {}

impl Child for Check {
    const ROLE: Role = Role::Check;
    type Snapshot = CheckSnapshot;
    type To = ToCheck;
    type From = FromCheck;
}

/// Everything that the health-checker has to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSnapshot {
    /// The upstreams whose servers are checked; one without a check is not in it.
    pub upstreams: Vec<UpstreamCheck>,
    /// As [`ProxySnapshot::authorities`](crate::proxy::ProxySnapshot::authorities).
    pub authorities: Vec<Vec<u8>>,
    /// The track scripts that some virtual router of this node uses.
    pub scripts: Vec<ScriptCheck>,
    /// The track files that some virtual router of this node uses.
    pub files: Vec<FileCheck>,
    /// The track processes that some virtual router of this node uses.
    pub processes: Vec<ProcessCheck>,
    /// The addresses that the node's own proxy listens on. Those that are on this node now are asked
    /// whether they answer.
    pub listeners: Vec<ListenerCheck>,
}

/// How the node's own proxy is asked at one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerCheck {
    /// The address.
    pub address: SocketAddr,
    /// What is asked.
    pub probe: ListenerProbe,
    /// Whether the question has to begin with a PROXY header, which says that it is our own.
    pub proxy_header: bool,
}

/// What the node's own proxy is asked. Its certificate is not checked: it need not be for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListenerProbe {
    /// Whether a request is answered.
    Http,
    /// Whether a handshake comes to its end: whoever has no certificate gets no further.
    Tls,
    /// Whether a request is answered after a handshake.
    Https,
}

/// How the servers of an upstream are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamCheck {
    /// The upstream's name.
    pub name: String,
    /// The addresses of the servers that are checked.
    pub servers: Vec<SocketAddr>,
    /// What they speak.
    pub protocol: UpstreamProtocol,
    /// The PROXY header that they expect; it says that the connection is our own.
    pub send_proxy: Option<ProxyVersion>,
    /// What is asked.
    pub probe: Probe,
    /// TLS with them, as requests have it: `protocol` is what is agreed upon.
    pub tls: Option<UpstreamTls>,
    /// Between two beginnings.
    pub interval: Duration,
    /// Until an answer counts as missing.
    pub timeout: Duration,
    /// Successes that bring one up.
    pub rise: u16,
    /// Failures that bring one down.
    pub fall: u16,
}

/// What a check asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Probe {
    /// Whether a connection can be made.
    Tcp,
    /// Whether a GET is answered with one of the statuses.
    Http {
        /// The path.
        path: String,
        /// The Host field; `None`: the server's address.
        host: Option<String>,
        /// Lowest and highest statuses that are well, as ranges that include both ends.
        statuses: Vec<(u16, u16)>,
    },
}

/// How one track script is run. The health-checker decides when; the supervisor runs it, under the
/// script's user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptCheck {
    /// The script's name.
    pub name: String,
    /// Between two beginnings; a run that is still active is not overlapped.
    pub interval: Duration,
    /// Until it is ended and counts as failed.
    pub timeout: Duration,
    /// Successes that make it well.
    pub rise: u16,
    /// Failures that make it ill.
    pub fall: u16,
    /// What it is before its first result.
    pub init: ScriptInit,
}

/// What a script is before its first result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptInit {
    /// The first result decides at once.
    Wait,
    /// Well.
    Up,
    /// Ill.
    Down,
}

/// How one track file is read, by the health-checker itself and with its rights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCheck {
    /// Its name in the configuration.
    pub name: String,
    /// Where it is, an absolute path.
    pub path: PathBuf,
    /// Between two readings.
    pub interval: Duration,
    /// The number that counts while there is no such file; `None`: its absence is a failure.
    pub absent: Option<i16>,
}

/// Which processes must run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessCheck {
    /// Its name in the configuration.
    pub name: String,
    /// The program: its file name, or its whole path.
    pub process: String,
    /// The arguments that its own must begin with.
    pub params: Vec<String>,
    /// How many must run, 1 and more. Zombies do not.
    pub quorum: u32,
    /// Between two looks.
    pub interval: Duration,
    /// For how long there must be enough or too few of them until that is the verdict.
    pub delay: Duration,
}

/// How a run of a script ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptOutcome {
    /// It exited with this status; 0 is well.
    Exited(i32),
    /// A signal ended it.
    Signalled(i32),
    /// It was ended at its time limit.
    TimedOut,
    /// It could not be run: a failure, never a success.
    Unrunnable(String),
}

/// Supervisor to health-checker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToCheck {
    /// The answer to [`FromCheck::RunScript`].
    ScriptEnded {
        /// The script's name.
        script: String,
        /// How it ended.
        outcome: ScriptOutcome,
    },
    /// Sent to a restarted checker: what its predecessor had found, so that a crash moves nothing.
    Known {
        /// Servers and their verdicts.
        servers: Vec<(String, SocketAddr, bool)>,
        /// Tracks and their verdicts.
        tracks: Vec<(TrackSubject, TrackVerdict)>,
    },
}

/// Health-checker to supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromCheck {
    /// Sent when a script is due; the supervisor runs it and answers [`ToCheck::ScriptEnded`].
    RunScript {
        /// The script's name.
        script: String,
    },
    /// Sent when the verdict on a server changes, and at the first verdict.
    ServerChanged {
        /// The upstream's name.
        upstream: String,
        /// The server's address.
        address: SocketAddr,
        /// The verdict.
        up: bool,
        /// Why.
        reason: String,
        /// Whether it is the first verdict after a start.
        first: bool,
    },
    /// Sent when the verdict on a script, a file or processes changes, and at the first verdict.
    TrackChanged {
        /// What was looked at; never an interface.
        subject: TrackSubject,
        /// The verdict.
        verdict: TrackVerdict,
        /// Why.
        reason: String,
        /// Whether it is the first verdict after a start.
        first: bool,
    },
    /// Sent when the proxy answers no more at one of its addresses, when it does again, and at the
    /// first verdict.
    ListenerChanged {
        /// The address.
        address: SocketAddr,
        /// Whether requests are answered there.
        up: bool,
        /// Why.
        reason: String,
    },
    /// Sent once after a start, when everything has been checked once.
    FirstRoundDone,
}
