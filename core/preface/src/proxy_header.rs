//! The PROXY protocol, versions 1 and 2: how a proxy in front tells whose connection it passes on
//! (the specification is HAProxy's doc/proxy-protocol.txt).

mod binary;
mod text;

use std::net::{IpAddr, SocketAddr};

/// The longest header of version 1, in octets (§2.1).
pub const TEXT_MAX: usize = 107;

/// The longest header of version 2 that is taken, in octets: its addresses and what is said besides.
pub const BINARY_MAX: usize = 4096;

/// The form of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// A header that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Its octets; what follows belongs to the protocol inside.
    pub len: usize,
    /// Whose connection it is; `None`: the sender's own (LOCAL), or one that it cannot describe
    /// (UNKNOWN, Unix sockets, datagrams), so that the addresses of the socket are as good as any.
    pub ends: Option<Ends>,
}

/// The two ends of the connection that is passed on. Both are of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub source: SocketAddr,
    /// What it connected to.
    pub destination: SocketAddr,
}

/// Why octets are no PROXY header: the fault of whoever is in front, so that the connection is to be
/// closed without an answer (§2.1, §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Something else is spoken.
    #[error("there is no PROXY header")]
    Missing,
    /// No end of the line within [`TEXT_MAX`], or more than [`BINARY_MAX`] are announced.
    #[error("the PROXY header is too long")]
    TooLong,
    /// A line that is not as it must be.
    #[error("the line of the PROXY header is malformed")]
    Line,
    /// A version, command, family or transport that there is not.
    #[error("the PROXY header is of an unknown kind")]
    Kind,
    /// Its addresses do not fit into it, or what follows them does not.
    #[error("the lengths within the PROXY header do not fit")]
    Length,
    /// Its checksum is wrong.
    #[error("the checksum of the PROXY header is wrong")]
    Checksum,
}

impl ProxyHeader {
    /// Reads the header at the front of `octets`; `None` when more octets are needed, which are never
    /// more than [`BINARY_MAX`] together.
    ///
    /// # Errors
    /// [`Fault`], as soon as no further octets could help.
    pub fn parse(octets: &[u8]) -> Result<Option<Self>, Fault> {
        match octets.first() {
            None => Ok(None),
            Some(b'P') => text::parse(octets),
            Some(_) => binary::parse(octets),
        }
    }
}

/// Appends a header; without `ends` one that says that the connection is the sender's own: LOCAL, or
/// UNKNOWN in version 1. Ends of two families are told in the form of IPv6.
pub fn write(version: Version, ends: Option<&Ends>, out: &mut Vec<u8>) {
    let ends = ends.map(Ends::in_one_family);
    match version {
        Version::V1 => text::write(ends.as_ref(), out),
        Version::V2 => binary::write(ends.as_ref(), out),
    }
}

impl Ends {
    fn in_one_family(&self) -> Self {
        if self.source.is_ipv4() == self.destination.is_ipv4() {
            return *self;
        }
        Self {
            source: mapped(self.source),
            destination: mapped(self.destination),
        }
    }
}

/// An address of IPv4 in the form of IPv6 (RFC 4291 §2.5.5.2).
fn mapped(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    SocketAddr::new(ip.into(), address.port())
}
