//! A connection of a listener that speaks no HTTP, until it is known where its octets go: by the
//! server name of a TLS hello where routes tell hosts apart, else without a look at it.

use std::task::{Context, Poll};

use core_preface::{ClientHello, client_hello};
use core_route::{Action, Verdict};

use super::exchange::Exchange;
use super::{Flow, Session, State, Wait};
use crate::io::{Dial, Io};
use crate::plan::Plan;
use crate::worker::Scratch;

/// Octets read at once: a hello with all its keys.
const READ: usize = 4 * 1024;

impl<C: Io, D: Dial> Session<C, D> {
    /// Reads what must be known, which is kept, and begins to connect.
    pub(super) fn step_hello(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Flow {
        let Some(plan) = self.worker.plan() else {
            return self.done();
        };
        let name = if plan.names_hosts(self.client.listener) {
            match client_hello(&self.client.inbox) {
                None => return self.read_hello(cx, scratch),
                Some(ClientHello::Malformed) => return self.turn_away("no TLS hello"),
                Some(ClientHello::Named(name)) => Some(name),
                Some(ClientHello::Nameless | ClientHello::Other) => None,
            }
        } else {
            None
        };
        let client = &self.client;
        let verdict = plan.find(client.listener, name.as_deref(), "/", client.address);
        let Verdict::Serve(Action::Proxy { upstream, .. }) = verdict else {
            return self.turn_away("no route");
        };
        self.relay_octets(&plan, upstream)
    }

    fn read_hello(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Flow {
        let room = scratch.read.get_mut(..READ).unwrap_or_default();
        match self.client.port.poll_read(cx, room) {
            Poll::Pending => Flow::Wait(Wait::Hello),
            Poll::Ready(Ok(count)) if count > 0 => {
                let octets = room.get(..count).unwrap_or_default();
                self.client.inbox.extend_from_slice(octets);
                Flow::Continue
            }
            Poll::Ready(_) => self.done(),
        }
    }

    fn relay_octets(&mut self, plan: &std::rc::Rc<Plan<D::Io>>, upstream: usize) -> Flow {
        let Some(upstream) = plan.upstreams.get(upstream) else {
            return self.turn_away("no upstream");
        };
        match Exchange::raw(plan, upstream, self.client.peer, &self.worker) {
            Ok(exchange) => self.state = State::Exchange(self.worker.exchanges.put(exchange)),
            Err(_) => return self.turn_away("no server is up"),
        }
        Flow::Continue
    }

    /// Ends a connection to which nothing can be said: none of its protocol is known.
    fn turn_away(&mut self, why: &str) -> Flow {
        tracing::debug!("connection of {} closed: {why}", self.client.address);
        self.client.port.io.make_close_a_reset();
        self.done()
    }
}
