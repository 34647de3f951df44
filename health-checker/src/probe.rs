//! One question to one server.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use core_http1::{Expected, FIELDS_MAX, Fault, FieldSlots, Limits, ResponseHead};
use core_preface::proxy_header;
use ipc::check::{ListenerCheck, ListenerProbe, Probe, ServerCheck};
use ipc::proxy::ProxyVersion;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::stream::Stream;

/// Octets of an answer that are read at most, interim answers included.
const ANSWER_MAX: usize = 32 * 1024;

const LIMITS: Limits = Limits {
    head_bytes: 16 * 1024,
    fields: FIELDS_MAX,
};

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

/// Why a server is not well: always the server's or the network's fault.
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
    #[error("status {0}")]
    Status(u16),
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

/// Asks `server` once, within its timeout.
///
/// # Errors
/// Everything but the wanted answer in time.
pub(crate) async fn probe(
    server: &ServerCheck,
    tls: Option<&tls::Client>,
) -> Result<Answer, Failure> {
    let asked = async {
        let mut stream = TcpStream::connect(server.address).await?;
        if let Some(version) = server.send_proxy {
            introduce(&mut stream, version).await?;
        }
        let stream = secure(stream, tls, server.address.ip()).await?;
        match &server.probe {
            Probe::Tcp if tls.is_some() => Ok(Answer::Shaken),
            Probe::Tcp => Ok(Answer::Connected),
            Probe::Http {
                path,
                host,
                statuses,
            } => {
                let request = request(path, host.as_deref(), server.address);
                let status = ask(stream, request.as_bytes()).await?;
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
    tokio::time::timeout(server.timeout, asked)
        .await
        .unwrap_or(Err(Failure::TimedOut(server.timeout)))
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
    let Some(tls) = tls else {
        return Ok(Stream::Plain(stream));
    };
    let tls = tls.connection(name).map_err(io::Error::other)?;
    Stream::secure(stream, tls).await.map_err(Failure::Tls)
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
        let status = ask(stream, request.as_bytes()).await?;
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

fn request(path: &str, host: Option<&str>, address: SocketAddr) -> String {
    let address = address.to_string();
    let host = host.unwrap_or(&address);
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: evenkeel-check\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    )
}

/// The status of the final answer. Its body is not read.
async fn ask(mut stream: Stream, request: &[u8]) -> Result<u16, Failure> {
    stream.write_all(request).await?;
    let mut head = Vec::with_capacity(1024);
    let mut read = 0;
    loop {
        let count = stream.read(&mut head).await?;
        read += count;
        while let Some((len, status)) = parse(&head)? {
            if status >= 200 {
                return Ok(status);
            }
            head.drain(..len);
        }
        if count == 0 {
            return Err(Failure::Closed);
        }
        if read >= ANSWER_MAX {
            return Err(Fault::HeadTooLarge.into());
        }
    }
}

/// Length and status of the head at the front of `bytes`; `None` when more octets are needed.
fn parse(bytes: &[u8]) -> Result<Option<(usize, u16)>, Fault> {
    // Who speaks another protocol may never send the empty line that ends a head.
    if !bytes.iter().zip(b"HTTP/").all(|(have, want)| have == want) {
        return Err(Fault::StartLine);
    }
    let mut slots = FieldSlots::default();
    let head = ResponseHead::parse(bytes, &LIMITS, Expected::Content, &mut slots)?;
    Ok(head.map(|head| (head.len, head.status)))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
