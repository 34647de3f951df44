//! What can be done to a machine, from the page and from the terminal alike.

use std::fmt;

use serde::Deserialize;
use tokio::sync::oneshot;

/// A wish.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// The machine's name: a node or a back end.
    pub(crate) node: String,
    pub(crate) action: Action,
}

/// What is done. Back ends know only [`Action::Stop`] and [`Action::Start`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// SIGKILL to one proxy worker.
    KillWorker,
    /// SIGKILL to all proxy workers at once.
    KillWorkers,
    /// SIGSTOP to all proxy workers.
    FreezeWorkers,
    /// SIGKILL to every process of the node, as if its power was cut.
    Kill,
    /// SIGSTOP to every process of the node.
    Freeze,
    /// SIGCONT to every process of the node.
    Thaw,
    /// SIGTERM to the node, as a service is stopped.
    Stop,
    /// The node is started again.
    Start,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KillWorker => "kill a worker",
            Self::KillWorkers => "kill all workers",
            Self::FreezeWorkers => "freeze the workers",
            Self::Kill => "kill the node",
            Self::Freeze => "freeze the node",
            Self::Thaw => "thaw",
            Self::Stop => "stop",
            Self::Start => "start",
        })
    }
}

/// A wish on its way to the stage, with the place for the answer: a sentence on what was done, or
/// why nothing was.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) wish: Wish,
    pub(crate) answer: oneshot::Sender<Result<String, String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_strictly() {
        let wish = r#"{"node": "proxy101", "action": "kill_worker"}"#;
        assert_eq!(
            serde_json::from_str::<Wish>(wish).unwrap(),
            Wish {
                node: "proxy101".into(),
                action: Action::KillWorker
            }
        );
        for wrong in [
            r#"{"node": "proxy101"}"#,
            r#"{"node": "proxy101", "action": "reboot"}"#,
            r#"{"node": "proxy101", "action": "kill", "signal": 9}"#,
        ] {
            assert!(serde_json::from_str::<Wish>(wrong).is_err(), "{wrong}");
        }
    }
}
