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
    /// The same for tunnels: WebSockets and TCP.
    pub tunnel_drain_timeout: Duration,
    /// What is listened on.
    pub listeners: Vec<ListenerSpec>,
    /// Which request goes where; tried by longest path.
    pub routes: Vec<RouteSpec>,
    /// Groups of servers.
    pub upstreams: Vec<UpstreamSpec>,
    /// Certificates in PEM of those who sign peers: each bundle once, however many trust it.
    pub authorities: Vec<Vec<u8>>,
    /// Paths of the access logs whose descriptors come along.
    pub log_files: Vec<String>,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerSpec {
    /// Its name.
    pub name: String,
    /// The addresses.
    pub binds: Vec<BindSpec>,
    /// What is spoken, inside TLS where there is TLS.
    pub protocol: ListenerProtocol,
    /// TLS, which we end; `None`: none, or it is passed through.
    pub tls: Option<ListenerTls>,
    /// From whom a PROXY header comes, and is mandatory; empty: it is not spoken.
    pub proxy_protocol: Vec<IpNet>,
    /// Whose word about a client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether `X-Node` is added to responses.
    pub node_header: bool,
    /// The log of requests.
    pub access_log: Option<AccessLogSpec>,
    /// Limits of time.
    pub timeouts: ListenerTimeouts,
    /// Limits of size.
    pub limits: ListenerLimits,
}

/// A listener's log of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessLogSpec {
    /// Index into [`ProxySnapshot::log_files`].
    pub file: u16,
    /// What a line looks like.
    pub format: LogFormat,
}

/// The form of a line in a log of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogFormat {
    /// nginx's and Apache's "combined".
    Combined,
    /// An object of JSON.
    Json,
}

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListenerProtocol {
    /// HTTP/1, and HTTP/2 where it is on: by ALPN with TLS, by its preface without.
    Http {
        /// Whether HTTP/2 is spoken too.
        http2: bool,
    },
    /// Octets. A route's host is the server name of a TLS hello, which is looked at and passed on.
    Tcp,
}

/// Octets that no log may show.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretOctets(pub Vec<u8>);

impl std::fmt::Debug for SecretOctets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretOctets(..)")
    }
}

/// How TLS is spoken with clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerTls {
    /// At least one.
    pub certificates: Vec<CertificateSpec>,
    /// Whether clients show a certificate.
    pub client_auth: ClientAuth,
    /// Whether TLS 1.2 is spoken beside 1.3.
    pub tls12: bool,
    /// Whether sessions are resumed by tickets.
    pub tickets: bool,
}

/// Whether clients show a certificate, and who signs them: index into [`ProxySnapshot::authorities`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientAuth {
    /// They are not asked.
    Off,
    /// Those who show one show a valid one.
    Optional(u16),
    /// All show a valid one.
    Required(u16),
}

impl ClientAuth {
    /// Who signs them, where they are asked.
    pub const fn authority(self) -> Option<u16> {
        match self {
            Self::Off => None,
            Self::Optional(index) | Self::Required(index) => Some(index),
        }
    }
}

/// A certificate with its key, as read from files by the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateSpec {
    /// PEM: the certificate first, then those that sign it.
    pub chain: Vec<u8>,
    /// PEM.
    pub key: SecretOctets,
    /// An OCSP response in DER; empty: none.
    pub ocsp: Vec<u8>,
}

/// How long a session ticket is of use, in seconds, and how long its key makes tickets.
pub const TICKET_LIFETIME: u32 = 12 * 3_600;

/// A key of session tickets. It is in memory only, and made anew at each start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketKey {
    /// Which key it is; it stands in the tickets.
    pub name: [u8; 16],
    /// 32 octets for AES-256-GCM.
    pub secret: SecretOctets,
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
    /// From the first octet to the end of a TLS handshake, and for a PROXY header.
    pub tls_handshake: Duration,
    /// From the first octet of a request head to its end.
    pub head: Duration,
    /// Between two reads of a request body.
    pub body_idle: Duration,
    /// Octets a second that a request body must have on average, beyond `body_idle`; 0: none.
    pub body_min_rate: u32,
    /// Between two requests.
    pub keep_alive: Duration,
    /// Between two successful writes of a response.
    pub send: Duration,
    /// Between two octets of a tunnel, in either direction.
    pub tunnel: Duration,
}

/// How much a client may send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerLimits {
    /// Connections of the node; 0: no limit.
    pub connections: u32,
    /// Connections of the node from one address; 0: no limit.
    pub connections_per_address: u32,
    /// Octets of a request head.
    pub header_bytes: u32,
    /// Fields of a request head.
    pub headers: u16,
    /// Octets of a request body; 0: no limit.
    pub body: u64,
    /// Requests on one connection; 0: no limit.
    pub requests_per_connection: u32,
    /// Streams of HTTP/2 that a client may have open at once.
    pub h2_streams: u32,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSpec {
    /// Indices into [`ProxySnapshot::listeners`].
    pub listeners: Vec<u16>,
    /// The host that it is for, in lower case, without a port: a name, or "*.example.org" for all
    /// names below; `None`: any.
    pub host: Option<String>,
    /// Prefix of the path, beginning with a slash.
    pub path: String,
    /// What is done.
    pub action: RouteAction,
    /// Whether clients may go on in WebSocket.
    pub websocket: bool,
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
    /// How one is chosen.
    pub balance: Balance,
    /// What they speak.
    pub protocol: UpstreamProtocol,
    /// TLS with them.
    pub tls: Option<UpstreamTls>,
    /// The PROXY header that each connection begins with.
    pub send_proxy: Option<ProxyVersion>,
    /// Idle connections that are kept, per worker and upstream.
    pub idle_max: u32,
    /// How long one may be idle.
    pub idle_timeout: Duration,
    /// Requests that one may serve; 0: no limit.
    pub requests_max: u32,
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// Between two reads of a response.
    pub read_timeout: Duration,
    /// Between two writes of a request.
    pub send_timeout: Duration,
    /// For a server's place, when all have as many connections as they may.
    pub queue_timeout: Duration,
    /// How many servers are asked at most, 1 and up.
    pub tries: u8,
    /// When a request is sent again.
    pub retry_on: RetryOn,
    /// Retries, in percent of the requests under way.
    pub retry_budget: u8,
}

