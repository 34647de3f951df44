//! The failover table of `evenkeel check`: who owns each address in each combination of failures.
//!
//! What happens is `core_vrrp::forecast`'s; here the configuration is turned into its contenders,
//! and its answer into text.

use std::fmt::Write as _;
use std::net::IpAddr;

use core_vrrp::forecast::{
    Befallen, Case, Contender, FAILURES_COMBINED_MAX, Failure, Forecast, Lint, Standing, Unmoved,
    forecast,
};
use core_vrrp::{Band, Failback, Priority, Track, TrackEffect};
use settings::{Settings, Source, TrackSubject, Transport, VirtualRouter};

/// The tables of all virtual routers with what is to be said about them; routers that differ only
/// in their addresses share one. What the warnings of `settings` say is not said again.
pub(super) fn tables(source: &Source, settings: &Settings) -> String {
    let views = Views::load(source, settings);
    let mut groups: Vec<(Vec<&VirtualRouter>, Vec<Contender>)> = Vec::new();
    for router in &settings.virtual_routers {
        let contenders = views.contenders(settings, router);
        match groups.iter_mut().find(|(_, known)| *known == contenders) {
            Some((routers, _)) => routers.push(router),
            None => groups.push((vec![router], contenders)),
        }
    }
    let mut text = String::new();
    for (routers, contenders) in &groups {
        let table = Table {
            settings,
            routers,
            forecast: forecast(contenders),
        };
        // Writing to a string cannot fail.
        let _ = table.write(&mut text);
    }
    for node in &views.unread {
        let _ = writeln!(
            text,
            "note: the configuration has errors on node {node}: it is taken to be as here; \
             see `evenkeel check --node {node}`\n"
        );
    }
    text
}

/// The configuration as each node sees it: overrides can give each its own tracks.
struct Views<'s> {
    /// In the order of `[nodes]`; `None`: as here.
    nodes: Vec<Option<Settings>>,
    unread: Vec<&'s str>,
}

impl<'s> Views<'s> {
    fn load(source: &Source, settings: &'s Settings) -> Self {
        let mut unread = Vec::new();
        let view = |node: &'s settings::Node| {
            if node.name == settings.node.name {
                return None;
            }
            let there = Source {
                node: node.name.clone(),
                ..source.clone()
            };
            let view = settings::load(&there).ok();
            if view.is_none() {
                unread.push(node.name.as_str());
            }
            view
        };
        let nodes = settings.nodes.iter().map(view).collect();
        Self { nodes, unread }
    }

    fn contenders(&self, settings: &Settings, here: &VirtualRouter) -> Vec<Contender> {
        let nodes = settings.nodes.iter().zip(&self.nodes);
        let contender = |(node, view): (&settings::Node, &Option<Settings>)| {
            let view = view.as_ref().unwrap_or(settings);
            let mut routers = view.virtual_routers.iter();
            let router = routers
                .find(|router| router.name == here.name)
                .unwrap_or(here);
            let mut priorities = router.priorities.iter();
            let (_, priority) = priorities.find(|(name, _)| *name == node.name)?;
            Some(Contender {
                // Which may not be that of ties over IPv6 multicast; that is not known here.
                address: (node.own(router.is_ipv6()))
                    .unwrap_or_else(|| IpAddr::from(*node.address.value())),
                priority: Priority::new(priority.get())?,
                failback: match router.failback {
                    settings::Failback::Auto(wait) => Failback::Auto(wait),
                    settings::Failback::After(wait) => Failback::After(wait),
                    settings::Failback::Manual => Failback::Manual,
                },
                track_proxy: members(view, router).any(|member| member.track_proxy),
                tracks: tracks(view, router),
                is_grouped: router.sync_group.is_some(),
            })
        };
        // Every node has a priority, and none is 0: settings sees to it.
        nodes.filter_map(contender).collect()
    }
}

/// The virtual routers whose state is that of this one: itself, and those of its sync group.
fn members<'s>(
    view: &'s Settings,
    router: &'s VirtualRouter,
) -> impl Iterator<Item = &'s VirtualRouter> {
    let is_other = |other: &&VirtualRouter| {
        router.sync_group.is_some()
            && other.sync_group == router.sync_group
            && other.name != router.name
    };
    let others = view.virtual_routers.iter().filter(is_other);
    std::iter::once(router).chain(others)
}

