//! The failover table of `evenkeel check`: who owns each address in each combination of failures.
//!
//! What happens is `core_vrrp::forecast`'s; here the configuration is turned into its contenders,
//! and its answer into text.

mod notes;
mod table;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::net::IpAddr;

use core_vrrp::forecast::{Contender, forecast};
use core_vrrp::{Failback, Priority, Track, TrackEffect};
use settings::{Settings, Source, TrackSubject, VirtualRouter};

use table::Table;

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