/// When a request is sent again: what has to happen before any octet of a response went to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryOn {
    /// No connection could be made.
    pub connect: bool,
    /// A kept connection was dead.
    pub stale: bool,
    /// The server took too long.
    pub timeout: bool,
    /// The server answered 502, or what is none.
    pub bad_gateway: bool,
    /// The server answered 503.
    pub unavailable: bool,
    /// The server answered 504.
    pub gateway_timeout: bool,
}

/// How a server is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Balance {
    /// In turn, by weight.
    RoundRobin,
    /// The one with the fewest connections for its weight.
    LeastConn,
}

/// What servers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpstreamProtocol {
    /// HTTP/1.1, with or without TLS.
    Http1,
    /// HTTP/2, over TLS or by prior knowledge.
    Http2,
}

/// The two forms of a PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// How TLS is spoken with servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamTls {
    /// Who signs servers, as the configuration says or the system: index into the `authorities` of the
    /// snapshot; `None`: certificates are not checked.
    pub ca: Option<u16>,
    /// The name that is asked for and checked; `None`: the server's address.
    pub sni: Option<String>,
    /// What is shown to a server that asks.
    pub client: Option<CertificateSpec>,
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
    /// Asked only when all others cannot be.
    pub backup: bool,
    /// Connections of the node; 0: no limit.
    pub max_conns: u32,
    /// Whether it gets requests: those that have begun go on when it does not.
    pub ready: bool,
    /// Its place among the gauges that all workers share; those of one server are one over reloads.
    pub gauge: u16,
}

/// Supervisor to proxy worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToProxy {
    /// Sent on each change of the node's state, at most every 100 ms: for the status page and the
    /// verdicts of the health checks, which the worker takes over at once.
    Status(Box<NodeStatus>),
    /// Sent to a worker that has just started, and at each change: what seals session tickets, the
    /// same for all workers of a node. The first makes tickets, all of them open tickets.
    TicketKeys(Vec<TicketKey>),
    /// Sent after USR1: the access logs were opened anew, their descriptors come along in the order
    /// of [`ProxySnapshot::log_files`].
    LogsReopened,
}

/// Proxy worker to supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromProxy {
    /// Sent when a draining worker has ended its last connection, just before it exits.
    Drained {
        /// Connections, and streams of HTTP/2, that were closed at the timeout.
        cut: u32,
    },
    /// Sent every [`ENDING_BEAT`] once the supervisor is gone, until the end: the worker lives. The image
    /// that has taken the supervisor's place hears that something comes, and reads no more of it than that.
    Ending,
}

/// Between two signs of life of a worker that ends by itself.
pub const ENDING_BEAT: Duration = Duration::from_millis(500);

/// What a worker counts in its block of the shared counters (the first descriptor that comes with its
/// welcome): the index of each counter. They only grow, and outlive the worker and the image: 3 to 6 are
/// those of images that counted [`State`]s there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Counter {
    /// Connections accepted.
    Accepted = 0,
    /// Connections served.
    Handled = 1,
    /// Requests.
    Requests = 2,
    /// Retries because no connection could be made.
    RetriesConnect = 7,
    /// Lines of access logs that were dropped because the disk was too slow.
    LogLinesLost = 8,
    /// Connections that were closed because they did not begin with the PROXY header that they must
    /// begin with, or came from somebody who may not send one.
    HeadersRefused = 9,
    /// Connections that were turned away because descriptors or memory ran out.
    Shed = 10,
    /// Connections that were turned away because there were as many as the configuration allows.
    Crowded = 11,
    /// Requests that went over a connection to a server that had served before.
    Reused = 12,
    /// Connections that turned out dead when they were to be used again.
    Stale = 13,
    /// Retries because a kept connection was dead.
    RetriesStale = 14,
    /// Retries because a server took too long.
    RetriesTimeout = 15,
    /// Retries because of what a server answered.
    RetriesStatus = 16,
    /// Retries that were not made because there were too many.
    RetriesRefused = 17,
    /// Connections without a handshake of TLS that they should have begun with.
    HandshakesFailed = 18,
}

impl Counter {
    /// Its place in a block.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What connections of a worker do, counted in its block of the shared gauges (the second descriptor that
/// comes with its welcome), which is cleared when it ends: workers that an image has left have others, so
/// that nobody takes from what another has added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// They are open.
    Active = 0,
    /// A request head is being read.
    Reading = 1,
    /// They are being answered.
    Writing = 2,
    /// They are kept, and idle.
    Waiting = 3,
}

impl State {
    /// Its place among the states.
    pub const fn index(self) -> usize {
        self as usize
    }
}
