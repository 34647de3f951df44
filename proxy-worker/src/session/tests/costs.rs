//! What a request of HTTP/1 costs: no allocation, and no system call more than four. And what such things
//! are counted with.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use platform::counters::SharedCounters;
use platform::gauges::SharedGauges;

use super::lab::snapshot;
use crate::counters::Counters;
use crate::gauges::Gauges;
use crate::io::{Call, Connecting, Dial, Io, Peer};
use crate::session::{STEPS_PER_TURN, Session};
use crate::worker::Worker;

/// Room for what is on its way.
const ROOM: usize = 64 * 1024;

/// A stream that allocates nothing and counts what would be system calls: an event loop knows when
/// there is nothing to read, so only what comes to something counts.
#[derive(Clone, Default)]
pub(super) struct Wire(Rc<Ends>);

#[derive(Default)]
struct Ends {
    to_us: RefCell<Vec<u8>>,
    from_us: RefCell<Vec<u8>>,
    reader: RefCell<Option<Waker>>,
    calls: Cell<usize>,
}

impl Wire {
    pub(super) fn new() -> Self {
        let wire = Self::default();
        wire.0.to_us.borrow_mut().reserve(ROOM);
        wire.0.from_us.borrow_mut().reserve(ROOM);
        wire
    }

    pub(super) fn bring(&self, octets: &[u8]) {
        self.0.to_us.borrow_mut().extend_from_slice(octets);
        if let Some(reader) = self.0.reader.take() {
            reader.wake();
        }
    }

    /// What was written.
    pub(super) fn take(&self) -> Vec<u8> {
        let mut octets = self.0.from_us.borrow_mut();
        std::mem::replace(&mut octets, Vec::with_capacity(ROOM))
    }

    /// How many octets that is.
    pub(super) fn written(&self) -> usize {
        self.0.from_us.borrow().len()
    }

    pub(super) fn forget(&self) {
        self.0.from_us.borrow_mut().clear();
    }

    pub(super) fn calls(&self) -> usize {
        self.0.calls.get()
    }

    fn count(&self) {
        self.0.calls.set(self.0.calls.get() + 1);
    }
}

impl Io for Wire {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut octets = self.0.to_us.borrow_mut();
        if octets.is_empty() {
            self.0.reader.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        self.count();
        let count = octets.len().min(room.len());
        room[..count].copy_from_slice(&octets[..count]);
        octets.drain(..count);
        Poll::Ready(Ok(count))
    }

    fn poll_write(
        &mut self,
        _: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.count();
        let mut octets = self.0.from_us.borrow_mut();
        parts.iter().for_each(|part| octets.extend_from_slice(part));
        Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()))
    }

    fn shut_down(&mut self, _: &mut Context<'_>) {
        self.count();
    }

    fn is_watched(&self) -> bool {
        true
    }

    fn make_close_a_reset(&mut self) {
        self.count();
    }

    fn is_stale(&mut self) -> bool {
        false
    }
}

/// The connections to the server, each made when one is needed.
#[derive(Clone, Default)]
pub(super) struct Servers(Rc<RefCell<Vec<Wire>>>);

impl Servers {
    pub(super) fn bring(&self, octets: &[u8]) {
        self.0.borrow().iter().for_each(|wire| wire.bring(octets));
    }

    pub(super) fn forget(&self) {
        self.0.borrow().iter().for_each(Wire::forget);
    }

    pub(super) fn calls(&self) -> usize {
        self.0.borrow().iter().map(Wire::calls).sum()
    }
}

impl Dial for Servers {
    type Io = Wire;

    fn dial(&self, _: Call) -> Connecting<Wire> {
        let wire = Wire::new();
        self.0.borrow_mut().push(wire.clone());
        Box::pin(std::future::ready(Ok(wire)))
    }
}

/// A worker that has its configuration.
pub(super) fn worker(servers: &Servers) -> Rc<Worker<Servers>> {
    let gauges = Gauges::new(SharedGauges::create().unwrap(), 0);
    let counters = Counters::new(SharedCounters::create().unwrap(), Rc::clone(&gauges));
    let worker = Rc::new(Worker::new(servers.clone(), counters, gauges));
    let plan = worker.prepare(&snapshot()).unwrap();
    worker.commit(plan, Vec::new());
    worker
}

/// The client of all tests.
pub(super) fn peer() -> Peer {
    Peer {
        address: "192.0.2.7:40000".parse().unwrap(),
        local: None,
        secure: false,
    }
}

/// A connection that has served a request already.
pub(super) struct Warm<C: Io = Wire> {
    session: Session<C, Servers>,
    worker: Rc<Worker<Servers>>,
    pub(super) servers: Servers,
}

impl<C: Io> Warm<C> {
    pub(super) fn new(client: C) -> Self {
        let servers = Servers::default();
        let worker = worker(&servers);
        let id = worker.listener_id("public");
        let session = Session::new(Rc::clone(&worker), client, peer(), id);
        Self {
            session,
            worker,
            servers,
        }
    }

    pub(super) fn drive(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let worker = Rc::clone(&self.worker);
        let over = self
            .session
            .drive(&mut cx, &mut worker.scratch.borrow_mut());
        assert!(over.is_pending(), "the connection ended");
    }
}

/// One request and its response, whole each.
fn exchange(warm: &mut Warm, client: &Wire, request: &[u8], response: &[u8]) {
    client.bring(request);
    warm.drive();
    warm.servers.bring(response);
    warm.drive();
    warm.servers.forget();
    client.forget();
}

#[test]
fn request_on_a_warm_connection_costs_four_calls_and_no_allocation() {
    let browser = "GET /app/?q=1 HTTP/1.1\r\nHost: example.org\r\nUser-Agent: Mozilla/5.0\r\n\
        Accept: text/html,*/*;q=0.8\r\nAccept-Language: en\r\nAccept-Encoding: gzip, br\r\n\
        Referer: http://example.org/\r\nCookie: a=b; c=d\r\nSec-Fetch-Mode: navigate\r\n\
        Cache-Control: max-age=0\r\nConnection: keep-alive\r\n\r\n";
    let post = "POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
    let counted = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi";
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3\r\nyou\r\n0\r\n\r\n";
    let cases = [
        ("short", "GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n", counted),
        ("a browser's", browser, counted),
        ("with a body", post, counted),
        ("chunked", browser, chunked),
    ];
    for (name, request, response) in cases {
        let client = Wire::new();
        let mut warm = Warm::new(client.clone());
        let servers = warm.servers.clone();
        let mut exchange = || exchange(&mut warm, &client, request.as_bytes(), response.as_bytes());
        exchange();
        let calls = || client.calls() + servers.calls();
        let before = calls();
        let allocated = allocation_counter::measure(|| (0..100).for_each(|_| exchange()));
        assert_eq!(allocated.count_total, 0, "{name}: allocations");
        assert_eq!(calls() - before, 400, "{name}: calls");
    }
}

#[test]
fn many_requests_at_once_are_answered_in_turns() {
    let client = Wire::new();
    let mut warm = Warm::new(client.clone());
    client.bring(&b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".repeat(500));
    let mut answers = || {
        warm.drive();
        String::from_utf8(client.take())
            .unwrap()
            .matches("HTTP/1.1 404")
            .count()
    };
    let first = answers();
    assert!((1..=STEPS_PER_TURN).contains(&first), "{first}");
    let rest: usize = (0..500).map(|_| answers()).sum();
    assert_eq!(first + rest, 500);
}
