//! One client's connection: request after request, each answered by ourselves or relayed.
//!
//! [`Session::drive`] is the state machine; it does as much as can be done without waiting. It is
//! generic over its streams and reads no clock. Memory is held only for a part of a head, for
//! octets of the next request, and for what the other side has not taken yet.

mod client;
mod download;
mod exchange;
mod hello;
mod line;
mod pace;
mod private;
mod replay;
mod request;
mod retry;
mod upgraded;
mod upload;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use ipc::proxy::ListenerTimeouts;

use crate::counters::Doing;
use crate::deadline::Key;
use crate::io::{Dial, Io, Peer};
use crate::places::Placed;
use crate::plan::ListenerId;
use crate::tunnel::FIN_TIMEOUT;
use crate::worker::{Scratch, Worker};

use client::Client;
pub(crate) use exchange::Exchange;
use exchange::Outcome;
use private::Private;
use upgraded::Upgraded;

/// How long a connection that we end may still send what nobody reads, so that the answer is not
/// destroyed by a reset.
const LINGER: Duration = Duration::from_secs(5);

/// Octets that are read and thrown away meanwhile.
const LINGER_OCTETS: u64 = 1024 * 1024;

/// Changes of state before other connections get their turn: of requests that came all at once.
const STEPS_PER_TURN: usize = 64;

/// A connection, as a future for the event loop.
pub(crate) struct Session<C: Io, D: Dial> {
    worker: Rc<Worker<D>>,
    client: Client<C>,
    /// A server's connection that only this client may use.
    private: Option<Box<Private<D::Io>>>,
    state: State<D>,
    wait: Wait,
    key: Key,
    /// What counts as a connection's doing; `None` for a stream, whose connection is counted.
    doing: Option<Doing>,
}

/// Where the connection stands.
enum State<D: Dial> {
    /// Between requests, or in the middle of a head (which is in the inbox then).
    Request,
    /// Before it is known where octets are to go, on a listener that speaks no HTTP.
    Hello,
    /// A request is being relayed, or such a connection to a server is being made.
    Exchange(Placed<Exchange<D>>),
    /// No HTTP any more: octets both ways.
    Tunnel(Box<Upgraded<D::Io>>),
    /// The last answer is being sent.
    Closing {
        /// The client may still be sending.
        linger: bool,
    },
    /// The last answer is sent; what still comes is thrown away.
    Linger {
        /// Octets that may still come.
        left: u64,
    },
    /// Nothing more to do.
    Done,
}

/// What a connection waits for: each has its time, and its answer when that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// For nothing yet.
    Nothing,
    /// For the first octet of a request.
    KeepAlive,
    /// For the rest of a TLS hello, counted from the start.
    Hello,
    /// For the rest of a head, counted from its first octet.
    Head,
    /// For the client's next octets of a body.
    Body,
    /// For the client to take what was sent.
    Send,
    /// For the server to say whether it wants a body at all.
    Continue,
    /// For a server that may have one more connection.
    Queue,
    /// For a connection to a server.
    Connect,
    /// For the server to take what was sent.
    Upload,
    /// For the server's next octets.
    Response,
    /// For either side of a tunnel.
    Tunnel,
    /// For the side of a tunnel that has not ended yet.
    TunnelEnd,
    /// For the client to see that it is over.
    Linger,
}

/// What a step of the machine came to.
enum Flow {
    /// The state has changed: go on.
    Continue,
    /// Nothing can be done before something happens.
    Wait(Wait),
}

impl<C: Io, D: Dial> Session<C, D> {
    /// A new connection of `listener`.
    pub(crate) fn new(worker: Rc<Worker<D>>, io: C, peer: Peer, listener: ListenerId) -> Self {
        worker.handle_opened();
        worker.counters.open(Doing::Waiting);
        let mut session = Self::uncounted(worker, io, peer, listener);
        session.doing = Some(Doing::Waiting);
        session
    }

    /// One of many on a connection that is counted already: a stream of HTTP/2.
    pub(crate) fn of_stream(
        worker: Rc<Worker<D>>,
        io: C,
        peer: Peer,
        listener: ListenerId,
    ) -> Self {
        let mut session = Self::uncounted(worker, io, peer, listener);
        session.client.http2 = true;
        session
    }

    fn uncounted(worker: Rc<Worker<D>>, io: C, peer: Peer, listener: ListenerId) -> Self {
        worker.sessions.set(worker.sessions.get() + 1);
        let plan = worker.plan();
        let of = plan.as_ref().and_then(|plan| plan.listener(listener));
        let state = if of.is_some_and(|listener| listener.is_tcp) {
            State::Hello
        } else {
            State::Request
        };
        Self {
            key: worker.deadlines.add(),
            worker,
            client: Client::new(io, peer, listener),
            private: None,
            state,
            wait: Wait::Nothing,
            doing: None,
        }
    }

