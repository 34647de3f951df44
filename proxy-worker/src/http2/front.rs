//! A client's connection of HTTP/2: opens a session for each of its streams, and ends when it is
//! idle, full, or to be drained.
//!
//! All sessions run in the connection's own task, so that what they answer in one turn is one write.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use core_http2::Offence;
use futures_util::Stream as _;
use futures_util::stream::FuturesUnordered;
use h2::server::{Connection, Handshake, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;

use super::front_stream::FrontStream;
use super::windows;
use super::wire::Wire;
use crate::counters::Doing;
use crate::deadline::Key;
use crate::io::{Dial, Io, Peer};
use crate::plan::{Listener, ListenerId};
use crate::session::Session;
use crate::worker::Worker;

/// Octets before a client's first frame (RFC 9113 §3.4).
const PREFACE: usize = 24;

/// Octets of a decoded header list; a session's own limit is for its text.
const HEADER_LIST: u32 = 64 * 1024;

/// Octets of one stream's response that wait for the socket.
const SEND_BUFFER: usize = 64 * 1024;

/// Streams that a client may have reset before we saw them (CVE-2023-44487).
const RESETS_WAITING: usize = 20;

/// Streams that a client may make us reset by errors (CVE-2025-8671).
const ERRORS: usize = 100;

/// Requests that a client may take back, beyond as many as it waited for. Each may have cost a
/// server its connection.
const ABORTS: u32 = 100;

/// How long a client that was told to leave may take: until its last request, and again once nothing is
/// left to be answered.
const LEAVE: Duration = Duration::from_secs(5);

/// Rounds of reading and answering before other connections get their turn.
const ROUNDS: usize = 16;

/// A connection, as a future for the event loop.
pub(crate) struct Front<I: Io, D: Dial> {
    worker: Rc<Worker<D>>,
    peer: Peer,
    listener: ListenerId,
    wire: Wire<I>,
    phase: Phase<I>,
    streams: FuturesUnordered<Exchange<D>>,
    requests: u32,
    /// Requests taken back that no answered one makes up for.
    aborts: u32,
    /// Since when the client knows that it is to leave.
    leaving: Option<Duration>,
    /// The client was told of its offence.
    accused: bool,
    wait: Wait,
    key: Key,
    doing: Doing,
}

enum Phase<I: Io> {
    Handshake(Box<Handshake<Wire<I>, Bytes>>),
    Open(Box<Connection<Wire<I>, Bytes>>),
    Over,
}

/// What the connection itself waits for; its sessions have their own deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// For its sessions.
    Sessions,
    /// For a request.
    Idle,
    /// For the client to take what was sent.
    Send,
    /// For the client to leave.
    Leave,
}

/// The session of one stream; says in the end whether the request was answered, and gives the memory of
/// its text back.
struct Exchange<D: Dial>(Session<FrontStream, D>);

impl<D: Dial> Future for Exchange<D> {
    type Output = (bool, Vec<u8>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(Pin::new(&mut self.0).poll(cx));
        let stream = self.0.client_io();
        Poll::Ready((stream.is_answered(), stream.take_memory()))
    }
}

impl<I: Io, D: Dial> Front<I, D> {
    /// A new connection of `listener`, from the preface on; `None` if the listener is gone.
    pub(crate) fn new(
        worker: Rc<Worker<D>>,
        io: I,
        peer: Peer,
        listener: ListenerId,
    ) -> Option<Self> {
        let plan = worker.plan()?;
        let wire = Wire::new(io, PREFACE, worker.kept.clone());
        let handshake = builder(plan.listener(listener)?).handshake(wire.share());
        worker.handle_opened();
        worker.counters.open(Doing::Waiting);
        let key = worker.deadlines.add();
        Some(Self {
            worker,
            peer,
            listener,
            wire,
            phase: Phase::Handshake(Box::new(handshake)),
            streams: FuturesUnordered::new(),
            requests: 0,
            aborts: 0,
            leaving: None,
            accused: false,
            // Anything else than the first, so that its deadline is set.
            wait: Wait::Sessions,
            key,
            doing: Doing::Waiting,
        })
    }

