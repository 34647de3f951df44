//! A byte stream for the `h2` crate that writes when it is told to.
//!
//! The crate flushes after each DATA frame, which would be a system call for each. Here what it
//! writes is collected; whoever polls the connection sends it when all streams have had their turn.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use core_http2::{Frames, Offence};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Kept;
use crate::io::Io;

/// Octets that are collected before they are sent anyway.
const COLLECTED_MAX: usize = 64 * 1024;

/// Octets that are read at once, at least and at most.
const READ_MIN: usize = 512;
const READ_MAX: usize = 16 * 1024;

/// The stream. The crate owns one handle, and who polls it another.
#[derive(Debug)]
pub(super) struct Wire<I>(Rc<RefCell<Line<I>>>);

#[derive(Debug)]
struct Line<I> {
    io: I,
    kept: Kept,
    /// Lent as long as there is something in it.
    unsent: Vec<u8>,
    sent: usize,
    /// Something that was sent waits in the stream.
    held_below: bool,
    /// Set by each octet that the peer took; whoever watches the time takes it. What it sends meanwhile
    /// says nothing about what waits for it.
    moved: bool,
    /// Reads that came to something.
    reads: Rc<Cell<u64>>,
    /// Octets that the next read may have. The crate's memory has to be cleared for that, so it is
    /// twice what the last one came to, not all that there is.
    read_next: usize,
    frames: Frames,
    second: u64,
    /// Nothing more is read after it.
    offence: Option<Offence>,
}

impl<I: Io> Wire<I> {
    /// `preface`: octets that come before the first frame.
    pub(super) fn new(io: I, preface: usize, kept: Kept) -> Self {
        Self(Rc::new(RefCell::new(Line {
            io,
            kept,
            unsent: Vec::new(),
            sent: 0,
            held_below: false,
            moved: false,
            reads: Rc::default(),
            read_next: READ_MIN,
            frames: Frames::new(preface),
            second: 0,
            offence: None,
        })))
    }

    /// The other handle.
    pub(super) fn share(&self) -> Self {
        Self(Rc::clone(&self.0))
    }

    /// Tells the time by which frames are counted.
    pub(super) fn set_second(&self, second: u64) {
        self.0.borrow_mut().second = second;
    }

    /// How often something was read, for whoever outlives the stream.
    pub(super) fn reads(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.0.borrow().reads)
    }

    /// What the peer did wrong.
    pub(super) fn offence(&self) -> Option<Offence> {
        self.0.borrow().offence
    }

    /// Sends what was collected.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_send(cx)
    }

    /// Whether something waits to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        let line = self.0.borrow();
        line.held_below || !line.unsent.is_empty()
    }

    /// Whether the peer took an octet since the last call.
    pub(super) fn take_moved(&self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().moved)
    }
}

impl<I: Io> Line<I> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.unsent.len() {
            let rest = self.unsent.get(self.sent..).unwrap_or_default();
            let count = ready!(self.io.poll_write(cx, &[IoSlice::new(rest)]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.moved = true;
            self.sent += count;
        }
        self.sent = 0;
        self.kept.take_back(std::mem::take(&mut self.unsent));
        let flushed = self.io.poll_flush(cx, &mut self.moved);
        self.held_below = flushed.is_pending();
        flushed
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unsent.len() >= COLLECTED_MAX {
            ready!(self.poll_send(cx))?;
        }
        if self.unsent.capacity() == 0 {
            self.unsent = self.kept.lend();
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: Io> AsyncRead for Wire<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut line = self.0.borrow_mut();
        if line.offence.is_some() {
            return Poll::Pending;
        }
        let octets = room.initialize_unfilled_to(line.read_next.min(room.remaining()));
        let count = ready!(line.io.poll_read(cx, octets))?;
        line.read_next = (2 * count).clamp(READ_MIN, READ_MAX);
        let second = line.second;
        let octets = octets.get_mut(..count).unwrap_or_default();
        if let Err(offence) = line.frames.take(octets, second) {
            // Whoever polls the connection asks.
            line.offence = Some(offence);
            return Poll::Pending;
        }
        room.advance(count);
        line.reads.update(|reads| reads + 1);
        Poll::Ready(Ok(()))
    }
}

impl<I: Io> AsyncWrite for Wire<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut line = self.0.borrow_mut();
        ready!(line.poll_room(cx))?;
        line.unsent.extend_from_slice(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut line = self.0.borrow_mut();
        ready!(line.poll_room(cx))?;
        for part in parts {
            line.unsent.extend_from_slice(part);
        }
        Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// See the module: this is not the moment.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut line = self.0.borrow_mut();
        ready!(line.poll_send(cx))?;
        line.io.shut_down(cx);
        Poll::Ready(Ok(()))
    }
}
