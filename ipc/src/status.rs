//! What a node shows of itself.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::lifecycle::Role;
use crate::proxy::{Counter, State};
use crate::vrrp::{TrackSubject, TrackVerdict};

/// A virtual router's state, in the words of VRRP's users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RouterState {
    /// Not started, or given up at a stop.
    Stop,
    /// Listens to the Master.
    Backup,
    /// Owns the addresses.
    Master,
    /// Cannot own them.
    Fault,
}

impl fmt::Display for RouterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "STOP",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
        })
    }
}

/// One virtual router as the vrrp-actor sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterStatus {
    /// Its name.
    pub name: String,
    /// Its virtual router identifier.
    pub vrid: u8,
    /// Its interface.
    pub interface: String,
    /// Its state.
    pub state: RouterState,
    /// The effective priority, with all weights.
    pub priority: u8,
    /// The configured priority.
    pub base_priority: u8,
    /// What its node and its sync group make of it.
    pub band: Band,
    /// Whether the node's own proxy counts.
    pub track_proxy: bool,
    /// What else counts, and what for at present.
    pub tracks: Vec<RouterTrack>,
    /// When the state was entered, in milliseconds since 1970.
    pub since_unix_ms: u64,
    /// Why the state was entered, as a short phrase.
    pub cause: String,
    /// The virtual addresses.
    pub addresses: Vec<IpAddr>,
    /// The Master that was heard last, with its priority.
    pub master: Option<(IpAddr, u8)>,
    /// Adverts sent.
    pub adverts_sent: u64,
    /// Adverts accepted.
    pub adverts_received: u64,
    /// Adverts discarded, by reason; only reasons that happened.
    pub discarded: Vec<(String, u64)>,
    /// Adverts accepted although their list of addresses is another one.
    pub address_list_differs: u64,
    /// Adverts accepted of version 3 whose checksum leaves the pseudo-header out.
    pub message_only_checksums: u64,
    /// How often it became Master.
    pub became_master: u64,
    /// How often it ceased to be Master.
    pub ceased_master: u64,
    /// Of the adverts sent: those of priority 0, by which a Master gives up.
    pub releases_sent: u64,
    /// Of the adverts accepted: those of priority 0.
    pub releases_received: u64,
    /// Gratuitous ARP packets and unsolicited neighbour advertisements sent.
    pub announcements_sent: u64,
    /// How often somebody else claimed an address while it was Master and stayed it.
    pub contested: u64,
}

impl RouterStatus {
    /// Whether one of its tracks does this at present.
    pub fn has_share(&self, share: TrackShare) -> bool {
        self.tracks.iter().any(|track| track.share == share)
    }
}

/// How well a node is. A better band goes before any priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// It serves.
    Healthy,
    /// It serves badly.
    Degraded,
    /// It does not serve: it leads only where nobody else does.
    Unhealthy,
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        })
    }
}

/// What one track does to a virtual router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterTrack {
    /// What is looked at.
    pub subject: TrackSubject,
    /// The verdict as it counts; `None` before the first.
    pub verdict: Option<TrackVerdict>,
    /// What follows from it.
    pub share: TrackShare,
}

/// What a verdict does to a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackShare {
    /// Adds so much to the priority; 0: nothing.
    Adds(i32),
    /// Makes the node degraded.
    Degraded,
    /// Makes the node unhealthy.
    Unhealthy,
    /// Keeps the router from taking part.
    Fault,
}

impl fmt::Display for TrackShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Adds(0) => f.write_str("changes nothing"),
            Self::Adds(weight) => write!(f, "{weight:+}"),
            Self::Degraded => f.write_str("makes it degraded"),
            Self::Unhealthy => f.write_str("makes it unhealthy"),
            Self::Fault => f.write_str("makes it FAULT"),
        }
    }
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// The upstream's name.
    pub upstream: String,
    /// The server's address.
    pub address: SocketAddr,
    /// The verdict of the checks; up where there is no check.
    pub up: bool,
    /// Why, as a short phrase.
    pub reason: String,
    /// When the verdict last changed, in milliseconds since 1970.
    pub since_unix_ms: u64,
}

