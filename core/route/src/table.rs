//! The routes of each listener, by host, longest prefix first.

use std::net::IpAddr;

use crate::Access;
use crate::host::Hosts;

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Relays.
    Proxy {
        /// Index of the upstream.
        upstream: usize,
        /// Whether clients may go on in WebSocket.
        websocket: bool,
    },
    /// Shows the virtual routers.
    StatusPage,
    /// Shows nginx's seven numbers.
    StubStatus,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The listeners that it is for, by index.
    pub listeners: Vec<usize>,
    /// The host that it is for: a name, or "*.example.org" for all names below; `None`: any.
    pub host: Option<String>,
    /// The prefix of the paths that it is for; characters, not segments, as nginx's `location`.
    pub prefix: String,
    /// What it does.
    pub action: Action,
    /// Who may.
    pub access: Access,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is served.
    Serve(Action),
    /// There is a route, but not for this client: 403.
    Forbidden,
    /// There is no route: 404.
    NotFound,
}

/// All routes.
#[derive(Clone, Debug, Default)]
pub struct Table {
    listeners: Vec<Hosts<Vec<Route>>>,
}

impl Table {
    /// The table of so many listeners. Of two routes with one host and prefix the first wins.
    pub fn new(listeners: usize, routes: &[Route]) -> Self {
        let of_listener = |listener: usize| {
            let mut hosts = Hosts::<Vec<Route>>::new();
            for route in routes {
                if route.listeners.contains(&listener) {
                    let routes = hosts.entry(route.host.as_deref());
                    routes.push(route.clone());
                }
            }
            for routes in hosts.values_mut() {
                routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
            }
            hosts
        };
        Self {
            listeners: (0..listeners).map(of_listener).collect(),
        }
    }

    /// Whether any route of the listener names a host.
    pub fn names_hosts(&self, listener: usize) -> bool {
        self.listeners.get(listener).is_some_and(Hosts::has_names)
    }

    /// What becomes of a request to `host`, with or without a port, for `path`, which is in normal
    /// form. The host decides first, as nginx's `server_name` does: what is for any host is not asked
    /// when a route names this one.
    pub fn find(&self, listener: usize, host: Option<&str>, path: &str, client: IpAddr) -> Verdict {
        let routes = (self.listeners.get(listener)).map(|hosts| hosts.find(host));
        let mut routes = routes.into_iter().flatten();
        match routes.find(|route| path.starts_with(route.prefix.as_str())) {
            None => Verdict::NotFound,
            Some(route) if !route.access.permits(client) => Verdict::Forbidden,
            Some(route) => Verdict::Serve(route.action),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn proxy(upstream: usize) -> Action {
        Action::Proxy {
            upstream,
            websocket: true,
        }
    }

    fn route(listeners: &[usize], prefix: &str, action: Action, allow: &[&str]) -> Route {
        let allow = allow.iter().map(|net| net.parse().unwrap()).collect();
        Route {
            listeners: listeners.to_vec(),
            host: None,
            prefix: prefix.to_owned(),
            action,
            access: Access {
                allow,
                deny: Vec::new(),
            },
        }
    }

    #[test]
    fn longest_prefix_of_the_listener_wins() {
        let table = Table::new(
            2,
            &[
                route(&[0], "/", Action::StatusPage, &[]),
                route(&[0, 1], "/app/", proxy(0), &[]),
                route(&[0], "/app/v2/", proxy(1), &[]),
                route(
                    &[0],
                    "/server-status",
                    Action::StubStatus,
                    &["127.0.0.1/32"],
                ),
            ],
        );
        let cases = [
            (0, "/", "10.0.0.1", Verdict::Serve(Action::StatusPage)),
            (0, "/app", "10.0.0.1", Verdict::Serve(Action::StatusPage)),
            (0, "/app/", "10.0.0.1", Verdict::Serve(proxy(0))),
            (0, "/app/x", "10.0.0.1", Verdict::Serve(proxy(0))),
            (0, "/app/v2/x", "10.0.0.1", Verdict::Serve(proxy(1))),
            (
                0,
                "/server-status",
                "127.0.0.1",
                Verdict::Serve(Action::StubStatus),
            ),
            (0, "/server-status", "10.0.0.1", Verdict::Forbidden),
            (
                0,
                "/server-statuses",
                "127.0.0.1",
                Verdict::Serve(Action::StubStatus),
            ),
            (0, "*", "10.0.0.1", Verdict::NotFound),
            (1, "/", "10.0.0.1", Verdict::NotFound),
            (1, "/app/x", "10.0.0.1", Verdict::Serve(proxy(0))),
            (2, "/app/x", "10.0.0.1", Verdict::NotFound),
        ];
        for (listener, path, client, verdict) in cases {
            let found = table.find(listener, Some("a"), path, client.parse().unwrap());
            assert_eq!(found, verdict, "{listener} {path}");
        }
    }
    #[test]
    fn host_decides_before_the_path() {
        let of_host = |host, prefix, index| Route {
            host: Some(str::to_owned(host)),
            ..route(&[0], prefix, proxy(index), &[])
        };
        let table = Table::new(
            2,
            &[
                route(&[0, 1], "/", proxy(0), &[]),
                route(&[0], "/only-any", proxy(1), &[]),
                of_host("api.example.org", "/v1/", 2),
                of_host("api.example.org", "/v1/new/", 3),
                of_host("*.example.org", "/", 4),
            ],
        );
        let cases = [
            (0, Some("API.example.org:8080"), "/v1/new/x", Some(3)),
            (0, Some("api.example.org"), "/v1/x", Some(2)),
            (0, Some("api.example.org"), "/only-any", None),
            (0, Some("www.example.org"), "/v1/x", Some(4)),
            (0, Some("example.org"), "/v1/x", Some(0)),
            (0, None, "/only-any", Some(1)),
            (1, Some("api.example.org"), "/only-any", Some(0)),
        ];
        for (listener, host, path, found) in cases {
            let verdict = table.find(listener, host, path, "10.0.0.1".parse().unwrap());
            let expected = found.map_or(Verdict::NotFound, |index| Verdict::Serve(proxy(index)));
            assert_eq!(verdict, expected, "{listener} {host:?} {path}");
        }
        assert!(table.names_hosts(0) && !table.names_hosts(1) && !table.names_hosts(2));
    }
}
