//! `[proxy]`, `[listeners.NAME]` and `[[routes]]`: what comes in, and where it goes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::item::{Item, Table};
use crate::report::Spanned;
use crate::tls::ListenerTls;
use crate::units;
use crate::words::near;

/// What a client or server may take for one step: a timeout of a day is none.
pub(crate) const STEP_TIMES: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(86_400);
/// RFC 1035 §2.3.4.
const HOST_OCTETS_MAX: usize = 253;
/// More workers than any machine has cores.
const WORKERS_MAX: u16 = 1_024;

/// The proxy as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// How many processes. Default: one for each core.
    pub workers: Workers,
    /// How long a worker that ends may take to serve what it has begun, 0 s to 1 d. Default: 30 s.
    pub drain_timeout: Duration,
    /// The same for tunnels: WebSockets and TCP, 0 s to 1 d. Default: 10 min.
    pub tunnel_drain_timeout: Duration,
}

/// How many worker processes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// One for each core.
    Auto,
    /// This many, up to 1024.
    Exactly(NonZeroU16),
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            workers: Workers::Auto,
            drain_timeout: Duration::from_secs(30),
            tunnel_drain_timeout: Duration::from_secs(600),
        }
    }
}

impl Proxy {
    pub(crate) fn read(mut table: Table<'_>) -> Option<Self> {
        let defaults = Self::default();
        let workers = table.or("workers", defaults.workers, |item| {
            if item.is_number() {
                return NonZeroU16::new(item.number(1..=WORKERS_MAX)?).map(Workers::Exactly);
            }
            item.one_of(&[("auto", Workers::Auto)])
        });
        let drain_time =
            |item: &Item<'_>| item.duration(Duration::ZERO..=Duration::from_secs(86_400));
        let drain_timeout = table.or("drain_timeout", defaults.drain_timeout, drain_time);
        let tunnel_drain_timeout = table.or(
            "tunnel_drain_timeout",
            defaults.tunnel_drain_timeout,
            drain_time,
        );
        table.finish();
        Some(Self {
            workers: workers?,
            drain_timeout: drain_timeout?,
            tunnel_drain_timeout: tunnel_drain_timeout?,
        })
    }
}

/// Addresses that are listened on, and what clients may do there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The name.
    pub name: String,
    /// At least one; none is in another listener. Bound whether or not this node has the address.
    pub bind: Vec<Spanned<SocketAddr>>,
    /// From whom each connection begins with a PROXY header; from others there is none. `None`, the
    /// default: it is not spoken.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// TLS. Default: none.
    pub tls: Option<ListenerTls>,
    /// Whether HTTP/2 is spoken beside HTTP/1. Default, `None`: where there is TLS.
    pub http2: Option<bool>,
    /// Whose word about a client's address is taken. Default: nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// What is spoken. Default: HTTP.
    pub protocol: ListenerProtocol,
    /// Whether responses carry `X-Node`. Default: false.
    pub node_header: bool,
    /// The log of requests. Default: none.
    pub access_log: Option<AccessLog>,
    /// How long a client may take.
    pub timeouts: ListenerTimeouts,
    /// How much a client may send.
    pub limits: Limits,
}

/// Who speaks the PROXY protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// At least one network.
    pub from: Vec<IpNet>,
}

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerProtocol {
    /// HTTP.
    Http,
    /// Octets, which are passed on as they are.
    Tcp,
}

/// A log of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// The file; several listeners may share it.
    pub path: Spanned<PathBuf>,
    /// Default: combined.
    pub format: LogFormat,
}

/// The form of a line in a log of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// nginx's and Apache's "combined".
    Combined,
    /// An object of JSON.
    Json,
}

/// How long a client may take; each 1 ms to 1 d.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerTimeouts {
    /// From the first octet to the end of a TLS handshake. Default: 10 s.
    pub tls_handshake: Duration,
    /// From the first octet of a request head to its end. Default: 10 s.
    pub head: Duration,
    /// Between two reads of a request body. Default: 30 s.
    pub body_idle: Duration,
    /// Octets a second that a request body must have on average, beyond `body_idle`, up to 1 GiB; 0:
    /// no rate is asked for. Default: 240.
    pub body_min_rate: u32,
    /// Between two requests. Default: 75 s.
    pub keep_alive: Duration,
    /// Between two writes of a response. Default: 60 s.
    pub send: Duration,
    /// Between two octets of a tunnel, in either direction. Default: 1 h.
    pub tunnel: Duration,
}

