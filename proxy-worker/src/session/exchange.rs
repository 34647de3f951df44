//! A relayed request, from its head to how it ends.
//!
//! How it comes to a connection is in `line`. The two directions are in `upload` and `download`; they
//! run at the same time.

use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use core_balance::Tried;
use core_http1::forward::{Origin, write_request};
use core_http1::{Body, BodyLength, Expected, Framing, Handshake, RequestHead, Version};

use super::Wait;
use super::client::Client;
use super::download::Download;
use super::line::Line;
use super::pace::Pace;
use super::private::Private;
use super::replay::Replay;
use super::request::LogEntry;
use crate::access_log::End;
use crate::gauges::Seat;
use crate::io::{Dial, Io, Peer};
use crate::plan::{ListenerId, Plan};
use crate::pool::Used;
use crate::port::Port;
use crate::upstream::{Share, Upstream};
use crate::worker::{Scratch, Worker};

/// What has to be remembered of a request until it is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) version: Version,
    /// The connection may stay open afterwards, as far as the client and we are concerned.
    pub(crate) keep_alive: bool,
    pub(crate) head_only: bool,
    /// The client wants to go on in WebSocket, and may.
    pub(crate) websocket: Option<Handshake>,
    pub(crate) idempotent: bool,
    pub(crate) takes_trailers: bool,
    /// The client waits for a 100 before it sends the body.
    pub(crate) expects_continue: bool,
    /// It authenticates the connection that it comes on.
    pub(crate) binds_connection: bool,
    /// The length of the body; `None` when it is chunked.
    pub(crate) body_octets: Option<u64>,
    pub(crate) body_max: u64,
    pub(crate) node_header: bool,
}

impl Asked {
    /// The body, from its first octet.
    pub(super) fn body(&self) -> Body {
        let length = (self.body_octets).map_or(BodyLength::Chunked, BodyLength::Fixed);
        Body::new(length, Framing::Keep, self.body_max)
    }

    pub(super) const fn expected(&self) -> Expected {
        match self.websocket {
            Some(handshake) => Expected::Switch(handshake),
            None if self.head_only => Expected::HeadOnly,
            None => Expected::Content,
        }
    }
}

/// How an exchange ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The response is complete.
    Complete {
        /// The client's connection stays open.
        keep_alive: bool,
        /// If not: the client may still be sending.
        linger: bool,
    },
    /// There is no response: we answer.
    Answer {
        /// With this.
        status: u16,
    },
    /// What follows is no HTTP: the head that says so went to the client.
    Switch,
    /// The client's connection must end at once: what it got of a response stays unfinished.
    Abort,
}

/// What is left of an exchange that became something else.
pub(super) struct Remains<I> {
    /// The connection to the server.
    pub(super) port: Port<I>,
    /// It still counts as in use.
    pub(super) seat: Option<Seat>,
    /// The log's line, and what it says so far.
    pub(super) log: LogEntry,
    pub(super) end: End,
}

/// A request on its way.
pub(crate) struct Exchange<D: Dial> {
    pub(super) plan: Rc<Plan<D::Io>>,
    pub(super) upstream: Rc<Upstream<D::Io>>,
    pub(super) asked: Asked,
    pub(super) peer: Peer,
    pub(super) line: Line<D::Io>,
    pub(super) server: usize,
    /// The connection with the server counts as in use.
    pub(super) seat: Option<Seat>,
    /// Octets go to the server as they are, once it is there; a client that has ended its side has
    /// just said all that it has to say.
    pub(super) is_raw: bool,
    pub(super) tried: Tried,
    /// A reused connection died under us once: no other reused one is tried.
    pub(super) fresh_only: bool,
    /// A connection was begun; whoever watches the time takes it.
    pub(super) dialled: bool,
    /// The head for the server, until an octet of the response came; it may have to be sent again.
    pub(super) head: Vec<u8>,
    pub(super) head_sent: bool,
    /// The request's body, and whether no octet of it was taken from the client.
    pub(super) body: Body,
    pub(super) is_body_whole: bool,
    pub(super) replay: Replay,
    pub(super) share: Share<D::Io>,
    pub(super) pace: Pace,
    /// The client waits for a 100 before it sends the body.
    pub(super) awaits_continue: bool,
    pub(super) download: Download,
    /// The server's connection authenticates this client, and is for nobody else.
    pub(super) is_private: bool,
    /// Such a connection: before the request is sent on it, and after it is answered.
    pub(super) private: Option<Box<Private<D::Io>>>,
    pub(super) log: LogEntry,
}

