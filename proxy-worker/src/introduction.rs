//! The PROXY header at the beginning of a connection: read from a proxy in front, written to a server.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use core_preface::proxy_header::{self, BINARY_MAX, Ends, Fault, ProxyHeader};
use ipc::proxy::ProxyVersion;

use crate::io::{Io as _, Peer, Tcp};
use crate::plan::Beginning;

/// How long a header may take to come (rule 40).
const WITHIN: Duration = Duration::from_secs(3);

/// Why a connection may not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("it comes from nobody who may send a PROXY header")]
    Stranger,
    #[error("it comes from this node and claims to be somebody else's")]
    Pretended,
    #[error("no PROXY header came within {WITHIN:?}")]
    TimedOut,
    #[error("it ended within the PROXY header")]
    Ended,
    #[error(transparent)]
    Malformed(#[from] Fault),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the header off `tcp` and makes `peer` who it says. What came behind it is left to be read.
///
/// # Errors
/// [`Refusal`]: the connection is to be closed.
pub(crate) async fn read(
    tcp: &mut Tcp,
    peer: &mut Peer,
    beginning: Beginning,
) -> Result<(), Refusal> {
    let header = tokio::time::timeout(WITHIN, header(tcp)).await;
    match header.map_err(|_| Refusal::TimedOut)??.ends {
        None => {}
        Some(_) if beginning == Beginning::LocalHeader => return Err(Refusal::Pretended),
        Some(ends) => {
            peer.address = ends.source;
            peer.local = Some(ends.destination);
        }
    }
    Ok(())
}

async fn header(tcp: &mut Tcp) -> Result<ProxyHeader, Refusal> {
    let mut held = vec![0; BINARY_MAX];
    let mut filled = 0;
    loop {
        let room = held.get_mut(filled..).unwrap_or_default();
        let count = poll_fn(|cx| tcp.poll_read(cx, room)).await?;
        if count == 0 {
            return Err(Refusal::Ended);
        }
        filled += count;
        let octets = held.get(..filled).unwrap_or_default();
        if let Some(header) = ProxyHeader::parse(octets)? {
            tcp.unread(octets.get(header.len..).unwrap_or_default());
            return Ok(header);
        }
    }
}

/// The header that tells a server for whom a connection is.
pub(crate) fn header_for(client: &Peer, version: ProxyVersion) -> Vec<u8> {
    let version = match version {
        ProxyVersion::V1 => proxy_header::Version::V1,
        ProxyVersion::V2 => proxy_header::Version::V2,
    };
    let ends = Ends {
        source: client.address,
        destination: client.local.unwrap_or_else(|| unknown(client.address)),
    };
    let mut header = Vec::new();
    proxy_header::write(version, Some(&ends), &mut header);
    header
}

/// What stands for an address that nobody asked for in time: of a connection that is older than the
/// configuration.
const fn unknown(like: SocketAddr) -> SocketAddr {
    let ip = match like {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_is_told_of_both_ends_as_far_as_they_are_known() {
        let mut client = Peer {
            address: "192.0.2.7:40000".parse().unwrap(),
            local: None,
            secure: false,
        };
        let line = |client: &Peer| String::from_utf8(header_for(client, ProxyVersion::V1)).unwrap();
        assert_eq!(line(&client), "PROXY TCP4 192.0.2.7 0.0.0.0 40000 0\r\n");
        client.local = Some("192.0.2.105:443".parse().unwrap());
        assert_eq!(
            line(&client),
            "PROXY TCP4 192.0.2.7 192.0.2.105 40000 443\r\n"
        );
    }
}
