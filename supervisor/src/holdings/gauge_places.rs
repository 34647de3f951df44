//! Which of the gauges that all workers share belongs to which server: the same over all reloads that
//! keep the server, so that what is counted in it stays true.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use settings::Settings;

/// A place for each server, by upstream and address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GaugePlaces(BTreeMap<(String, SocketAddr), u16>);

impl GaugePlaces {
    /// The places for another configuration. Servers that stay keep theirs; new ones get those that
    /// nobody has now: requests to servers that go are still counted there.
    pub(crate) fn next(&self, settings: &Settings) -> Self {
        let servers = settings.upstreams.iter().flat_map(|upstream| {
            let servers = upstream.servers.iter();
            servers.map(|server| (upstream.name.clone(), *server.address.value()))
        });
        self.of(servers)
    }

    fn of(&self, servers: impl Iterator<Item = (String, SocketAddr)>) -> Self {
        let taken: BTreeSet<u16> = self.0.values().copied().collect();
        let mut free = (0..u16::MAX).filter(|place| !taken.contains(place));
        let place = |server: (String, SocketAddr)| {
            let place = match self.0.get(&server) {
                Some(place) => *place,
                None => free.next()?,
            };
            Some((server, place))
        };
        Self(servers.filter_map(place).collect())
    }

    /// A server's place; one that no gauge has for who was given none.
    pub(crate) fn of_server(&self, upstream: &str, address: SocketAddr) -> u16 {
        let place = self.0.get(&(upstream.to_owned(), address));
        place.copied().unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "10.0.0.1:80";
    const B: &str = "10.0.0.2:80";
    const C: &str = "10.0.0.3:80";

    /// Upstreams and addresses.
    type Servers<'a> = &'a [(&'a str, &'a str)];

    fn places(old: &GaugePlaces, servers: Servers<'_>) -> GaugePlaces {
        old.of(servers
            .iter()
            .map(|(upstream, address)| ((*upstream).to_owned(), address.parse().unwrap())))
    }

    #[test]
    fn server_keeps_its_place_and_a_new_one_gets_nobodys() {
        let first = places(
            &GaugePlaces::default(),
            &[("app", A), ("app", B), ("other", A)],
        );
        let cases: [(Servers<'_>, &[u16]); 4] = [
            (&[("app", A), ("app", B), ("other", A)], &[0, 1, 2]),
            (&[("other", A), ("app", B)], &[2, 1]),
            (&[("app", C), ("app", B)], &[3, 1]),
            (&[("other", B), ("other", C)], &[3, 4]),
        ];
        for (servers, expected) in cases {
            let next = places(&first, servers);
            let of_server = |&(upstream, address): &(&str, &str)| {
                next.of_server(upstream, address.parse().unwrap())
            };
            let found: Vec<u16> = servers.iter().map(of_server).collect();
            assert_eq!(found, expected, "{servers:?}");
        }
        assert_eq!(first.of_server("app", C.parse().unwrap()), u16::MAX);
    }
}
