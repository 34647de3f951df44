//! Connections to servers.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use ipc::proxy::UpstreamProtocol;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::http2::BackStream;
use crate::introduction::header_for;

use super::{Call, Ciphertext, Connecting, Dial, Io, Tcp, Tls};

/// A connection to a server, whatever lies between TCP and HTTP.
#[derive(Debug)]
pub(crate) enum Back {
    /// Nothing.
    Plain(Tcp),
    /// TLS.
    Tls(Tls),
    /// A stream of HTTP/2.
    Stream(Box<BackStream>),
}

impl Io for Back {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(io) => io.poll_read(cx, room),
            Self::Tls(io) => io.poll_read(cx, room),
            Self::Stream(io) => io.poll_read(cx, room),
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(io) => io.poll_write(cx, parts),
            Self::Tls(io) => io.poll_write(cx, parts),
            Self::Stream(io) => io.poll_write(cx, parts),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(io) => io.poll_flush(cx, moved),
            Self::Tls(io) => io.poll_flush(cx, moved),
            Self::Stream(io) => io.poll_flush(cx, moved),
        }
    }

    fn hoard(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Plain(io) => io.hoard(cx),
            Self::Tls(io) => io.hoard(cx),
            Self::Stream(io) => io.hoard(cx),
        }
    }

    fn shut_down(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Plain(io) => io.shut_down(cx),
            Self::Tls(io) => io.shut_down(cx),
            Self::Stream(io) => io.shut_down(cx),
        }
    }

    fn is_watched(&self) -> bool {
        match self {
            Self::Plain(io) => io.is_watched(),
            Self::Tls(io) => io.is_watched(),
            Self::Stream(io) => io.is_watched(),
        }
    }

    fn make_close_a_reset(&mut self) {
        match self {
            Self::Plain(io) => io.make_close_a_reset(),
            Self::Tls(io) => io.make_close_a_reset(),
            Self::Stream(io) => io.make_close_a_reset(),
        }
    }

    fn is_stale(&mut self) -> bool {
        match self {
            Self::Plain(io) => io.is_stale(),
            Self::Tls(io) => io.is_stale(),
            Self::Stream(io) => io.is_stale(),
        }
    }

    fn is_untouched(&self) -> bool {
        match self {
            Self::Plain(io) => io.is_untouched(),
            Self::Tls(io) => io.is_untouched(),
            Self::Stream(io) => io.is_untouched(),
        }
    }

    fn note_silence(&mut self) {
        match self {
            Self::Plain(io) => io.note_silence(),
            Self::Tls(io) => io.note_silence(),
            Self::Stream(io) => io.note_silence(),
        }
    }
}

/// Connects over the network.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) ciphertext: Ciphertext,
}

impl Dial for Network {
    type Io = Back;

    fn dial(&self, call: Call) -> Connecting<Back> {
        let ciphertext = self.ciphertext.clone();
        Box::pin(async move {
            let transport = &call.transport;
            match transport.protocol {
                UpstreamProtocol::Http1 => connect(&call, ciphertext).await,
                UpstreamProtocol::Http2 => {
                    let secure = transport.tls.is_some();
                    let connect = connect(&call, ciphertext);
                    let stream = transport.connections.open(call.server, secure, connect);
                    Ok(Back::Stream(Box::new(stream.await?)))
                }
            }
        })
    }
}

/// A connection, and what comes before HTTP.
async fn connect(call: &Call, ciphertext: Ciphertext) -> io::Result<Back> {
    let mut stream = TcpStream::connect(call.server).await?;
    stream.set_nodelay(true)?;
    if call.transport.protocol == UpstreamProtocol::Http2 {
        // Requests come and go on it, and may all be taken back before their own time is over.
        platform::silence::limit(&stream, call.transport.send_timeout)?;
    }
    if let Some(version) = call.transport.send_proxy {
        stream.write_all(&header_for(&call.client, version)).await?;
    }
    let tcp = Tcp::watched(stream);
    let Some(tls) = &call.transport.tls else {
        return Ok(Back::Plain(tcp));
    };
    let tls = tls.connection(call.server.ip()).map_err(io::Error::other)?;
    let mut io = Tls::new(tcp, tls.into(), ciphertext);
    let handshake = poll_fn(|cx| io.poll_handshake(cx)).await;
    handshake.inspect_err(|error| call.transport.complain(call.server, error))?;
    if call.transport.protocol == UpstreamProtocol::Http2 && io.protocol() != Some(::tls::H2) {
        // Whoever speaks HTTP/2 says so (RFC 9113 §3.2).
        return Err(io::Error::other("the server does not speak HTTP/2"));
    }
    Ok(Back::Tls(io))
}
