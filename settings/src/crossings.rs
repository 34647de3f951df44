//! What is wrong between parts that are right each for itself: duplicates, and what has no effect.

mod groups;
mod tcp;

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;
use std::net::IpAddr;

use crate::item::Context;
use crate::report::Position;
use crate::router::{Failback, Track, TrackSubject, Transport};
use crate::{Route, RouteAction, Settings, VirtualRouter};

/// Reports what contradicts itself.
pub(crate) fn check(context: &Context<'_>, settings: &Settings) {
    check_nodes(context, settings);
    check_routers(context, settings);
    groups::check(context, settings);
    check_listeners(context, settings);
    check_routes(context, settings);
    tcp::check(context, settings);
    check_servers(context, settings);
}

/// Reports what can be used but has no effect; for settings without errors, because what a broken
/// part would have used is not known.
pub(crate) fn warn(context: &Context<'_>, settings: &Settings) {
    warn_unused(context, settings);
    groups::warn(context, settings);
    for router in &settings.virtual_routers {
        warn_of_bands(context, router);
        for track in &router.tracks {
            if let Some(weight) = track.effect.weight().filter(|weight| *weight != 0) {
                warn_weight(context, router, track, weight);
            }
        }
    }
}

/// Servers of all upstreams: as many as can be counted for, before and after a reload.
const SERVERS_MAX: usize = 4_096;

/// Notes where each thing was first, and reports the second of a kind.
struct Unique<'c, T> {
    context: &'c Context<'c>,
    first: HashMap<T, Position>,
}

impl<'c, T: Eq + Hash> Unique<'c, T> {
    fn new(context: &'c Context<'c>) -> Self {
        Self {
            context,
            first: HashMap::new(),
        }
    }

    fn put(&mut self, thing: T, position: &Position, what: impl Display) {
        match self.first.get(&thing) {
            Some(first) => {
                let advice = format!("the first is at line {} of {}", first.line(), first.file());
                self.context
                    .error(position, format!("{what} is there twice"), advice);
            }
            None => {
                self.first.insert(thing, position.clone());
            }
        }
    }
}

fn check_nodes(context: &Context<'_>, settings: &Settings) {
    let mut addresses = Unique::new(context);
    for node in &settings.nodes {
        for address in [node.own_at(false), node.own_at(true)].iter().flatten() {
            let what = format!("the address {}", **address);
            addresses.put(**address, address.position(), what);
        }
    }
}

fn check_routers(context: &Context<'_>, settings: &Settings) {
    let routers = settings.virtual_routers.iter();
    // The owner of addresses (255) has them as its own: its peers send to them.
    let owned = (routers.filter(|it| it.priorities.iter().all(|(_, p)| p.get() != u8::MAX)))
        .flat_map(|it| it.addresses.iter().chain(&it.excluded_addresses))
        .map(|it| it.address)
        // Of those that nodes have it is said elsewhere.
        .filter(|it| !(settings.nodes.iter()).any(|node| node.own(it.is_ipv6()) == Some(*it)))
        .collect();
    let mut vrids = Unique::new(context);
    let mut addresses = Unique::new(context);
    for router in &settings.virtual_routers {
        check_peers(context, router, &owned);
        let (vrid, interface) = (*router.vrid, router.interface.as_str());
        let what = format!("vrid {vrid} on interface {interface:?}");
        // Each family has identifiers of its own (RFC 9568 §5.2.3).
        let identity = (interface, vrid, router.is_ipv6());
        vrids.put(identity, router.vrid.position(), what);
        for address in router.addresses.iter().chain(&router.excluded_addresses) {
            let what = format!("the virtual address {}", address.address);
            addresses.put(address.address, address.position(), what);
            if let Some(node) = settings
                .nodes
                .iter()
                .find(|node| node.own(address.address.is_ipv6()) == Some(address.address))
                && router.priority.get() != u8::MAX
            {
                let message = format!("{} is the address of node {:?}", address.address, node.name);
                context.error(
                    address.position(),
                    message,
                    "a virtual address belongs to no node",
                );
            }
        }
    }
}

