//! The routes of each listener, longest prefix first.

use std::net::IpAddr;

use crate::Access;

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Relays to the upstream of this index.
    Proxy(usize),
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
    listeners: Vec<Vec<Route>>,
}

impl Table {
    /// The table of so many listeners. Of two routes with one prefix the first wins.
    pub fn new(listeners: usize, routes: &[Route]) -> Self {
        let of_listener = |listener: usize| {
            let mut own: Vec<Route> = routes
                .iter()
                .filter(|route| route.listeners.contains(&listener))
                .cloned()
                .collect();
            own.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
            own
        };
        Self {
            listeners: (0..listeners).map(of_listener).collect(),
        }
    }

    /// What becomes of a request for `path`, which is in normal form.
    pub fn find(&self, listener: usize, path: &str, client: IpAddr) -> Verdict {
        let mut routes = self.listeners.get(listener).into_iter().flatten();
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

    fn route(listeners: &[usize], prefix: &str, action: Action, allow: &[&str]) -> Route {
        let allow = allow.iter().map(|net| net.parse().unwrap()).collect();
        Route {
            listeners: listeners.to_vec(),
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
                route(&[0, 1], "/app/", Action::Proxy(0), &[]),
                route(&[0], "/app/v2/", Action::Proxy(1), &[]),
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
            (0, "/app/", "10.0.0.1", Verdict::Serve(Action::Proxy(0))),
            (0, "/app/x", "10.0.0.1", Verdict::Serve(Action::Proxy(0))),
            (0, "/app/v2/x", "10.0.0.1", Verdict::Serve(Action::Proxy(1))),
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
            (1, "/app/x", "10.0.0.1", Verdict::Serve(Action::Proxy(0))),
            (2, "/app/x", "10.0.0.1", Verdict::NotFound),
        ];
        for (listener, path, client, verdict) in cases {
            let found = table.find(listener, path, client.parse().unwrap());
            assert_eq!(found, verdict, "{listener} {path}");
        }
    }
}
