//! Whether a request is sent again, and where.
//!
//! Never after anything of a response went to the client, an interim one included: it might be told
//! two stories. Never when a server may have begun with it and it must not be done twice (RFC 9110
//! §9.2.2). Never with a body of which something is lost.

use ipc::proxy::{Counter, RetryOn};

use super::download::Download;
use super::exchange::{Exchange, Outcome};
use super::line::Line;
use crate::io::{Dial, Io as _};
use crate::worker::Worker;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// No connection could be made.
    Connect,
    /// A kept connection was dead.
    Stale,
    /// A new connection was reset with the request unread, as those are that wait in the queue of a
    /// listener that closes.
    Unread,
    /// A connection ended before any octet of a response, not because it had been idle.
    Lost,
    /// The server took too long.
    Timeout,
    /// The server answered with this status, or nothing that could be passed on: 502.
    Status(u16),
}

impl Cause {
    const fn is_in(self, on: RetryOn) -> bool {
        match self {
            Self::Connect => on.connect,
            Self::Stale | Self::Unread | Self::Lost => on.stale,
            Self::Timeout => on.timeout,
            Self::Status(502) => on.bad_gateway,
            Self::Status(503) => on.unavailable,
            Self::Status(504) => on.gateway_timeout,
            Self::Status(_) => false,
        }
    }

    const fn counter(self) -> Counter {
        match self {
            Self::Connect => Counter::RetriesConnect,
            Self::Stale | Self::Unread | Self::Lost => Counter::RetriesStale,
            Self::Timeout => Counter::RetriesTimeout,
            Self::Status(_) => Counter::RetriesStatus,
        }
    }

    /// Whether it counts in the budget, and is limited by it. A server that was not reached, that did
    /// not read, or that closed a connection which it had left idle, has done no work that a retry
    /// doubles.
    const fn is_limited(self) -> bool {
        matches!(self, Self::Lost | Self::Timeout | Self::Status(_))
    }
}

impl<D: Dial> Exchange<D> {
    /// The connection to the server could not be made.
    pub(super) fn handle_no_connection(
        &mut self,
        status: u16,
        worker: &Worker<D>,
    ) -> Result<(), Outcome> {
        self.upstream.handle_failure(self.server, worker.now());
        self.ask_another(Cause::Connect, status, worker)
    }

    /// The server took too long.
    pub(super) fn handle_no_answer(&mut self, worker: &Worker<D>) -> Result<(), Outcome> {
        if let Line::Open { port, .. } = &mut self.line {
            port.io.note_silence();
        }
        self.upstream.handle_failure(self.server, worker.now());
        self.ask_another(Cause::Timeout, 504, worker)
    }

    /// The server did not do what a server must.
    pub(super) fn handle_bad_answer(&mut self, worker: &Worker<D>) -> Result<(), Outcome> {
        self.upstream.handle_failure(self.server, worker.now());
        self.ask_another(Cause::Status(502), 502, worker)
    }

    /// The server's connection ended before any octet of a response. A reused one may just have been
    /// idle for too long: if the request can be sent again, it goes to the same server on a fresh
    /// one, once. Otherwise that is a failure of the server, and another is asked.
    ///
    /// `was_reset`: as TCP does when something was sent that nobody has read.
    pub(super) fn handle_early_end(
        &mut self,
        was_reset: bool,
        worker: &Worker<D>,
    ) -> Result<(), Outcome> {
        let (served, refused, untouched) = match &self.line {
            Line::Open { served, port, .. } => {
                let refused = port.io.is_untouched();
                (*served, refused, refused || !port.has_sent)
            }
            _ => (0, false, false),
        };
        let is_stale = (served > 0 || refused) && !self.fresh_only;
        if served > 0 && !self.fresh_only {
            worker.counters.add(Counter::Stale, 1);
        }
        if is_stale && self.may_repeat(Cause::Stale, untouched) {
            self.fresh_only = true;
            self.note_retry(Cause::Stale, worker);
            return self.connect_to(self.server, worker);
        }
        self.upstream.handle_failure(self.server, worker.now());
        let unread = was_reset || untouched;
        let cause = if unread { Cause::Unread } else { Cause::Lost };
        self.ask_another(cause, 502, worker)
    }

    /// Whether a response with this status is not passed on, and another server asked instead. If so,
    /// that is under way.
    pub(super) fn replaces_answer(
        &mut self,
        status: u16,
        worker: &Worker<D>,
    ) -> Result<bool, Outcome> {
        let cause = Cause::Status(status);
        if !self.may_ask_another(cause) || !self.note_retry(cause, worker) {
            return Ok(false);
        }
        self.upstream.handle_failure(self.server, worker.now());
        self.go_elsewhere(status, worker).map(|()| true)
    }

    fn ask_another(
        &mut self,
        cause: Cause,
        status: u16,
        worker: &Worker<D>,
    ) -> Result<(), Outcome> {
        if !self.may_ask_another(cause) || !self.note_retry(cause, worker) {
            return Err(self.failure(status));
        }
        self.go_elsewhere(status, worker)
    }

    fn go_elsewhere(&mut self, status: u16, worker: &Worker<D>) -> Result<(), Outcome> {
        self.line = Line::Idle;
        self.download = Download::new();
        self.tried.add(self.server);
        self.connect(worker).map_err(|_| Outcome::Answer { status })
    }

    fn may_ask_another(&self, cause: Cause) -> bool {
        let tries = usize::from(self.upstream.spec.tries);
        let asked = self.tried.count() + 1;
        asked < tries.min(self.upstream.servers.len())
            && self.may_repeat(cause, cause == Cause::Connect)
    }

    /// Whether the request may be sent again; `untouched`: no octet of it has reached this server.
    fn may_repeat(&self, cause: Cause, untouched: bool) -> bool {
        cause.is_in(self.upstream.spec.retry_on)
            && !self.download.has_spoken()
            && self.replay.is_whole()
            && (self.asked.idempotent || untouched)
    }

    /// Counts a retry, unless there are too many.
    fn note_retry(&mut self, cause: Cause, worker: &Worker<D>) -> bool {
        let allowed = !cause.is_limited() || self.share.take_retry();
        let counter = if allowed {
            cause.counter()
        } else {
            Counter::RetriesRefused
        };
        worker.counters.add(counter, 1);
        allowed
    }

    /// From here on the request is not sent again.
    pub(super) fn settle(&mut self, worker: &Worker<D>) {
        worker.take_back(std::mem::take(&mut self.head));
        self.replay.give_up();
    }
}
