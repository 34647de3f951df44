//! The life of one process as a stream.

use std::io;
use std::process::ExitStatus;
use std::rc::Rc;

use futures_util::stream::{self, Stream};
use ipc::lifecycle::FromChild;
use link::LinkError;

use super::{Reporting, SupervisorLink};

/// The life of one process: its messages, then its end.
#[derive(Debug)]
pub(super) enum Life<M> {
    /// It said something.
    Said(FromChild<M>),
    /// It said something that is no message.
    Babbled(LinkError),
    /// It ended, and everything that it had said was read.
    Ended(io::Result<ExitStatus>),
}

/// Everything that a process says, then its end.
pub(super) fn life<C: Reporting>(
    link: Rc<SupervisorLink<C>>,
    process: tokio::process::Child,
) -> impl Stream<Item = Life<C::From>> + 'static {
    enum Stage<C: Reporting> {
        Talking(Rc<SupervisorLink<C>>, tokio::process::Child),
        Ending(tokio::process::Child),
    }
    stream::unfold(
        Some(Stage::<C>::Talking(link, process)),
        |stage| async move {
            let (link, mut process) = match stage? {
                Stage::Talking(link, process) => (Some(link), process),
                Stage::Ending(process) => (None, process),
            };
            if let Some(link) = link {
                match link.receive().await {
                    Ok(received) => {
                        let said = Life::Said(received.message);
                        return Some((said, Some(Stage::Talking(link, process))));
                    }
                    Err(LinkError::Closed) => {}
                    Err(error) => {
                        return Some((Life::Babbled(error), Some(Stage::Ending(process))));
                    }
                }
            }
            Some((Life::Ended(process.wait().await), None))
        },
    )
}

/// How it ended, for people.
pub(super) fn describe(status: io::Result<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status {
        Err(error) => format!("cannot be waited for: {error}"),
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "for an unknown reason".into(),
        },
    }
}
