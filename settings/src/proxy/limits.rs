//! `timeouts` and `limits` of a listener: how long a client may take, and how much it may send.

use std::num::NonZeroU32;
use std::time::Duration;

use super::listener::Spoken;
use super::step_time;
use crate::item::{Item, Table};

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
    /// Fields of a request head, 1 to 128. Default: 100.
    pub headers: u16,
    /// Octets of a request body; `None`, written 0: no limit. Default: 10 MiB.
    pub body: Option<u64>,
    /// Requests on one connection; `None`, written 0: no limit. Default: 1000.
    pub requests_per_connection: Option<NonZeroU32>,
    /// Requests under way at once on a connection of HTTP/2; `None`, written 0: no limit.
    /// Default: 100.
    pub h2_streams: Option<NonZeroU32>,
}

impl ListenerTimeouts {
    pub(super) const DEFAULT: Self = Self {
        tls_handshake: Duration::from_secs(10),
        head: Duration::from_secs(10),
        body_idle: Duration::from_secs(30),
        body_min_rate: 240,
        keep_alive: Duration::from_secs(75),
        send: Duration::from_secs(60),
        tunnel: Duration::from_secs(3_600),
    };

    pub(super) fn read(mut table: Table<'_>, spoken: Spoken) -> Option<Self> {
        let defaults = Self::DEFAULT;
        let tls_handshake = table.or("tls_handshake", defaults.tls_handshake, |item| {
            step_time(spoken.handshake(item)?)
        });
        let http_time = |item: &Item<'_>| step_time(spoken.http(item)?);
        let head = table.or("head", defaults.head, http_time);
        let body_idle = table.or("body_idle", defaults.body_idle, http_time);
        let body_min_rate = table.or("body_min_rate", defaults.body_min_rate, |item| {
            u32::try_from(spoken.http(item)?.size(0..=1 << 30)?).ok()
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
    pub(super) const DEFAULT: Self = Self {
        connections: 0,
        connections_per_address: 0,
        header_bytes: 32 << 10,
        headers: 100,
        body: Some(10 << 20),
        requests_per_connection: NonZeroU32::new(1_000),
        h2_streams: NonZeroU32::new(100),
    };

    pub(super) fn read(mut table: Table<'_>, spoken: Spoken) -> Option<Self> {
        let defaults = Self::DEFAULT;
        let count = |item: &Item<'_>| item.number(0..=u32::MAX);
        let connections = table.or("connections", defaults.connections, count);
        let per_address = table.or(
            "connections_per_address",
            defaults.connections_per_address,
            count,
        );
        let header_bytes = table.or("header_bytes", defaults.header_bytes, |item| {
            u32::try_from(spoken.http(item)?.size(1 << 10..=1 << 20)?).ok()
        });
        let headers = table.or("headers", defaults.headers, |item| {
            spoken.http(item)?.number(1..=128)
        });
        let body = table.or("body", defaults.body, |item| {
            let size = spoken.http(item)?.size(0..=u64::MAX)?;
            Some((size != 0).then_some(size))
        });
        let requests = table.or(
            "requests_per_connection",
            defaults.requests_per_connection,
            |item| {
                let number = spoken.http(item)?.number(0..=u32::MAX)?;
                Some(NonZeroU32::new(number))
            },
        );
        let h2_streams = table.or("h2_streams", defaults.h2_streams, |item| {
            let number = spoken.http2(item)?.number(0..=u32::MAX)?;
            Some(NonZeroU32::new(number))
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
