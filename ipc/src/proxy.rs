//! Supervisor and proxy-worker.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::lifecycle::{Child, Role};
use crate::status::NodeStatus;

/// A proxy worker's types.
#[derive(Debug)]
pub enum Proxy {}

impl Child for Proxy {
    const ROLE: Role = Role::Proxy;
    type Snapshot = ProxySnapshot;
    type To = ToProxy;
    type From = FromProxy;
}

/// Everything that a worker has to know. With its `Prepare` come, behind the memfd, first one
/// listening socket for each address of each listener that the worker does not have yet (in the
/// order of [`ListenerSpec::binds`] with `new` set), then one file for each entry of `log_files`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxySnapshot {
    /// This node's name.
    pub node: String,
    /// How long a worker may take to end its connections.
    pub drain_timeout: Duration,
    /// What is listened on.
    pub listeners: Vec<ListenerSpec>,
    /// Which request goes where; tried by longest path.
    pub routes: Vec<RouteSpec>,
    /// Groups of servers.
    pub upstreams: Vec<UpstreamSpec>,
    /// Paths of the access logs whose descriptors come along; [`ListenerSpec::access_log`] is an
    /// index into it.
    pub log_files: Vec<String>,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerSpec {
    /// Its name.
    pub name: String,
    /// The addresses.
    pub binds: Vec<BindSpec>,
    /// Whether `X-Node` is added to responses.
    pub node_header: bool,
    /// Index into [`ProxySnapshot::log_files`].
    pub access_log: Option<u16>,
    /// Limits of time.
    pub timeouts: ListenerTimeouts,
    /// Limits of size.
    pub limits: ListenerLimits,
}

/// One address of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindSpec {
    /// The address.
    pub address: SocketAddr,
    /// Whether its socket comes with this snapshot; otherwise the worker has it already.
    pub new: bool,
}

/// How long a client may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerTimeouts {
    /// From the first octet of a request head to its end.
    pub head: Duration,
    /// Between two reads of a request body.
    pub body_idle: Duration,
    /// Between two requests.
    pub keep_alive: Duration,
    /// Between two successful writes of a response.
    pub send: Duration,
}

/// How much a client may send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerLimits {
    /// Octets of a request head.
    pub header_bytes: u32,
    /// Fields of a request head.
    pub headers: u16,
    /// Octets of a request body; 0: no limit.
    pub body: u64,
    /// Requests on one connection; 0: no limit.
    pub requests_per_connection: u32,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSpec {
    /// Indices into [`ProxySnapshot::listeners`].
    pub listeners: Vec<u16>,
    /// Prefix of the path, beginning with a slash.
    pub path: String,
    /// What is done.
    pub action: RouteAction,
    /// Who may; empty: everybody who is not denied.
    pub allow: Vec<IpNet>,
    /// Who may not.
    pub deny: Vec<IpNet>,
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteAction {
    /// Relays to an upstream: index into [`ProxySnapshot::upstreams`].
    Upstream(u16),
    /// Shows the virtual routers.
    StatusPage,
    /// Shows nginx's seven numbers.
    StubStatus,
}

/// A group of servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamSpec {
    /// Its name.
    pub name: String,
    /// At least one.
    pub servers: Vec<ServerSpec>,
    /// Idle connections that are kept, per worker and upstream.
    pub idle_max: u32,
    /// How long one may be idle.
    pub idle_timeout: Duration,
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// Between two reads of a response.
    pub read_timeout: Duration,
    /// Between two writes of a request.
    pub send_timeout: Duration,
    /// How many servers are asked at most, 1 and up.
    pub tries: u8,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSpec {
    /// Its address.
    pub address: SocketAddr,
    /// Its share, 1 and up.
    pub weight: u16,
    /// Failures within `fail_timeout` that ban it; 0: never.
    pub max_fails: u16,
    /// The window of failures, and the length of the ban.
    pub fail_timeout: Duration,
}

/// Supervisor to proxy worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToProxy {
    /// Sent on each change of the node's state, at most every 100 ms: for the status page and the
    /// verdicts of the health checks, which the worker takes over at once.
    Status(Box<NodeStatus>),
    /// Sent after USR1: the access logs were opened anew, their descriptors come along in the order
    /// of [`ProxySnapshot::log_files`].
    LogsReopened,
}

/// Proxy worker to supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromProxy {
    /// Sent when a draining worker has ended its last connection, just before it exits.
    Drained {
        /// Connections that were closed at the timeout.
        cut: u32,
    },
}

/// What a worker counts in its block of the shared counters (the descriptor that comes with its
/// welcome): the index of each counter. Those in
/// [`Counter::STATES`] say how many connections are in which state and are cleared when the worker
/// ends; the others only grow and outlive it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Counter {
    /// Connections accepted.
    Accepted = 0,
    /// Connections served.
    Handled = 1,
    /// Requests.
    Requests = 2,
    /// Open connections.
    Active = 3,
    /// Connections whose request head is being read.
    Reading = 4,
    /// Connections that are being answered.
    Writing = 5,
    /// Idle keep-alive connections.
    Waiting = 6,
    /// Requests that were sent to another server because the first one failed.
    Retries = 7,
    /// Lines of access logs that were dropped because the disk was too slow.
    LogLinesLost = 8,
}

impl Counter {
    /// Those that fall to zero when a worker ends.
    pub const STATES: [Self; 4] = [Self::Active, Self::Reading, Self::Writing, Self::Waiting];

    /// Its place in a block.
    pub const fn index(self) -> usize {
        self as usize
    }
}
