//! `[upstreams.NAME]`: groups of servers, how they are chosen, checked and asked.

mod retries;
mod server;

pub use retries::{Retries, RetryCause};
pub use server::{Server, ServerState};

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use crate::item::{Item, Table};
use crate::proxy::{path, step_time};
use crate::script::{check_time, run_length};
use crate::tls::UpstreamTls;

/// A group of servers that serve the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The name.
    pub name: String,
    /// At least one, each once.
    pub servers: Vec<Server>,
    /// Default: round robin.
    pub balance: Balance,
    /// What the servers speak. Default: HTTP/1.1.
    pub protocol: Protocol,
    /// The PROXY header that each connection begins with. Default: none.
    pub send_proxy: Option<ProxyVersion>,
    /// TLS with them. Default: none.
    pub tls: Option<UpstreamTls>,
    /// How servers are checked. Default: only by the requests they get.
    pub check: Option<Check>,
    /// Connections kept for later requests.
    pub keep_alive: KeepAlive,
    /// How long a server may take.
    pub timeouts: UpstreamTimeouts,
    /// What happens when a server fails.
    pub retries: Retries,
}

/// How a server is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// In turn, by weight.
    RoundRobin,
    /// The one with the fewest connections for its weight.
    LeastConn,
}

/// What servers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 over TLS.
    H2,
    /// HTTP/2 without TLS, by prior knowledge.
    H2c,
}

/// The two forms of a PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// How servers are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is asked.
    pub probe: Probe,
    /// Between two beginnings, 10 ms to 1 h. Default: 2 s.
    pub interval: Duration,
    /// Until an answer counts as missing, 10 ms to 1 h. Default: the interval.
    pub timeout: Duration,
    /// Failures in a row that bring a server down. Default: 3.
    pub fall: NonZeroU16,
    /// Successes in a row that bring it up. Default: 2.
    pub rise: NonZeroU16,
}

/// What a check asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Whether a connection can be made.
    Tcp,
    /// Whether a GET is answered as expected.
    Http {
        /// The path, with a query where one is given.
        path: String,
        /// The Host field. Default: the server's address, as `None`.
        host: Option<String>,
        /// Lowest and highest status that is well, both included. Default: 200 and 399.
        status: (u16, u16),
    },
}

/// Connections to servers that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// How many idle ones each worker keeps; 0: none. Default: 256.
    pub idle: u32,
    /// How long one may be idle, 1 ms to 1 d. Default: 50 s.
    pub timeout: Duration,
    /// Requests that one may serve; `None`, written 0, the default: no limit.
    pub requests: Option<NonZeroU32>,
}

/// How long a server may take; each 1 ms to 1 d.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// Until a connection stands. Default: 3 s.
    pub connect: Duration,
    /// Between two reads of a response. Default: 60 s.
    pub read: Duration,
    /// Between two writes of a request. Default: 60 s.
    pub send: Duration,
    /// For a server that may have one more connection. Default: 5 s.
    pub queue: Duration,
}

const DEFAULT_KEEP_ALIVE: KeepAlive = KeepAlive {
    idle: 256,
    timeout: Duration::from_secs(50),
    requests: None,
};

const DEFAULT_TIMEOUTS: UpstreamTimeouts = UpstreamTimeouts {
    connect: Duration::from_secs(3),
    read: Duration::from_secs(60),
    send: Duration::from_secs(60),
    queue: Duration::from_secs(5),
};

const PROXY_VERSIONS: &[(&str, ProxyVersion)] =
    &[("v1", ProxyVersion::V1), ("v2", ProxyVersion::V2)];

const BALANCES: &[(&str, Balance)] = &[
    ("round_robin", Balance::RoundRobin),
    ("least_conn", Balance::LeastConn),
];

const PROTOCOLS: &[(&str, Protocol)] = &[
    ("http1", Protocol::Http1),
    ("h2", Protocol::H2),
    ("h2c", Protocol::H2c),
];

impl Upstream {
    pub(crate) fn read(name: &str, mut table: Table<'_>) -> Option<Self> {
        let servers = table.required("servers", |item| item.filled_list(Server::read));
        let send_proxy = table.maybe("send_proxy", |item| item.one_of(PROXY_VERSIONS));
        let tls = table.maybe("tls", |item| item.table().and_then(UpstreamTls::read));
        let has_tls = !matches!(tls, Some(None));
        let sends_header = matches!(send_proxy, Some(Some(_)));
        let protocol = table.or("protocol", Protocol::Http1, |item| {
            protocol(item, has_tls, sends_header)
        });
        let balance = table.or("balance", Balance::RoundRobin, |item| item.one_of(BALANCES));
        let check = table.maybe("check", |item| item.table().and_then(Check::read));
        let keep_alive = table.or_empty("keep_alive", DEFAULT_KEEP_ALIVE, KeepAlive::read);
        let timeouts = table.or_empty("timeouts", DEFAULT_TIMEOUTS, UpstreamTimeouts::read);
        let retries = table.or_empty("retries", Retries::default(), Retries::read);
        table.finish();
        Some(Self {
            name: name.to_owned(),
            servers: servers?,
            balance: balance?,
            protocol: protocol?,
            send_proxy: send_proxy?,
            tls: tls?,
            check: check?,
            keep_alive: keep_alive?,
            timeouts: timeouts?,
            retries: retries?,
        })
    }
}

