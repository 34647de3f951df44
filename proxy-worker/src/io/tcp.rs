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
pub(crate) enum Tcp {
    /// Not known to the event loop, in non-blocking mode.
    Fresh(std::net::TcpStream),
    /// Known to the event loop.
    Watched(TcpStream),
    /// Could not be made known to the event loop.
    Broken,
}

impl Tcp {
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
        if let Some(count) = self.at_once(|stream| stream.read(room))? {
            return Poll::Ready(Ok(count));
        }
        let mut room = ReadBuf::new(room);
        ready!(self.watched()?.poll_read(cx, &mut room))?;
        Poll::Ready(Ok(room.filled().len()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(count) = self.at_once(|stream| match parts {
            [part] => stream.write(part),
            _ => stream.write_vectored(parts),
        })? {
            return Poll::Ready(Ok(count));
        }
        match parts {
            [part] => self.watched()?.poll_write(cx, part),
            _ => self.watched()?.poll_write_vectored(cx, parts),
        }
    }

    fn shut_down(&mut self, cx: &mut Context<'_>) {
        // An error means that the connection is gone already.
        match self {
            Self::Fresh(stream) => drop(stream.shutdown(std::net::Shutdown::Write)),
            Self::Watched(stream) => drop(Pin::new(stream).poll_shutdown(cx)),
            Self::Broken => {}
        }
    }

    fn is_watched(&self) -> bool {
        !matches!(self, Self::Fresh(_))
    }

    fn make_close_a_reset(&mut self) {
        // An error means that the connection is gone already.
        if self.watch().is_ok()
            && let Self::Watched(stream) = self
        {
            drop(stream.set_zero_linger());
        }
    }

    fn is_stale(&mut self) -> bool {
        let Self::Watched(stream) = self else {
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
