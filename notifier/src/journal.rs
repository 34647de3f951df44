//! The journal's actor: takes events in, has them written, and tells the sinks.
//!
//! The disk is the writer's thread's business: one batch at a time goes there by a channel of one
//! place, and comes back when it is on disk. What arrives meanwhile waits in the [`backlog`].

pub(crate) mod backlog;
pub(crate) mod files;
pub(crate) mod line;
pub(crate) mod writer;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, ResponseFuture};
use crossbeam_channel::{Receiver, Sender, TrySendError};
use futures_util::future::join_all;
use ipc::event::Event;
use ipc::notify::{FromNotify, SinkSpec};
use platform::clock;
use platform::directory::Directory;
use tokio::sync::oneshot;

use crate::board::Board;
use crate::channel::Channel;
use crate::sink::{Arrived, Drain, Reconfigure, Retire, Sink, Test};
use backlog::Backlog;
use line::Entry;
use writer::{Writer, Written};

/// Between two looks at the queues.
const QUEUES_INTERVAL: Duration = Duration::from_secs(1);

/// How the supervisor is told.
pub(crate) type Report = Rc<dyn Fn(FromNotify)>;

/// Something happened.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Record(pub(crate) Event);

/// A new configuration, checked.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Configure {
    /// The node's name.
    pub(crate) node: String,
    /// The journal's directory.
    pub(crate) directory: Arc<Directory>,
    /// The journal, with the first configuration.
    pub(crate) writer: Option<Writer>,
    /// All sinks.
    pub(crate) sinks: Vec<ConfiguredSink>,
}

/// One sink of it; by itself, a sink that runs and gets a new way out.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ConfiguredSink {
    /// What it is to do.
    pub(crate) spec: SinkSpec,
    /// Its way out.
    pub(crate) channel: Channel,
    /// Where it was when it was saved; only used when it is not running.
    pub(crate) cursor: Option<u64>,
}

/// A test message for one sink, or for all.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TestSinks {
    /// The sink's name.
    pub(crate) sink: Option<String>,
    /// What is sent.
    pub(crate) entry: Arc<Entry>,
}

/// Answered when all events are written and all sinks have tried to send what waits.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Flush;

/// From the writer's thread: a batch is done.
#[derive(Message)]
#[rtype(result = "()")]
struct BatchWritten(Written);

/// A batch for the writer's thread.
struct Batch {
    node: String,
    events: Vec<Event>,
}

/// What becomes of the writer.
enum Disk {
    /// No configuration yet: events wait in the backlog.
    Closed,
    /// The thread has nothing to do.
    Idle(Sender<Batch>),
    /// A batch is on its way.
    Busy(Sender<Batch>),
}

/// The actor.
pub(crate) struct Journal {
    report: Report,
    node: String,
    backlog: Backlog,
    disk: Disk,
    last_seq: u64,
    sinks: BTreeMap<String, Addr<Sink>>,
    board: Rc<Board>,
    flushing: Vec<oneshot::Sender<()>>,
}

impl Journal {
    /// A journal that is not open yet.
    pub(crate) fn new(report: Report) -> Self {
        Self {
            report,
            node: String::new(),
            backlog: Backlog::default(),
            disk: Disk::Closed,
            last_seq: 0,
            sinks: BTreeMap::new(),
            board: Rc::default(),
            flushing: Vec::new(),
        }
    }

    /// Hands the next batch to the thread when it has none.
    fn pump(&mut self) {
        let Disk::Idle(sender) = &self.disk else {
            return;
        };
        let Some(events) = self.backlog.poll_batch(clock::unix_ms()) else {
            for answer in self.flushing.drain(..) {
                // Whoever asked may have lost patience.
                let _ = answer.send(());
            }
            return;
        };
        let node = self.node.clone();
        let sender = sender.clone();
        match sender.try_send(Batch { node, events }) {
            Ok(()) => self.disk = Disk::Busy(sender),
            // The thread ends with this actor alone, and takes a batch before it answers for it.
            Err(TrySendError::Disconnected(_) | TrySendError::Full(_)) => {
                tracing::error!("the journal's writer is gone: events are lost");
                self.disk = Disk::Closed;
            }
        }
    }

    fn tell_sinks(&self, entries: Vec<Arc<Entry>>) {
        let entries: Arc<[Arc<Entry>]> = entries.into();
        for (name, sink) in &self.sinks {
            // Cannot be full, with one batch at a time. If it were, the sink would see the gap with
            // the next batch and read from the journal.
            if let Err(error) = sink.try_send(Arrived(Arc::clone(&entries))) {
                tracing::warn!("{name}: not told of new events: {error}");
            }
        }
    }

    fn start_sink(&mut self, configured: ConfiguredSink, directory: Arc<Directory>) {
        let name = configured.spec.name.clone();
        let board = Rc::clone(&self.board);
        let sink = Sink::new(
            configured.spec,
            configured.channel,
            directory,
            board,
            configured.cursor,
            self.last_seq,
        );
        self.sinks.insert(name, sink.start());
    }