/// What can fail. What its own file will say nobody knows.
fn tracks(view: &Settings, router: &VirtualRouter) -> Vec<Track> {
    let mut tracks: Vec<Track> = Vec::new();
    for track in members(view, router).flat_map(|member| &member.tracks) {
        let track = Track {
            name: track_name(&track.subject),
            effect: match *track.effect.value() {
                settings::TrackEffect::Weight(weight) if weight != 0 && is_file(track) => continue,
                settings::TrackEffect::Weight(weight) => TrackEffect::Weight(weight),
                settings::TrackEffect::Degraded => TrackEffect::Degraded,
                settings::TrackEffect::Unhealthy => TrackEffect::Unhealthy,
            },
        };
        if !tracks.contains(&track) {
            tracks.push(track);
        }
    }
    tracks.sort_by(|one, other| one.name.cmp(&other.name));
    tracks
}

const fn is_file(track: &settings::Track) -> bool {
    matches!(track.subject, TrackSubject::File(_))
}

fn track_name(subject: &TrackSubject) -> String {
    match subject {
        TrackSubject::Script(name) => format!("script {name}"),
        TrackSubject::Interface(name) => format!("interface {}", name.value()),
        TrackSubject::File(name) => format!("file {name}"),
        TrackSubject::Process(name) => format!("process {name}"),
    }
}

/// One table.
struct Table<'t> {
    settings: &'t Settings,
    /// At least one.
    routers: &'t [&'t VirtualRouter],
    forecast: Forecast,
}

impl Table<'_> {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        let names: Vec<&str> = self.routers.iter().map(|it| it.name.as_str()).collect();
        let mut groups: Vec<&str> = (self.routers.iter())
            .filter_map(|router| router.sync_group.as_ref())
            .map(|group| group.value().as_str())
            .collect();
        groups.dedup();
        let groups = match groups.as_slice() {
            [] => String::new(),
            groups => format!(" (sync group {})", groups.join(", ")),
        };
        writeln!(
            out,
            "Who owns the addresses of {}{groups}",
            names.join(", ")
        )?;
        let rows: Vec<[String; 3]> = self.forecast.cases.iter().map(|it| self.row(it)).collect();
        let header = ["what fails", "owner", "priorities"].map(str::to_owned);
        let width = |column: usize| {
            let cells = rows
                .iter()
                .chain([&header])
                .filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let (first, second) = (width(0), width(1));
        for [failures, owner, why] in [&header].into_iter().chain(&rows) {
            let line = format!("  {failures:first$}  {owner:second$}  {why}");
            writeln!(out, "{}", line.trim_end())?;
        }
        if !self.forecast.is_complete {
            writeln!(
                out,
                "  (more than {FAILURES_COMBINED_MAX} things can fail: only one and two at a time \
                 are shown)"
            )?;
        }
        for note in self.notes() {
            writeln!(out, "  note: {note}")?;
        }
        writeln!(out)
    }

    fn node(&self, node: usize) -> &str {
        let named = self.settings.nodes.get(node);
        named.map_or("", |node| node.name.as_str())
    }

    fn row(&self, case: &Case) -> [String; 3] {
        let owner = |owner: &Option<usize>| owner.map_or("nobody", |node| self.node(node));
        let owners: Vec<&str> = case.owners.iter().map(owner).collect();
        [
            self.failures(&case.failures),
            owners.join(" or "),
            why(case),
        ]
    }

    /// `proxy101: script chk_gateway, proxy; proxy102: down`. Failures come node by node.
    fn failures(&self, failures: &[Befallen]) -> String {
        let mut text = String::new();
        let mut node_before = None;
        for befallen in failures {
            if node_before == Some(befallen.node) {
                text.push_str(", ");
            } else {
                if node_before.is_some() {
                    text.push_str("; ");
                }
                text.push_str(self.node(befallen.node));
                text.push_str(": ");
            }
            text.push_str(match &befallen.failure {
                Failure::Track(name) => name,
                Failure::Proxy => "proxy",
                Failure::Down => "down",
            });
            node_before = Some(befallen.node);
        }
        if text.is_empty() {
            text.push_str("nothing");
        }
        text
    }

    fn notes(&self) -> Vec<String> {
        let lints = self.forecast.lints.iter();
        let mut notes: Vec<String> = lints.filter_map(|lint| self.note(lint)).collect();
        let strangers = self.strangers();
        if !strangers.is_empty() {
            let strangers: Vec<String> = strangers.iter().map(IpAddr::to_string).collect();
            notes.push(format!(
                "{} may own them too: peers that are not in [nodes], of unknown priority",
                strangers.join(", ")
            ));
        }
        notes
    }

    /// Unicast peers of which only the address is known.
    fn strangers(&self) -> Vec<IpAddr> {
        let mut strangers = Vec::new();
        for router in self.routers {
            let Transport::Unicast { peers, .. } = &router.transport else {
                continue;
            };
            for peer in peers.iter().map(|peer| *peer.value()) {
                let mut nodes = self.settings.nodes.iter();
                if nodes.all(|node| node.own(peer.is_ipv6()) != Some(peer))
                    && !strangers.contains(&peer)
                {
                    strangers.push(peer);
                }
            }
        }
        strangers
    }

    fn note(&self, lint: &Lint) -> Option<String> {
        Some(match lint {
            Lint::Unmoved { node, track, why } => {
                if self.is_said(track) {
                    return None;
                }
                self.unmoved(*node, track, *why)
            }
            Lint::Clamped {
                nodes: [one, other],
                sums: [sum, other_sum],
                priority,
            } => format!(
                "{} would have {sum} and {} {other_sum}; both have {priority}, because a priority \
                 is 1 to 254: lower the priorities, so that the weights have room",
                self.node(*one),
                self.node(*other),
            ),
            Lint::Equal {
                nodes: [high, low],
                priority,
            } => format!(
                "{} and {} have the same priority, {priority}: when both begin at once, the higher \
                 address ({}) owns; afterwards it stays where it is",
                self.node(*high),
                self.node(*low),
                self.node(*high),
            ),
            Lint::NeverMoves => {
                "no failed check moves the addresses, only the end of their owner".to_owned()
            }
            Lint::Orphans => {
                "every node tracks something with weight 0: when it fails everywhere, \
                              nobody owns the addresses; with a weight or band, the best node would"
                    .to_owned()
            }
            Lint::NoReturn { node } => format!(
                "without failback {} does not take the addresses back when it is well again",
                self.node(*node)
            ),
        })
    }

    fn unmoved(&self, node: usize, track: &str, why: Unmoved) -> String {
        let node = self.node(node);
        match why {
            Unmoved::AddressOwner => {
                format!("{track} moves nothing: {node} has priority 255, which no weight changes")
            }
            Unmoved::Gap {
                left,
                rival,
                rival_priority,
            } => format!(
                "{track} moves nothing: {node} has {left} without it, and {} {rival_priority}; \
                 the weight must be above the gap",
                self.node(rival)
            ),
            Unmoved::NoPreempt { rival } => format!(
                "{track} moves nothing: {} does not preempt; a band would move them, and weight 0",
                self.node(rival)
            ),
        }
    }

    /// Whether a warning stands at the weight of this track already.
    fn is_said(&self, name: &str) -> bool {
        let tracks = self.routers.iter().flat_map(|router| &router.tracks);
        let mut weights = tracks
            .filter(|track| track_name(&track.subject) == name)
            .map(|track| track.effect.position());
        let warnings = &self.settings.warnings;
        weights.any(|position| warnings.iter().any(|warning| warning.position == *position))
    }
}

