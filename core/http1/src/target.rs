//! Request targets and authorities: RFC 9112 §3.2, RFC 3986 §3.2.

use crate::Fault;

/// What is asked for, split but otherwise as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'b> {
    /// The path, beginning with a slash; `*` for an OPTIONS of the server as a whole.
    pub path: &'b str,
    /// What follows the question mark, without it.
    pub query: Option<&'b str>,
    /// The authority of an absolute-form target, which replaces `Host`.
    pub authority: Option<&'b str>,
}

/// Splits a target.
///
/// # Errors
/// [`Fault::Target`] for what is no origin-form, no absolute-form of http or https and no `*` of an
/// OPTIONS, or has a `#`, a control character, a space or an octet above ASCII in it.
pub(crate) fn parse<'b>(method: &str, target: &'b str) -> Result<Target<'b>, Fault> {
    if target
        .bytes()
        .any(|byte| !byte.is_ascii_graphic() || byte == b'#')
    {
        return Err(Fault::Target);
    }
    if target.starts_with('/') {
        let (path, query) = split_query(target);
        return Ok(Target {
            path,
            query,
            authority: None,
        });
    }
    if target == "*" {
        return if method == "OPTIONS" {
            Ok(Target {
                path: target,
                query: None,
                authority: None,
            })
        } else {
            Err(Fault::Target)
        };
    }
    parse_absolute(method, target)
}

fn parse_absolute<'b>(method: &str, target: &'b str) -> Result<Target<'b>, Fault> {
    let (scheme, rest) = target.split_once("://").ok_or(Fault::Target)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(Fault::Target);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if !is_authority(authority) {
        return Err(Fault::Target);
    }
    let (path, query) = split_query(rest);
    let path = match path {
        // RFC 9112 §3.2.4: the OPTIONS of a whole server, asked through a proxy.
        "" if method == "OPTIONS" && query.is_none() => "*",
        "" => "/",
        path => path,
    };
    Ok(Target {
        path,
        query,
        authority: Some(authority),
    })
}

fn split_query(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

/// `uri-host [ ":" port ]` with a host of at least one character and a port of 1 to 65535; no user,
/// and no comma although RFC 3986 has it in a reg-name: some servers split a list there.
pub(crate) fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, rest)) => match rest.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None => return false,
            },
            None => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let host_is_valid = if text.starts_with('[') {
        host.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        is_registered_name(host)
    };
    host_is_valid && port.is_none_or(is_port)
}

fn is_registered_name(host: &str) -> bool {
    let mut bytes = host.bytes();
    while let Some(byte) = bytes.next() {
        let valid = match byte {
            b'%' => {
                let hex = |digit: Option<u8>| digit.is_some_and(|byte| byte.is_ascii_hexdigit());
                hex(bytes.next()) && hex(bytes.next())
            }
            b'-' | b'.' | b'_' | b'~' => true,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';' | b'=' => true,
            byte => byte.is_ascii_alphanumeric(),
        };
        if !valid {
            return false;
        }
    }
    !host.is_empty()
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}
