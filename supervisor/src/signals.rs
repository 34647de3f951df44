//! Signals: what the operating system asks of the supervisor.

use std::io;

use actix::prelude::*;
use futures_util::stream;
use tokio::signal::unix::{self, SignalKind};

/// What a signal means.
#[derive(Message, Clone, Copy, Debug, PartialEq, Eq)]
#[rtype(result = "()")]
pub(crate) enum Signal {
    /// HUP: read the configuration again.
    Reload,
    /// USR1: open the log files again.
    ReopenLogs,
    /// USR2: replace the programs by those now installed.
    Upgrade,
    /// TERM: hand over, drain, end.
    Stop,
    /// INT: hand over, end.
    StopNow,
}

/// The actor that listens for them.
pub(crate) struct Signals {
    supervisor: Recipient<Signal>,
    sources: Vec<(unix::Signal, Signal)>,
}

impl Signals {
    /// Listens from now on. To be called inside the runtime.
    ///
    /// # Errors
    /// When the runtime cannot listen.
    pub(crate) fn new(supervisor: Recipient<Signal>) -> io::Result<Self> {
        let listen = |kind, meaning| Ok::<_, io::Error>((unix::signal(kind)?, meaning));
        let sources = vec![
            listen(SignalKind::hangup(), Signal::Reload)?,
            listen(SignalKind::user_defined1(), Signal::ReopenLogs)?,
            listen(SignalKind::user_defined2(), Signal::Upgrade)?,
            listen(SignalKind::terminate(), Signal::Stop)?,
            listen(SignalKind::interrupt(), Signal::StopNow)?,
        ];
        Ok(Self {
            supervisor,
            sources,
        })
    }
}

impl Actor for Signals {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        for (source, meaning) in std::mem::take(&mut self.sources) {
            ctx.add_stream(stream::unfold(source, move |mut source| async move {
                source.recv().await.map(|()| (meaning, source))
            }));
        }
    }
}

impl StreamHandler<Signal> for Signals {
    fn handle(&mut self, signal: Signal, _: &mut Context<Self>) {
        self.supervisor.do_send(signal);
    }
}
