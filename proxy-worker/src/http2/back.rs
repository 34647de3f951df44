//! Connections of HTTP/2 with the servers of an upstream, and their streams.
//!
//! A connection serves as many requests at once as the server permits; another is made when all are
//! full. One that the server wants to end, or that has fallen silent, gets no more requests.

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
use super::wire::Wire;
use super::{Kept, broken};
use crate::io::Io;

/// What a server may send on one stream, and on all of them, before it is read.
const STREAM_WINDOW: u32 = 64 * 1024 - 1;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

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
    reads: Box<dyn Reads>,
    /// It gets no more requests.
    is_suspect: Cell<bool>,
}

/// How often something was read from a connection, whatever it is made of.
trait Reads: std::fmt::Debug {
    fn reads(&self) -> u64;
}

impl<I: Io + std::fmt::Debug> Reads for Wire<I> {
    fn reads(&self) -> u64 {
        Self::reads(self)
    }
}

impl Life {
    pub(super) fn reads(&self) -> u64 {
        self.reads.reads()
    }

    /// A request was given up, and nothing came from the server since it was sent.
    pub(super) fn suspect(&self) {
        self.is_suspect.set(true);
    }
}

impl Connections {
    /// A stream with `server`; `connect` makes a connection where there is none with room.
    ///
    /// # Errors
    /// Those of `connect` and of the handshake.
    pub(crate) async fn open<I: Io + std::fmt::Debug>(
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
        self.streams() < self.requests.current_max_send_streams()
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

async fn handshake<I: Io + std::fmt::Debug>(io: I, kept: &Kept) -> io::Result<Shared> {
    let wire = Wire::new(io, 0, kept.clone());
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_LIST)
        .max_send_buffer_size(SEND_BUFFER);
    let (requests, connection) = builder.handshake(wire.share()).await.map_err(broken)?;
    let life = Rc::new(Life {
        reads: Box::new(wire.share()),
        is_suspect: Cell::new(false),
    });
    // It ends when nobody has a handle of it, or by an error that its streams are told.
    drop(actix_rt::spawn(Driver {
        connection,
        wire,
        begun: Instant::now(),
    }));
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

impl<I: Io> Future for Driver<I> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.wire.set_second(self.begun.elapsed().as_secs());
        let over = Pin::new(&mut self.connection).poll(cx);
        let is_sent = self.wire.poll_send(cx);
        match (over, is_sent, self.wire.offence()) {
            (Poll::Pending, Poll::Pending | Poll::Ready(Ok(())), None) => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }
}

impl<I: Io> Unpin for Driver<I> {}