    /// The client's end.
    pub(crate) const fn client_io(&mut self) -> &mut C {
        &mut self.client.port.io
    }

    /// Does what can be done. Ready when the connection is over and is to be closed.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<()> {
        self.worker.deadlines.watch(self.key, cx.waker());
        if self.worker.deadlines.take_due(self.key) {
            self.handle_timeout();
        }
        if self.worker.serves_tunnels_only() {
            self.cut();
        }
        for _ in 0..STEPS_PER_TURN {
            match self.step(cx, scratch) {
                Flow::Continue => self.note_doing(),
                Flow::Wait(wait) => {
                    self.note_doing();
                    self.set_deadline(wait);
                    if !self.client.port.io.is_watched() {
                        self.worker.deadlines.wake_at_next_sweep(self.key);
                    }
                    return Poll::Pending;
                }
            }
            if matches!(self.state, State::Done) {
                return Poll::Ready(());
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn step(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Flow {
        match &mut self.state {
            State::Request => self.step_request(cx, scratch),
            State::Hello => self.step_hello(cx, scratch),
            State::Exchange(exchange) => {
                match exchange.drive(cx, &mut self.client, scratch, &self.worker) {
                    Ok(wait) => Flow::Wait(wait),
                    Err(outcome) => self.end_exchange(outcome),
                }
            }
            State::Tunnel(upgraded) => {
                match upgraded.drive(cx, &mut self.client, scratch, &self.worker) {
                    Poll::Pending => Flow::Wait(upgraded.wait()),
                    Poll::Ready(()) => self.done(),
                }
            }
            State::Closing { linger } => {
                let linger = *linger;
                self.step_closing(cx, linger)
            }
            State::Linger { left } => {
                let (left, rest) = drain(cx, &mut self.client, scratch, *left);
                self.state = if left == 0 {
                    State::Done
                } else {
                    State::Linger { left }
                };
                rest
            }
            State::Done => Flow::Continue,
        }
    }

    fn step_closing(&mut self, cx: &mut Context<'_>, linger: bool) -> Flow {
        match self.client.port.poll_flush(cx) {
            Poll::Pending => Flow::Wait(Wait::Send),
            Poll::Ready(Ok(())) if linger => {
                self.client.port.io.shut_down(cx);
                self.client.inbox = BytesMut::new();
                self.state = State::Linger {
                    left: LINGER_OCTETS,
                };
                Flow::Continue
            }
            Poll::Ready(_) => self.done(),
        }
    }

    /// The worker ends and has no more time for what is no tunnel.
    fn cut(&mut self) {
        match self.state {
            State::Tunnel(_) => {}
            State::Exchange(_) => drop(self.end_exchange(Outcome::Abort)),
            _ => self.give_up(),
        }
    }

    /// Ends the connection at once. An answer of which a part is still here must not look complete.
    fn give_up(&mut self) {
        if !self.client.port.is_clear() {
            self.client.port.io.make_close_a_reset();
        }
        self.state = State::Done;
    }

    fn done(&mut self) -> Flow {
        self.state = State::Done;
        Flow::Continue
    }

    /// Ends a relayed request.
    fn end_exchange(&mut self, outcome: Outcome) -> Flow {
        let state = std::mem::replace(&mut self.state, State::Request);
        let State::Exchange(mut exchange) = state else {
            return Flow::Continue;
        };
        match outcome {
            Outcome::Complete { keep_alive, linger } => {
                self.private = exchange.private.take().or(self.private.take());
                exchange.close(&self.client, &self.worker);
                if !keep_alive {
                    // Pipelined octets that nobody will read would reset the connection.
                    let linger = linger || !self.client.inbox.is_empty();
                    self.state = State::Closing { linger };
                }
            }
            Outcome::Answer { .. } if exchange.is_raw() => {
                // Nothing else can be said to somebody of whose protocol nothing is known.
                self.client.port.io.make_close_a_reset();
                self.state = State::Done;
            }
            Outcome::Answer { status } => {
                let asked = exchange.asked();
                let log = exchange.fail(&self.worker);
                self.answer_short(status, &asked, log);
            }
            Outcome::Switch => {
                let begun = Upgraded::new(&mut exchange, &mut self.client, &self.worker);
                self.state = begun.map_or(State::Done, State::Tunnel);
            }
            Outcome::Abort => {
                if exchange.ends_by_closing() {
                    self.client.port.io.make_close_a_reset();
                }
                exchange.close(&self.client, &self.worker);
                self.state = State::Done;
            }
        }
        self.worker.exchanges.free(exchange);
        Flow::Continue
    }

    /// The time for what was waited for is over.
    fn handle_timeout(&mut self) {
        let outcome = match (&mut self.state, self.wait) {
            (State::Exchange(exchange), wait) => exchange.handle_timeout(wait, &self.worker),
            (State::Tunnel(upgraded), _) => {
                upgraded.give_up(&self.client, &self.worker);
                return self.give_up();
            }
            (State::Request, Wait::Head) if self.client.port.is_clear() => {
                let garbage = std::mem::take(&mut self.client.inbox);
                return self.refuse(408, &garbage);
            }
            _ => return self.give_up(),
        };
        if let Err(outcome) = outcome {
            self.end_exchange(outcome);
        }
    }

    /// Sets the deadline anew when something moved or something else is waited for. The time for a
    /// hello, for a head and for lingering is one time, not one for each octet.
    fn set_deadline(&mut self, wait: Wait) {
        let moved = self.take_moved() && !matches!(wait, Wait::Hello | Wait::Head | Wait::Linger);
        if wait == self.wait && !moved {
            return;
        }
        self.wait = wait;
        if let State::Exchange(exchange) = &mut self.state {
            exchange.pace.note(wait == Wait::Body, self.worker.now());
        }
        let after = match (wait, &self.state) {
            (Wait::Nothing, _) => None,
            (Wait::Linger, _) => Some(LINGER),
            (Wait::Tunnel, State::Tunnel(upgraded)) => Some(upgraded.idle),
            (Wait::TunnelEnd, _) => Some(FIN_TIMEOUT),
            (
                Wait::Queue | Wait::Connect | Wait::Upload | Wait::Continue | Wait::Response,
                State::Exchange(exchange),
            ) => Some(exchange.timeout(wait)),
            _ => self.worker.plan().and_then(|plan| {
                let timeouts = &plan.listener(self.client.listener)?.timeouts;
                Some(match wait {
                    Wait::Hello => timeouts.tls_handshake,
                    Wait::Head => timeouts.head,
                    Wait::Body => self.body_patience(timeouts),
                    Wait::Send => timeouts.send,
                    _ => timeouts.keep_alive,
                })
            }),
        };
        // A listener that is gone has no times any more: what is left ends soon.
        let after = after.or((wait != Wait::Nothing).then_some(LINGER));
        self.worker.deadlines.set(self.key, after);
    }

    /// How long the next octet of a body may take. Who is answered already and goes on sending is in a
    /// conversation, not in an upload: it may be as slow as it likes within the time between reads.
    fn body_patience(&self, timeouts: &ListenerTimeouts) -> Duration {
        match &self.state {
            State::Exchange(exchange) if !exchange.download.has_begun() => {
                let pace = &exchange.pace;
                pace.patience(timeouts.body_idle, timeouts.body_min_rate)
            }
            _ => timeouts.body_idle,
        }
    }

    fn take_moved(&mut self) -> bool {
        let of_server = match &mut self.state {
            State::Exchange(exchange) => exchange.take_moved(),
            State::Tunnel(upgraded) => upgraded.tunnel.take_moved(),
            _ => false,
        };
        std::mem::take(&mut self.client.port.moved) || of_server
    }

    fn note_doing(&mut self) {
        let doing = match &self.state {
            State::Request if self.client.inbox.is_empty() => Doing::Waiting,
            State::Request | State::Hello => Doing::Reading,
            _ => Doing::Writing,
        };
        self.turn(doing);
    }

    fn turn(&mut self, doing: Doing) {
        if let Some(before) = &mut self.doing {
            self.worker.counters.turn(*before, doing);
            *before = doing;
        }
    }
}

/// Throws away what comes, up to `left` octets; answers how many may still come, and how to go on.
fn drain<C: Io>(
    cx: &mut Context<'_>,
    client: &mut Client<C>,
    scratch: &mut Scratch,
    left: u64,
) -> (u64, Flow) {
    match client.port.poll_read(cx, &mut scratch.read) {
        Poll::Pending => (left, Flow::Wait(Wait::Linger)),
        Poll::Ready(Ok(count)) if count > 0 => {
            let count = u64::try_from(count).unwrap_or(left);
            (left.saturating_sub(count), Flow::Continue)
        }
        Poll::Ready(_) => (0, Flow::Continue),
    }
}

impl<C: Io, D: Dial> Future for Session<C, D> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let worker = Rc::clone(&self.worker);
        let mut scratch = worker.scratch.borrow_mut();
        self.drive(cx, &mut scratch)
    }
}

impl<C: Io, D: Dial> Unpin for Session<C, D> {}

impl<C: Io, D: Dial> Drop for Session<C, D> {
    fn drop(&mut self) {
        self.worker.deadlines.remove(self.key);
        let sessions = &self.worker.sessions;
        sessions.set(sessions.get().saturating_sub(1));
        if let Some(doing) = self.doing {
            self.worker.counters.close(doing);
            self.worker.handle_closed();
        }
    }
}
