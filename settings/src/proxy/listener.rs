//! `[listeners.NAME]`: addresses that are listened on, and what is spoken there.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::address::{network, socket_address};
use super::limits::{Limits, ListenerTimeouts};
use crate::item::{Item, Table};
use crate::report::Spanned;
use crate::tls::ListenerTls;

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
        let mut spoken = Spoken::new(protocol);
        let tls = table.maybe("tls", |item| ListenerTls::read(spoken.http(item)?.table()?));
        let http2 = table.maybe("http2", |item| spoken.http(item)?.boolean());
        let trusted_proxies = table.or("trusted_proxies", Vec::new(), |item| {
            spoken.http(item)?.list(network)
        });
        let node_header = table.or("node_header", false, |item| spoken.http(item)?.boolean());
        let access_log = table.maybe("access_log", |item| {
            AccessLog::read(spoken.http(item)?.table()?)
        });
        // What could not be read is there all the same.
        spoken.tls = !matches!(tls, Some(None));
        spoken.http2 = http2.flatten().unwrap_or(spoken.tls);
        let timeouts = table.or_empty("timeouts", ListenerTimeouts::DEFAULT, |table| {
            ListenerTimeouts::read(table, spoken)
        });
        let limits = table.or_empty("limits", Limits::DEFAULT, |table| {
            Limits::read(table, spoken)
        });
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

/// What is spoken on a listener: a key about anything else has no effect there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spoken {
    is_tcp: bool,
    tls: bool,
    http2: bool,
}

impl Spoken {
    /// Of a protocol; TLS and HTTP/2 are not known yet.
    fn new(protocol: Option<ListenerProtocol>) -> Self {
        Self {
            is_tcp: protocol == Some(ListenerProtocol::Tcp),
            tls: false,
            http2: false,
        }
    }

    /// Passes on a key that is for HTTP.
    pub(super) fn http<'i, 'a>(self, item: &'i Item<'a>) -> Option<&'i Item<'a>> {
        if self.is_tcp {
            let message = format!("{} is for HTTP", item.name());
            return item.error(message, "leave it out, or let protocol be \"http\"");
        }
        Some(item)
    }

    /// Passes on a key that is for HTTP/2.
    pub(super) fn http2<'i, 'a>(self, item: &'i Item<'a>) -> Option<&'i Item<'a>> {
        let item = self.http(item)?;
        if !self.http2 {
            let message = format!("{} is for HTTP/2, which is not spoken here", item.name());
            return item.error(message, "leave it out, or let http2 be true");
        }
        Some(item)
    }

    /// Passes on a key that is for a handshake of TLS: ours, or one that is looked at and passed on.
    pub(super) fn handshake<'i, 'a>(self, item: &'i Item<'a>) -> Option<&'i Item<'a>> {
        if !self.is_tcp && !self.tls {
            let message = format!("{} is for TLS, which is not spoken here", item.name());
            return item.error(
                message,
                "leave it out, or add tls = { certificates = [...] }",
            );
        }
        Some(item)
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
