//! A sink's actor: sends what its queue holds, one entry after the other, and keeps its cursor.
//!
//! What is due is decided by [`queue`] and [`delivery`]; what is said and how by the channel. Sinks
//! know nothing of each other: one that fails holds up none.

pub(crate) mod cursor;
pub(crate) mod delivery;
pub(crate) mod filter;
pub(crate) mod queue;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture,
    SpawnHandle, WrapFuture,
};
use ipc::notify::SinkSpec;
use platform::clock;
use platform::directory::Directory;
use tokio::sync::oneshot;

use crate::board::Board;
use crate::channel::Channel;
use crate::journal::line::Entry;
use crate::journal::writer::{self, Piece};
use delivery::{Delivery, Outcome, Step};
use filter::Filter;
use queue::{Queue, Read};

/// The wait after the journal could not be read.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// Entries that were just written, to every sink.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Arrived(pub(crate) Arc<[Arc<Entry>]>);

/// A new configuration of the same sink. What is on its way is finished with the old one.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Reconfigure {
    /// The new specification.
    pub(crate) spec: SinkSpec,
    /// The way out that belongs to it.
    pub(crate) channel: Channel,
}

/// A message to be sent at once and out of order.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Test(pub(crate) Arc<Entry>);

/// Answered when nothing is left that can be sent now: each sink tries once more what waits.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Drain;

/// The sink is no longer configured.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Retire;

/// What the actor is doing.
enum Activity {
    Idle,
    Sending,
    Waiting(SpawnHandle),
}

/// The actor.
pub(crate) struct Sink {
    spec: SinkSpec,
    channel: Rc<Channel>,
    directory: Arc<Directory>,
    board: Rc<Board>,
    queue: Queue,
    delivery: Option<Delivery>,
    activity: Activity,
    test: Option<Arc<Entry>>,
    cursor_saved: Option<u64>,
    cursor_saving: bool,
    last_error: Option<String>,
    draining: Vec<oneshot::Sender<()>>,
    retired: bool,
}

impl Sink {
    /// A sink that continues at `cursor`, in a journal whose newest entry is `latest`. One without a
    /// cursor is new: it is told what happens from now on.
    pub(crate) fn new(
        spec: SinkSpec,
        channel: Channel,
        directory: Arc<Directory>,
        board: Rc<Board>,
        cursor: Option<u64>,
        latest: u64,
    ) -> Self {
        Self {
            queue: Queue::new(Filter::new(&spec), cursor.unwrap_or(latest), latest),
            cursor_saved: cursor,
            spec,
            channel: Rc::new(channel),
            directory,
            board,
            delivery: None,
            activity: Activity::Idle,
            test: None,
            cursor_saving: false,
            last_error: None,
            draining: Vec::new(),
            retired: false,
        }
    }

