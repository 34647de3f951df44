//! From an accepted socket to whoever serves it: what comes before HTTP is dealt with here, in the
//! order in which it is on the wire: a PROXY header, TLS, the preface of HTTP/2.

mod tls;

use std::future::poll_fn;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use ipc::proxy::Counter;

use crate::crowd::Seats;
use crate::http2::{Front, Spoken, recognise};
use crate::introduction::{self, Refusal};
use crate::io::{Network, Peer, Tcp};
use crate::overload::turn_away;
use crate::plan::{Beginning, Listener, ListenerId};
use crate::session::Session;
use crate::worker::Worker;

/// Serves a connection that was just accepted, to its end.
pub(crate) fn serve(
    worker: &Rc<Worker<Network>>,
    stream: TcpStream,
    address: SocketAddr,
    id: ListenerId,
) {
    let Some(plan) = worker.plan() else {
        return;
    };
    let Some(listener) = plan.listener(id) else {
        return;
    };
    // Whether it serves, which it still does, this node may ask.
    if worker.is_too_much(&stream) && !listener.may_ask_itself(address.ip()) {
        worker.counters.add(Counter::Shed, 1);
        return turn_away(worker, Tcp::fresh(stream), listener);
    }
    let local = plan.tells_local.then(|| stream.local_addr().ok());
    let peer = Peer {
        address,
        local: local.flatten(),
        secure: false,
    };
    let tcp = Tcp::fresh(stream);
    match listener.beginning(address.ip()) {
        Beginning::Protocol => begin(worker, tcp, peer, id),
        beginning @ (Beginning::Header | Beginning::LocalHeader) => {
            let introduced = introduce(Rc::clone(worker), tcp, peer, beginning, id);
            drop(actix_rt::spawn(introduced));
        }
        Beginning::Refused => refuse(worker, address, &Refusal::Stranger),
    }
}

/// Waits for the PROXY header of a connection, and serves whoever is behind it.
async fn introduce(
    worker: Rc<Worker<Network>>,
    mut tcp: Tcp,
    mut peer: Peer,
    beginning: Beginning,
    id: ListenerId,
) {
    worker.handle_opened();
    let read = introduction::read(&mut tcp, &mut peer, beginning).await;
    worker.handle_closed();
    match read {
        Ok(()) => begin(&worker, tcp, peer, id),
        Err(refusal) => refuse(&worker, peer.address, &refusal),
    }
}

/// Counts a connection that is closed without a word.
fn refuse(worker: &Worker<Network>, address: SocketAddr, refusal: &Refusal) {
    worker.counters.add(Counter::Accepted, 1);
    worker.counters.add(Counter::HeadersRefused, 1);
    tracing::debug!("connection of {address} closed: {refusal}");
    if matches!(refusal, Refusal::Stranger)
        && let Some(others) = worker.strangers.pass(worker.now())
    {
        tracing::warn!(
            "connection of {address} closed: {refusal}; {others} more since the last line"
        );
    }
}

/// Serves a connection from the first octet of its protocol on.
fn begin(worker: &Rc<Worker<Network>>, tcp: Tcp, peer: Peer, id: ListenerId) {
    let plan = worker.plan();
    let Some(listener) = plan.as_ref().and_then(|plan| plan.listener(id)) else {
        return;
    };
    let Some(seats) = seats(worker, listener, &peer) else {
        return turn_away(worker, tcp, listener);
    };
    let worker = Rc::clone(worker);
    if let Some(server) = &listener.tls {
        let (server, within) = (Rc::clone(server), listener.timeouts.tls_handshake);
        spawn(secure(worker, tcp, peer, id, server, within), seats);
    } else if listener.http2 {
        let within = listener.timeouts.keep_alive;
        spawn(serve_either(worker, tcp, peer, id, within), seats);
    } else {
        spawn(Session::new(worker, tcp, peer, id), seats);
    }
}

/// Seats for one more connection of `peer`; `None` when there are as many as there may be.
fn seats(worker: &Worker<Network>, listener: &Listener, peer: &Peer) -> Option<Seats> {
    if listener.may_ask_itself(peer.ip()) {
        return Some(Seats::default());
    }
    let seats = Seats::take(&worker.gauges, listener, peer.ip());
    if seats.is_none() {
        worker.counters.add(Counter::Crowded, 1);
        if let Some(others) = worker.crowded.pass(worker.now()) {
            let (name, client) = (&listener.name, peer.ip());
            tracing::warn!(
                "listener {name} has as many connections as it may, or as {client} may have; \
                 {others} more were turned away since the last line"
            );
        }
    }
    seats
}

/// Serves a connection as a task, which ends with it; nobody waits for it.
fn spawn(serving: impl Future<Output = ()> + 'static, seats: Seats) {
    if seats.are_none() {
        drop(actix_rt::spawn(serving));
    } else {
        drop(actix_rt::spawn(async move {
            serving.await;
            drop(seats);
        }));
    }
}

/// Makes the handshake, and serves whoever comes out of it.
async fn secure(
    worker: Rc<Worker<Network>>,
    tcp: Tcp,
    peer: Peer,
    id: ListenerId,
    server: Rc<::tls::Server>,
    within: Duration,
) {
    let peer = Peer {
        secure: true,
        ..peer
    };
    match tls::accept(&worker, tcp, &server, within).await {
        Ok(Some(io)) if io.protocol() == Some(::tls::H2) => {
            if let Some(front) = Front::new(worker, io, peer, id) {
                front.await;
            }
        }
        Ok(Some(io)) => Session::new(worker, io, peer, id).await,
        Ok(None) => worker.counters.pass(),
        Err(error) => handle_no_tls(&worker, &peer, id, &error),
    }
}

/// Counts a connection that came to nothing.
fn handle_no_tls(worker: &Worker<Network>, peer: &Peer, id: ListenerId, error: &std::io::Error) {
    worker.counters.pass();
    worker.counters.add(Counter::HandshakesFailed, 1);
    let (client, reason) = (peer.address, ::tls::reason(error));
    tracing::debug!("no TLS with {client}: {reason}");
    let plan = worker.plan();
    if let Some(listener) = plan.as_ref().and_then(|plan| plan.listener(id))
        && let Some(others) = worker.insecure.pass(worker.now())
    {
        let name = &listener.name;
        tracing::info!(
            "listener {name}: no TLS with {client}: {reason}; {others} more since the last line"
        );
    }
}

/// Serves a connection of which its first octets tell whether it is one of HTTP/2.
async fn serve_either(
    worker: Rc<Worker<Network>>,
    mut io: Tcp,
    peer: Peer,
    id: ListenerId,
    within: Duration,
) {
    worker.handle_opened();
    let mut seen = Vec::new();
    let spoken = poll_fn(|cx| recognise(&mut io, &mut seen, cx));
    let spoken = tokio::time::timeout(within, spoken).await;
    worker.handle_closed();
    match spoken {
        Ok(Ok(Spoken::Http1)) => Session::new(worker, io, peer, id).await,
        Ok(Ok(Spoken::Http2)) => {
            if let Some(front) = Front::new(worker, io, peer, id) {
                front.await;
            }
        }
        // It left, or said nothing.
        Ok(Err(_)) | Err(_) => worker.counters.pass(),
    }
}
