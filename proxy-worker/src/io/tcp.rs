//! TCP.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

use super::Io;

/// TCP. An accepted connection is read before the event loop knows it: most often the request is
/// there already. Only who has to wait is registered.
#[derive(Debug)]
pub(crate) struct Tcp {
    socket: Socket,
    /// Octets that were read to find out what is spoken, and given back.
    unread: Vec<u8>,
}

#[derive(Debug)]
enum Socket {
    /// Not known to the event loop, in non-blocking mode.
    Fresh(std::net::TcpStream),
    /// Known to the event loop.
    Watched(TcpStream),
    /// Could not be made known to the event loop.
    Broken,
}

impl Tcp {
    /// A connection that was just accepted, in non-blocking mode.
    pub(crate) const fn fresh(stream: std::net::TcpStream) -> Self {
        Self {
            socket: Socket::Fresh(stream),
            unread: Vec::new(),
        }
    }

    /// A connection that the event loop knows.
    pub(crate) const fn watched(stream: TcpStream) -> Self {
        Self {
            socket: Socket::Watched(stream),
            unread: Vec::new(),
        }
    }

    /// Gives octets back: they are read again, before all others.
    pub(crate) fn unread(&mut self, octets: &[u8]) {
        self.unread.splice(..0, octets.iter().copied());
    }

    /// Throws away what was given back.
    pub(crate) fn forget_unread(&mut self) {
        self.unread = Vec::new();
    }

    /// Reads what was given back; 0 when nothing was.
    fn read_again(&mut self, room: &mut [u8]) -> usize {
        let count = self.unread.len().min(room.len());
        for (place, octet) in room.iter_mut().zip(self.unread.drain(..count)) {
            *place = octet;
        }
        if self.unread.is_empty() {
            self.unread = Vec::new();
        }
        count
    }
}

impl Socket {
    fn watch(&mut self) -> io::Result<()> {
        *self = match std::mem::replace(self, Self::Broken) {
            Self::Fresh(stream) => Self::Watched(TcpStream::from_std(stream)?),
            known => known,
        };
        Ok(())
    }

    /// Does `attempt` at once on a fresh stream; `None` when it has to wait, watched from now on.
    fn at_once(
        &mut self,
        attempt: impl FnOnce(&mut std::net::TcpStream) -> io::Result<usize>,
    ) -> io::Result<Option<usize>> {
        if let Self::Fresh(stream) = self {
            match attempt(stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.watch()?,
                result => return result.map(Some),
            }
        }
        Ok(None)
    }

    fn watched(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        match self {
            Self::Watched(stream) => Ok(Pin::new(stream)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Io for Tcp {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.unread.is_empty() {
            return Poll::Ready(Ok(self.read_again(room)));
        }
        if let Some(count) = self.socket.at_once(|stream| stream.read(room))? {
            return Poll::Ready(Ok(count));
        }
        let mut room = ReadBuf::new(room);
        ready!(self.socket.watched()?.poll_read(cx, &mut room))?;
        Poll::Ready(Ok(room.filled().len()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(count) = self.socket.at_once(|stream| match parts {
            [part] => stream.write(part),
            _ => stream.write_vectored(parts),
        })? {
            return Poll::Ready(Ok(count));
        }
        match parts {
            [part] => self.socket.watched()?.poll_write(cx, part),
            _ => self.socket.watched()?.poll_write_vectored(cx, parts),
        }
    }

    fn shut_down(&mut self, cx: &mut Context<'_>) {
        // An error means that the connection is gone already.
        match &mut self.socket {
            Socket::Fresh(stream) => drop(stream.shutdown(std::net::Shutdown::Write)),
            Socket::Watched(stream) => drop(Pin::new(stream).poll_shutdown(cx)),
            Socket::Broken => {}
        }
    }

    fn is_watched(&self) -> bool {
        !matches!(self.socket, Socket::Fresh(_))
    }

    fn make_close_a_reset(&mut self) {
        // An error means that the connection is gone already.
        if self.socket.watch().is_ok()
            && let Socket::Watched(stream) = &self.socket
        {
            drop(stream.set_zero_linger());
        }
    }

    fn is_stale(&mut self) -> bool {
        if !self.unread.is_empty() {
            return true;
        }
        let Socket::Watched(stream) = &mut self.socket else {
            return true;
        };
        let mut cx = Context::from_waker(Waker::noop());
        if stream.poll_read_ready(&mut cx).is_pending() {
            return false;
        }
        // Readiness may be left over from a read that just fitted; asking clears it.
        !matches!(
            stream.try_read(&mut [0]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn octets_that_were_given_back_come_first() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = std::net::TcpStream::connect(address).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        client.write_all(b"45").unwrap();
        let mut tcp = Tcp::fresh(stream);
        tcp.unread(b"23");
        tcp.unread(b"1");
        let mut read = Vec::new();
        while read.len() < 5 {
            let mut room = [0; 2];
            let count = std::future::poll_fn(|cx| tcp.poll_read(cx, &mut room)).await;
            read.extend_from_slice(&room[..count.unwrap()]);
        }
        assert_eq!(read, b"12345");
    }
}