    /// Does everything that is due. Called after every change.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        if self.retired {
            return self.retire(ctx);
        }
        self.read(ctx);
        if !matches!(self.activity, Activity::Sending)
            && let Some(test) = self.test.take()
        {
            if let Activity::Waiting(timer) = self.activity {
                ctx.cancel_future(timer);
            }
            self.send(test, 0, true, ctx);
        }
        while matches!(self.activity, Activity::Idle)
            && let Some(entry) = self.queue.front().map(Arc::clone)
        {
            self.step(entry, ctx);
        }
        self.save_cursor(ctx);
        let error = self.last_error.as_deref();
        self.board
            .note(&self.spec.name, self.queue.waiting(), error);
        self.answer_drain();
    }

    /// One step with the entry at the front.
    fn step(&mut self, entry: Arc<Entry>, ctx: &mut Context<Self>) {
        let seq = entry.seq;
        let (at, now) = (entry.event.at_unix_ms, clock::unix_ms());
        if delivery::is_stale(at, now, self.spec.age_max) {
            tracing::error!("{}: event {seq} is given up, it is too old", self.spec.name);
            self.finish(seq);
            return;
        }
        let receivers = self.channel.receivers();
        let delivery = match &mut self.delivery {
            Some(delivery) if delivery.seq() == seq => delivery,
            other => other.insert(Delivery::new(seq, receivers)),
        };
        match delivery.poll_step() {
            Step::Send(receiver) => self.send(entry, receiver, false, ctx),
            Step::Wait(wait) => self.wait(wait, ctx),
            Step::Finished => self.finish(seq),
        }
    }

    fn finish(&mut self, seq: u64) {
        self.delivery = None;
        self.queue.handle_done(seq);
    }

    fn wait(&mut self, wait: Duration, ctx: &mut Context<Self>) {
        let timer = ctx.run_later(wait, |sink, ctx| {
            sink.activity = Activity::Idle;
            sink.pump(ctx);
        });
        self.activity = Activity::Waiting(timer);
    }

    fn send(&mut self, entry: Arc<Entry>, receiver: usize, test: bool, ctx: &mut Context<Self>) {
        self.activity = Activity::Sending;
        let channel = Rc::clone(&self.channel);
        let sending = async move {
            if test {
                return send_to_all(&channel, &entry).await;
            }
            channel.send(&entry, receiver, clock::unix_ms()).await
        };
        ctx.spawn(sending.into_actor(self).map(move |outcome, sink, ctx| {
            sink.activity = Activity::Idle;
            sink.note_outcome(&outcome, test);
            if !test && let Some(delivery) = &mut sink.delivery {
                delivery.handle_outcome(&outcome);
            }
            sink.pump(ctx);
        }));
    }

    fn note_outcome(&mut self, outcome: &Outcome, test: bool) {
        let name = &self.spec.name;
        self.last_error = match outcome {
            Outcome::Done if test => {
                tracing::info!("{name}: the test message was sent");
                None
            }
            Outcome::Done => None,
            Outcome::Retry { why, .. } => {
                tracing::warn!("{name}: not sent: {why}");
                Some(why.clone())
            }
            Outcome::Refused { why } => {
                tracing::error!("{name}: given up: {why}");
                Some(why.clone())
            }
        };
    }

    /// Fetches from the journal what did not fit in memory.
    fn read(&mut self, ctx: &mut Context<Self>) {
        let Some(Read { after, limit }) = self.queue.poll_read() else {
            return;
        };
        let (directory, filter) = (Arc::clone(&self.directory), self.queue.filter().clone());
        let reading = tokio::task::spawn_blocking(move || {
            writer::read_after(&directory, after, limit, |entry| {
                filter.accepts(&entry.event)
            })
        });
        ctx.spawn(reading.into_actor(self).map(|read, sink, ctx| match read {
            Ok(Ok(piece)) => sink.handle_piece(Some(piece), ctx),
            Ok(Err(error)) => {
                tracing::error!("{}: the journal cannot be read: {error}", sink.spec.name);
                ctx.run_later(READ_AGAIN, |sink, ctx| sink.handle_piece(None, ctx));
            }
            Err(_) => sink.handle_piece(None, ctx),
        }));
    }

    fn handle_piece(&mut self, piece: Option<Piece>, ctx: &mut Context<Self>) {
        self.queue.handle_piece(piece);
        self.pump(ctx);
    }

    /// One write at a time; what changes meanwhile is saved by the next one.
    fn save_cursor(&mut self, ctx: &mut Context<Self>) {
        let cursor = self.queue.cursor();
        if self.cursor_saved == Some(cursor) || self.cursor_saving {
            return;
        }
        self.cursor_saving = true;
        // A failure is not tried again by itself: the next entry brings the next write, and all that
        // is at stake is that a message comes twice.
        self.cursor_saved = Some(cursor);
        let (directory, name) = (Arc::clone(&self.directory), self.spec.name.clone());
        let saving = tokio::task::spawn_blocking(move || cursor::save(&directory, &name, cursor));
        ctx.spawn(saving.into_actor(self).map(|saved, sink, ctx| {
            sink.cursor_saving = false;
            if let Ok(Err(error)) = saved {
                tracing::error!("{}: the cursor cannot be saved: {error}", sink.spec.name);
            }
            sink.pump(ctx);
        }));
    }

    /// Forgets the cursor and ends, once no write of it is under way.
    fn retire(&mut self, ctx: &mut Context<Self>) {
        if self.cursor_saving {
            return;
        }
        self.board.remove(&self.spec.name);
        let (directory, name) = (Arc::clone(&self.directory), self.spec.name.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = cursor::forget(&directory, &name) {
                tracing::warn!("{name}: the cursor cannot be removed: {error}");
            }
        });
        ctx.stop();
    }

    fn answer_drain(&mut self) {
        let at_rest = match self.activity {
            Activity::Idle => self.queue.waiting() == 0,
            Activity::Sending => false,
            Activity::Waiting(_) => true,
        };
        if at_rest && !self.cursor_saving {
            for answer in self.draining.drain(..) {
                // Whoever asked may have lost patience.
                let _ = answer.send(());
            }
        }
    }
}

/// For a test: everybody, and the first failure.
async fn send_to_all(channel: &Channel, entry: &Entry) -> Outcome {
    let mut all = Outcome::Done;
    for receiver in 0..channel.receivers() {
        let outcome = channel.send(entry, receiver, clock::unix_ms()).await;
        if all == Outcome::Done {
            all = outcome;
        }
    }
    all
}

impl Actor for Sink {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.pump(ctx);
    }
}

impl Handler<Arrived> for Sink {
    type Result = ();

    fn handle(&mut self, Arrived(entries): Arrived, ctx: &mut Self::Context) {
        self.queue.handle_entries(&entries);
        self.pump(ctx);
    }
}

impl Handler<Reconfigure> for Sink {
    type Result = ();

    fn handle(&mut self, message: Reconfigure, ctx: &mut Self::Context) {
        let filter = Filter::new(&message.spec);
        if self.spec.kind != message.spec.kind {
            // Receivers may be others now: the entry at the front starts anew.
            self.delivery = None;
        }
        if *self.queue.filter() != filter {
            self.queue.change_filter(filter);
        }
        self.spec = message.spec;
        self.channel = Rc::new(message.channel);
        self.pump(ctx);
    }
}

impl Handler<Test> for Sink {
    type Result = ();

    fn handle(&mut self, Test(entry): Test, ctx: &mut Self::Context) {
        // One that waits already is as good as this one.
        self.test = Some(entry);
        self.pump(ctx);
    }
}

impl Handler<Drain> for Sink {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        self.draining.push(answer);
        if let Activity::Waiting(timer) = self.activity {
            ctx.cancel_future(timer);
            self.activity = Activity::Idle;
        }
        self.pump(ctx);
        Box::pin(async move {
            // An actor that has stopped has nothing left.
            let _ = answered.await;
        })
    }
}

impl Handler<Retire> for Sink {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        self.retired = true;
        self.pump(ctx);
    }
}