impl<D: Dial> Exchange<D> {
    pub(crate) fn new(
        plan: &Rc<Plan<D::Io>>,
        upstream: &Rc<Upstream<D::Io>>,
        asked: Asked,
        peer: Peer,
        log: LogEntry,
    ) -> Self {
        Self {
            plan: Rc::clone(plan),
            upstream: Rc::clone(upstream),
            line: Line::Idle,
            server: 0,
            seat: None,
            tried: Tried::default(),
            is_raw: false,
            fresh_only: false,
            dialled: false,
            head: Vec::new(),
            head_sent: false,
            body: asked.body(),
            is_body_whole: true,
            replay: Replay::new(asked.idempotent),
            share: Share::new(upstream),
            pace: Pace::new(),
            awaits_continue: asked.expects_continue,
            download: Download::new(),
            // What began with a PROXY header is this client's.
            is_private: asked.binds_connection || upstream.transport.send_proxy.is_some(),
            private: None,
            asked,
            peer,
            log,
        }
    }

    /// One that ends with the connection to a server, as if that had answered with a 101.
    pub(crate) fn raw(
        plan: &Rc<Plan<D::Io>>,
        upstream: &Rc<Upstream<D::Io>>,
        peer: Peer,
        worker: &Worker<D>,
    ) -> Result<Self, Outcome> {
        let mut exchange = Self::new(plan, upstream, Asked::NOTHING, peer, None);
        exchange.is_raw = true;
        exchange.fresh_only = true;
        exchange.connect(worker)?;
        Ok(exchange)
    }

    pub(crate) const fn is_raw(&self) -> bool {
        self.is_raw
    }

    pub(crate) const fn asked(&self) -> Asked {
        self.asked
    }

    /// Renders the head for the server.
    pub(crate) fn write_head<C: Io>(
        &mut self,
        head: &RequestHead<'_, '_>,
        path: &str,
        client: &Client<C>,
        worker: &Worker<D>,
    ) {
        self.head = worker.lend();
        let made;
        let request_id = match head.request_id().filter(|_| client.is_trusted) {
            Some(id) => id,
            None => {
                made = worker.request_ids.next();
                &made
            }
        };
        let origin = Origin {
            client: client.address,
            peer: client.peer.ip(),
            is_trusted: client.is_trusted,
            request_id,
            scheme: if client.peer.secure { "https" } else { "http" },
            path,
            default_host: &self.upstream.spec.name,
            websocket: self.asked.websocket.is_some(),
        };
        if let Some((_, entry)) = &mut self.log {
            entry.note_upstream(&self.upstream.spec.name, request_id);
        }
        write_request(head, &origin, &mut self.head);
    }

    /// Chooses a server and sends what is at hand, when a connection is. Answers how many octets of
    /// `rest` were used.
    ///
    /// # Errors
    /// The outcome, when the exchange is over before it began.
    pub(crate) fn begin(
        &mut self,
        cx: &mut Context<'_>,
        rest: &[u8],
        worker: &Worker<D>,
    ) -> Result<usize, Outcome> {
        if !self.take_up_private(worker) {
            self.connect(worker)?;
        }
        match self.line {
            Line::Open { .. } => self.send_up(cx, rest),
            _ => Ok(0),
        }
    }

