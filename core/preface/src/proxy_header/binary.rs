//! Version 2: binary (§2.2).

use std::net::{IpAddr, SocketAddr};

use super::{BINARY_MAX, Ends, Fault, ProxyHeader};

/// What no other protocol begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Octets up to the addresses: signature, version and command, family and transport, length.
const FIXED: usize = 16;

const VERSION: u8 = 0x20;
const LOCAL: u8 = 0;
const PROXY: u8 = 1;

const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// Octets of the addresses of each family: unspecified, IPv4, IPv6, Unix.
const ADDRESSES: [usize; 4] = [0, 12, 36, 216];

/// The type of the element that holds a checksum of the header (§2.2.3), and its octets.
const CHECKSUM: u8 = 3;
const CHECKSUM_LEN: usize = 4;

pub(super) fn parse(octets: &[u8]) -> Result<Option<ProxyHeader>, Fault> {
    if !octets
        .iter()
        .zip(SIGNATURE)
        .all(|(have, want)| have == want)
    {
        return Err(Fault::Missing);
    }
    let Some(&[kind, family, high, low]) = octets.get(SIGNATURE.len()..FIXED) else {
        return Ok(None);
    };
    let len = FIXED + usize::from(u16::from_be_bytes([high, low]));
    let is_local = match kind.checked_sub(VERSION) {
        Some(LOCAL) => true,
        Some(PROXY) => false,
        _ => return Err(Fault::Kind),
    };
    if len > BINARY_MAX {
        return Err(Fault::TooLong);
    }
    let Some(header) = octets.get(..len) else {
        return Ok(None);
    };
    // Whatever a LOCAL header has besides is "to be skipped".
    let ends = if is_local {
        None
    } else {
        ends(family, header)?
    };
    Ok(Some(ProxyHeader { len, ends }))
}

fn ends(family: u8, header: &[u8]) -> Result<Option<Ends>, Fault> {
    if family & 0x0f > 2 {
        return Err(Fault::Kind);
    }
    let addresses = ADDRESSES.get(usize::from(family >> 4)).ok_or(Fault::Kind)?;
    // Of what is unspecified, not even the size of the addresses is known.
    if *addresses == 0 {
        return Ok(None);
    }
    let elements = FIXED + addresses;
    let addresses = header.get(FIXED..elements).ok_or(Fault::Length)?;
    check_elements(header, elements)?;
    Ok(match family {
        TCP4 => ends_of::<4>(addresses),
        TCP6 => ends_of::<16>(addresses),
        _ => None,
    })
}

/// Two addresses of so many octets, then two ports.
fn ends_of<const N: usize>(octets: &[u8]) -> Option<Ends>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = octets.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk()?;
    let (destination_port, _) = rest.split_first_chunk()?;
    let end = |address: &[u8; N], port: &[u8; 2]| {
        SocketAddr::new((*address).into(), u16::from_be_bytes(*port))
    };
    Some(Ends {
        source: end(source, source_port),
        destination: end(destination, destination_port),
    })
}

/// Goes through the elements from `at` on: type, length, value. They have to fill the header, and a
/// checksum has to be right; the rest is of no use here.
fn check_elements(header: &[u8], mut at: usize) -> Result<(), Fault> {
    while at < header.len() {
        let Some(&[kind, high, low]) = header.get(at..at + 3) else {
            return Err(Fault::Length);
        };
        let value = at + 3;
        let end = value + usize::from(u16::from_be_bytes([high, low]));
        let given = header.get(value..end).ok_or(Fault::Length)?;
        if kind == CHECKSUM {
            let given: [u8; CHECKSUM_LEN] = given.try_into().map_err(|_| Fault::Length)?;
            if u32::from_be_bytes(given) != checksum(header, value) {
                return Err(Fault::Checksum);
            }
        }
        at = end;
    }
    Ok(())
}

/// CRC-32C (RFC 4960 appendix B) of the header, with zeros where the sum itself stands.
fn checksum(header: &[u8], sum_at: usize) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let of_sum = sum_at..sum_at + CHECKSUM_LEN;
    let octets = header.iter().enumerate();
    let crc = octets.fold(u32::MAX, |crc, (index, octet)| {
        let octet = if of_sum.contains(&index) { 0 } else { *octet };
        (0..8).fold(crc ^ u32::from(octet), |crc, _| {
            (crc >> 1) ^ (POLYNOMIAL * (crc & 1))
        })
    });
    !crc
}

pub(super) fn write(ends: Option<&Ends>, out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE);
    let Some(Ends {
        source,
        destination,
    }) = ends
    else {
        return out.extend_from_slice(&[VERSION | LOCAL, 0, 0, 0]);
    };
    let (family, len) = if source.is_ipv4() {
        (TCP4, 12)
    } else {
        (TCP6, 36)
    };
    out.extend_from_slice(&[VERSION | PROXY, family, 0, len]);
    for end in [source, destination] {
        match end.ip() {
            IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
        }
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
}
