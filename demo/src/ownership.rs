//! Who owns each address: what the kernels of the nodes say, and since when. Pure.
//!
//! The kernel of a dead or frozen node keeps an address until its lease ends. Such a node holds the
//! address, but does not own it: it neither announces nor serves it.

use std::net::Ipv4Addr;

/// Who owns one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ownership {
    pub(crate) address: Ipv4Addr,
    /// Indexes of the living nodes that have it on their interface: one, when all is well.
    pub(crate) owners: Vec<usize>,
    /// Indexes of the dead and frozen ones.
    pub(crate) holders: Vec<usize>,
    /// When `owners` changed, in milliseconds since 1970.
    pub(crate) since_unix_ms: u64,
}

impl Ownership {
    /// Nobody's, so far.
    pub(crate) const fn new(address: Ipv4Addr, now_unix_ms: u64) -> Self {
        Self {
            address,
            owners: Vec::new(),
            holders: Vec::new(),
            since_unix_ms: now_unix_ms,
        }
    }

    /// The nodes were looked at, by index: whether each is alive, and what addresses it has.
    pub(crate) fn handle_sight(&mut self, seen: &[(bool, Vec<Ipv4Addr>)], now_unix_ms: u64) {
        let address = self.address;
        let of = |wanted: bool| {
            let nodes = seen.iter().enumerate();
            let having = nodes.filter(move |(_, (alive, addresses))| {
                *alive == wanted && addresses.contains(&address)
            });
            having.map(|(node, _)| node).collect()
        };
        let (owners, holders) = (of(true), of(false));
        if owners != self.owners {
            self.owners = owners;
            self.since_unix_ms = now_unix_ms;
        }
        self.holders = holders;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_from_the_change() {
        let address = Ipv4Addr::new(192, 168, 0, 105);
        let own = Ipv4Addr::new(192, 168, 0, 101);
        let mut ownership = Ownership::new(address, 0);
        for (now, first, second, owners, holders, since) in [
            (10, (true, vec![own]), vec![], vec![], vec![], 0),
            (20, (true, vec![own, address]), vec![], vec![0], vec![], 20),
            (30, (true, vec![own, address]), vec![], vec![0], vec![], 20),
            (40, (false, vec![own, address]), vec![], vec![], vec![0], 40),
            (
                50,
                (false, vec![own, address]),
                vec![address],
                vec![1],
                vec![0],
                50,
            ),
            (60, (false, vec![own]), vec![address], vec![1], vec![], 50),
            (
                70,
                (true, vec![own, address]),
                vec![address],
                vec![0, 1],
                vec![],
                70,
            ),
        ] {
            ownership.handle_sight(&[first, (true, second)], now);
            let found = (
                &ownership.owners,
                &ownership.holders,
                ownership.since_unix_ms,
            );
            assert_eq!(found, (&owners, &holders, since), "at {now}");
        }
    }
}