/// Why it ends so: `201 > 200`, the owner first.
fn why(case: &Case) -> String {
    let [owner] = case.owners.as_slice() else {
        return "whoever owned before the last failure".to_owned();
    };
    let Some(owner) = *owner else {
        return "all down or FAULT".to_owned();
    };
    let Some(&Standing::Able { priority, band }) = case.standings.get(owner) else {
        return String::new();
    };
    let others = case.standings.iter().enumerate();
    let mut others: Vec<Priority> = others
        .filter_map(|(node, standing)| match standing {
            Standing::Able { priority, .. } if node != owner => Some(*priority),
            _ => None,
        })
        .collect();
    others.sort_by(|one, other| other.cmp(one));
    let mut text = priority.to_string();
    let mut left = priority;
    for other in &others {
        let sign = match left.cmp(other) {
            std::cmp::Ordering::Greater => '>',
            std::cmp::Ordering::Equal => '=',
            std::cmp::Ordering::Less => '<',
        };
        let _ = write!(text, " {sign} {other}");
        left = *other;
    }
    if others.is_empty() {
        text.push_str(", alone");
    } else if band != Band::Healthy && others.first() == Some(&priority) {
        text.push_str(", best stays");
    } else if others.first().is_some_and(|other| *other > priority) {
        text.push_str(", no preemption");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn tables_of(configuration: &str, node: &str) -> String {
        let folder = std::env::temp_dir().join(format!(
            "evenkeel-failover-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("evenkeel.toml");
        std::fs::write(&file, configuration).expect("a file");
        let tables = tables_at(&file, node);
        std::fs::remove_dir_all(&folder).expect("it was there");
        tables
    }

    fn tables_at(file: &Path, node: &str) -> String {
        let source = Source {
            file: file.to_owned(),
            node: node.to_owned(),
            environment: Vec::new(),
        };
        let settings = settings::load(&source).expect("it can be used");
        tables(&source, &settings)
    }

    const ARTICLE: &str = "\
Who owns the addresses of YN_API_GATEWAY
  what fails                                                  owner                 priorities
  nothing                                                     proxy101              202 > 201
  proxy101: script chk_gateway                                proxy102              201 > 200
  proxy101: proxy                                             proxy102              201 > 1
  proxy101: down                                              proxy102              201, alone
  proxy102: script chk_gateway                                proxy101              202 > 199
  proxy102: proxy                                             proxy101              202 > 1
  proxy102: down                                              proxy101              202, alone
  proxy101: script chk_gateway; proxy102: script chk_gateway  proxy101              200 > 199
  proxy101: script chk_gateway; proxy102: proxy               proxy101              200 > 1
  proxy101: script chk_gateway; proxy102: down                proxy101              200, alone
  proxy101: proxy; proxy102: script chk_gateway               proxy102              199 > 1
  proxy101: proxy; proxy102: proxy                            proxy101 or proxy102  whoever owned before the last failure
  proxy101: proxy; proxy102: down                             proxy101              1, alone
  proxy101: down; proxy102: script chk_gateway                proxy102              199, alone
  proxy101: down; proxy102: proxy                             proxy102              1, alone
  proxy101: down; proxy102: down                              nobody                all down or FAULT

";

    #[test]
    fn the_sample_is_a_table_of_a_screen() {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../etc/evenkeel.toml");
        for node in ["proxy101", "proxy102"] {
            let seen = tables_at(&sample, node);
            assert_eq!(seen, ARTICLE);
        }
    }

    const PAIR: &str = r#"
[nodes.a]
address = "192.168.0.1"
[nodes.b]
address = "192.168.0.2"
[virtual_routers.one]
interface = "em1"
vrid = 1
priority = { a = 200, b = 190 }
addresses = ["192.168.0.5"]
track_scripts = ["chk"]
[virtual_routers.two]
interface = "em1"
vrid = 2
priority = { a = 200, b = 190 }
addresses = ["192.168.0.6"]
track_scripts = ["chk"]
[scripts.chk]
command = ["/bin/true"]
weight = 20
"#;

    #[test]
    fn routers_that_behave_alike_share_a_table() {
        let seen = tables_of(PAIR, "a");
        assert_eq!(seen.matches("Who owns").count(), 1, "{seen}");
        assert!(
            seen.starts_with("Who owns the addresses of one, two\n"),
            "{seen}"
        );
    }

    #[test]
    fn what_settings_has_warned_of_is_not_said_again() {
        let short = PAIR.replace("weight = 20", "weight = 2");
        let seen = tables_of(&short, "a");
        assert!(!seen.contains("moves nothing"), "{seen}");
        assert!(seen.contains("  a: script chk  "), "{seen}");
        assert!(seen.contains("200 > 192"), "{seen}");
    }

    #[test]
    fn an_override_of_the_other_node_counts() {
        let with_override = PAIR.replace(
            "[virtual_routers.one]",
            "[nodes.b.override.scripts.chk]\nweight = 5\n[virtual_routers.one]",
        );
        for node in ["a", "b"] {
            let seen = tables_of(&with_override, node);
            assert!(seen.contains("220 > 195"), "{seen}");
        }
    }

    #[test]
    fn what_one_of_a_sync_group_tracks_moves_all_of_it() {
        let grouped = PAIR
            .replace("track_scripts = [\"chk\"]", "sync_group = \"edge\"")
            .replacen(
                "sync_group",
                "track_scripts = [{ name = \"chk\", band = \"degraded\" }]\nsync_group",
                1,
            );
        let seen = tables_of(&grouped, "a");
        assert!(
            seen.starts_with("Who owns the addresses of one, two (sync group edge)\n"),
            "{seen}"
        );
        for line in ["190 > 2\n", "a: script chk; b: script chk", "2 > 1\n"] {
            assert!(seen.contains(line), "{line}: {seen}");
        }
    }

    #[test]
    fn peers_that_are_no_nodes_are_named() {
        let strange = PAIR.replacen("vrid = 1\n", "vrid = 1\npeers = [\"192.168.0.9\"]\n", 1);
        let seen = tables_of(&strange, "a");
        assert!(
            seen.contains("note: 192.168.0.9 may own them too"),
            "{seen}"
        );
    }
}