/// How punctual the timers of the virtual routers are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerStatus {
    /// How their process is scheduled, as a short phrase.
    pub scheduling: String,
    /// How many timers have run out since it was started.
    pub count: u64,
    /// How late all of them were together, in microseconds.
    pub late_us: u64,
    /// Microseconds, in rising order, and how many were not later than that.
    pub buckets: Vec<(u32, u64)>,
    /// What 99 of 100 did not exceed in the last half minute or minute, in microseconds, rounded up.
    pub recent_p99_us: u32,
    /// How late the latest was in that time, in microseconds.
    pub recent_max_us: u32,
}

/// A script, a file or processes that move priorities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackStatus {
    /// What is looked at.
    pub subject: TrackSubject,
    /// The verdict.
    pub verdict: TrackVerdict,
    /// Why, as a short phrase.
    pub reason: String,
    /// When the verdict last changed, in milliseconds since 1970.
    pub since_unix_ms: u64,
}

/// One child process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Its role.
    pub role: Role,
    /// Which one, from 0.
    pub slot: u16,
    /// Its process id; `None` while it is being restarted.
    pub pid: Option<u32>,
    /// Whether its configuration is in force.
    pub in_service: bool,
    /// How often it was restarted.
    pub restarts: u64,
    /// When it was started, in milliseconds since 1970.
    pub since_unix_ms: u64,
}

/// The node as a whole: what the status page, `evenkeel status` and the API show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The cluster's name.
    pub cluster: String,
    /// This node's name.
    pub node: String,
    /// The program's version.
    pub version: String,
    /// The generation of the configuration in force.
    pub generation: u64,
    /// When the supervisor started, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// Whether the proxy serves.
    pub proxy_well: bool,
    /// The virtual routers.
    pub routers: Vec<RouterStatus>,
    /// Their timers.
    pub timers: TimerStatus,
    /// The back-end servers.
    pub servers: Vec<ServerStatus>,
    /// The verdicts of the checks that move priorities.
    pub tracks: Vec<TrackStatus>,
    /// The children.
    pub processes: Vec<ProcessStatus>,
    /// What the proxy has done.
    pub traffic: Traffic,
}

/// Node-wide counts of the proxy, over all workers and their predecessors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections served (accepted less those refused by a limit).
    pub handled: u64,
    /// Connections closed for want of a good PROXY header.
    pub headers_refused: u64,
    /// Connections without a handshake of TLS that they should have begun with.
    pub handshakes_failed: u64,
    /// Connections turned away because descriptors or memory ran out.
    pub shed: u64,
    /// Connections turned away because of a limit on their number.
    pub crowded: u64,
    /// Requests.
    pub requests: u64,
    /// Open connections.
    pub active: u64,
    /// Connections whose request head is being read.
    pub reading: u64,
    /// Connections that are answered.
    pub writing: u64,
    /// Idle keep-alive connections.
    pub waiting: u64,
    /// What was done towards the servers.
    pub upstreams: UpstreamTraffic,
}

impl Traffic {
    /// What there is of each counter, and how many connections are in each state, over all workers.
    pub fn new(sum: impl Fn(Counter) -> u64, now: impl Fn(State) -> u64) -> Self {
        Self {
            accepted: sum(Counter::Accepted),
            handled: sum(Counter::Handled),
            headers_refused: sum(Counter::HeadersRefused),
            handshakes_failed: sum(Counter::HandshakesFailed),
            shed: sum(Counter::Shed),
            crowded: sum(Counter::Crowded),
            requests: sum(Counter::Requests),
            active: now(State::Active),
            reading: now(State::Reading),
            writing: now(State::Writing),
            waiting: now(State::Waiting),
            upstreams: UpstreamTraffic {
                reused: sum(Counter::Reused),
                stale: sum(Counter::Stale),
                retries_connect: sum(Counter::RetriesConnect),
                retries_stale: sum(Counter::RetriesStale),
                retries_timeout: sum(Counter::RetriesTimeout),
                retries_status: sum(Counter::RetriesStatus),
                retries_refused: sum(Counter::RetriesRefused),
            },
        }
    }
}

/// Node-wide counts of what was done towards the servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamTraffic {
    /// Requests over connections that had served before.
    pub reused: u64,
    /// Connections that turned out dead when they were to be used again.
    pub stale: u64,
    /// Retries because no connection could be made.
    pub retries_connect: u64,
    /// Retries because a kept connection was dead.
    pub retries_stale: u64,
    /// Retries because a server took too long.
    pub retries_timeout: u64,
    /// Retries because of what a server answered.
    pub retries_status: u64,
    /// Retries that were not made because there were too many.
    pub retries_refused: u64,
}
