//! A stream as text: read and written as a connection of HTTP/1.1 is.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

/// A stream, piece by piece.
pub(super) trait Text {
    /// Copies text that is there already; answers how many octets.
    fn copy(&mut self, room: &mut [u8]) -> usize;

    /// Takes what the peer sent next, when nothing can be copied; `false` when nothing more can come.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>>;

    /// The error that has to wait until what came before it is read.
    fn fault(&mut self) -> &mut Option<io::Error>;

    /// Takes the front of what the session says; answers how many octets.
    fn poll_take(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>>;
}

/// [`Io::poll_read`](crate::io::Io::poll_read) of a stream.
pub(super) fn poll_read(
    stream: &mut impl Text,
    cx: &mut Context<'_>,
    room: &mut [u8],
) -> Poll<io::Result<usize>> {
    if let Some(error) = stream.fault().take() {
        return Poll::Ready(Err(error));
    }
    let mut filled = 0;
    while let Some(room) = room.get_mut(filled..).filter(|room| !room.is_empty()) {
        let count = stream.copy(room);
        filled += count;
        if count > 0 {
            continue;
        }
        // What ends the stream is told when there is nothing else to tell.
        match stream.poll_more(cx) {
            Poll::Ready(Ok(true)) => {}
            Poll::Ready(Err(error)) if filled > 0 => {
                *stream.fault() = Some(error);
                break;
            }
            _ if filled > 0 => break,
            end => return end.map_ok(|_| 0),
        }
    }
    Poll::Ready(Ok(filled))
}

/// [`Io::poll_write`](crate::io::Io::poll_write) of a stream.
pub(super) fn poll_write(
    stream: &mut impl Text,
    cx: &mut Context<'_>,
    parts: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let mut taken = 0;
    for part in parts {
        let mut rest: &[u8] = part;
        while !rest.is_empty() {
            match stream.poll_take(cx, rest)? {
                Poll::Ready(count) => {
                    taken += count;
                    rest = rest.get(count..).unwrap_or_default();
                }
                Poll::Pending if taken > 0 => return Poll::Ready(Ok(taken)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
    Poll::Ready(Ok(taken))
}