/// How much a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections of the whole node; 0: no limit. Default: 0.
    pub connections: u32,
    /// Connections of the whole node from one address (IPv6: from one /64); 0: no limit. Default: 0.
    pub connections_per_address: u32,
    /// Octets of a request head, 1 KiB to 1 MiB. Default: 32 KiB.
    pub header_bytes: u32,
    /// Fields of a request head, 1 to 1000. Default: 100.
    pub headers: u16,
    /// Octets of a request body; `None`, written 0: no limit. Default: 10 MiB.
    pub body: Option<u64>,
    /// Requests on one connection; `None`, written 0: no limit. Default: 1000.
    pub requests_per_connection: Option<NonZeroU32>,
    /// Requests under way at once on a connection of HTTP/2; `None`, written 0: no limit.
    /// Default: 100.
    pub h2_streams: Option<NonZeroU32>,
}

const DEFAULT_TIMEOUTS: ListenerTimeouts = ListenerTimeouts {
    tls_handshake: Duration::from_secs(10),
    head: Duration::from_secs(10),
    body_idle: Duration::from_secs(30),
    body_min_rate: 240,
    keep_alive: Duration::from_secs(75),
    send: Duration::from_secs(60),
    tunnel: Duration::from_secs(3_600),
};

const DEFAULT_LIMITS: Limits = Limits {
    connections: 0,
    connections_per_address: 0,
    header_bytes: 32 << 10,
    headers: 100,
    body: Some(10 << 20),
    requests_per_connection: NonZeroU32::new(1_000),
    h2_streams: NonZeroU32::new(100),
};

impl Listener {
    pub(crate) fn read(name: &str, mut table: Table<'_>) -> Option<Self> {
        let bind = table.required("bind", |item| item.filled_list(socket_address));
        let proxy_protocol = table.maybe("proxy_protocol", |item| {
            item.table().and_then(ProxyProtocol::read)
        });
        let protocol = table.or("protocol", ListenerProtocol::Http, |item| {
            item.one_of(&[
                ("http", ListenerProtocol::Http),
                ("tcp", ListenerProtocol::Tcp),
            ])
        });
        let is_tcp = protocol == Some(ListenerProtocol::Tcp);
        let tls = table.maybe("tls", |item| {
            ListenerTls::read(for_http(item, is_tcp)?.table()?)
        });
        let http2 = table.maybe("http2", |item| for_http(item, is_tcp)?.boolean());
        let trusted_proxies = table.or("trusted_proxies", Vec::new(), |item| {
            for_http(item, is_tcp)?.list(network)
        });
        let node_header = table.or("node_header", false, |item| {
            for_http(item, is_tcp)?.boolean()
        });
        let access_log = table.maybe("access_log", |item| {
            AccessLog::read(for_http(item, is_tcp)?.table()?)
        });
        let timeouts = table.or_empty("timeouts", DEFAULT_TIMEOUTS, |table| {
            ListenerTimeouts::read(table, is_tcp)
        });
        let limits = table.or_empty("limits", DEFAULT_LIMITS, Limits::read);
        table.finish();
        Some(Self {
            name: name.to_owned(),
            bind: bind?,
            proxy_protocol: proxy_protocol?,
            tls: tls?,
            http2: http2?,
            trusted_proxies: trusted_proxies?,
            protocol: protocol?,
            node_header: node_header?,
            access_log: access_log?,
            timeouts: timeouts?,
            limits: limits?,
        })
    }
}

/// A key that has nothing to say on a listener that speaks no HTTP.
fn for_http<'i, 'a>(item: &'i Item<'a>, is_tcp: bool) -> Option<&'i Item<'a>> {
    if is_tcp {
        let message = format!("{} is for HTTP", item.name());
        return item.error(message, "leave it out, or let protocol be \"http\"");
    }
    Some(item)
}

/// "ip:port", IPv6 in brackets.
pub(crate) fn socket_address(item: &Item<'_>) -> Option<Spanned<SocketAddr>> {
    let text = item.string()?;
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => item.error("port 0 is no port", ""),
        Ok(address) if address.ip().is_multicast() => {
            item.error(format!("{} is a multicast address", address.ip()), "")
        }
        Ok(address) => Some(item.spanned(address)),
        Err(_) => {
            let advice = match text.parse::<std::net::IpAddr>() {
                Ok(std::net::IpAddr::V6(ip)) => format!("add the port: \"[{ip}]:80\""),
                Ok(ip) => format!("add the port: \"{ip}:80\""),
                Err(_) => "write it as \"192.168.0.105:80\"; names are not looked up".to_owned(),
            };
            item.error(format!("{text:?} is no address with a port"), advice)
        }
    }
}

impl ProxyProtocol {
    fn read(mut table: Table<'_>) -> Option<Self> {
        let from = table.required("from", |item| item.filled_list(network));
        table.finish();
        Some(Self { from: from? })
    }
}