fn check_peers(context: &Context<'_>, router: &VirtualRouter, owned: &HashSet<IpAddr>) {
    let Transport::Unicast { peers, .. } = &router.transport else {
        return;
    };
    let mut unique = Unique::new(context);
    for peer in peers {
        unique.put(**peer, peer.position(), format_args!("the peer {}", **peer));
        if owned.contains(&**peer) {
            context.error(
                peer.position(),
                format!("the peer {} is a virtual address", **peer),
                "give the address that the other node has whoever owns the virtual ones",
            );
        }
    }
}

fn check_listeners(context: &Context<'_>, settings: &Settings) {
    let mut binds = Unique::new(context);
    let listeners = settings
        .listeners
        .iter()
        .flat_map(|listener| &listener.bind);
    for bind in listeners.chain(&settings.admin.bind) {
        binds.put(
            *bind.value(),
            bind.position(),
            format_args!("the address {}", **bind),
        );
    }
}

fn check_routes(context: &Context<'_>, settings: &Settings) {
    let mut routes = Unique::new(context);
    for route in &settings.routes {
        let path = &route.path;
        for listener in &route.listeners {
            if route.hosts.is_empty() {
                let what = format!("the path {:?} of listener {listener:?}", **path);
                routes.put((listener, None, path.value()), path.position(), what);
            }
            for host in &route.hosts {
                let name = Some(host.value());
                let what = format!(
                    "the path {:?} of host {:?} of listener {listener:?}",
                    **path, **host
                );
                routes.put((listener, name, path.value()), host.position(), what);
            }
        }
    }
}

fn check_servers(context: &Context<'_>, settings: &Settings) {
    let count: usize = (settings.upstreams.iter())
        .map(|upstream| upstream.servers.len())
        .sum();
    for upstream in &settings.upstreams {
        if let [first, ..] = upstream.servers.as_slice() {
            if upstream.servers.iter().all(|server| server.backup) {
                let message = format!("all servers of upstream {:?} are backups", upstream.name);
                let advice = "a backup is asked when no other can be: leave one to be the other";
                context.error(first.address.position(), message, advice);
            }
            if count > SERVERS_MAX {
                let message =
                    format!("there are {count} servers, and no more than {SERVERS_MAX} can be");
                context.error(first.address.position(), message, "");
            }
        }
        let mut servers = Unique::new(context);
        for server in &upstream.servers {
            let address = &server.address;
            let what = format!("server {} of upstream {:?}", **address, upstream.name);
            servers.put(**address, address.position(), what);
        }
    }
}

fn warn_unused(context: &Context<'_>, settings: &Settings) {
    let Settings {
        virtual_routers,
        routes,
        notify,
        ..
    } = settings;
    let tracks = virtual_routers.iter().flat_map(|router| &router.tracks);
    let subjects: Vec<&TrackSubject> = tracks.map(|track| &track.subject).collect();
    for (section, what, key) in [
        ("scripts", "script", "track_scripts"),
        ("files", "file", "track_files"),
        ("processes", "process", "track_processes"),
    ] {
        let tracked = subjects.iter().filter_map(|it| name_in(section, it));
        let message = format!("no virtual router tracks {what}");
        let advice = format!("name it in {key}");
        warn_beyond(context, section, tracked, (&message, &advice));
    }

    let upstreams = routes.iter().filter_map(upstream_of);
    let what = ("no route leads to upstream", "give a route upstream = ...");
    warn_beyond(context, "upstreams", upstreams, what);

    let listeners = routes
        .iter()
        .flat_map(|route| &route.listeners)
        .map(String::as_str);
    let what = (
        "no route is for listener",
        "every request there is answered 404",
    );
    warn_beyond(context, "listeners", listeners, what);

    let by_routers = virtual_routers.iter().flat_map(|router| &router.notify);
    let by_themselves = notify.iter().filter(|sink| sink.hears_more());
    let told =
        (by_routers.map(|name| name.as_str())).chain(by_themselves.map(|sink| sink.name.as_str()));
    let what = ("nobody tells", "name it in \"notify\" of a virtual router");
    warn_beyond(context, "notify", told, what);
}

