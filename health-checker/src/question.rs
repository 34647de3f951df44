//! What is asked again and again by this process itself: a server, a file, the list of processes.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ipc::check::{FileCheck, ListenerCheck, ProcessCheck, UpstreamCheck};
use ipc::vrrp::TrackVerdict;
use tokio::task::{JoinError, spawn_blocking};

use crate::configuration::Subject;
use crate::file;
use crate::outcome::Outcome;
use crate::probe::{probe, probe_own};

/// How long a file or the list of processes may take, however long the interval: both are there or
/// something is wrong with the machine.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// How long our own proxy may take to answer a question that needs nothing from anybody.
const LISTENER_WITHIN: Duration = Duration::from_secs(1);

/// How a server is asked.
#[derive(Clone, Debug)]
pub(crate) struct ToServer {
    pub(crate) address: SocketAddr,
    /// As all servers of its upstream.
    pub(crate) check: Arc<UpstreamCheck>,
    pub(crate) tls: Option<Arc<tls::Client>>,
}

/// One question.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// To a server.
    Server(ToServer),
    /// To our own proxy, at one of its addresses.
    Listener(ListenerCheck, Option<Arc<tls::Client>>),
    /// To a file.
    File(FileCheck, Look),
    /// To the list of processes.
    Process(ProcessCheck, Look),
}

impl Question {
    /// Whether the answer to one is the answer to the other.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Server(one), Self::Server(other)) => {
                let how =
                    |it: &ToServer| (it.check.protocol, it.check.send_proxy, it.check.timeout);
                how(one) == how(other)
                    && one.check.probe == other.check.probe
                    && one.tls == other.tls
            }
            (Self::Listener(one, _), Self::Listener(other, _)) => one == other,
            (Self::File(one, _), Self::File(other, _)) => {
                one.path == other.path && one.absent == other.absent
            }
            (Self::Process(one, _), Self::Process(other, _)) => {
                let asked = |it: &ProcessCheck| (it.process.clone(), it.params.clone(), it.quorum);
                asked(one) == asked(other)
            }
            _ => false,
        }
    }

    /// How it is known over reloads.
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Self::Server(it) => Subject::Server(it.check.name.clone(), it.address),
            Self::Listener(listener, _) => Subject::Listener(listener.address),
            Self::File(file, _) => Subject::file(file),
            Self::Process(process, _) => Subject::process(process),
        }
    }

    /// Asks it once. `None`: there is nobody to ask at present.
    pub(crate) async fn ask(&self) -> Option<Outcome> {
        Some(match self {
            Self::Server(it) => {
                Outcome::from(probe(it.address, &it.check, it.tls.as_deref()).await)
            }
            Self::Listener(listener, tls) => {
                let asked = probe_own(listener, tls.as_deref(), LISTENER_WITHIN).await;
                Outcome::from(asked.transpose()?)
            }
            Self::File(file, look) => {
                let (path, absent) = (file.path.clone(), file.absent);
                look.take(move || Outcome::from(file::read(&path, absent)))
                    .await
            }
            Self::Process(process, look) => {
                let ProcessCheck {
                    process,
                    params,
                    quorum,
                    ..
                } = process.clone();
                let count = move || platform::processes::count(&process, &params);
                look.take(move || Outcome::of_processes(count(), quorum))
                    .await
            }
        })
    }
}

/// A look that may block, as a file system may that is far away: on a thread, one at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look(Arc<()>);

impl Look {
    /// Looks, unless the last look has not come to its end yet.
    fn take<L>(&self, look: L) -> impl Future<Output = Outcome> + use<L>
    where
        L: FnOnce() -> Outcome + Send + 'static,
    {
        let stuck = || Outcome {
            verdict: TrackVerdict::Unrunnable,
            reason: format!("no answer within {LOOK_MAX:?}"),
        };
        // Whoever looks holds a copy.
        let is_taken = Arc::strong_count(&self.0) > 1;
        let mark = Arc::clone(&self.0);
        async move {
            if is_taken {
                return stuck();
            }
            let task = spawn_blocking(move || {
                let outcome = look();
                drop(mark);
                outcome
            });
            match tokio::time::timeout(LOOK_MAX, task).await {
                Ok(outcome) => outcome.unwrap_or_else(|error: JoinError| Outcome {
                    verdict: TrackVerdict::Unrunnable,
                    reason: error.to_string(),
                }),
                Err(_) => stuck(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn well() -> Outcome {
        Outcome {
            verdict: TrackVerdict::Up,
            reason: "seen".into(),
        }
    }

    #[actix_rt::test]
    async fn a_look_that_does_not_end_is_not_begun_again() {
        let look = Look::default();
        assert_eq!(look.take(well).await, well());
        let (go_on, wait) = mpsc::channel::<()>();
        let (done, is_done) = mpsc::channel();
        let first = tokio::spawn(look.take(move || {
            let _ = wait.recv();
            done.send(()).unwrap();
            well()
        }));
        let second = look.take(|| panic!("begun beside another"));
        assert_eq!(second.await.verdict, TrackVerdict::Unrunnable);
        drop(go_on);
        assert_eq!(first.await.unwrap(), well());
        is_done.recv().unwrap();
        while Arc::strong_count(&look.0) > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(look.take(well).await, well());
    }
}
