//! What a request costs: no allocation, and no system call more than four.

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
use crate::session::Session;
use crate::worker::Worker;

/// Room for what is on its way.
const ROOM: usize = 64 * 1024;

/// A stream that allocates nothing and counts what would be system calls: an event loop knows when
/// there is nothing to read, so only what comes to something counts.
#[derive(Clone, Default)]
struct Wire(Rc<Ends>);

#[derive(Default)]
struct Ends {
    to_us: RefCell<Vec<u8>>,
    from_us: RefCell<Vec<u8>>,
    calls: Cell<usize>,
}

impl Wire {
    fn new() -> Self {
        let wire = Self::default();
        wire.0.to_us.borrow_mut().reserve(ROOM);
        wire.0.from_us.borrow_mut().reserve(ROOM);
        wire
    }

    fn bring(&self, octets: &[u8]) {
        self.0.to_us.borrow_mut().extend_from_slice(octets);
    }

    fn count(&self) {
        self.0.calls.set(self.0.calls.get() + 1);
    }
}

impl Io for Wire {
    fn poll_read(&mut self, _: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut octets = self.0.to_us.borrow_mut();
        if octets.is_empty() {
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

/// Connects to the one server.
struct Server(Wire);

impl Dial for Server {
    type Io = Wire;

    fn dial(&self, _: Call) -> Connecting<Wire> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// A connection that has served a request already.
struct Warm {
    session: Session<Wire, Server>,
    client: Wire,
    server: Wire,
    worker: Rc<Worker<Server>>,
}

impl Warm {
    fn new() -> Self {
        let (client, server) = (Wire::new(), Wire::new());
        let counters = Counters::new(SharedCounters::create().unwrap(), 0);
        let gauges = Gauges::new(SharedGauges::create().unwrap(), 0);
        let worker = Rc::new(Worker::new(Server(server.clone()), counters, gauges));
        let plan = worker.prepare(&snapshot()).unwrap();
        worker.commit(plan, Vec::new());
        let id = worker.listener_id("public");
        let peer = Peer {
            address: "192.0.2.7:40000".parse().unwrap(),
            local: None,
            secure: false,
        };
        let session = Session::new(Rc::clone(&worker), client.clone(), peer, id);
        Self {
            session,
            client,
            server,
            worker,
        }
    }

    /// One request and its response, whole each.
    fn exchange(&mut self, request: &[u8], response: &[u8]) {
        self.client.bring(request);
        self.drive();
        self.server.bring(response);
        self.drive();
        self.server.0.from_us.borrow_mut().clear();
        self.client.0.from_us.borrow_mut().clear();
    }

    fn drive(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let worker = Rc::clone(&self.worker);
        let over = self
            .session
            .drive(&mut cx, &mut worker.scratch.borrow_mut());
        assert!(over.is_pending(), "the connection ended");
    }

    fn calls(&self) -> usize {
        self.client.0.calls.get() + self.server.0.calls.get()
    }
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
        let mut warm = Warm::new();
        warm.exchange(request.as_bytes(), response.as_bytes());
        let calls = warm.calls();
        let allocated = allocation_counter::measure(|| {
            for _ in 0..100 {
                warm.exchange(request.as_bytes(), response.as_bytes());
            }
        });
        assert_eq!(allocated.count_total, 0, "{name}: allocations");
        assert_eq!(warm.calls() - calls, 400, "{name}: calls");
    }
}