/// Warns of the names of a section that are not among those used.
fn warn_beyond<'s>(
    context: &Context<'_>,
    section: &str,
    used: impl Iterator<Item = &'s str>,
    (message, advice): (&str, &str),
) {
    let used: HashSet<&str> = used.collect();
    for name in context.names(section) {
        if !used.contains(name.as_str()) {
            let position = context.position_of_name(section, &name);
            context.warning(&position, format!("{message} {name:?}"), advice);
        }
    }
}

/// The name of what is tracked, if it has its table in this section.
fn name_in<'s>(section: &str, subject: &'s TrackSubject) -> Option<&'s str> {
    match (section, subject) {
        ("scripts", TrackSubject::Script(name))
        | ("files", TrackSubject::File(name))
        | ("processes", TrackSubject::Process(name)) => Some(name),
        _ => None,
    }
}

fn upstream_of(route: &Route) -> Option<&str> {
    match &route.action {
        RouteAction::Upstream(name) => Some(name),
        RouteAction::StatusPage | RouteAction::StubStatus => None,
    }
}

/// A weight moves the addresses only when it is above the gap between the two best priorities:
/// with 200 and 190 and a weight of 2, the failing node keeps 200 against 192.
fn warn_weight(context: &Context<'_>, router: &VirtualRouter, track: &Track, weight: i16) {
    let mut ranked: Vec<_> = router
        .priorities
        .iter()
        .map(|(name, base)| (base.get(), name))
        .collect();
    ranked.sort_by_key(|(base, _)| std::cmp::Reverse(*base));
    let [(best, best_name), (next, next_name), ..] = ranked.as_slice() else {
        return;
    };
    let subject = match &track.subject {
        TrackSubject::Script(name) => format!("script {name:?}"),
        TrackSubject::Interface(name) => format!("interface {:?}", **name),
        TrackSubject::Process(name) => format!("process {name:?}"),
        // What its number will be is not known.
        TrackSubject::File(_) => return,
    };
    let is_known = |track: &&Track| !matches!(track.subject, TrackSubject::File(_));
    let known = router.tracks.iter().filter(is_known);
    let bonus = known.filter_map(|track| track.effect.weight().map(|it| i32::from(it.max(0))));
    // Each is small, but there may be any number of them.
    let bonus: i32 = bonus.sum();
    let least = if router.has_bands() { 3 } else { 1 };
    let failing = effective(*best, bonus - i32::from(weight).abs(), least);
    let well = effective(*next, bonus, least);
    if failing >= well {
        let message = format!(
            "weight {weight} of {subject} cannot move the addresses: with it ill, node \
             {best_name:?} has priority {failing}, and node {next_name:?} has {well}"
        );
        let advice = "a weight must be above the gap of priorities; 0 makes the node Fault";
        context.warning(track.effect.position(), message, advice);
    } else if router.failback == Failback::Manual {
        let message = format!("the weight of {subject} moves nothing without preemption");
        let advice = "a Backup then takes over only from a Master that is gone or in a worse band; \
                      use band, or weight 0";
        context.warning(track.effect.position(), message, advice);
    }
}

/// The priority that is sent: 255 never changes, and no other becomes 255 or less than the least.
fn effective(base: u8, change: i32, least: i32) -> i32 {
    match base {
        u8::MAX => i32::from(base),
        base => i32::from(base).saturating_add(change).clamp(least, 254),
    }
}

/// Where nodes can be degraded or unhealthy, 1 and 2 are how they say so.
fn warn_of_bands(context: &Context<'_>, router: &VirtualRouter) {
    let priority = &router.priority;
    if priority.get() < 3 && router.has_bands() {
        let message = format!(
            "priority {priority} counts as 3: 1 and 2 say that a node is ill",
            priority = **priority
        );
        let advice = "give it 3 or more, and the better nodes more than that";
        context.warning(priority.position(), message, advice);
    }
}