    /// Does what can be done.
    ///
    /// # Errors
    /// The outcome, when the exchange is over.
    pub(super) fn drive<C: Io>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client<C>,
        scratch: &mut Scratch,
        worker: &Rc<Worker<D>>,
    ) -> Result<Wait, Outcome> {
        loop {
            if let Some(wait) = self.poll_line(cx, client, scratch, worker)? {
                return Ok(wait);
            }
            if self.is_raw {
                self.upstream.handle_success(self.server);
                self.settle(worker);
                return Err(Outcome::Switch);
            }
            let up = self.poll_upload(cx, client, scratch)?;
            match self.poll_download(cx, client, scratch, worker)? {
                Some(Wait::Response)
                    if up.is_none() && client.poll_gone(cx, &mut scratch.read, worker.now()) =>
                {
                    return Err(Outcome::Abort);
                }
                Some(down) => return Ok(self.most_pressing(up, down)),
                // The request goes to another connection.
                None => continue,
            }
        }
    }

    /// What both directions wait for comes down to one deadline: a client that does not take its
    /// response first, then the request, and the response when that is sent.
    const fn most_pressing(&self, up: Option<Wait>, down: Wait) -> Wait {
        match (up, down) {
            (_, Wait::Send) | (None, _) => down,
            // The 100 has just come.
            (Some(Wait::Continue), _) if !self.awaits_continue => Wait::Body,
            (Some(up), _) => up,
        }
    }

    /// The response is complete; keeps the connection to the server when it is clean.
    pub(super) fn complete(&mut self, clean: bool, worker: &Worker<D>) -> Outcome {
        let request_read = self.body.is_complete();
        let line = std::mem::replace(&mut self.line, Line::Idle);
        self.upstream.handle_success(self.server);
        if let Line::Open {
            port,
            served,
            deaf: false,
        } = line
            && clean
            && request_read
            && port.is_clear()
            && !worker.saves_connections()
        {
            self.keep(
                Used {
                    io: port.io,
                    served: served.saturating_add(1),
                },
                worker,
            );
        }
        Outcome::Complete {
            keep_alive: self.download.keeps_client() && request_read,
            linger: !request_read,
        }
    }

    /// The time for `wait` is over.
    pub(super) fn handle_timeout(&mut self, wait: Wait, worker: &Worker<D>) -> Result<(), Outcome> {
        let status = match wait {
            Wait::Queue => 503,
            Wait::Connect => return self.handle_no_connection(504, worker),
            Wait::Body => 408,
            // Perhaps the server does not know the expectation, perhaps it is stuck: no fault of it
            // that a client could not bring about.
            Wait::Continue => 504,
            Wait::Upload | Wait::Response => return self.handle_no_answer(worker),
            _ => return Err(Outcome::Abort),
        };
        Err(self.failure(status))
    }

    /// We answer if nothing of a final response went to the client yet.
    pub(super) const fn failure(&self, status: u16) -> Outcome {
        if self.download.has_begun() {
            Outcome::Abort
        } else {
            Outcome::Answer { status }
        }
    }

    /// Whether the client would take a plain close for the end of its response.
    pub(crate) const fn ends_by_closing(&self) -> bool {
        self.download.ends_by_closing()
    }

    pub(super) fn timeout(&self, wait: Wait) -> Duration {
        match wait {
            Wait::Queue => self.upstream.spec.queue_timeout,
            Wait::Connect => self.upstream.spec.connect_timeout,
            Wait::Upload => self.upstream.spec.send_timeout,
            _ => self.upstream.spec.read_timeout,
        }
    }

    /// Whether something happened on the server's side since the last call.
    pub(crate) fn take_moved(&mut self) -> bool {
        let of_port = match &mut self.line {
            Line::Open { port, .. } => std::mem::take(&mut port.moved),
            _ => false,
        };
        std::mem::take(&mut self.dialled) || of_port
    }

    /// Ends with what the client got: writes the line of the log.
    pub(crate) fn close<C: Io>(&mut self, client: &Client<C>, worker: &Worker<D>) {
        if let Some((log, entry)) = self.log.take() {
            let end = client.told(self.download.end());
            worker.log(log, client.address, entry, end);
        }
        worker.take_back(std::mem::take(&mut self.head));
    }

    /// How long a tunnel that this becomes may be without a sign of life.
    pub(super) fn tunnel_timeout(&self, listener: ListenerId) -> Duration {
        let listener = self.plan.listener(listener);
        listener.map_or(Duration::ZERO, |listener| listener.timeouts.tunnel)
    }

    /// Ends as HTTP; `None` when there is no connection.
    pub(super) fn take_remains(&mut self, worker: &Worker<D>) -> Option<Remains<D::Io>> {
        worker.take_back(std::mem::take(&mut self.head));
        let Line::Open { port, .. } = std::mem::replace(&mut self.line, Line::Idle) else {
            return None;
        };
        Some(Remains {
            port,
            seat: self.seat.take(),
            log: self.log.take(),
            end: self.download.end(),
        })
    }

    /// Ends without a response; the log's line goes to whoever answers.
    pub(crate) fn fail(&mut self, worker: &Worker<D>) -> LogEntry {
        worker.take_back(std::mem::take(&mut self.head));
        self.log.take()
    }
}
