//! Heads as they go on to the other side.
//!
//! Lines that stay are copied as they came, in runs as long as possible; what is dropped ends a run.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use crate::field::{Removed, is_forwarded};
use crate::lines::Fields;
use crate::{BodyLength, RequestHead, ResponseHead, Version};

/// What a request's receiver is told about where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The client's address.
    pub client: IpAddr,
    /// Who is connected: the client, or a proxy.
    pub peer: IpAddr,
    /// Whether the peer's word is taken, and passed on.
    pub is_trusted: bool,
    /// What the request is called, for logs: a token.
    pub request_id: &'a [u8],
    /// "http" or "https".
    pub scheme: &'a str,
    /// The path that was matched, and nothing else, goes on.
    pub path: &'a str,
    /// The `Host` of a request that has none, which HTTP/1.0 permits.
    pub default_host: &'a str,
    /// Whether the wish for WebSocket goes on, if there is one.
    pub websocket: bool,
}

/// Appends the request head for a server. It is always HTTP/1.1 and leaves the connection open.
pub fn write_request(request: &RequestHead<'_, '_>, origin: &Origin<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(request.method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(origin.path.as_bytes());
    if let Some(query) = request.target.query {
        out.push(b'?');
        out.extend_from_slice(query.as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let host = request.host.unwrap_or(origin.default_host);
    if request.host.is_none() || request.target.authority.is_some() {
        write_line(b"Host: ", host.as_bytes(), out);
    }
    let told = Told::by(request, origin.is_trusted);
    copy_kept(request.fields, told.removed, out);
    write_client(request, origin, out);
    if !told.scheme {
        write_line(b"X-Forwarded-Proto: ", origin.scheme.as_bytes(), out);
    }
    if let Some(host) = request.host.filter(|_| !told.host) {
        write_line(b"X-Forwarded-Host: ", host.as_bytes(), out);
    }
    write_line(b"X-Request-ID: ", origin.request_id, out);
    if let Some(hops) = request.hops_left {
        let _ = write!(out, "Max-Forwards: {}\r\n", hops.saturating_sub(1));
    }
    if origin.websocket && request.websocket.is_some() {
        out.extend_from_slice(SWITCH);
    } else if request.accepts_trailers {
        out.extend_from_slice(b"TE: trailers\r\nConnection: TE\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// The hop-by-hop fields of both halves of a handshake.
const SWITCH: &[u8] = b"Connection: upgrade\r\nUpgrade: websocket\r\n";

/// What the peer tells of the request that it passes on, which is kept when the peer is trusted. Its
/// lists of addresses are not kept but continued.
struct Told {
    scheme: bool,
    host: bool,
    removed: Removed,
}

impl Told {
    fn by(request: &RequestHead<'_, '_>, is_trusted: bool) -> Self {
        let mut told = Self {
            scheme: false,
            host: false,
            removed: request.removed,
        };
        if !is_trusted {
            return told;
        }
        for (index, field) in request.fields.iter().enumerate() {
            told.scheme |= field.is("x-forwarded-proto");
            told.host |= field.is("x-forwarded-host");
            if is_forwarded(field.name) && !field.is("x-forwarded-for") {
                told.removed.remove(index);
            }
        }
        told
    }
}

/// Writes who the request is from: the list of addresses as far as it is known, to which the peer's
/// is added, and the client's alone.
fn write_client(request: &RequestHead<'_, '_>, origin: &Origin<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"X-Forwarded-For: ");
    if origin.is_trusted {
        for value in request.values("x-forwarded-for") {
            out.extend_from_slice(value);
            out.extend_from_slice(b", ");
        }
    }
    let peer_start = out.len();
    write_address(origin.peer, out);
    let peer_end = out.len();
    out.extend_from_slice(b"\r\nX-Real-IP: ");
    if origin.client == origin.peer {
        // Rendered once: this is the common case.
        out.extend_from_within(peer_start..peer_end);
    } else {
        write_address(origin.client, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// What a response's receiver needs.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The version that the client speaks.
    pub client_version: Version,
    /// Whether the client's connection stays open after this response.
    pub keep_alive: bool,
    /// Whether trailer fields are passed on.
    pub trailers: bool,
    /// For a response that has no `Date` (RFC 9110 §6.6.1).
    pub date: &'a [u8],
    /// The value of `X-Node`, where the listener adds it.
    pub node: Option<&'a str>,
}

/// Appends the response head for a client.
pub fn write_response(response: &ResponseHead<'_, '_>, to: &Delivery<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(&status_digits(response.status));
    out.push(b' ');
    out.extend_from_slice(response.reason);
    out.extend_from_slice(b"\r\n");
    let mut removed = response.removed;
    let chunked = response.body == BodyLength::Chunked && to.client_version == Version::Http11;
    let mut drop_when = |dropped: bool, at: Option<usize>| {
        if let Some(index) = at.filter(|_| dropped) {
            removed.insert(index);
        }
    };
    drop_when(!chunked, response.framing_at);
    drop_when(!chunked || !to.trailers, response.trailer_at);
    drop_when(to.node.is_some(), response.node_at);
    copy_kept(response.fields, removed, out);
    if response.is_switch() {
        out.extend_from_slice(SWITCH);
    } else if !response.is_interim() {
        if !response.has_date {
            write_line(b"Date: ", to.date, out);
        }
        if let Some(node) = to.node {
            write_line(b"X-Node: ", node.as_bytes(), out);
        }
        write_connection(to.client_version, to.keep_alive, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the `Connection` field that a client needs, if any: silence means "stays open" in
/// HTTP/1.1 and "closes" in HTTP/1.0.
pub(crate) fn write_connection(version: Version, keep_alive: bool, out: &mut Vec<u8>) {
    match (version, keep_alive) {
        (Version::Http11, true) => {}
        (Version::Http10, true) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        (_, false) => out.extend_from_slice(b"Connection: close\r\n"),
    }
}

pub(crate) fn write_line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn write_address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => push_ipv4(address, out),
        // Writing to a vector cannot fail.
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
}

/// As `Display`, whose machinery would be a twelfth of what a request costs in this process.
fn push_ipv4(address: Ipv4Addr, out: &mut Vec<u8>) {
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        if octet >= 100 {
            out.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            out.push(b'0' + octet / 10 % 10);
        }
        out.push(b'0' + octet % 10);
    }
}

/// The three digits of a status; parsing let no other through.
fn status_digits(status: u16) -> [u8; 3] {
    let digit = |value: u16| b'0' + u8::try_from(value % 10).unwrap_or(0);
    [digit(status / 100), digit(status / 10), digit(status)]
}

/// Copies the lines of the fields that stay. They stand one behind the other.
fn copy_kept(fields: Fields<'_, '_>, removed: Removed, out: &mut Vec<u8>) {
    let head = fields.head();
    let mut run_start = None;
    for (index, field) in fields.iter().enumerate() {
        if removed.contains(index) {
            if let Some(start) = run_start.take() {
                out.extend_from_slice(head.get(start..field.start).unwrap_or_default());
            }
        } else if run_start.is_none() {
            run_start = Some(field.start);
        }
    }
    if let Some(start) = run_start {
        let end = head.len().saturating_sub(2);
        out.extend_from_slice(head.get(start..end).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_display_writes_them() {
        for octet in 0..=u8::MAX {
            let address = Ipv4Addr::new(octet, 10, octet, 255 - octet);
            let mut out = Vec::new();
            push_ipv4(address, &mut out);
            assert_eq!(out, address.to_string().as_bytes());
        }
    }
}