    /// A sink that runs keeps its queue and gets the rest.
    fn reconfigure_sink(&self, configured: ConfiguredSink) {
        let ConfiguredSink { spec, channel, .. } = configured;
        if let Some(sink) = self.sinks.get(&spec.name) {
            let name = spec.name.clone();
            if let Err(error) = sink.try_send(Reconfigure { spec, channel }) {
                tracing::error!("{name}: keeps its old configuration: {error}");
            }
        }
    }

    fn retire_others(&mut self, kept: &[ConfiguredSink]) {
        self.sinks.retain(|name, sink| {
            let stays = kept.iter().any(|configured| configured.spec.name == *name);
            if !stays && let Err(error) = sink.try_send(Retire) {
                tracing::error!("{name}: cannot be ended: {error}");
            }
            stays
        });
    }
}

/// Writes batches until the actor is gone.
fn write_batches(mut writer: Writer, batches: &Receiver<Batch>, journal: &Addr<Journal>) {
    while let Ok(Batch { node, events }) = batches.recv() {
        // One batch is under way at a time, so the mailbox holds one such answer at most.
        journal.do_send(BatchWritten(writer.write(&node, events)));
    }
}

impl Actor for Journal {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(QUEUES_INTERVAL, |journal, _| {
            if let Some(queues) = journal.board.poll_changed() {
                (journal.report)(FromNotify::Queues(queues));
            }
        });
    }
}

impl Handler<Record> for Journal {
    type Result = ();

    fn handle(&mut self, Record(event): Record, _: &mut Self::Context) {
        self.backlog.handle_event(event);
        self.pump();
    }
}

impl Handler<Configure> for Journal {
    type Result = ();

    fn handle(&mut self, configure: Configure, ctx: &mut Self::Context) {
        self.node = configure.node;
        if let Some(writer) = configure.writer {
            self.last_seq = writer.last_seq();
            let (sender, batches) = crossbeam_channel::bounded(1);
            let journal = ctx.address();
            let thread = std::thread::Builder::new().name("journal".into());
            match thread.spawn(move || write_batches(writer, &batches, &journal)) {
                Ok(_) => self.disk = Disk::Idle(sender),
                Err(error) => tracing::error!("the journal has no thread: {error}"),
            }
        }
        self.retire_others(&configure.sinks);
        for sink in configure.sinks {
            if self.sinks.contains_key(&sink.spec.name) {
                self.reconfigure_sink(sink);
            } else {
                self.start_sink(sink, Arc::clone(&configure.directory));
            }
        }
        self.pump();
    }
}

impl Handler<ConfiguredSink> for Journal {
    type Result = ();

    fn handle(&mut self, configured: ConfiguredSink, _: &mut Self::Context) {
        self.reconfigure_sink(configured);
    }
}

impl Handler<BatchWritten> for Journal {
    type Result = ();

    fn handle(&mut self, BatchWritten(written): BatchWritten, _: &mut Self::Context) {
        if let Disk::Busy(sender) = &self.disk {
            self.disk = Disk::Idle(sender.clone());
        }
        if let Some(last) = written.entries.last() {
            self.last_seq = last.seq;
        }
        match written.error {
            Some(error) => tracing::error!(
                "{} events are not in the journal, the sinks are told: {error}",
                written.entries.len()
            ),
            None => {
                for entry in &written.entries {
                    let (seq, event) = (entry.seq, entry.event.clone());
                    (self.report)(FromNotify::Written { seq, event });
                }
            }
        }
        self.tell_sinks(written.entries);
        self.pump();
    }
}

impl Handler<TestSinks> for Journal {
    type Result = ();

    fn handle(&mut self, test: TestSinks, _: &mut Self::Context) {
        let mut found = false;
        for (name, sink) in &self.sinks {
            if test.sink.as_ref().is_none_or(|wanted| wanted == name) {
                found = true;
                if let Err(error) = sink.try_send(Test(Arc::clone(&test.entry))) {
                    tracing::error!("{name}: not told to send a test message: {error}");
                }
            }
        }
        if !found {
            let wanted = test.sink.as_deref().unwrap_or("none is configured");
            tracing::warn!("there is no sink to be tested: {wanted}");
        }
    }
}

impl Handler<Flush> for Journal {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Flush, ctx: &mut Self::Context) -> Self::Result {
        let (answer, written) = oneshot::channel();
        self.flushing.push(answer);
        if matches!(self.disk, Disk::Closed) {
            self.flushing.clear();
        }
        self.pump();
        let journal = ctx.address();
        Box::pin(async move {
            // Without an answer nothing can be written any more; what is in memory can be sent.
            let _ = written.await;
            let _ = journal.send(DrainSinks).await;
        })
    }
}

/// The second half of [`Flush`]: the sinks.
#[derive(Message)]
#[rtype(result = "()")]
struct DrainSinks;

impl Handler<DrainSinks> for Journal {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: DrainSinks, _: &mut Self::Context) -> Self::Result {
        let sinks: Vec<_> = self.sinks.values().map(|sink| sink.send(Drain)).collect();
        Box::pin(async move {
            // A sink that has ended has nothing left.
            let _ = join_all(sinks).await;
        })
    }
}
