//! What the supervisor says, carried to the actors.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr};
use ipc::event::{Event, Severity, What};
use ipc::notify::{FromNotify, Notify, SinkKind, ToNotify};
use link::LinkError;
use link::child::{Order, Start, Supervisor};
use platform::clock;

use crate::journal::line::Entry;
use crate::journal::{Configure, ConfiguredSink, Flush, Journal, Record, Report, TestSinks};
use crate::prepare::{self, Applied, Prepared};

/// How long the end may take when the supervisor is gone and nobody says.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// What the event loop keeps.
struct Shell {
    supervisor: Supervisor<Notify>,
    journal: Addr<Journal>,
    prepared: Option<Prepared>,
    applied: Option<Applied>,
}

/// Serves the supervisor until it says stop, or is gone.
///
/// # Errors
/// When the link cannot be made.
pub(crate) async fn run(start: Start<Notify>) -> Result<(), LinkError> {
    let supervisor = start.into_link()?;
    let mut shell = Shell {
        journal: Journal::new(report_to(supervisor.clone())).start(),
        supervisor,
        prepared: None,
        applied: None,
    };
    let within = loop {
        match shell.supervisor.next().await {
            Order::Stop { within } => break within,
            Order::Gone => break GONE_WITHIN,
            order => shell.handle_order(order).await,
        }
    };
    shell.finish(within).await;
    Ok(())
}

fn report_to(supervisor: Supervisor<Notify>) -> Report {
    Rc::new(move |message: FromNotify| {
        // The journal has it; a supervisor that does not read will replace this process.
        if let Err(error) = supervisor.send(message) {
            tracing::warn!("cannot report to the supervisor: {error}");
        }
    })
}

impl Shell {
    async fn handle_order(&mut self, order: Order<Notify>) {
        match order {
            Order::Prepare {
                generation,
                snapshot,
                descriptors,
            } => {
                let open = self.applied.as_ref().map(|now| Arc::clone(&now.directory));
                self.prepared = None;
                match prepare::prepare(generation, snapshot, descriptors, open).await {
                    Ok(prepared) => {
                        self.prepared = Some(prepared);
                        self.supervisor.prepared(generation);
                    }
                    Err(why) => self.supervisor.refused(generation, why),
                }
            }
            Order::Commit { generation } => self.commit(generation),
            Order::Abort { .. } => self.prepared = None,
            Order::Role {
                message,
                descriptors,
            } => self.handle_message(message, descriptors),
            // The loop has ended before these.
            Order::Stop { .. } | Order::Gone => {}
        }
    }

    fn commit(&mut self, generation: u64) {
        match self.prepared.take() {
            Some(prepared) if prepared.generation == generation => {
                self.tell_journal_of(prepared.configure);
                self.applied = Some(prepared.applied);
                self.supervisor.committed(generation);
            }
            _ => tracing::error!("configuration {generation} was not prepared"),
        }
    }

    fn tell_journal_of(&self, configure: Configure) {
        // The journal's handlers do not wait: its mailbox is as good as empty, and holds this.
        self.journal.do_send(configure);
    }

    fn handle_message(&mut self, message: ToNotify, descriptors: Vec<OwnedFd>) {
        match message {
            // Into the backlog, which is bounded and counts what does not fit.
            ToNotify::Event(event) => self.journal.do_send(Record(event)),
            ToNotify::LogsReopened => self.reopen(descriptors),
            ToNotify::Test { sink } => self.test(sink),
        }
    }

    /// Takes the new files of the file sinks; all else stays.
    fn reopen(&self, descriptors: Vec<OwnedFd>) {
        let Some(applied) = &self.applied else {
            return tracing::warn!("log files were reopened before there was a configuration");
        };
        let is_file = |kind: &SinkKind| matches!(kind, SinkKind::File { .. });
        let files = descriptors.into_iter().map(File::from).collect();
        let mut sinks = applied.sinks.clone();
        sinks.retain(|spec| is_file(&spec.kind));
        match prepare::open_channels(&sinks, files, &applied.around) {
            Ok(channels) => {
                for (spec, channel) in sinks.into_iter().zip(channels) {
                    self.journal.do_send(ConfiguredSink {
                        spec,
                        channel,
                        cursor: None,
                    });
                }
            }
            Err(why) => tracing::error!("the old log files stay in use: {why}"),
        }
    }

    fn test(&self, sink: Option<String>) {
        let node = self.applied.as_ref().map(|applied| applied.node.clone());
        let entry = Arc::new(Entry {
            seq: 0,
            boot: String::new(),
            node: node.unwrap_or_default(),
            event: Event {
                at_unix_ms: clock::unix_ms(),
                severity: Severity::Info,
                what: What::Test,
            },
        });
        self.journal.do_send(TestSinks { sink, entry });
    }

    /// Writes and sends what waits, for as long as it may take. Events that come meanwhile are still
    /// taken: the supervisor's own end may bring some.
    async fn finish(&mut self, within: Duration) {
        let finished = tokio::time::timeout(within.mul_f32(0.9), self.journal.send(Flush));
        tokio::pin!(finished);
        loop {
            tokio::select! {
                finished = &mut finished => {
                    if finished.is_err() {
                        tracing::warn!("not everything could be sent; it is when this starts again");
                    }
                    return;
                }
                order = self.supervisor.next() => match order {
                    Order::Role { message, descriptors } => self.handle_message(message, descriptors),
                    _ => tracing::debug!("ending: the order comes too late"),
                }
            }
        }
    }
}