/// What servers speak, in agreement with the keys about what their connections begin with.
fn protocol(item: &Item<'_>, has_tls: bool, sends_header: bool) -> Option<Protocol> {
    match item.one_of(PROTOCOLS)? {
        Protocol::H2 if !has_tls => item.error(
            "\"h2\" is HTTP/2 over TLS, and there is no \"tls\"",
            "without TLS it is \"h2c\"",
        ),
        Protocol::H2c if has_tls => item.error(
            "\"h2c\" is HTTP/2 without TLS, and there is \"tls\"",
            "with TLS it is \"h2\"",
        ),
        Protocol::H2 | Protocol::H2c if sends_header => item.error(
            "\"send_proxy\" is for one client, and a connection of HTTP/2 is for many",
            "leave one of the two out",
        ),
        protocol => Some(protocol),
    }
}

impl Check {
    fn read(mut table: Table<'_>) -> Option<Self> {
        let probe = Probe::read(&mut table);
        let interval = table.or("interval", Duration::from_secs(2), check_time);
        let timeout = table.maybe("timeout", check_time);
        let fall = table.or("fall", NonZeroU16::MIN.saturating_add(2), run_length);
        let rise = table.or("rise", NonZeroU16::MIN.saturating_add(1), run_length);
        table.finish();
        let interval = interval?;
        Some(Self {
            probe: probe?,
            interval,
            timeout: timeout?.unwrap_or(interval),
            fall: fall?,
            rise: rise?,
        })
    }
}

impl Probe {
    fn read(table: &mut Table<'_>) -> Option<Self> {
        let http = table.maybe("http", request_target);
        let tcp = table.or("tcp", false, Item::boolean);
        let host = table.maybe("host", host_field);
        let status = table.maybe("status", status_range);
        let (http, tcp, host, status) = (http?, tcp?, host?, status?);
        match (http, tcp) {
            (Some(path), false) => Some(Self::Http {
                path,
                host,
                status: status.unwrap_or((200, 399)),
            }),
            (None, true) if host.is_some() || status.is_some() => table
                .item()
                .error("\"host\" and \"status\" are for HTTP checks", ""),
            (None, true) => Some(Self::Tcp),
            _ => table.item().error(
                "a check is either HTTP or TCP",
                "give either http = \"/path\" or tcp = true",
            ),
        }
    }
}

/// A path with an optional query.
fn request_target(item: &Item<'_>) -> Option<String> {
    let target = item.string()?;
    let Some((_, query)) = target.split_once('?') else {
        return path(item).map(|path| path.value().clone());
    };
    if !target.starts_with('/') || !query.chars().all(|c| c.is_ascii_graphic() && c != '#') {
        return item.error(format!("{target:?} is no path"), "write it as \"/healthz\"");
    }
    Some(target)
}

fn host_field(item: &Item<'_>) -> Option<String> {
    let host = item.line()?;
    if !host
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c))
    {
        return item.error(
            format!("{host:?} is no host"),
            "write it as \"www.example.org\"",
        );
    }
    Some(host)
}

/// 200, "200" or "200-399".
fn status_range(item: &Item<'_>) -> Option<(u16, u16)> {
    const STATUSES: std::ops::RangeInclusive<u16> = 100..=599;
    if item.is_number() {
        let status = item.number(STATUSES)?;
        return Some((status, status));
    }
    let text = item.string()?;
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last))
            if first <= last && STATUSES.contains(&first) && STATUSES.contains(&last) =>
        {
            Some((first, last))
        }
        _ => item.error(
            format!("{text:?} is no range of statuses"),
            "write it as \"200-399\" or 200, within 100 to 599",
        ),
    }
}

impl KeepAlive {
    fn read(mut table: Table<'_>) -> Option<Self> {
        let idle = table.or("idle", DEFAULT_KEEP_ALIVE.idle, |item| {
            item.number(0..=65_535)
        });
        let timeout = table.or("timeout", DEFAULT_KEEP_ALIVE.timeout, step_time);
        let requests = table.or("requests", DEFAULT_KEEP_ALIVE.requests, |item| {
            item.number(0..=u32::MAX).map(NonZeroU32::new)
        });
        table.finish();
        Some(Self {
            idle: idle?,
            timeout: timeout?,
            requests: requests?,
        })
    }
}

impl UpstreamTimeouts {
    fn read(mut table: Table<'_>) -> Option<Self> {
        let connect = table.or("connect", DEFAULT_TIMEOUTS.connect, step_time);
        let read = table.or("read", DEFAULT_TIMEOUTS.read, step_time);
        let send = table.or("send", DEFAULT_TIMEOUTS.send, step_time);
        let queue = table.or("queue", DEFAULT_TIMEOUTS.queue, step_time);
        table.finish();
        Some(Self {
            connect: connect?,
            read: read?,
            send: send?,
            queue: queue?,
        })
    }
}