impl AccessLog {
    fn read(mut table: Table<'_>) -> Option<Self> {
        let path = table.required("path", Item::absolute_path);
        let format = table.or("format", LogFormat::Combined, |item| {
            item.one_of(&[("combined", LogFormat::Combined), ("json", LogFormat::Json)])
        });
        table.finish();
        Some(Self {
            path: path?,
            format: format?,
        })
    }
}

pub(crate) fn step_time(item: &Item<'_>) -> Option<Duration> {
    item.duration(STEP_TIMES)
}

impl ListenerTimeouts {
    fn read(mut table: Table<'_>, is_tcp: bool) -> Option<Self> {
        let defaults = DEFAULT_TIMEOUTS;
        let tls_handshake = table.or("tls_handshake", defaults.tls_handshake, step_time);
        let http_time = |item: &Item<'_>| step_time(for_http(item, is_tcp)?);
        let head = table.or("head", defaults.head, http_time);
        let body_idle = table.or("body_idle", defaults.body_idle, http_time);
        let body_min_rate = table.or("body_min_rate", defaults.body_min_rate, |item| {
            u32::try_from(for_http(item, is_tcp)?.size(0..=1 << 30)?).ok()
        });
        let keep_alive = table.or("keep_alive", defaults.keep_alive, http_time);
        let send = table.or("send", defaults.send, http_time);
        let tunnel = table.or("tunnel", defaults.tunnel, step_time);
        table.finish();
        Some(Self {
            tls_handshake: tls_handshake?,
            head: head?,
            body_idle: body_idle?,
            body_min_rate: body_min_rate?,
            keep_alive: keep_alive?,
            send: send?,
            tunnel: tunnel?,
        })
    }
}

impl Limits {
    fn read(mut table: Table<'_>) -> Option<Self> {
        let defaults = DEFAULT_LIMITS;
        let count = |item: &Item<'_>| item.number(0..=u32::MAX);
        let connections = table.or("connections", defaults.connections, count);
        let per_address = table.or(
            "connections_per_address",
            defaults.connections_per_address,
            count,
        );
        let header_bytes = table.or("header_bytes", defaults.header_bytes, |item| {
            u32::try_from(item.size(1 << 10..=1 << 20)?).ok()
        });
        let headers = table.or("headers", defaults.headers, |item| item.number(1..=128));
        let body = table.or("body", defaults.body, |item| {
            item.size(0..=u64::MAX)
                .map(|size| (size != 0).then_some(size))
        });
        let requests = table.or(
            "requests_per_connection",
            defaults.requests_per_connection,
            |item| item.number(0..=u32::MAX).map(NonZeroU32::new),
        );
        let h2_streams = table.or("h2_streams", defaults.h2_streams, |item| {
            item.number(0..=u32::MAX).map(NonZeroU32::new)
        });
        table.finish();
        Some(Self {
            connections: connections?,
            connections_per_address: per_address?,
            header_bytes: header_bytes?,
            headers: headers?,
            body: body?,
            requests_per_connection: requests?,
            h2_streams: h2_streams?,
        })
    }
}

/// Which requests go where. The host decides, then the longest path that is a prefix of a request's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Names of [`crate::Settings::listeners`], at least one where there is any. Default: all.
    pub listeners: Vec<String>,
    /// Names in lower case, or "*.example.org" for all names below. Empty, the default: any host that
    /// no other route of the listener names.
    pub hosts: Vec<Spanned<String>>,
    /// A prefix of paths, beginning with a slash; no two routes of a listener and a host have the
    /// same. Default: "/".
    pub path: Spanned<String>,
    /// What is done.
    pub action: RouteAction,
    /// Whether clients may go on in WebSocket. Default: true.
    pub websocket: bool,
    /// Who may; empty, the default: everybody who is not denied.
    pub allow: Vec<IpNet>,
    /// Who may not. Default: nobody.
    pub deny: Vec<IpNet>,
}

/// What a route does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteAction {
    /// Relays it to a server of [`crate::Settings::upstreams`], by its name.
    Upstream(String),
    /// Answers with the virtual routers and their states.
    StatusPage,
    /// Answers with nginx's seven numbers.
    StubStatus,
}

impl Route {
    pub(crate) fn read(item: &Item<'_>) -> Option<Self> {
        let mut table = item.table()?;
        let listeners = listeners(&mut table);
        let hosts = table.or("host", Vec::new(), hosts);
        let root = item.spanned("/".to_owned());
        let path = table.or("path", root, path);
        let action = action(&mut table);
        let websocket = table.or("websocket", true, Item::boolean);
        let allow = table.or("allow", Vec::new(), |item| item.list(network));
        let deny = table.or("deny", Vec::new(), |item| item.list(network));
        table.finish();
        Some(Self {
            listeners: listeners?,
            hosts: hosts?,
            path: path?,
            action: action?,
            websocket: websocket?,
            allow: allow?,
            deny: deny?,
        })
    }
}

