//! Request targets and authorities: RFC 9112 §3.2, RFC 3986 §3.2.

use std::net::Ipv6Addr;

use crate::Fault;
use crate::octet::is_host;

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
    // All of them, so that the compiler looks at many at once.
    let is_wrong = |wrong, octet: u8| wrong | !octet.is_ascii_graphic() | (octet == b'#');
    if target.bytes().fold(false, is_wrong) {
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
    // By octets: a search for a character costs more than all the rest of a short target.
    let mark = target.bytes().position(|octet| octet == b'?');
    match mark.and_then(|mark| target.split_at_checked(mark)) {
        Some((path, query)) => (path, query.get(1..)),
        None => (target, None),
    }
}

/// `uri-host [ ":" port ]` with a host of at least one character and a port of 1 to 65535; no user,
/// and no comma although RFC 3986 has it in a reg-name: some servers split a list there.
pub(crate) fn is_authority(text: &str) -> bool {
    let host_len = match text.strip_prefix('[') {
        Some(rest) => match rest.find(']') {
            Some(len) if rest[..len].parse::<Ipv6Addr>().is_ok() => len + "[]".len(),
            _ => return false,
        },
        None => registered_name_len(text.as_bytes()),
    };
    match text.as_bytes().split_at(host_len) {
        ([], _) => false,
        (_, []) => true,
        (_, [b':', port @ ..]) => is_port(port),
        _ => false,
    }
}

/// How far a name of RFC 3986 §3.2.2 goes.
fn registered_name_len(octets: &[u8]) -> usize {
    let mut len = 0;
    loop {
        match octets.get(len..).unwrap_or_default() {
            [octet, ..] if is_host(*octet) => len += 1,
            [b'%', one, two, ..] if one.is_ascii_hexdigit() && two.is_ascii_hexdigit() => len += 3,
            _ => return len,
        }
    }
}

fn is_port(digits: &[u8]) -> bool {
    let add = |number: u32, digit: &u8| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u32::from(digit - b'0')),
        _ => None,
    };
    let number = digits.iter().try_fold(0, add);
    number.is_some_and(|number| (1..=u32::from(u16::MAX)).contains(&number))
}
