//! What a question is asked over: TCP, or TLS over it. What a server says before it answers has a limit.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Octets that are read at most, interim answers and frames that are no answer included.
pub(crate) const ANSWER_MAX: usize = 32 * 1024;

/// A connection.
pub(crate) struct Stream {
    wire: Wire,
    /// Octets that may still come.
    left: usize,
}

enum Wire {
    Plain(TcpStream),
    /// Its handshake is done.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// As it is.
    pub(crate) const fn plain(tcp: TcpStream) -> Self {
        Self {
            wire: Wire::Plain(tcp),
            left: ANSWER_MAX,
        }
    }

    /// Makes a handshake over `tcp` with the server at `address`.
    ///
    /// # Errors
    /// What is wrong with the peer or the connection to it.
    pub(crate) async fn secure(
        tcp: TcpStream,
        tls: &tls::Client,
        address: IpAddr,
    ) -> io::Result<Self> {
        let connector = TlsConnector::from(tls.config());
        let stream = connector.connect(tls.name(address), tcp).await?;
        Ok(Self {
            wire: Wire::Tls(Box::new(stream)),
            left: ANSWER_MAX,
        })
    }

    /// Whether TLS is spoken.
    pub(crate) const fn is_secure(&self) -> bool {
        matches!(self.wire, Wire::Tls(_))
    }

    /// The protocol that was agreed upon, by its name in ALPN.
    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        match &self.wire {
            Wire::Plain(_) => None,
            Wire::Tls(tls) => tls.get_ref().1.alpn_protocol(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = room.filled().len();
        ready!(match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_read(cx, room),
            Wire::Tls(tls) => Pin::new(tls).poll_read(cx, room),
        })?;
        let count = room.filled().len() - before;
        self.left = self.left.checked_sub(count).ok_or_else(|| {
            let why = format!("more than {ANSWER_MAX} octets and no answer");
            io::Error::other(why)
        })?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write(cx, octets),
            Wire::Tls(tls) => Pin::new(tls).poll_write(cx, octets),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Wire::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Wire::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
