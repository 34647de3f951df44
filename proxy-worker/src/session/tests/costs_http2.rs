//! What a request of HTTP/2 costs in front of servers that speak HTTP/1: a read and a write for all that
//! are served together, and two calls for each. The `h2` crate cannot do without allocations, but how many
//! they are is not to grow.

use std::future::Future as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use super::costs::{Servers, Wire, peer, worker};
use crate::http2::Front;

/// Requests that come together.
const TOGETHER: u32 = 16;

/// The most allocations of one.
const ALLOCATIONS_MAX: u64 = 3;

const RESPONSE: &str = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 29 Nov 2026 12:00:00 GMT\r\n\
    Content-Type: text/plain\r\nContent-Length: 2\r\nETag: \"1\"\r\n\r\nhi";

/// The head of a frame (RFC 9113 §4.1), for a payload of fewer than 256 octets.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let mut frame = vec![0, 0, length, kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The preface, settings, and a window that lets all answers through.
fn greeting() -> Vec<u8> {
    let mut octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    octets.extend(frame(4, 0, 0, &[]));
    octets.extend(frame(8, 0, 0, &0x4000_0000_u32.to_be_bytes()));
    octets
}

/// GET /app/ of `a`, as RFC 7541 has it: two fields of the static table, two literals.
pub(super) fn request(stream: u32) -> Vec<u8> {
    frame(1, 5, stream, b"\x82\x87\x04\x05/app/\x01\x01a")
}

/// A connection.
struct Warm {
    front: Front<Wire, Servers>,
    client: Wire,
    servers: Servers,
    next_stream: u32,
}

impl Warm {
    fn new() -> Self {
        let (client, servers) = (Wire::new(), Servers::default());
        let worker = worker(&servers);
        let id = worker.listener_id("public");
        let front = Front::new(Rc::clone(&worker), client.clone(), peer(), id).unwrap();
        client.bring(&greeting());
        let mut warm = Self {
            front,
            client,
            servers,
            next_stream: 1,
        };
        warm.drive();
        warm
    }

    fn drive(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let over = Pin::new(&mut self.front).poll(&mut cx);
        assert!(over.is_pending(), "the connection ended");
    }

    /// The frames of the next requests.
    fn requests(&mut self) -> Vec<u8> {
        let first = self.next_stream;
        self.next_stream += 2 * TOGETHER;
        (first..self.next_stream)
            .step_by(2)
            .flat_map(request)
            .collect()
    }

    /// Serves requests; answers how many octets the client got.
    fn exchange(&mut self, requests: &[u8]) -> usize {
        self.client.bring(requests);
        self.drive();
        self.servers.bring(RESPONSE.as_bytes());
        self.drive();
        self.servers.forget();
        let octets = self.client.written();
        self.client.forget();
        octets
    }

    fn calls(&self) -> usize {
        self.client.calls() + self.servers.calls()
    }
}

#[test]
fn requests_served_together_cost_two_calls_each_and_one_write() {
    let mut warm = Warm::new();
    for _ in 0..4 {
        let requests = warm.requests();
        warm.exchange(&requests);
    }
    let before = warm.calls();
    let mut allocated = 0;
    for _ in 0..10 {
        let requests = warm.requests();
        let mut octets = 0;
        allocated += allocation_counter::measure(|| octets = warm.exchange(&requests)).count_total;
        // All were answered: a head, a body and the heads of both frames each.
        assert!(octets > 20 * 16, "{octets} octets");
    }
    assert_eq!(warm.calls() - before, 10 * (2 * 16 + 2), "calls");
    let each = allocated / u64::from(10 * TOGETHER);
    assert!(each <= ALLOCATIONS_MAX, "{each} allocations each");
}
