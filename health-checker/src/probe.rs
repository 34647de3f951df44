//! One question to one server.

mod http1;
mod http2;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use core_http1::Fault;
use core_http2::Malformed;
use core_http2::decode::Unreadable;
use core_preface::proxy_header;
use ipc::check::{ListenerCheck, ListenerProbe, Probe, UpstreamCheck};
use ipc::proxy::{ProxyVersion, UpstreamProtocol};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::stream::Stream;

/// What a well server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The connection stands.
    Connected,
    /// The handshake is done.
    Shaken,
    /// The status is one of those that are well.
    Status(u16),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("connected"),
            Self::Shaken => f.write_str("TLS handshake done"),
            Self::Status(status) => write!(f, "status {status}"),
        }
    }
}

/// Why a server is not well: the server's or the network's fault, but for [`Failure::Question`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{}", phrase(.0))]
    Io(#[from] io::Error),
    #[error("no TLS: {}", tls::reason(.0))]
    Tls(io::Error),
    #[error("timed out after {0:?}")]
    TimedOut(Duration),
    #[error("connection closed without an answer")]
    Closed,
    #[error("answer is no HTTP: {0}")]
    NotHttp(#[from] Fault),
    #[error("does not speak HTTP/2 over TLS (no \"h2\" in ALPN)")]
    NoHttp2,
    #[error("no answer over HTTP/2: {0}")]
    Http2(h2::Error),
    #[error("answer is no HTTP: {0}")]
    Malformed(#[from] Malformed),
    #[error("question has no form in HTTP/2: {0}")]
    Question(#[from] Unreadable),
    #[error("status {0}")]
    Status(u16),
}

impl From<h2::Error> for Failure {
    fn from(error: h2::Error) -> Self {
        if !error.is_io() {
            return Self::Http2(error);
        }
        use io::ErrorKind::{BrokenPipe, UnexpectedEof};
        match error.into_io() {
            Some(error) if !matches!(error.kind(), BrokenPipe | UnexpectedEof) => Self::Io(error),
            _ => Self::Closed,
        }
    }
}

/// The commonest failures in few words, without the error's number.
fn phrase(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "connection reset".into(),
        io::ErrorKind::HostUnreachable => "no route to host".into(),
        io::ErrorKind::NetworkUnreachable => "network is unreachable".into(),
        io::ErrorKind::TimedOut => "connection timed out".into(),
        _ => error.to_string(),
    }
}

/// Asks the server at `address` once, within its timeout.
///
/// # Errors
/// Everything but the wanted answer in time.
pub(crate) async fn probe(
    address: SocketAddr,
    check: &UpstreamCheck,
    tls: Option<&tls::Client>,
) -> Result<Answer, Failure> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        if let Some(version) = check.send_proxy {
            introduce(&mut stream, version).await?;
        }
        let stream = secure(stream, tls, address.ip()).await?;
        // Whoever speaks HTTP/2 says so (RFC 9113 §3.2).
        let has_agreed = || !stream.is_secure() || stream.protocol() == Some(tls::H2);
        if check.protocol == UpstreamProtocol::Http2 && !has_agreed() {
            return Err(Failure::NoHttp2);
        }
        match &check.probe {
            Probe::Tcp if tls.is_some() => Ok(Answer::Shaken),
            Probe::Tcp => Ok(Answer::Connected),
            Probe::Http {
                path,
                host,
                statuses,
            } => {
                let request = request(path, host.as_deref(), address);
                let status = match check.protocol {
                    UpstreamProtocol::Http1 => http1::ask(stream, &request).await?,
                    UpstreamProtocol::Http2 => http2::ask(stream, &request).await?,
                };
                let well = statuses
                    .iter()
                    .any(|&(low, high)| (low..=high).contains(&status));
                if well {
                    Ok(Answer::Status(status))
                } else {
                    Err(Failure::Status(status))
                }
            }
        }
    };
    tokio::time::timeout(check.timeout, asked)
        .await
        .unwrap_or(Err(Failure::TimedOut(check.timeout)))
}

/// Says in a PROXY header that the connection is our own, and nobody's that we pass on.
async fn introduce(stream: &mut TcpStream, version: ProxyVersion) -> io::Result<()> {
    let version = match version {
        ProxyVersion::V1 => proxy_header::Version::V1,
        ProxyVersion::V2 => proxy_header::Version::V2,
    };
    let mut header = Vec::new();
    proxy_header::write(version, None, &mut header);
    // What follows is not to wait until this has arrived.
    stream.set_nodelay(true)?;
    stream.write_all(&header).await
}

/// Makes the handshake, where there is TLS.
async fn secure(
    stream: TcpStream,
    tls: Option<&tls::Client>,
    name: IpAddr,
) -> Result<Stream, Failure> {
    match tls {
        None => Ok(Stream::plain(stream)),
        Some(tls) => (Stream::secure(stream, tls, name).await).map_err(Failure::Tls),
    }
}

/// Asks our own proxy at an address whether it answers, within `limit`: any answer will do, since
/// only a worker can give one. `None`: the address is not on this node at present, so that nobody
/// could be asked but another node.
///
/// # Errors
/// Everything but an answer in time.
pub(crate) async fn probe_own(
    listener: &ListenerCheck,
    tls: Option<&tls::Client>,
    limit: Duration,
) -> Result<Option<Answer>, Failure> {
    let asked = async {
        let address = listener.address;
        let Some(mut stream) = connect_here(address).await? else {
            return Ok(None);
        };
        if listener.proxy_header {
            introduce(&mut stream, ProxyVersion::V2).await?;
        }
        let stream = secure(stream, tls, address.ip()).await?;
        if listener.probe == ListenerProbe::Tls {
            return Ok(Some(Answer::Shaken));
        }
        let request = format!(
            "OPTIONS * HTTP/1.1\r\nHost: {address}\r\nUser-Agent: evenkeel-check\r\n\
             Connection: close\r\n\r\n"
        );
        let status = http1::ask(stream, &request).await?;
        Ok(Some(Answer::Status(status)))
    };
    tokio::time::timeout(limit, asked)
        .await
        .unwrap_or(Err(Failure::TimedOut(limit)))
}

/// Connects from an address of this node to itself, which no other node can be mistaken for.
async fn connect_here(address: SocketAddr) -> io::Result<Option<TcpStream>> {
    let here = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let socket = match here {
        IpAddr::V4(_) => TcpSocket::new_v4()?,
        IpAddr::V6(_) => TcpSocket::new_v6()?,
    };
    match socket.bind(SocketAddr::new(here, 0)) {
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Ok(None),
        bound => {
            bound?;
            let to = SocketAddr::new(here, address.port());
            socket.connect(to).await.map(Some)
        }
    }
}

/// Whether a server that speaks HTTP/2 can be asked for `path`.
pub(crate) fn fits_http2(path: &str, host: Option<&str>) -> bool {
    let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    http2::request(&request(path, host, anywhere), false).is_ok()
}

/// What asks for `path`, in HTTP/1.1.
fn request(path: &str, host: Option<&str>, address: SocketAddr) -> String {
    let address = address.to_string();
    let host = host.unwrap_or(&address);
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: evenkeel-check\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    )
}

#[cfg(test)]
mod http2_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