/// One name, or a list of names without repetition; all listeners where it is left out.
fn listeners(table: &mut Table<'_>) -> Option<Vec<String>> {
    let all = table.item().context().names("listeners");
    let Some(item) = table.get("listener") else {
        return Some(all);
    };
    let listener = |item: &Item<'_>| item.reference("listeners", "listener");
    let chosen = if item.is_list() {
        item.filled_list(listener)?
    } else {
        vec![listener(&item)?]
    };
    let chosen: BTreeSet<String> = chosen.iter().map(|name| name.value().clone()).collect();
    Some(chosen.into_iter().collect())
}

/// One host, or a list of them.
fn hosts(item: &Item<'_>) -> Option<Vec<Spanned<String>>> {
    if item.is_list() {
        item.filled_list(host)
    } else {
        host(item).map(|host| vec![host])
    }
}

/// A host name or an IPv4 address, or an asterisk for what stands before a name (RFC 1123 §2.1).
fn host(item: &Item<'_>) -> Option<Spanned<String>> {
    let text = item.filled_string()?;
    let lower = text.to_ascii_lowercase();
    let host = lower.strip_suffix('.').unwrap_or(&lower);
    let name = host.strip_prefix("*.").unwrap_or(host);
    let is_label = |label: &str| {
        let mut octets = label.bytes();
        matches!(label.len(), 1..=63)
            && octets.all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
    };
    if host.len() <= HOST_OCTETS_MAX && name.split('.').all(is_label) {
        return Some(item.spanned(host.to_owned()));
    }
    let advice = if !text.is_ascii() {
        "write it as clients send it, beginning with \"xn--\""
    } else if text.starts_with('[') {
        "routes do not tell IPv6 addresses apart; listeners do"
    } else if text.contains(':') {
        "leave out the port: the listener has it"
    } else if text.contains('*') {
        "an asterisk stands first, and for whole labels: \"*.example.org\""
    } else {
        "write it as \"api.example.org\" or \"*.example.org\""
    };
    item.error(format!("{text:?} is no host"), advice)
}

/// RFC 3986 §3.3: a path that a request can have as it stands, without query and fragment.
pub(crate) fn path(item: &Item<'_>) -> Option<Spanned<String>> {
    let path = item.string()?;
    if !path.starts_with('/') {
        return item.error(
            format!("{} must begin with \"/\", not be {path:?}", item.name()),
            format!("write it as \"/{path}\""),
        );
    }
    if let Some(bad) = path
        .chars()
        .find(|&c| !c.is_ascii_graphic() || "?#".contains(c))
    {
        return item.error(
            format!("a path cannot have {bad:?}"),
            "write it percent-encoded",
        );
    }
    Some(item.spanned(path))
}

/// The one action that a route has.
fn action(table: &mut Table<'_>) -> Option<RouteAction> {
    let upstream = table.maybe("upstream", |item| {
        let name = item.reference("upstreams", "upstream")?;
        Some(RouteAction::Upstream(name.value().clone()))
    });
    let mut page = |key, action: RouteAction| {
        table.or(key, None, |item| {
            item.boolean().map(|on| on.then_some(action))
        })
    };
    let status_page = page("status_page", RouteAction::StatusPage);
    let stub_status = page("stub_status", RouteAction::StubStatus);
    let mut actions = [upstream?, status_page?, stub_status?]
        .into_iter()
        .flatten();
    let expected = "give one of upstream, status_page = true and stub_status = true";
    match (actions.next(), actions.next()) {
        (Some(action), None) => Some(action),
        (None, _) => table.item().error("this route does nothing", expected),
        (Some(_), Some(_)) => table.item().error("this route does two things", expected),
    }
}

/// A network, or one address.
fn network(item: &Item<'_>) -> Option<IpNet> {
    let text = item.string()?;
    let Some((network, has_host_bits)) = units::parse_network(&text) else {
        let advice = near(&text, &["0.0.0.0/0"]).filter(|_| text == "all");
        return item.error(
            format!("{text:?} is no address and no network"),
            advice.unwrap_or_else(|| "write it as \"192.168.0.0/24\" or \"127.0.0.1\"".to_owned()),
        );
    };
    if has_host_bits {
        item.warning(
            format!("{text:?} is read as {network}"),
            "bits behind the prefix are set",
        );
    }
    Some(network)
}
