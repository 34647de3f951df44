//! Listeners that speak TCP: what of routes and upstreams means nothing to octets.

use super::upstream_of;
use crate::item::Context;
use crate::{ListenerProtocol, Protocol, Route, RouteAction, Settings, Upstream};

/// Keys of an upstream that are about requests and responses.
const OF_REQUESTS: &[&[&str]] = &[
    &["keep_alive"],
    &["timeouts", "read"],
    &["timeouts", "send"],
    &["retries", "budget"],
];

/// Reports what has no effect, and what cannot be.
pub(super) fn check(context: &Context<'_>, settings: &Settings) {
    for name in names(settings) {
        for route in &settings.routes {
            if route.listeners.iter().any(|listener| listener == name) {
                check_route(context, settings, name, route);
            }
        }
    }
    for upstream in &settings.upstreams {
        check_upstream(context, settings, upstream);
    }
}

/// The listeners that speak TCP.
fn names(settings: &Settings) -> impl Iterator<Item = &str> {
    let tcp = settings
        .listeners
        .iter()
        .filter(|listener| listener.protocol == ListenerProtocol::Tcp);
    tcp.map(|listener| listener.name.as_str())
}

/// A route of a listener that speaks no HTTP relays, and knows no more of a client than its address
/// and, from a TLS hello, the host that it wants.
fn check_route(context: &Context<'_>, settings: &Settings, listener: &str, route: &Route) {
    let advice = "say with `listener` which listeners this route is for";
    if let RouteAction::Upstream(upstream) = &route.action
        && *route.path.value() == "/"
    {
        check_speaks_octets(context, settings, listener, route, upstream);
    } else {
        let message =
            format!("listener {listener:?} speaks TCP: a route of it has an upstream and no path");
        context.error(route.path.position(), message, advice);
    }
    if let Some(websocket) = &route.websocket {
        let message = format!("listener {listener:?} speaks TCP, where no WebSocket is told apart");
        context.error(websocket.position(), message, advice);
    }
}

/// Octets have no place in a stream of HTTP/2.
fn check_speaks_octets(
    context: &Context<'_>,
    settings: &Settings,
    listener: &str,
    route: &Route,
    upstream: &str,
) {
    let mut upstreams = settings.upstreams.iter();
    if upstreams.any(|one| one.name == upstream && one.protocol != Protocol::Http1) {
        context.error(
            route.path.position(),
            format!("listener {listener:?} speaks TCP, and upstream {upstream:?} HTTP/2"),
            "leave out the upstream's `protocol`: what clients speak is passed on as it is",
        );
    }
}

/// Of an upstream that gets octets alone, a connection is used once and nothing in it is understood.
fn check_upstream(context: &Context<'_>, settings: &Settings, upstream: &Upstream) {
    let tcp: Vec<&str> = names(settings).collect();
    let routes = settings.routes.iter();
    let routes = routes.filter(|route| upstream_of(route) == Some(upstream.name.as_str()));
    let mut listeners = routes.flat_map(|route| &route.listeners).peekable();
    if listeners.peek().is_none() || !listeners.all(|name| tcp.contains(&name.as_str())) {
        return;
    }
    for keys in OF_REQUESTS {
        let path: Vec<&str> = [&["upstreams", &upstream.name], *keys].concat();
        if let Some(item) = context.find(&path) {
            let message = format!(
                "{} is for HTTP, and only TCP goes to this upstream",
                item.name()
            );
            context.error(&item.position(), message, "leave it out");
        }
    }
}
