//! Version 1: a line of text (§2.1).

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Ends, Fault, ProxyHeader, TEXT_MAX};

const BEGIN: &[u8] = b"PROXY ";

pub(super) fn parse(octets: &[u8]) -> Result<Option<ProxyHeader>, Fault> {
    if !octets.iter().zip(BEGIN).all(|(have, want)| have == want) {
        return Err(Fault::Missing);
    }
    let window = octets.get(..TEXT_MAX).unwrap_or(octets);
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if octets.len() < TEXT_MAX {
            Ok(None)
        } else {
            Err(Fault::TooLong)
        };
    };
    let line = window.get(BEGIN.len()..end).ok_or(Fault::Line)?;
    Ok(Some(ProxyHeader {
        len: end + 2,
        ends: ends(line)?,
    }))
}

/// What the line says behind its first word.
fn ends(line: &[u8]) -> Result<Option<Ends>, Fault> {
    let line = str::from_utf8(line).map_err(|_| Fault::Line)?;
    let mut words = line.split(' ');
    let family = words.next();
    // "The receiver must ignore anything presented before the CRLF" behind UNKNOWN.
    if family == Some("UNKNOWN") {
        return Ok(None);
    }
    let mut word = || words.next().ok_or(Fault::Line);
    let (source, destination) = (word()?, word()?);
    let (source_port, destination_port) = (port(word()?)?, port(word()?)?);
    if words.next().is_some() {
        return Err(Fault::Line);
    }
    let address: fn(&str) -> Option<IpAddr> = match family {
        Some("TCP4") => |word| word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        Some("TCP6") => |word| word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return Err(Fault::Kind),
    };
    let end = |word, port| Some(SocketAddr::new(address(word)?, port));
    Ok(Some(Ends {
        source: end(source, source_port).ok_or(Fault::Line)?,
        destination: end(destination, destination_port).ok_or(Fault::Line)?,
    }))
}

/// A decimal number without a sign and without zeros in front of it.
fn port(word: &str) -> Result<u16, Fault> {
    let plain = word.bytes().all(|octet| octet.is_ascii_digit());
    if !plain || word.len() > 1 && word.starts_with('0') {
        return Err(Fault::Line);
    }
    word.parse().map_err(|_| Fault::Line)
}

pub(super) fn write(ends: Option<&Ends>, out: &mut Vec<u8>) {
    let Some(Ends {
        source,
        destination,
    }) = ends
    else {
        return out.extend_from_slice(b"PROXY UNKNOWN\r\n");
    };
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    // Writing to a vector cannot fail.
    let _ = write!(
        out,
        "PROXY {family} {} {} {} {}\r\n",
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port()
    );
}
