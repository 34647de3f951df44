//! Which of the gauges that all workers share belongs to which server: the same over all reloads, so
//! that what is counted in it stays true.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use platform::gauges::GAUGES;
use settings::Settings;

/// A server, by its upstream and its address.
type Server = (String, SocketAddr);

/// A place for each server, also for those that are gone: requests to them may go on for long, and are
/// counted there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GaugePlaces {
    places: BTreeMap<Server, u16>,
    /// Who is gone, the longest first.
    gone: Vec<Server>,
}

impl GaugePlaces {
    /// The places for another configuration. Who had one keeps it, or finds it again. New servers get
    /// places that nobody had; where there are none left, those of the servers that are gone for the longest
    /// time and for which `is_idle` says that nothing is counted.
    pub(crate) fn next(&self, settings: &Settings, is_idle: impl Fn(u16) -> bool) -> Self {
        let servers = settings.upstreams.iter().flat_map(|upstream| {
            let servers = upstream.servers.iter();
            servers.map(|server| (upstream.name.clone(), *server.address.value()))
        });
        self.of(servers.collect(), GAUGES, is_idle)
    }

    fn of(&self, servers: BTreeSet<Server>, gauges: usize, is_idle: impl Fn(u16) -> bool) -> Self {
        let mut next = self.clone();
        next.gone.retain(|server| !servers.contains(server));
        let is_leaving =
            |server: &&Server| !servers.contains(*server) && !self.gone.contains(server);
        let leaving: Vec<_> = self.places.keys().filter(is_leaving).cloned().collect();
        let taken: BTreeSet<u16> = self.places.values().copied().collect();
        let places = (0..u16::MAX).take(gauges);
        let mut unused = places.filter(|place| !taken.contains(place));
        for server in servers {
            if next.places.contains_key(&server) {
                continue;
            }
            if let Some(place) = unused.next().or_else(|| next.take_back(&is_idle)) {
                next.places.insert(server, place);
            }
        }
        // Requests go to them until the change is made.
        next.gone.extend(leaving);
        next
    }

    /// The place of a server that is gone, and has nothing left.
    fn take_back(&mut self, is_idle: impl Fn(u16) -> bool) -> Option<u16> {
        let mut gone = self.gone.iter();
        let idle =
            gone.position(|server| self.places.get(server).is_some_and(|it| is_idle(*it)))?;
        self.places.remove(&self.gone.remove(idle))
    }

    /// A server's place; for who was given none, one that is past the last gauge.
    pub(crate) fn of_server(&self, upstream: &str, address: SocketAddr) -> u16 {
        let place = self.places.get(&(upstream.to_owned(), address));
        place.copied().unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "10.0.0.1:80";
    const B: &str = "10.0.0.2:80";
    const C: &str = "10.0.0.3:80";
    const D: &str = "10.0.0.4:80";

    /// Upstreams and addresses.
    type Servers<'a> = &'a [(&'a str, &'a str)];

    /// One reload after the other: the servers, which places are in use then, and where the servers are.
    type Reloads<'a> = &'a [(Servers<'a>, &'a [u16], &'a [u16])];

    fn check(gauges: usize, reloads: Reloads<'_>) {
        let mut places = GaugePlaces::default();
        for (number, (servers, busy, expected)) in reloads.iter().enumerate() {
            let named = servers
                .iter()
                .map(|(upstream, address)| ((*upstream).to_owned(), address.parse().unwrap()));
            places = places.of(named.collect(), gauges, |place| !busy.contains(&place));
            let of_server = |&(upstream, address): &(&str, &str)| {
                places.of_server(upstream, address.parse().unwrap())
            };
            let found: Vec<u16> = servers.iter().map(of_server).collect();
            assert_eq!(found, *expected, "reload {number}: {servers:?}");
        }
    }

    #[test]
    fn server_keeps_its_place_over_all_reloads() {
        check(
            GAUGES,
            &[
                (&[("app", A), ("app", B), ("other", A)], &[], &[0, 1, 2]),
                (&[("other", A), ("app", B)], &[], &[2, 1]),
                // Requests to who went two reloads ago may still be under way.
                (&[("app", C), ("app", B)], &[], &[3, 1]),
                (&[("other", B), ("app", A)], &[], &[4, 0]),
                (&[("other", A), ("app", C)], &[], &[2, 3]),
            ],
        );
    }

    #[test]
    fn places_of_who_is_gone_and_done_are_given_away_when_there_are_no_others() {
        const NONE: u16 = u16::MAX;
        check(
            3,
            &[
                (&[("app", A), ("app", B), ("app", C)], &[], &[0, 1, 2]),
                (&[("app", B), ("app", C)], &[0], &[1, 2]),
                (&[("app", C)], &[0], &[2]),
                // The first to go is not done yet.
                (&[("app", C), ("app", D)], &[0], &[2, 1]),
                (&[("app", C), ("app", D), ("app", B)], &[0], &[2, 1, NONE]),
                (&[("app", C), ("app", D), ("app", B)], &[], &[2, 1, 0]),
                // To who goes with this very reload requests go now.
                (&[("app", A), ("app", D), ("app", B)], &[], &[NONE, 1, 0]),
                (&[("app", A), ("app", D), ("app", B)], &[], &[2, 1, 0]),
            ],
        );
    }
}
