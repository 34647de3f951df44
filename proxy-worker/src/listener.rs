//! A listening socket: takes the connections out of its queue and makes each a session.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix::fut::ActorFuture;
use actix::{Actor, AsyncContext, Handler, Message};
use tokio::io::unix::AsyncFd;

use crate::front;
use crate::io::Network;
use crate::plan::ListenerId;
use crate::worker::Worker;

/// Connections taken before others get their turn.
const ACCEPTS_PER_TURN: usize = 64;

/// The pause after an error that more tries would only repeat: descriptors or memory ran out.
const PAUSE: Duration = Duration::from_millis(100);

/// One per socket received.
pub(crate) struct Listener {
    pub(crate) socket: AsyncFd<OwnedFd>,
    pub(crate) worker: Rc<Worker<Network>>,
    pub(crate) id: ListenerId,
}

/// Sent at each switch of the configuration: the listener that the address belongs to now.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct BelongTo(pub(crate) ListenerId);

/// Sent when nothing more is to be accepted. What waits in the queue already is still taken: the
/// clients think that they are connected.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StopAccepting;

impl Actor for Listener {
    type Context = actix::Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Accepting { again: false });
    }
}

impl Handler<BelongTo> for Listener {
    type Result = ();

    fn handle(&mut self, message: BelongTo, _: &mut Self::Context) {
        self.id = message.0;
    }
}

impl Handler<StopAccepting> for Listener {
    type Result = ();

    fn handle(&mut self, _: StopAccepting, ctx: &mut Self::Context) {
        while let Ok((stream, peer)) = platform::accept::tcp(self.socket.get_ref()) {
            front::serve(&self.worker, stream, peer, self.id);
        }
        actix::ActorContext::stop(ctx);
    }
}

impl Listener {
    /// Takes what waits; ready with an error when accepting has to pause.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        for _ in 0..ACCEPTS_PER_TURN {
            let mut ready = match self.socket.poll_read_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(ready)) => ready,
                Poll::Ready(Err(error)) => return Poll::Ready(error),
            };
            match platform::accept::tcp(self.socket.get_ref()) {
                Ok((stream, peer)) => front::serve(&self.worker, stream, peer, self.id),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => ready.clear_ready(),
                    // That one client has changed its mind.
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                    _ => return Poll::Ready(error),
                },
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Accepts until something is wrong, and after a pause again.
struct Accepting {
    /// After a pause, and still nothing but errors.
    again: bool,
}

impl ActorFuture<Listener> for Accepting {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut Listener,
        ctx: &mut actix::Context<Listener>,
        task: &mut Context<'_>,
    ) -> Poll<()> {
        let Poll::Ready(error) = actor.poll_accept(task) else {
            self.again = false;
            return Poll::Pending;
        };
        actor.worker.handle_shortage(&error);
        // One line for a shortage, however many tries it lasts.
        if !self.again {
            tracing::error!("cannot accept connections: {error}; trying again");
        }
        ctx.run_later(PAUSE, |_, ctx| {
            ctx.spawn(Accepting { again: true });
        });
        Poll::Ready(())
    }
}