    /// Does what can be done. Ready when the connection is over.
    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.worker.deadlines.watch(self.key, cx.waker());
        if self.worker.deadlines.take_due(self.key) && self.handle_timeout().is_ready() {
            return Poll::Ready(());
        }
        self.wire.set_second(self.worker.now().as_secs());
        if self.is_to_leave() {
            self.leave();
        }
        if self.poll_rounds(cx).is_ready() {
            return Poll::Ready(());
        }
        if let Poll::Ready(Err(_)) = self.wire.poll_send(cx) {
            return Poll::Ready(());
        }
        self.note_doing();
        self.set_deadline();
        Poll::Pending
    }

    /// Reads, lets the sessions answer, and collects what they answered, until nothing new came with
    /// that. Ready when the connection is over.
    fn poll_rounds(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_connection(cx).is_ready() {
            return Poll::Ready(());
        }
        for _ in 0..ROUNDS {
            self.poll_streams(cx);
            let known = self.requests;
            if self.poll_connection(cx).is_ready() {
                return Poll::Ready(());
            }
            if self.requests == known {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Moves frames both ways, and opens a session for each new stream. Ready when the connection is
    /// over.
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.phase {
                Phase::Handshake(handshake) => match Pin::new(handshake.as_mut()).poll(cx) {
                    Poll::Pending if self.wire.offence().is_some() => self.phase = Phase::Over,
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(connection)) => self.phase = Phase::Open(Box::new(connection)),
                    Poll::Ready(Err(_)) => self.phase = Phase::Over,
                },
                Phase::Open(connection) => match connection.poll_accept(cx) {
                    Poll::Pending => match self.wire.offence() {
                        Some(offence) if !self.accused => {
                            tracing::debug!(client = %self.peer.address, "HTTP/2: {offence}");
                            self.accused = true;
                            connection.abrupt_shutdown(reason(offence));
                        }
                        _ => return Poll::Pending,
                    },
                    Poll::Ready(Some(Ok((request, response)))) => self.open(request, response),
                    Poll::Ready(Some(Err(error))) => {
                        tracing::debug!(client = %self.peer.address, "HTTP/2: {error}");
                        self.phase = Phase::Over;
                    }
                    Poll::Ready(None) => self.phase = Phase::Over,
                },
                Phase::Over => return Poll::Ready(()),
            }
        }
    }

    fn open(&mut self, request: Request<RecvStream>, mut response: SendResponse<Bytes>) {
        if self.is_closed() {
            // It can be sent elsewhere without harm (RFC 9113 §8.7).
            response.send_reset(Reason::REFUSED_STREAM);
            return self.handle_abort();
        }
        self.requests = self.requests.saturating_add(1);
        let stream = FrontStream::new(
            request,
            response,
            self.worker.lend(),
            self.worker.kept.clone(),
            &self.worker.request_ids,
        );
        match stream {
            Some(stream) => {
                let worker = Rc::clone(&self.worker);
                let session = Session::of_stream(worker, stream, self.peer, self.listener);
                self.streams.push(Exchange(session));
            }
            None => self.handle_abort(),
        }
        if self.is_to_leave() {
            self.leave();
        }
    }

    /// Lets the sessions do what they can.
    fn poll_streams(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some((answered, memory))) = Pin::new(&mut self.streams).poll_next(cx)
        {
            self.worker.take_back(memory);
            if answered {
                self.aborts = self.aborts.saturating_sub(1);
            } else {
                self.handle_abort();
            }
        }
    }

    /// A request came to nothing, by the client's doing or not.
    fn handle_abort(&mut self) {
        self.aborts += 1;
        if self.aborts > ABORTS
            && let Phase::Open(connection) = &mut self.phase
        {
            tracing::debug!(client = %self.peer.address, "HTTP/2: too many requests taken back");
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        }
    }

    /// Whether no more requests are wanted.
    fn is_to_leave(&self) -> bool {
        let plan = self.worker.plan();
        let listener = plan.as_ref().and_then(|plan| plan.listener(self.listener));
        listener.is_none_or(|listener| self.requests >= listener.requests_max)
            || self.worker.saves_connections()
    }

    /// Says that no more requests are wanted, in two steps (RFC 9113 §6.8): those on their way are
    /// still served. The second comes with the client's answer to the first.
    fn leave(&mut self) {
        if let Phase::Open(connection) = &mut self.phase
            && self.leaving.is_none()
        {
            self.leaving = Some(self.worker.now());
            connection.graceful_shutdown();
        }
    }

    /// Whether no request can be one that was on its way when the client was told to leave: of a client
    /// that does not answer, they go on coming.
    fn is_closed(&self) -> bool {
        let now = self.worker.now();
        self.leaving.is_some_and(|since| now - since > LEAVE) || self.worker.serves_tunnels_only()
    }

    fn waits_for(&self) -> Wait {
        if self.wire.has_unsent() {
            Wait::Send
        } else if !self.streams.is_empty() {
            Wait::Sessions
        } else if self.leaving.is_some() {
            Wait::Leave
        } else {
            Wait::Idle
        }
    }

    /// The time for what was waited for is over; ready when the connection is.
    fn handle_timeout(&mut self) -> Poll<()> {
        match (self.wait, &self.phase) {
            (Wait::Idle, Phase::Open(_)) => {
                self.leave();
                Poll::Pending
            }
            (Wait::Sessions, _) => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    /// Sets the deadline anew when something else is waited for, or an octet was taken that waited.
    fn set_deadline(&mut self) {
        let wait = self.waits_for();
        let moved = self.wire.take_moved() && wait == Wait::Send;
        if wait == self.wait && !moved {
            return;
        }
        self.wait = wait;
        let plan = self.worker.plan();
        let listener = plan.as_ref().and_then(|plan| plan.listener(self.listener));
        let timeouts = listener.map(|listener| &listener.timeouts);
        let after = match wait {
            Wait::Sessions => None,
            Wait::Leave => Some(LEAVE),
            Wait::Idle => Some(timeouts.map_or(LEAVE, |timeouts| timeouts.keep_alive)),
            Wait::Send => Some(timeouts.map_or(LEAVE, |timeouts| timeouts.send)),
        };
        self.worker.deadlines.set(self.key, after);
    }

    fn note_doing(&mut self) {
        let doing = if self.streams.is_empty() {
            Doing::Waiting
        } else {
            Doing::Writing
        };
        self.worker.counters.turn(self.doing, doing);
        self.doing = doing;
    }
}

const fn reason(offence: Offence) -> Reason {
    match offence {
        Offence::Flood => Reason::ENHANCE_YOUR_CALM,
        Offence::Size => Reason::FRAME_SIZE_ERROR,
        Offence::Window => Reason::FLOW_CONTROL_ERROR,
        Offence::Ended => Reason::STREAM_CLOSED,
        Offence::Push => Reason::PROTOCOL_ERROR,
    }
}

fn builder(listener: &Listener) -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(listener.streams_max)
        .initial_window_size(windows::STREAM)
        .initial_connection_window_size(windows::connection(listener.streams_max))
        .max_header_list_size(HEADER_LIST)
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESETS_WAITING)
        .max_local_error_reset_streams(Some(ERRORS))
        .enable_connect_protocol();
    builder
}

impl<I: Io, D: Dial> Future for Front<I, D> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.drive(cx)
    }
}

impl<I: Io, D: Dial> Unpin for Front<I, D> {}

impl<I: Io, D: Dial> Drop for Front<I, D> {
    fn drop(&mut self) {
        self.worker.deadlines.remove(self.key);
        self.worker.counters.close(self.doing);
        self.worker.handle_closed();
    }
}
