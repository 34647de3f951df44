//! What a session is after a 101: a tunnel, and the line of the log that is written at its end.

use std::task::{Context, Poll};
use std::time::Duration;

use super::Wait;
use super::client::Client;
use super::exchange::Exchange;
use super::request::LogEntry;
use crate::access_log::End;
use crate::gauges::Seat;
use crate::io::{Dial, Io};
use crate::tunnel::Tunnel;
use crate::worker::{CountedTunnel, Scratch, Worker};

/// An upgraded connection. It holds nothing of the configuration it began with.
pub(crate) struct Upgraded<S> {
    pub(super) tunnel: Tunnel<S>,
    /// How long it may be without a sign of life.
    pub(super) idle: Duration,
    log: LogEntry,
    end: End,
    _seat: Option<Seat>,
    _counted: CountedTunnel,
}

impl<S: Io> Upgraded<S> {
    /// Goes on from an exchange that ended with a 101. What the client sent behind its request was
    /// kept until now (rule 24: nothing of it may reach a server that does not switch).
    pub(super) fn new<C: Io, D: Dial<Io = S>>(
        exchange: &mut Exchange<D>,
        client: &mut Client<C>,
        worker: &Worker<D>,
    ) -> Option<Box<Self>> {
        let idle = exchange.tunnel_timeout(client.listener);
        let mut remains = exchange.take_remains(worker)?;
        let behind = std::mem::take(&mut client.inbox);
        remains.port.unsent().extend_from_slice(&behind);
        Some(Box::new(Self {
            tunnel: Tunnel::new(remains.port),
            idle,
            log: remains.log,
            end: remains.end,
            _seat: remains.seat,
            _counted: worker.count_tunnel(),
        }))
    }

    /// Passes on what is there; ready when the tunnel is over.
    pub(super) fn drive<C: Io, D: Dial<Io = S>>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client<C>,
        scratch: &mut Scratch,
        worker: &Worker<D>,
    ) -> Poll<()> {
        let over = self.tunnel.poll(cx, &mut client.port, &mut scratch.read);
        over.map(|()| self.close(client, worker))
    }

    pub(super) fn wait(&self) -> Wait {
        if self.tunnel.is_half_closed() {
            Wait::TunnelEnd
        } else {
            Wait::Tunnel
        }
    }

    /// Ends the server's side at once; what it did not take must not look like all there was.
    pub(super) fn give_up<C: Io, D: Dial>(&mut self, client: &Client<C>, worker: &Worker<D>) {
        self.tunnel.give_up();
        self.close(client, worker);
    }

    /// Writes the line of the log.
    fn close<C: Io, D: Dial>(&mut self, client: &Client<C>, worker: &Worker<D>) {
        if let Some((log, entry)) = self.log.take() {
            let end = End {
                body_octets: self.end.body_octets + self.tunnel.octets_down,
                ..self.end
            };
            worker.log(log, client.address, entry, end);
        }
    }
}
