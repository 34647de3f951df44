//! From HTTP/2 to HTTP/1.1 text: heads, bodies and trailers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap};
use http::{Method, StatusCode, Uri, request, response};

use crate::Malformed;
use crate::fields::{checked, is_about_connection, write_line, write_trailers};

/// What a handshake of HTTP/1.1 has, and one of HTTP/2 has no use for (RFC 8441 §5): left out.
const WEBSOCKET_KEY: &str = "sec-websocket-key";

/// How a body is framed in HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By `Content-Length`, or there is none: the octets as they are.
    Raw,
    /// In chunks: its length is not known.
    Chunked,
}

/// Appends a client's request head; `has_body` unless the stream ended with its head. Answers how
/// the body has to follow.
///
/// A request that HTTP/1.1 can hold is passed on whatever it says, for the reader to judge.
///
/// # Errors
/// [`Malformed`]; `out` then holds a part of a head.
pub fn request(
    head: &request::Parts,
    has_body: bool,
    out: &mut Vec<u8>,
) -> Result<Framing, Malformed> {
    write_request_line(&head.method, &head.uri, out)?;
    let has_length = write_fields(head, out)?;
    let framing = if has_body && !has_length {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        Framing::Chunked
    } else {
        Framing::Raw
    };
    out.extend_from_slice(b"\r\n");
    Ok(framing)
}

/// Appends an extended CONNECT (RFC 8441) as the request for WebSocket that it is in HTTP/1.1, with a
/// key made of `entropy`. What the stream carries is to follow as it is, once the answer is a 101.
///
/// The head says `connection: close` too: where nothing is switched to, what the client sent in its
/// hope is no request.
///
/// # Errors
/// [`Malformed`]; `out` then holds a part of a head. [`Malformed::Protocol`] where `protocol` is
/// another one: not an error of the client.
pub fn extended_connect(
    head: &request::Parts,
    protocol: &str,
    entropy: [u8; 16],
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    if protocol != "websocket" {
        return Err(Malformed::Protocol);
    }
    if head.uri.authority().is_none() {
        return Err(Malformed::Authority);
    }
    write_request_line(&Method::GET, &head.uri, out)?;
    // A tunnel is as long as it is.
    if write_fields(head, out)? {
        return Err(Malformed::Length);
    }
    out.extend_from_slice(b"connection: upgrade, close\r\nupgrade: websocket\r\n");
    let key = STANDARD.encode(entropy);
    write_line(WEBSOCKET_KEY.as_bytes(), key.as_bytes(), out);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Appends the host, the fields that go on as they are, and the cookies. Answers whether there is a length.
///
/// `:authority` stands for `Host` (RFC 9113 §8.3.1); a field that says the same is left out.
fn write_fields(head: &request::Parts, out: &mut Vec<u8>) -> Result<bool, Malformed> {
    let authority = head.uri.authority().map(|one| one.as_str().as_bytes());
    if let Some(authority) = authority {
        write_line(b"host", authority, out);
    } else if head.method == Method::CONNECT {
        return Err(Malformed::Authority);
    }
    let (mut has_length, mut has_cookies) = (false, false);
    for (name, value) in &head.headers {
        if is_about_connection(name) {
            return Err(Malformed::ConnectionField);
        }
        let value = checked(value)?;
        match (name.as_str(), authority) {
            (WEBSOCKET_KEY, _) => continue,
            ("host", Some(authority)) if authority.eq_ignore_ascii_case(value) => continue,
            ("host", Some(_)) => return Err(Malformed::Authority),
            ("cookie", _) => {
                has_cookies = true;
                continue;
            }
            ("te", _) if !value.eq_ignore_ascii_case(b"trailers") => return Err(Malformed::Te),
            ("content-length", _) if has_length => return Err(Malformed::Length),
            ("content-length", _) => has_length = true,
            _ => {}
        }
        write_line(name.as_str().as_bytes(), value, out);
    }
    if has_cookies {
        write_cookies(&head.headers, out);
    }
    Ok(has_length)
}

fn write_request_line(method: &Method, uri: &Uri, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if uri
        .scheme_str()
        .is_some_and(|scheme| !matches!(scheme, "http" | "https"))
    {
        return Err(Malformed::Scheme);
    }
    let target = match uri.path_and_query() {
        Some(path) => path.as_str(),
        // A CONNECT names its destination only.
        None => uri.authority().map_or("", http::uri::Authority::as_str),
    };
    let is_path = target.starts_with('/')
        || target == "*" && *method == Method::OPTIONS
        || *method == Method::CONNECT;
    if !is_path || !target.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Err(Malformed::Path);
    }
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    Ok(())
}

/// Cookies may come in crumbs; HTTP/1.1 knows one field (RFC 9113 §8.2.3).
fn write_cookies(fields: &HeaderMap, out: &mut Vec<u8>) {
    let mut separator: &[u8] = b"cookie: ";
    for crumb in fields.get_all(header::COOKIE) {
        out.extend_from_slice(separator);
        out.extend_from_slice(crumb.as_bytes());
        separator = b"; ";
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a server's response head, interim or final. `has_body` unless the stream ended with it;
/// `asked_head`: the request was a HEAD. Answers how the body has to follow.
///
/// A final head says `connection: close`: a stream serves once.
///
/// # Errors
/// [`Malformed`]; `out` then holds a part of a head.
pub fn response(
    head: &response::Parts,
    has_body: bool,
    asked_head: bool,
    out: &mut Vec<u8>,
) -> Result<Framing, Malformed> {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(head.status.as_str().as_bytes());
    out.push(b' ');
    let reason = head.status.canonical_reason().unwrap_or_default();
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
    let mut length = None;
    for (name, value) in &head.headers {
        if is_about_connection(name) {
            return Err(Malformed::ConnectionField);
        }
        let value = checked(value)?;
        if *name == header::CONTENT_LENGTH && length.replace(value).is_some() {
            return Err(Malformed::Length);
        }
        write_line(name.as_str().as_bytes(), value, out);
    }
    let bodiless = asked_head
        || head.status.is_informational()
        || matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    let mut framing = Framing::Raw;
    if length.is_none() && !bodiless {
        if has_body {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            framing = Framing::Chunked;
        } else {
            out.extend_from_slice(b"content-length: 0\r\n");
        }
    }
    if !head.status.is_informational() {
        out.extend_from_slice(b"connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Ok(framing)
}

/// Appends what stands before a piece of a body of `octets` octets, 1 and up.
pub fn piece_start(framing: Framing, octets: usize, out: &mut Vec<u8>) {
    use std::io::Write as _;
    if framing == Framing::Chunked {
        // Writing to a vector cannot fail.
        let _ = write!(out, "{octets:x}\r\n");
    }
}

/// Appends what stands behind a piece of a body.
pub fn piece_end(framing: Framing, out: &mut Vec<u8>) {
    if framing == Framing::Chunked {
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the end of a body, with its trailers. Where the length was known there is no place for
/// them, and they are left out.
///
/// # Errors
/// [`Malformed`]; `out` then holds a part of the end.
pub fn end(
    framing: Framing,
    trailers: Option<&HeaderMap>,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    if framing == Framing::Chunked {
        out.extend_from_slice(b"0\r\n");
        if let Some(trailers) = trailers {
            write_trailers(trailers, out)?;
        }
        out.extend_from_slice(b"\r\n");
    }
    Ok(())
}
