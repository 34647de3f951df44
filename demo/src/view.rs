//! What the page shows, as one JSON document: made anew from what was seen, four times a second.
//! Pure.

pub(crate) mod node;

use std::time::Duration;

use ipc::status::RouterState;
use serde::Serialize;

use crate::journal::Entry;
use crate::network::{BACKENDS, GATEWAYS, NODES};
use crate::ownership::Ownership;
use crate::story;
use crate::tally::{BUCKET, BUCKETS, Outage, Summary};
use crate::view::node::{NodeSeen, NodeView};

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
        let owned_by = |node: usize| -> Vec<String> {
            let ownerships = seen.ownerships.iter();
            let owned = ownerships.filter(|one| one.owners.contains(&node));
            owned.map(|one| one.address.to_string()).collect()
        };
        let nodes: Vec<NodeView> = seen
            .nodes
            .iter()
            .enumerate()
            .map(|(index, node)| {
                NodeView::new(NODES[index], node, &owned_by(index), seen.now_unix_ms)
            })
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
                owners => owners.join("+"),
            };
            let (_, host) = view.address.rsplit_once('.').unwrap_or_default();
            format!(".{host} {owners}")
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

    fn nothing<'a>() -> NodeSeen<'a> {
        NodeSeen {
            processes: Vec::new(),
            supervisor: None,
            stopping: false,
            ending: None,
            status: None,
        }
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
            nodes: [nothing(), nothing()],
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
            ".105 proxy101 · .106 proxy102 · 100 requests/s, 17 failed"
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
