//! What the page shows, as one JSON document: made anew from what was seen, four times a second.
//! Pure.

use std::time::Duration;

use ipc::lifecycle::Role;
use ipc::status::{NodeStatus, RouterState};
use platform::isolate::Ending;
use platform::process::Signal;
use serde::Serialize;

use crate::journal::Entry;
use crate::network::{BACKENDS, GATEWAYS, NODES};
use crate::ownership::Ownership;
use crate::processes::{Process, Title};
use crate::story;
use crate::tally::{BUCKET, BUCKETS, Outage, Summary};

/// Everything that was seen at one moment.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) now_unix_ms: u64,
    /// The same moment in the time of the client's counts.
    pub(crate) now: Duration,
    pub(crate) nodes: [NodeSeen<'a>; 2],
    pub(crate) ownerships: &'a [Ownership; 2],
    pub(crate) summaries: &'a [Summary; 2],
    pub(crate) listening: [bool; 2],
    pub(crate) events: Vec<Entry>,
}

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

/// The document.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    now_unix_ms: u64,
    headline: String,
    well: bool,
    nodes: Vec<NodeView>,
    addresses: Vec<AddressView>,
    backends: Vec<BackendView>,
    /// Recent requests per second between nodes and back ends, by name.
    paths: Vec<PathView>,
    chart: Chart,
    events: Vec<Entry>,
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

#[derive(Debug, Serialize)]
struct NodeView {
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

#[derive(Debug, Serialize)]
struct AddressView {
    name: &'static str,
    address: String,
    owners: Vec<&'static str>,
    /// Dead nodes whose kernel has not let go of it.
    holders: Vec<&'static str>,
    sentence: String,
    per_second: f64,
    served: u64,
    failed: u64,
    repeated: u64,
    median_ms: Option<f64>,
    slowest_percent_ms: Option<f64>,
    outage: Option<String>,
}

#[derive(Debug, Serialize)]
struct BackendView {
    name: &'static str,
    address: String,
    listening: bool,
    per_second: f64,
    /// What each node's checks say: node, up, reason.
    verdicts: Vec<(&'static str, bool, String)>,
}

#[derive(Debug, Serialize)]
struct PathView {
    node: String,
    backend: String,
    per_second: f64,
}

#[derive(Debug, Serialize)]
struct Chart {
    bucket_ms: u64,
    /// The end of the last bar.
    end_unix_ms: u64,
    /// By address: a number per bar, oldest first.
    served: Vec<Vec<u32>>,
    failed: Vec<Vec<u32>>,
}

impl View {
    /// Makes it.
    pub(crate) fn new(seen: Seen<'_>) -> Self {
        let nodes: Vec<NodeView> = (0..NODES.len())
            .map(|index| node_view(index, &seen))
            .collect();
        let addresses: Vec<AddressView> = (0..GATEWAYS.len())
            .map(|index| address_view(index, &seen))
            .collect();
        let (headline, well) = headline(seen.ownerships);
        Self {
            now_unix_ms: seen.now_unix_ms,
            headline,
            well,
            nodes,
            addresses,
            backends: (0..BACKENDS.len())
                .map(|index| backend_view(index, &seen))
                .collect(),
            paths: paths(seen.summaries),
            chart: chart(&seen),
            events: seen.events,
        }
    }

