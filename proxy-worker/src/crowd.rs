//! How many connections the whole node has: of a listener, and of one client with it.
//!
//! There is no table of clients. Each connection is counted in two gauges, at places that a keyed hash
//! of its listener, or of its listener and its client, gives; the smaller of the two is the count.
//! It is never too low. It is too high when others share both places, which is rare with a hundred
//! thousand connections, and nobody can choose to, since nobody knows the key.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::net::{IpAddr, Ipv6Addr};
use std::rc::Rc;

use platform::gauges::{CROWD_ROW, GAUGES, SharedGauges};

use crate::gauges::Gauges;
use crate::plan::Listener;

/// A connection that is counted until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    of_listener: Option<Place>,
    of_client: Option<Place>,
}

impl Seats {
    /// Seats for a connection of `client`; `None` when there is none left for it. One who speaks for
    /// many, or this node itself, is not held to the limit for one.
    pub(crate) fn take(gauges: &Rc<Gauges>, listener: &Listener, client: IpAddr) -> Option<Self> {
        let (name, limits) = (&listener.name, &listener.crowd);
        let for_one = if listener.trusts(client) {
            0
        } else {
            limits.of_client
        };
        let for_all = place(gauges, &(name, None::<IpAddr>), limits.of_listener)?;
        let for_one = place(gauges, &(name, Some(network(client))), for_one)?;
        Some(Self {
            of_listener: for_all,
            of_client: for_one,
        })
    }

    /// Whether nothing is counted, because there is no limit.
    pub(crate) const fn are_none(&self) -> bool {
        self.of_listener.is_none() && self.of_client.is_none()
    }
}

/// The most connections of a listener; 0: any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CrowdLimits {
    pub(crate) of_listener: u32,
    pub(crate) of_client: u32,
}

/// A place where all of one kind are counted.
#[derive(Debug)]
struct Place {
    gauges: Rc<Gauges>,
    indices: [usize; 2],
}

impl Drop for Place {
    fn drop(&mut self) {
        self.indices
            .iter()
            .for_each(|index| self.gauges.lower(*index));
    }
}

/// One more of a kind of which there may be `max`: `None` when there are as many; inside, `None` when
/// nobody counts.
#[expect(
    clippy::option_option,
    reason = "a seat that nobody counts is no refusal"
)]
fn place(gauges: &Rc<Gauges>, kind: &impl Hash, max: u32) -> Option<Option<Place>> {
    if max == 0 {
        return Some(None);
    }
    let indices = indices(gauges.shared(), kind);
    let counts = indices.map(|index| gauges.raise(index));
    let place = Place {
        gauges: Rc::clone(gauges),
        indices,
    };
    // Counted before it is looked at: two workers may both refuse the last, but never both take it.
    (counts.iter().min() <= Some(&max)).then_some(Some(place))
}

/// One gauge in each row.
fn indices(shared: &SharedGauges, kind: &impl Hash) -> [usize; 2] {
    let mut hasher = DefaultHasher::new();
    shared.seed().hash(&mut hasher);
    kind.hash(&mut hasher);
    let bits = hasher.finish();
    let row = u64::try_from(CROWD_ROW).unwrap_or(1);
    let of_row = |bits: u64| usize::try_from(bits % row).unwrap_or(0);
    [
        GAUGES + of_row(bits),
        GAUGES + CROWD_ROW + of_row(bits >> 32),
    ]
}

/// What counts as one client: an address of IPv4, or a network of 64 bits, which is what one has of
/// IPv6.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    /// Two workers that share their gauges.
    fn workers() -> [Rc<Gauges>; 2] {
        let shared = SharedGauges::create().unwrap();
        let copy = SharedGauges::open(shared.as_fd().try_clone_to_owned().unwrap()).unwrap();
        [Gauges::new(shared, 0), Gauges::new(copy, 1)]
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn all_workers_together_have_one_limit() {
        let workers = workers();
        let take = |worker: usize, kind: &str| place(&workers[worker], &kind, 2);
        let first = take(0, "a").expect("the first");
        let second = take(1, "a").expect("the second");
        assert!(take(0, "a").is_none() && take(1, "a").is_none());
        assert!(take(1, "b").is_some(), "others have their own");
        drop(first);
        let third = take(1, "a").expect("a place that was given back");
        // A worker that died leaves nothing behind for its successor.
        drop(second);
        std::mem::forget(third);
        workers[1].shared().clear(1);
        assert!(take(0, "a").is_some());
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let [worker, _] = workers();
        assert!(matches!(place(&worker, &"a", 0), Some(None)));
        assert_eq!(worker.shared().sum(indices(worker.shared(), &"a")[0]), 0);
    }

    #[test]
    fn crowd_of_others_fills_nobody_s_places() {
        let [worker, _] = workers();
        let crowd: Vec<_> = (0..50_000_u32)
            .map(|number| place(&worker, &network(IpAddr::from(number.to_be_bytes())), 20))
            .collect();
        let refused = crowd.iter().filter(|place| place.is_none()).count();
        assert_eq!(refused, 0);
    }

    /// Rule 38: where a client is counted is known to nobody, and elsewhere on each node.
    #[test]
    fn nobody_chooses_where_it_is_counted() {
        let places = || {
            let shared = SharedGauges::create().unwrap();
            [0_u32, 1, 2, 3]
                .map(|number| indices(&shared, &network(IpAddr::from(number.to_be_bytes()))))
        };
        assert_ne!(places(), places());
    }

    #[test]
    fn client_is_an_address_or_a_network_of_64_bits() {
        let cases = [
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ];
        for (client, expected) in cases {
            assert_eq!(network(ip(client)), ip(expected));
        }
    }
}
