//! One side of a session: a stream, and what it has not taken yet.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use crate::io::Io;

/// A stream with its unsent rest. Whoever feeds it stops reading its own source while something is
/// unsent: that is the whole back-pressure.
#[derive(Debug)]
pub(crate) struct Port<I> {
    pub(crate) io: I,
    unsent: Vec<u8>,
    sent: usize,
    /// Set by each octet that moved; whoever watches the time takes it.
    pub(crate) moved: bool,
    /// Whether the system ever took an octet of what was sent.
    pub(crate) has_sent: bool,
}

impl<I: Io> Port<I> {
    pub(crate) const fn new(io: I) -> Self {
        Self {
            io,
            unsent: Vec::new(),
            sent: 0,
            moved: false,
            has_sent: false,
        }
    }

    /// Whether everything was taken by the system.
    pub(crate) fn is_clear(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Reads into `room`; 0 octets are the end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(self.io.poll_read(cx, room))?;
        self.moved = true;
        Poll::Ready(Ok(count))
    }

    /// Sends `head` and `body` in one system call. What is not taken is kept; with something kept
    /// already, all is added to it.
    pub(crate) fn send(
        &mut self,
        cx: &mut Context<'_>,
        head: &[u8],
        body: &[u8],
    ) -> io::Result<()> {
        let mut taken = 0;
        if self.is_clear() && head.len() + body.len() > 0 {
            let parts = [IoSlice::new(head), IoSlice::new(body)];
            let parts = match (head.is_empty(), body.is_empty()) {
                (true, _) => &parts[1..],
                (_, true) => &parts[..1],
                _ => &parts[..],
            };
            taken = self.write(cx, parts)?;
        }
        self.unsent
            .extend_from_slice(head.get(taken..).unwrap_or_default());
        let of_body = taken.saturating_sub(head.len());
        self.unsent
            .extend_from_slice(body.get(of_body..).unwrap_or_default());
        Ok(())
    }

    /// Adds to what is unsent, for [`Self::poll_flush`] to send.
    pub(crate) const fn unsent(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    /// Sends what was kept, here or by the stream; its memory is given back then.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.unsent.len() {
            let rest = [IoSlice::new(
                self.unsent.get(self.sent..).unwrap_or_default(),
            )];
            let count = ready!(self.io.poll_write(cx, &rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.moved = true;
            self.has_sent = true;
            self.sent += count;
        }
        self.unsent = Vec::new();
        self.sent = 0;
        self.io.poll_flush(cx, &mut self.moved)
    }

    fn write(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.io.poll_write(cx, parts)? {
            Poll::Pending => Ok(0),
            Poll::Ready(0) => Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(count) => {
                self.moved = true;
                self.has_sent = true;
                Ok(count)
            }
        }
    }
}
