//! From the first octet of a request to the decision who answers it.

use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use core_http1::{Answer, BodyLength, FieldSlots, RequestHead, Version, short_answer};
use core_route::{Action, Verdict, normalise};
use ipc::proxy::{AccessLogSpec, Counter, UpstreamProtocol};

use super::exchange::{Asked, Exchange};
use super::{Flow, Session, State, Wait};
use crate::access_log::{End, Entry};
use crate::counters::Doing;
use crate::io::{Dial, Io};
use crate::pages;
use crate::plan::{Listener, Plan};
use crate::worker::Scratch;

/// An access log and what its line says so far.
pub(crate) type LogEntry = Option<(usize, Entry)>;

impl<C: Io, D: Dial> Session<C, D> {
    /// Reads until a head is complete and begins to answer it.
    pub(super) fn step_request(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Flow {
        match self.client.port.poll_flush(cx) {
            Poll::Pending => return Flow::Wait(Wait::Send),
            Poll::Ready(Err(_)) => return self.done(),
            Poll::Ready(Ok(())) => {}
        }
        // Octets of the next request that came with the last one.
        if !self.client.inbox.is_empty() && self.wait != Wait::Head {
            let held = std::mem::take(&mut self.client.inbox);
            let used = self.begin(cx, &held, &mut scratch.slots);
            self.keep_rest_of(held, used);
            if used > 0 || !matches!(self.state, State::Request) {
                return Flow::Continue;
            }
            // Not whole yet; the time for it runs from now.
            self.set_deadline(Wait::Head);
        }
        match self.client.port.poll_read(cx, &mut scratch.read) {
            Poll::Pending => self.wait_for_request(),
            Poll::Ready(Ok(count)) if count > 0 => {
                let Scratch { read, slots, .. } = scratch;
                self.take_octets(cx, read.get(..count).unwrap_or_default(), slots);
                Flow::Continue
            }
            Poll::Ready(_) => self.done(),
        }
    }

    fn wait_for_request(&mut self) -> Flow {
        if !self.client.inbox.is_empty() {
            return Flow::Wait(Wait::Head);
        }
        let is_gone = self
            .worker
            .plan()
            .is_none_or(|plan| plan.listener(self.client.listener).is_none());
        // Who has not asked anything yet may still do so.
        if is_gone || self.worker.saves_connections() && self.client.requests > 0 {
            return self.done();
        }
        Flow::Wait(Wait::KeepAlive)
    }

    fn take_octets(&mut self, cx: &mut Context<'_>, octets: &[u8], slots: &mut FieldSlots) {
        if self.client.inbox.is_empty() {
            let used = self.begin(cx, octets, slots);
            self.keep_rest(octets, used);
        } else {
            let mut held = std::mem::take(&mut self.client.inbox);
            let known = held.len();
            held.extend_from_slice(octets);
            let used = if self.may_be_whole(&held, known) {
                self.begin(cx, &held, slots)
            } else {
                0
            };
            self.keep_rest_of(held, used);
        }
    }

    /// Whether `held` may be a whole head, or wrong, as its first `known` octets were not.
    fn may_be_whole(&self, held: &[u8], known: usize) -> bool {
        let plan = self.worker.plan();
        let listener = plan
            .as_ref()
            .and_then(|plan| plan.listener(self.client.listener));
        // Without a listener the session is to end.
        listener.is_none_or(|listener| RequestHead::may_be_whole(held, known, &listener.limits))
    }

    fn keep_rest(&mut self, octets: &[u8], used: usize) {
        let rest = octets.get(used..).unwrap_or_default();
        if self.wants_rest(rest.len()) {
            self.client.inbox.extend_from_slice(rest);
        }
    }

    /// As [`Self::keep_rest`], in the memory where it is: neither is a head that comes octet by octet
    /// copied again for each of them, nor what came behind a request for each that is answered.
    fn keep_rest_of(&mut self, mut held: BytesMut, used: usize) {
        if self.wants_rest(held.len().saturating_sub(used)) {
            held.advance(used);
            self.client.inbox = held;
        }
    }

    /// Whether so many octets behind what was used are still of use. A client that sent more than we
    /// will read must not have its last answer destroyed by a reset.
    const fn wants_rest(&mut self, count: usize) -> bool {
        match &mut self.state {
            State::Closing { linger } => {
                *linger |= count > 0;
                false
            }
            State::Done => false,
            _ => count > 0,
        }
    }

    /// Begins the request at the front of `octets`; answers how many octets of them are done with,
    /// 0 when the head is not complete.
    fn begin(&mut self, cx: &mut Context<'_>, octets: &[u8], slots: &mut FieldSlots) -> usize {
        let Some(plan) = self.worker.plan() else {
            self.state = State::Done;
            return 0;
        };
        let Some(listener) = plan.listener(self.client.listener) else {
            self.state = State::Done;
            return 0;
        };
        let head = match RequestHead::parse(octets, &listener.limits, slots) {
            Ok(Some(head)) => head,
            Ok(None) => return 0,
            Err(fault) => {
                self.refuse(fault.status(), octets);
                return octets.len();
            }
        };
        self.wait = Wait::Nothing;
        self.client.requests = self.client.requests.saturating_add(1);
        self.worker.counters.add(Counter::Requests, 1);
        self.turn(Doing::Writing);
        let rest = octets.get(head.len..).unwrap_or_default();
        head.len + self.route(cx, &plan, listener, &head, rest)
    }

    /// Decides who answers, and answers or begins to relay. Answers how many octets of `rest`, which
    /// follows the head, are done with.
    fn route(
        &mut self,
        cx: &mut Context<'_>,
        plan: &Rc<Plan<D::Io>>,
        listener: &Listener,
        head: &RequestHead<'_, '_>,
        rest: &[u8],
    ) -> usize {
        self.client.identify(head, listener);
        if head.target.path == "*" || head.hops_left == Some(0) {
            self.answer_for_server(listener, head);
            return 0;
        }
        let log = self.note(listener.log, head);
        let asked = self.asked(head, listener);
        let Ok(path) = normalise(head.target.path) else {
            self.answer_short(400, &asked, log);
            return 0;
        };
        let announced = asked.body_octets.unwrap_or(0);
        match plan.find(self.client.listener, head.host, &path, self.client.address) {
            _ if announced > listener.body_max => self.answer_short(413, &asked, log),
            Verdict::NotFound => self.answer_short(404, &asked, log),
            Verdict::Forbidden => self.answer_short(403, &asked, log),
            Verdict::Serve(Action::Proxy {
                upstream,
                websocket,
            }) => {
                let Some(upstream) = plan.upstreams.get(upstream) else {
                    self.answer_short(503, &asked, log);
                    return 0;
                };
                if upstream.transport.protocol == UpstreamProtocol::Http2 && !may_be_http2(head) {
                    self.answer_short(400, &asked, log);
                    return 0;
                }
                let asked = Asked {
                    websocket: head.websocket.filter(|_| websocket),
                    ..asked
                };
                let exchange = Exchange::new(plan, upstream, asked, self.client.peer, log);
                let mut exchange = self.worker.exchanges.put(exchange);
                exchange.write_head(head, &path, &self.client, &self.worker);
                exchange.private = self
                    .private
                    .take_if(|private| private.place(upstream).is_some());
                let begun = exchange.begin(cx, rest, &self.worker);
                self.state = State::Exchange(exchange);
                match begun {
                    Ok(used) => return used,
                    Err(outcome) => drop(self.end_exchange(outcome)),
                }
            }
            Verdict::Serve(_) if !matches!(head.method, "GET" | "HEAD") => {
                self.answer_short(405, &asked, log);
            }
            Verdict::Serve(Action::StubStatus) => {
                let page = pages::stub_status(&self.worker.counters.traffic());
                self.answer_page("text/plain", page.as_bytes(), &asked, log);
            }
            Verdict::Serve(Action::StatusPage) => {
                let accept = head.field("accept").unwrap_or_default();
                let (content_type, page) = self.worker.status_page(accept);
                self.answer_page(content_type, page.as_bytes(), &asked, log);
            }
        }
        0
    }

    /// OPTIONS of the server as a whole, "a type of ping" (RFC 9110 §9.3.7), or one that may go no
    /// further (§7.6.2): no route has a part in it. It is how this node asks itself whether it serves, which is no line in any log.
    fn answer_for_server(&mut self, listener: &Listener, head: &RequestHead<'_, '_>) {
        let is_our_own = listener.is_at(self.client.peer.ip());
        let log = self.note(listener.log.filter(|_| !is_our_own), head);
        let asked = self.asked(head, listener);
        self.answer_page("text/plain", b"", &asked, log);
    }

    fn asked(&self, head: &RequestHead<'_, '_>, listener: &Listener) -> Asked {
        Asked {
            version: head.version,
            keep_alive: head.keep_alive
                && self.client.requests < listener.requests_max
                && !self.worker.saves_connections(),
            head_only: head.method == "HEAD",
            websocket: None,
            idempotent: core_http1::is_idempotent(head.method),
            takes_trailers: head.accepts_trailers,
            expects_continue: head.expects_continue,
            binds_connection: head.binds_connection,
            body_octets: match head.body {
                BodyLength::Fixed(octets) => Some(octets),
                BodyLength::Chunked | BodyLength::UntilClose => None,
            },
            body_max: listener.body_max,
            node_header: listener.node_header,
        }
    }

    /// Begins the request's line in its log.
    fn note(&self, log: Option<AccessLogSpec>, head: &RequestHead<'_, '_>) -> LogEntry {
        let log = log?;
        let entry = Entry::new(self.worker.lend(), head, self.client.http2, log.format);
        Some((usize::from(log.file), entry))
    }

    /// Answers octets that are no request, and closes.
    pub(super) fn refuse(&mut self, status: u16, octets: &[u8]) {
        self.worker.counters.add(Counter::Requests, 1);
        let plan = self.worker.plan();
        let listener = plan
            .as_ref()
            .and_then(|plan| plan.listener(self.client.listener));
        let log = listener.and_then(|listener| listener.log);
        let log = log.map(|log| {
            let entry = Entry::of_garbage(self.worker.lend(), octets, log.format);
            (usize::from(log.file), entry)
        });
        self.answer_short(status, &Asked::NOTHING, log);
    }

    /// Gives a short answer of our own.
    pub(super) fn answer_short(&mut self, status: u16, asked: &Asked, log: LogEntry) {
        self.answer(status, asked, log, |answer, out| {
            answer.write_short(&short_answer(status), out)
        });
    }

    fn answer_page(&mut self, content_type: &str, page: &[u8], asked: &Asked, log: LogEntry) {
        self.answer(200, asked, log, |answer, out| {
            answer.write_page(content_type, page, out)
        });
    }

    /// The connection goes on only if nothing of the request is left to be read: a body that nobody
    /// has read must never be taken for the next request.
    fn answer(
        &mut self,
        status: u16,
        asked: &Asked,
        log: LogEntry,
        write: impl FnOnce(&Answer<'_>, &mut Vec<u8>) -> usize,
    ) {
        let read_whole = asked.body_octets == Some(0);
        let keep_alive = asked.keep_alive && read_whole;
        let date = self.worker.date();
        let answer = Answer {
            version: asked.version,
            keep_alive,
            asked_head: asked.head_only,
            date: &date,
        };
        let body_octets = write(&answer, self.client.port.unsent());
        if let Some((log, entry)) = log {
            let end = self.client.told(End {
                status,
                body_octets: u64::try_from(body_octets).unwrap_or(0),
            });
            self.worker.log(log, self.client.address, entry, end);
        }
        self.state = if keep_alive {
            State::Request
        } else {
            State::Closing {
                linger: !read_whole,
            }
        };
    }
}

/// Whether a request has a form in HTTP/2, where target and authority are those of a URI (RFC 9113
/// §8.3.1, RFC 3986 §2); servers of HTTP/1 are left to judge such things themselves.
fn may_be_http2(head: &RequestHead<'_, '_>) -> bool {
    let is_of_no_uri = |octet| matches!(octet, b'<' | b'>' | b'"' | b'`');
    let host = head.host.unwrap_or_default();
    !head.raw_target.bytes().any(is_of_no_uri) && !host.contains('%')
}

impl Asked {
    /// What is assumed of somebody who sent no request.
    pub(super) const NOTHING: Self = Self {
        version: Version::Http11,
        keep_alive: false,
        head_only: false,
        websocket: None,
        idempotent: false,
        takes_trailers: false,
        expects_continue: false,
        binds_connection: false,
        body_octets: None,
        body_max: 0,
        node_header: false,
    };
}
