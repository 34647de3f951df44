//! What the page shows of a node: how it is, and its processes. Pure.

use ipc::lifecycle::Role;
use ipc::status::{NodeStatus, RouterState, RouterStatus};
use platform::isolate::Ending;
use platform::process::Signal;
use serde::Serialize;

use crate::network::Machine;
use crate::processes::{Process, Title};
use crate::story;

/// What was seen of a node.
#[derive(Debug)]
pub(crate) struct NodeSeen<'a> {
    pub(crate) processes: Vec<&'a Process>,
    pub(crate) supervisor: Option<u32>,
    pub(crate) stopping: bool,
    pub(crate) ending: Option<Ending>,
    /// What it said last, while it can still be believed.
    pub(crate) status: Option<&'a NodeStatus>,
}

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NodeState {
    /// It has processes, which do not answer yet.
    Starting,
    Running,
    /// It was told to stop and hands over.
    Stopping,
    /// Every process is stopped by a signal.
    Frozen,
    /// No process: its end was asked for, or at least in good order.
    Stopped,
    /// No process: it was killed.
    Killed,
}

/// What the page shows of a node.
#[derive(Debug, Serialize)]
pub(crate) struct NodeView {
    name: &'static str,
    address: String,
    state: NodeState,
    sentence: String,
    routers: Vec<RouterView>,
    processes: Vec<ProcessView>,
}

#[derive(Debug, Serialize)]
struct RouterView {
    name: String,
    state: RouterState,
    priority: u8,
    sentence: String,
}

#[derive(Debug, Serialize)]
struct ProcessView {
    name: String,
    pid: u32,
    frozen: bool,
    restarts: Option<u64>,
}

impl NodeView {
    /// Makes it; `owned` are the addresses that the node owns.
    pub(crate) fn new(
        machine: Machine,
        node: &NodeSeen<'_>,
        owned: &[String],
        now_unix_ms: u64,
    ) -> Self {
        let state = node.state();
        let routers = node.status.map(|status| status.routers.as_slice());
        let routers = routers.unwrap_or_default().iter();
        Self {
            name: machine.name,
            address: machine.address.to_string(),
            state,
            sentence: sentence(state, node.ending, owned),
            routers: routers
                .map(|router| RouterView::new(router, now_unix_ms))
                .collect(),
            processes: process_views(node),
        }
    }
}

impl RouterView {
    fn new(router: &RouterStatus, now_unix_ms: u64) -> Self {
        let for_ms = now_unix_ms.saturating_sub(router.since_unix_ms);
        Self {
            name: router.name.clone(),
            state: router.state,
            priority: router.priority,
            sentence: format!("for {}: {}", story::duration(for_ms), router.cause),
        }
    }
}

impl NodeSeen<'_> {
    /// How it is.
    pub(crate) fn state(&self) -> NodeState {
        let killed = Some(Ending::Signal(Signal::SIGKILL));
        if self.processes.is_empty() {
            return if self.ending == killed {
                NodeState::Killed
            } else {
                NodeState::Stopped
            };
        }
        if self.processes.iter().all(|process| process.frozen) {
            NodeState::Frozen
        } else if self.stopping {
            NodeState::Stopping
        } else if self.status.is_some() {
            NodeState::Running
        } else {
            NodeState::Starting
        }
    }
}

fn sentence(state: NodeState, ending: Option<Ending>, owned: &[String]) -> String {
    let owns = match owned {
        [] => "stands by".to_owned(),
        owned => format!("carries {}", owned.join(" and ")),
    };
    match state {
        NodeState::Running => owns,
        NodeState::Starting => "is starting, or does not answer".to_owned(),
        NodeState::Stopping => format!("is stopping, {owns}"),
        NodeState::Frozen if owned.is_empty() => "is frozen".to_owned(),
        NodeState::Frozen => format!("is frozen, still {owns}"),
        NodeState::Killed => "was killed".to_owned(),
        NodeState::Stopped => match ending {
            Some(Ending::Exit(0)) => "has stopped in good order".to_owned(),
            Some(ending) => format!("ended by {ending}"),
            None => "is not running".to_owned(),
        },
    }
}

fn process_views(node: &NodeSeen<'_>) -> Vec<ProcessView> {
    let restarts = |role: &str, slot: u16| {
        let processes = &node.status?.processes;
        let named = |known: Role| known.name() == role;
        let found = processes
            .iter()
            .find(|process| named(process.role) && process.slot == slot)?;
        Some(found.restarts)
    };
    let mut processes = node.processes.clone();
    let is_supervisor = |process: &Process| node.supervisor == Some(process.pid);
    processes.sort_by_key(|process| (!is_supervisor(process), process.title.clone(), process.pid));
    let views = processes.iter().map(|process| {
        let (name, restarts) = match &process.title {
            Title::Child { role, slot } if role == Role::Proxy.name() => {
                (format!("{role} {slot}"), restarts(role, *slot))
            }
            Title::Child { role, slot } => (role.clone(), restarts(role, *slot)),
            Title::Other(_) if is_supervisor(process) => ("supervisor".to_owned(), None),
            Title::Other(title) => (title.clone(), None),
        };
        ProcessView {
            name,
            pid: process.pid,
            frozen: process.frozen,
            restarts,
        }
    });
    views.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, role: Option<&str>, frozen: bool) -> Process {
        Process {
            pid,
            place: 1,
            frozen,
            title: match role {
                Some(role) => Title::Child {
                    role: role.into(),
                    slot: 0,
                },
                None => Title::Other("/usr/sbin/evenkeel".into()),
            },
        }
    }

    fn node<'a>(processes: &'a [Process], ending: Option<Ending>) -> NodeSeen<'a> {
        NodeSeen {
            processes: processes.iter().collect(),
            supervisor: Some(7),
            stopping: false,
            ending,
            status: None,
        }
    }

    #[test]
    fn a_node_is_what_its_processes_are() {
        let (runs, frozen) = (process(7, None, false), process(8, Some("proxy"), true));
        let killed = Some(Ending::Signal(Signal::SIGKILL));
        for (case, processes, ending, expected) in [
            ("none left, killed", vec![], killed, NodeState::Killed),
            (
                "none left, stopped",
                vec![],
                Some(Ending::Exit(0)),
                NodeState::Stopped,
            ),
            (
                "one is frozen",
                vec![runs, frozen.clone()],
                None,
                NodeState::Starting,
            ),
            ("all are frozen", vec![frozen], None, NodeState::Frozen),
        ] {
            assert_eq!(node(&processes, ending).state(), expected, "{case}");
        }
    }

    #[test]
    fn the_supervisor_is_listed_first() {
        let processes = [process(8, Some("admin"), false), process(7, None, false)];
        let views = process_views(&node(&processes, None));
        let names: Vec<&str> = views.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(names, ["supervisor", "admin"]);
    }
}
