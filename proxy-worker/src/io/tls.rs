//! TLS over TCP, with rustls.
//!
//! What is written becomes records at once, a head and a body one record where they fit, and records
//! go out in one system call. As long as the system has not taken them all, nothing more is
//! written: that is the back-pressure. What is read is read into memory that all connections of the
//! worker share, and decrypted from there to whoever asked for it.

use std::cell::RefCell;
use std::io::{self, IoSlice, Read as _, Write};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use rustls::Connection;

use super::{Io, Tcp};

/// Octets from the network that are read at once.
const CIPHERTEXT: usize = 64 * 1024;

/// As many at least, however little room there is for what is in them: what does not fit stays in
/// rustls.
const CIPHERTEXT_MIN: usize = 4096;

/// rustls refuses octets while it has more plaintext than this that nobody has read: a full record.
const PLAINTEXT_MAX: usize = 16 * 1024;

/// Memory for octets from the network, of the moment: what is read is decrypted in the same poll.
#[derive(Clone, Debug)]
pub(crate) struct Ciphertext(Rc<RefCell<Box<[u8]>>>);

impl Default for Ciphertext {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(
            vec![0; CIPHERTEXT].into_boxed_slice(),
        )))
    }
}

impl Ciphertext {
    /// Reads up to `limit` octets and lets `take` have them.
    pub(crate) fn poll_with<T>(
        &self,
        cx: &mut Context<'_>,
        tcp: &mut impl Io,
        limit: usize,
        take: impl FnOnce(&[u8]) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let mut ciphertext = self.0.borrow_mut();
        let room = ciphertext.get_mut(..limit.clamp(CIPHERTEXT_MIN, CIPHERTEXT));
        let room = room.unwrap_or_default();
        let count = ready!(tcp.poll_read(cx, room))?;
        Poll::Ready(take(room.get(..count).unwrap_or_default()))
    }
}

/// A connection with TLS, either side of it.
#[derive(Debug)]
pub(crate) struct Tls<I: Io = Tcp> {
    tcp: I,
    tls: Box<Connection>,
    ciphertext: Ciphertext,
    /// Octets from the network that rustls did not take yet. Seldom any: that needs little room for what
    /// is in a full record, and small records behind it.
    held: Vec<u8>,
    /// The peer gets no word of farewell.
    reset: bool,
}

impl<I: Io> Tls<I> {
    /// A connection whose handshake is still to be made, by [`Self::poll_handshake`].
    pub(crate) fn new(tcp: I, tls: Connection, ciphertext: Ciphertext) -> Self {
        Self {
            tcp,
            tls: Box::new(tls),
            ciphertext,
            held: Vec::new(),
            reset: false,
        }
    }

    /// Moves the handshake on; ready when it is complete.
    ///
    /// # Errors
    /// What rustls finds wrong, after the peer was told; the end of the connection.
    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(cx, &mut false))?;
            if !self.tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            let (_, ended) = ready!(self.poll_receive(cx, &mut []))?;
            if ended {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// The protocol that was agreed upon, by its name in ALPN.
    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        self.tls.alpn_protocol()
    }

    /// Sends the records that are waiting; ready when there are none. `moved` tells of any octet.
    fn poll_send(&mut self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let mut out = Out {
                tcp: &mut self.tcp,
                cx,
            };
            match self.tls.write_tls(&mut out) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => *moved = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what can be sent at once; what cannot is sent by a later call, and an error is seen by it.
    fn send(&mut self, cx: &mut Context<'_>) {
        drop(self.poll_send(cx, &mut false));
    }

    /// Takes octets from the network; answers how many came of them into `room`, and whether there
    /// will be no more. Without either, the octets were not for us but for rustls.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<(usize, bool)>> {
        let (tls, held) = (&mut self.tls, &mut self.held);
        let limit = room.len();
        let received = if held.is_empty() {
            self.ciphertext
                .poll_with(cx, &mut self.tcp, limit, |octets| {
                    if octets.is_empty() {
                        tls.read_tls(&mut io::empty())?;
                        return Ok((0, true));
                    }
                    Ok((decrypt(tls, octets, room, held)?, false))
                })
        } else {
            let octets = std::mem::take(held);
            Poll::Ready(decrypt(tls, &octets, room, held).map(|count| (count, false)))
        };
        if let Poll::Ready(Err(_)) = &received {
            // Whatever was wrong, the peer is told by an alert that is waiting now.
            self.send(cx);
        }
        received
    }

    /// Plaintext that is there already; `None` when there is none.
    fn read_plain(&mut self, room: &mut [u8]) -> Option<io::Result<usize>> {
        match self.tls.reader().read(room) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            // 0 octets are the end that the peer has announced; an end without that is an error.
            result => Some(result),
        }
    }

    /// Says that nothing more will be written, as far as that can be said at once.
    fn say_farewell(&mut self, cx: &mut Context<'_>) {
        if !self.reset && !self.tls.is_handshaking() {
            self.tls.send_close_notify();
            self.send(cx);
        }
    }
}

/// Decrypts octets into `room`, and leaves in rustls what does not fit, or in `held` what rustls does not
/// take.
fn decrypt(
    tls: &mut Connection,
    mut octets: &[u8],
    room: &mut [u8],
    held: &mut Vec<u8>,
) -> io::Result<usize> {
    let mut filled = 0;
    while !octets.is_empty() {
        if tls.read_tls(&mut octets)? == 0 {
            // After the end that the peer has announced.
            break;
        }
        let state = tls
            .process_new_packets()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let rest = room.get_mut(filled..).unwrap_or_default();
        let count = match tls.reader().read(rest) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        filled += count;
        if state.plaintext_bytes_to_read().saturating_sub(count) > PLAINTEXT_MAX {
            held.extend_from_slice(octets);
            break;
        }
    }
    Ok(filled)
}

impl<I: Io> Io for Tls<I> {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if let Some(result) = self.read_plain(room) {
                return Poll::Ready(result);
            }
            let (count, _) = ready!(self.poll_receive(cx, room))?;
            // Answers of rustls itself, and what could not be sent before.
            self.send(cx);
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx, &mut false))?;
        let count = self.tls.writer().write_vectored(parts)?;
        self.send(cx);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<io::Result<()>> {
        self.poll_send(cx, moved)
    }

    fn shut_down(&mut self, cx: &mut Context<'_>) {
        self.say_farewell(cx);
        self.tcp.shut_down(cx);
    }

    fn is_watched(&self) -> bool {
        self.tcp.is_watched()
    }

    fn make_close_a_reset(&mut self) {
        self.reset = true;
        self.tcp.make_close_a_reset();
    }

    /// Tickets and new keys may come at any time and are no reason to give a connection up.
    fn is_stale(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        if !self.tcp.is_watched() {
            return true;
        }
        loop {
            if self.read_plain(&mut [0]).is_some() {
                return true;
            }
            match self.poll_receive(&mut cx, &mut []) {
                Poll::Pending => return false,
                Poll::Ready(Ok((_, false))) => {}
                Poll::Ready(_) => return true,
            }
        }
    }
}

impl<I: Io> Drop for Tls<I> {
    /// Without a word of farewell, the peer would have to think that something is missing.
    fn drop(&mut self) {
        self.say_farewell(&mut Context::from_waker(Waker::noop()));
    }
}

/// TCP as rustls writes to it.
struct Out<'a, 'b, I> {
    tcp: &'a mut I,
    cx: &'a mut Context<'b>,
}

impl<I: Io> Write for Out<'_, '_, I> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(octets)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.tcp.poll_write(self.cx, parts) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
