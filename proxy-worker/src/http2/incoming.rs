//! What the peer sends on a stream behind its head, as text.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use core_http2::encode::{self, Framing};
use h2::RecvStream;

use super::broken;

/// A body on its way in, with the text around it.
#[derive(Debug)]
pub(super) struct Incoming {
    /// Text that was not read yet, and how much of it was.
    text: Vec<u8>,
    read: usize,
    /// Octets of payload in it that the peer's window does not know yet to be read.
    hoarded: usize,
    /// Payload that comes behind it.
    piece: Bytes,
    framing: Framing,
    body: RecvStream,
    ended: bool,
}

impl Incoming {
    /// `text`: the head.
    pub(super) fn new(text: Vec<u8>, framing: Framing, body: RecvStream) -> Self {
        Self {
            text,
            read: 0,
            hoarded: 0,
            piece: Bytes::new(),
            framing,
            ended: body.is_end_stream(),
            body,
        }
    }

    /// Whether the peer has sent all. It may not have been read yet.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Copies text, then payload; answers how many octets.
    pub(super) fn copy(&mut self, room: &mut [u8]) -> usize {
        let text = self.text.get(self.read..).unwrap_or_default();
        if !text.is_empty() {
            let count = copy(text, room);
            self.read += count;
            if self.hoarded > 0 && self.read == self.text.len() {
                self.release_hoard();
            }
            return count;
        }
        if self.piece.is_empty() {
            return 0;
        }
        let count = copy(&self.piece, room);
        self.piece.advance(count);
        self.release(count);
        if self.piece.is_empty() {
            self.restart_text();
            encode::piece_end(self.framing, &mut self.text);
        }
        count
    }

    /// The peer may send so many octets more.
    fn release(&mut self, octets: usize) {
        // The connection is gone if this fails, which the next read tells.
        drop(self.body.flow_control().release_capacity(octets));
    }

    /// Takes what has come into the text, while nobody reads. In the hands of the `h2` crate, and as a
    /// piece, an octet keeps all that came with it in one read from the connection.
    pub(super) fn hoard(&mut self, cx: &mut Context<'_>) {
        self.hoard_piece();
        while !self.ended
            && let Poll::Ready(Some(Ok(piece))) = self.body.poll_data(cx)
        {
            if !piece.is_empty() {
                encode::piece_start(self.framing, piece.len(), &mut self.text);
                self.piece = piece;
                self.hoard_piece();
            }
        }
    }

    fn hoard_piece(&mut self) {
        if self.piece.is_empty() {
            return;
        }
        let piece = std::mem::take(&mut self.piece);
        self.hoarded += piece.len();
        self.text.extend_from_slice(&piece);
        encode::piece_end(self.framing, &mut self.text);
    }

    /// All of it was read.
    fn release_hoard(&mut self) {
        let octets = std::mem::take(&mut self.hoarded);
        self.release(octets);
        self.text = Vec::new();
        self.read = 0;
    }

    /// The memory of the text; what was not read of it is lost.
    pub(super) fn take_memory(&mut self) -> Vec<u8> {
        self.read = 0;
        std::mem::take(&mut self.text)
    }

    fn restart_text(&mut self) {
        self.text.clear();
        self.read = 0;
    }

    /// Takes what comes next; not to be called when it has ended, or while something can be copied.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(self.body.poll_data(cx)) {
            Some(Ok(piece)) if piece.is_empty() => {}
            Some(Ok(piece)) => {
                self.restart_text();
                encode::piece_start(self.framing, piece.len(), &mut self.text);
                self.piece = piece;
            }
            Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            None => {
                let trailers = ready!(self.body.poll_trailers(cx)).map_err(broken)?;
                self.ended = true;
                self.restart_text();
                encode::end(self.framing, trailers.as_ref(), &mut self.text)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Copies as much as there is room for; answers how many octets.
pub(super) fn copy(from: &[u8], room: &mut [u8]) -> usize {
    let count = from.len().min(room.len());
    if let (Some(room), Some(from)) = (room.get_mut(..count), from.get(..count)) {
        room.copy_from_slice(from);
    }
    count
}
