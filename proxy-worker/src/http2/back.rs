//! Connections of HTTP/2 with the servers of an upstream, and their streams.
//!
//! A connection serves as many requests at once as the server permits, up to 100; another is made when
//! all are full. What is unread of one is 64 KiB for each request, 6.25 MiB at most. One that the server
//! wants to end, or that has fallen silent, gets no more requests.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::back_stream::BackStream;
use super::windows;
use super::wire::Wire;
use super::{Kept, broken};
use crate::io::Io;

/// Streams of one connection, whatever its server permits: they are what its window covers.
const STREAMS_MAX: u32 = 100;

/// What the server may send on all of them before it is read.
const WINDOW: u32 = windows::connection(STREAMS_MAX);

/// What unread pieces of fewer than 256 octets may cost, each as many as are missing: enough for pieces
/// of 20 octets on all streams. Who takes none of them must not end what others are served by.
const PIECES: usize = 8 * WINDOW as usize;

/// Octets of a decoded header list; as in HTTP/1.
const HEADER_LIST: u32 = 64 * 1024;

/// Octets of one request that wait for the socket.
const SEND_BUFFER: usize = 64 * 1024;

/// The connections of one upstream.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    by_server: RefCell<HashMap<SocketAddr, Rc<Server>>>,
    kept: Kept,
}

/// Those with one server. Locked while one is being made: who comes meanwhile waits for it.
type Server = Mutex<Vec<Shared>>;

/// One connection.
#[derive(Debug)]
struct Shared {
    requests: SendRequest<Bytes>,
    life: Rc<Life>,
    /// Since when it has no streams.
    idle_since: Option<Duration>,
}

/// What a connection and its streams know of each other; as many of them as there are handles.
#[derive(Debug)]
pub(super) struct Life {
    /// How often something was read.
    reads: Rc<Cell<u64>>,
    /// It gets no more requests.
    is_suspect: Cell<bool>,
}

impl Life {
    pub(super) fn reads(&self) -> u64 {
        self.reads.get()
    }

    /// Nothing came from the server for as long as anybody waits.
    pub(super) fn suspect(&self) {
        self.is_suspect.set(true);
    }
}

impl Connections {
    /// A stream with `server`; `connect` makes a connection where there is none with room.
    ///
    /// # Errors
    /// Those of `connect` and of the handshake.
    pub(crate) async fn open<I: Io>(
        &self,
        server: SocketAddr,
        secure: bool,
        connect: impl Future<Output = io::Result<I>>,
    ) -> io::Result<BackStream> {
        let server = Rc::clone(self.by_server.borrow_mut().entry(server).or_default());
        let mut connections = server.lock().await;
        for index in (0..connections.len()).rev() {
            let Some(shared) = connections.get_mut(index) else {
                continue;
            };
            let state = poll_fn(|cx| Poll::Ready(shared.requests.poll_ready(cx))).await;
            if matches!(state, Poll::Ready(Err(_))) || shared.life.is_suspect.get() {
                connections.swap_remove(index);
            } else if shared.has_room() {
                return Ok(shared.open(&self.kept, secure));
            }
        }
        let mut shared = handshake(connect.await?, &self.kept).await?;
        let stream = shared.open(&self.kept, secure);
        connections.push(shared);
        Ok(stream)
    }

    /// Closes what has had no stream for longer than `timeout`.
    pub(crate) fn expire(&self, now: Duration, timeout: Duration) {
        self.by_server.borrow_mut().retain(|_, server| {
            let Ok(mut connections) = server.try_lock() else {
                return true;
            };
            connections.retain_mut(|shared| shared.is_of_use(now, timeout));
            // Somebody may have it in hand already.
            !connections.is_empty() || Rc::strong_count(server) > 1
        });
    }
}

impl Shared {
    fn streams(&self) -> usize {
        Rc::strong_count(&self.life) - 1
    }

    fn has_room(&self) -> bool {
        let permitted = self.requests.current_max_send_streams();
        self.streams() < permitted.min(STREAMS_MAX as usize)
    }

    fn open(&mut self, kept: &Kept, secure: bool) -> BackStream {
        self.idle_since = None;
        let (requests, life) = (self.requests.clone(), Rc::clone(&self.life));
        BackStream::new(requests, life, kept.clone(), secure)
    }

    fn is_of_use(&mut self, now: Duration, timeout: Duration) -> bool {
        self.streams() > 0 || now - *self.idle_since.get_or_insert(now) <= timeout
    }
}

async fn handshake<I: Io>(io: I, kept: &Kept) -> io::Result<Shared> {
    let wire = Wire::new(io, 0, kept.clone());
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(0)
        .initial_window_size(windows::STREAM)
        .initial_connection_window_size(WINDOW)
        .data_frame_budget(PIECES)
        .max_header_list_size(HEADER_LIST)
        .max_send_buffer_size(SEND_BUFFER);
    let (requests, connection) = builder.handshake(wire.share()).await.map_err(broken)?;
    let life = Rc::new(Life {
        reads: wire.reads(),
        is_suspect: Cell::new(false),
    });
    let mut driver = Driver {
        connection,
        wire,
        begun: Instant::now(),
    };
    poll_fn(|cx| driver.poll_greeting(cx, &requests)).await?;
    // It ends when nobody has a handle of it, or by an error that its streams are told.
    drop(actix_rt::spawn(driver));
    Ok(Shared {
        requests,
        life,
        idle_since: None,
    })
}

/// Moves the frames of one connection.
struct Driver<I: Io> {
    connection: Connection<Wire<I>, Bytes>,
    wire: Wire<I>,
    /// The limits of a second count from then.
    begun: Instant,
}

impl<I: Io> Driver<I> {
    /// Waits until the server takes a request. Its first frame says how many it takes (RFC 9113 §3.4);
    /// one that takes none is as good as one that does not accept connections, and costs one at a time.
    fn poll_greeting(
        &mut self,
        cx: &mut Context<'_>,
        requests: &SendRequest<Bytes>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut *self).poll(cx)? {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Pending if requests.current_max_send_streams() == 0 => Poll::Pending,
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }
}

impl<I: Io> Future for Driver<I> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.set_second(self.begun.elapsed().as_secs());
        let over = Pin::new(&mut self.connection).poll(cx).map_err(broken)?;
        // What the socket does not take waits for it.
        let _ = self.wire.poll_send(cx)?;
        if let Some(offence) = self.wire.offence() {
            return Poll::Ready(Err(io::Error::other(offence)));
        }
        over.map(Ok)
    }
}

impl<I: Io> Unpin for Driver<I> {}