    /// The one line for the terminal.
    pub(crate) fn line(&self) -> String {
        let owners = self.addresses.iter().map(|view| {
            let owners = match view.owners.as_slice() {
                [] => "nobody".to_owned(),
                owners => owners.join(" and "),
            };
            format!("{} {owners}", view.address)
        });
        let owners: Vec<String> = owners.collect();
        let rate: f64 = self.addresses.iter().map(|view| view.per_second).sum();
        let failed: u64 = self.addresses.iter().map(|view| view.failed).sum();
        format!(
            "{} · {rate:.0} requests/s, {failed} failed",
            owners.join(" · ")
        )
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

fn headline(ownerships: &[Ownership; 2]) -> (String, bool) {
    let nobody = ownerships.iter().find(|one| one.owners.is_empty());
    let both = ownerships.iter().find(|one| one.owners.len() > 1);
    if let Some(one) = nobody {
        return (format!("Nobody owns {}.", one.address), false);
    }
    if let Some(one) = both {
        return (format!("Both nodes own {}.", one.address), false);
    }
    let owner = |one: &Ownership| one.owners.first().map_or("", |index| NODES[*index].name);
    let [first, second] = ownerships;
    let said = if owner(first) == owner(second) {
        format!("{} carries both addresses.", owner(first))
    } else {
        "Both nodes work, each carries one address.".to_owned()
    };
    (said, true)
}

fn node_view(index: usize, seen: &Seen<'_>) -> NodeView {
    let node = &seen.nodes[index];
    let name = NODES[index].name;
    let state = node.state();
    let owned: Vec<String> = seen
        .ownerships
        .iter()
        .filter(|one| one.owners.contains(&index))
        .map(|one| one.address.to_string())
        .collect();
    let routers = node.status.map(|status| status.routers.as_slice());
    NodeView {
        name,
        address: NODES[index].address.to_string(),
        state,
        sentence: node_sentence(state, node.ending, &owned),
        routers: routers
            .unwrap_or_default()
            .iter()
            .map(|router| RouterView {
                name: router.name.clone(),
                state: router.state,
                priority: router.priority,
                sentence: format!(
                    "for {}: {}",
                    story::duration(seen.now_unix_ms.saturating_sub(router.since_unix_ms)),
                    router.cause
                ),
            })
            .collect(),
        processes: process_views(node),
    }
}

fn node_sentence(state: NodeState, ending: Option<Ending>, owned: &[String]) -> String {
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

fn address_view(index: usize, seen: &Seen<'_>) -> AddressView {
    let gateway = GATEWAYS[index];
    let ownership = &seen.ownerships[index];
    let summary = &seen.summaries[index];
    let names = |nodes: &[usize]| -> Vec<&'static str> {
        nodes.iter().map(|node| NODES[*node].name).collect()
    };
    let (owners, holders) = (names(&ownership.owners), names(&ownership.holders));
    let cause = cause(index, seen);
    let for_ms = seen.now_unix_ms.saturating_sub(ownership.since_unix_ms);
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    AddressView {
        name: gateway.name,
        address: gateway.address.to_string(),
        sentence: story::of_ownership(gateway.address, &owners, &holders, for_ms, cause),
        owners,
        holders,
        per_second: summary.per_second,
        served: summary.served,
        failed: summary.failed,
        repeated: summary.repeated,
        median_ms: summary.median.map(milliseconds),
        slowest_percent_ms: summary.slowest_percent.map(milliseconds),
        outage: summary.outage.map(|outage| of_outage(outage, seen.now)),
    }
}

/// The owner's own word for why it owns the address.
fn cause<'a>(index: usize, seen: &Seen<'a>) -> Option<&'a str> {
    let [owner] = seen.ownerships[index].owners.as_slice() else {
        return None;
    };
    let routers = &seen.nodes[*owner].status?.routers;
    let router = routers.iter().find(|router| {
        router.name == GATEWAYS[index].name && router.state == RouterState::Master
    })?;
    Some(&router.cause)
}

fn of_outage(outage: Outage, now: Duration) -> String {
    let failed = match outage.failed {
        1 => "1 request".to_owned(),
        many => format!("{many} requests"),
    };
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match outage.ended {
        None => format!(
            "no answer for {}, {failed} failed",
            story::duration(ms(now.saturating_sub(outage.began)))
        ),
        Some(ended) => format!(
            "last interruption {} ago: {} ms, {failed} failed",
            story::duration(ms(now.saturating_sub(ended))),
            ms(ended.saturating_sub(outage.began)),
        ),
    }
}

fn backend_view(index: usize, seen: &Seen<'_>) -> BackendView {
    let machine = BACKENDS[index];
    let verdicts = seen.nodes.iter().zip(NODES).filter_map(|(node, named)| {
        let servers = &node.status?.servers;
        let server = servers
            .iter()
            .find(|server| server.address == machine.service())?;
        Some((named.name, server.up, server.reason.clone()))
    });
    BackendView {
        name: machine.name,
        address: machine.address.to_string(),
        listening: seen.listening[index],
        per_second: paths(seen.summaries)
            .iter()
            .filter(|path| path.backend == machine.name)
            // Not sum(): that of nothing is -0.
            .fold(0.0, |sum, path| sum + path.per_second),
        verdicts: verdicts.collect(),
    }
}

fn paths(summaries: &[Summary; 2]) -> Vec<PathView> {
    let mut all: Vec<PathView> = Vec::new();
    let counts = summaries.iter().flat_map(|summary| &summary.paths);
    for ((node, backend), count) in counts {
        // The counts are those of two seconds.
        let per_second = f64::from(*count) / 2.0;
        match all
            .iter_mut()
            .find(|path| path.node == *node && path.backend == *backend)
        {
            Some(path) => path.per_second += per_second,
            None => all.push(PathView {
                node: node.clone(),
                backend: backend.clone(),
                per_second,
            }),
        }
    }
    all
}

fn chart(seen: &Seen<'_>) -> Chart {
    let bucket_ms = u64::try_from(BUCKET.as_millis()).unwrap_or(u64::MAX);
    let into_bucket = u64::try_from(seen.now.as_millis()).unwrap_or(0) % bucket_ms;
    let bars = |of: fn(&crate::tally::Bucket) -> u32| {
        let padded = seen.summaries.iter().map(|summary| {
            let missing = BUCKETS.saturating_sub(summary.buckets.len());
            let known = summary.buckets.iter().map(of);
            std::iter::repeat_n(0, missing).chain(known).collect()
        });
        padded.collect()
    };
    Chart {
        bucket_ms,
        end_unix_ms: seen.now_unix_ms.saturating_sub(into_bucket),
        served: bars(|bucket| bucket.served),
        failed: bars(|bucket| bucket.failed),
    }
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

    fn view(owners: [Vec<usize>; 2]) -> View {
        let [first, second] = owners;
        let ownerships = [(0, first), (1, second)].map(|(index, owners)| Ownership {
            address: GATEWAYS[index].address,
            owners,
            holders: Vec::new(),
            since_unix_ms: 7_000,
        });
        let outage = Outage::over(Duration::from_millis(500), Duration::from_millis(840), 17);
        let summaries = [
            Summary {
                outage: Some(outage),
                failed: 17,
                per_second: 99.6,
                ..Summary::default()
            },
            Summary::default(),
        ];
        View::new(Seen {
            now_unix_ms: 10_000,
            now: Duration::from_millis(3_840),
            nodes: [node(&[], None), node(&[], None)],
            ownerships: &ownerships,
            summaries: &summaries,
            listening: [true, false],
            events: Vec::new(),
        })
    }

    #[test]
    fn the_headline_says_who_carries_what() {
        for (owners, said, well) in [
            (
                [vec![0], vec![1]],
                "Both nodes work, each carries one address.",
                true,
            ),
            ([vec![1], vec![1]], "proxy102 carries both addresses.", true),
            ([vec![], vec![1]], "Nobody owns 192.168.0.105.", false),
            (
                [vec![0], vec![0, 1]],
                "Both nodes own 192.168.0.106.",
                false,
            ),
        ] {
            let view = view(owners);
            assert_eq!((view.headline.as_str(), view.well), (said, well));
        }
    }

    #[test]
    fn an_interruption_is_told_in_numbers() {
        let view = view([vec![0], vec![1]]);
        assert_eq!(
            view.addresses[0].outage.as_deref(),
            Some("last interruption 3 s ago: 340 ms, 17 requests failed")
        );
        assert_eq!(
            view.addresses[0].sentence,
            "proxy101 has owned 192.168.0.105 for 3 s"
        );
        assert_eq!(
            view.line(),
            "192.168.0.105 proxy101 · 192.168.0.106 proxy102 · 100 requests/s, 17 failed"
        );
    }

    #[test]
    fn the_chart_is_a_minute_wide_from_the_start() {
        let chart = view([vec![0], vec![1]]).chart;
        assert_eq!(chart.end_unix_ms, 10_000 - 3_840 % 500);
        assert!(
            chart
                .served
                .iter()
                .chain(&chart.failed)
                .all(|bars| bars.len() == BUCKETS)
        );
    }
}
