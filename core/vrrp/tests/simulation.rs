//! Many nodes on a bad network in virtual time, from a seed: a failure names its seed, and the seed
//! replays it.
//!
//! Each run has a rough part, in which adverts are lost, nodes die, freeze, fall ill and cannot hear
//! one another, and a calm part, in which the promises of the protocol are checked.

mod network;

use std::time::Duration;

use core_vrrp::{Auth, Centiseconds, Protocol, Seconds, master_down};
use network::{Network, Trouble};

const SEEDS: u64 = 300;

fn protocols() -> [Protocol; 3] {
    let v2 = |s| Protocol::V2 {
        interval: Seconds::new(s).expect("in range"),
        auth: Auth::None,
    };
    let v3 = |cs| Protocol::V3 {
        interval: Centiseconds::new(cs).expect("in range"),
    };
    [v2(1), v3(100), v3(10)]
}

/// Two or three nodes of every protocol, each with its own seed.
fn each_network(check: impl Fn(&mut Network, Duration)) {
    for seed in 0..SEEDS {
        for protocol in protocols() {
            let nodes = 2 + usize::from(seed % 2 == 1);
            let mut network = Network::new(seed, nodes, protocol);
            // What the weakest needs to find out that nobody is Master.
            let longest = master_down(&protocol, 3, network.weakest());
            check(&mut network, longest);
        }
    }
}

#[test]
fn when_the_network_is_whole_there_is_one_owner_and_it_is_the_best() {
    each_network(|network, down| {
        let interval = network.interval();
        network.run(10 * down, Trouble::Everything);
        network.calm_down();
        // Every timer that was running runs out, and one exchange of adverts settles a tie.
        network.run(2 * down + interval, Trouble::None);
        let settled = network.now();
        for _ in 0..50 {
            network.run(interval / 5, Trouble::None);
            assert_eq!(
                network.owners(),
                [network.best()],
                "{network:?} since {settled:?}"
            );
        }
    });
}

#[test]
fn after_one_exchange_of_adverts_nobody_disagrees() {
    each_network(|network, down| {
        network.run(3 * down, Trouble::Partitions);
        network.calm_down();
        // An interval, in which every owner says so, and the answer.
        network.run(
            network.interval() + 2 * network.latency_max(),
            Trouble::None,
        );
        assert!(network.owners().len() <= 1, "{network:?}");
    });
}

#[test]
fn a_master_that_stops_is_replaced_without_a_gap() {
    each_network(|network, down| {
        network.run(3 * down, Trouble::None);
        let first = network.owners();
        assert_eq!(first, [network.best()], "{network:?}");
        network.shut_down(first[0]);
        // Nobody is without an owner at any time while the address changes hands.
        network.forbid_gaps(true);
        network.run(3 * down, Trouble::None);
        assert_eq!(network.owners(), [network.best()], "{network:?}");
        assert_ne!(network.best(), first[0]);
    });
}

#[test]
fn a_master_that_falls_ill_is_replaced_without_a_gap_and_comes_back() {
    each_network(|network, down| {
        network.run(3 * down, Trouble::None);
        let best = network.best();
        network.forbid_gaps(true);
        network.set_proxy(best, false);
        network.run(down, Trouble::None);
        assert_ne!(network.owners(), [best], "{network:?}");
        network.set_proxy(best, true);
        network.run(2 * down, Trouble::None);
        assert_eq!(network.owners(), [best], "{network:?}");
    });
}

#[test]
fn when_all_are_ill_somebody_stays() {
    each_network(|network, down| {
        network.run(3 * down, Trouble::None);
        network.forbid_gaps(true);
        for node in network.nodes() {
            network.set_proxy(node, false);
        }
        network.run(5 * down, Trouble::None);
        assert_eq!(network.owners().len(), 1, "{network:?}");
        let changes = network.changes_of_owner();
        network.run(10 * down, Trouble::None);
        assert_eq!(
            network.changes_of_owner(),
            changes,
            "no ping-pong: {network:?}"
        );
    });
}

#[test]
fn a_dead_or_frozen_master_is_replaced_in_time_and_its_lease_ends() {
    each_network(|network, down| {
        network.run(3 * down, Trouble::None);
        let best = network.best();
        network.freeze(best);
        network.run(
            down.max(network.lease()) + network.interval(),
            Trouble::None,
        );
        assert_eq!(network.owners(), [network.best()], "{network:?}");
        network.thaw(best);
        // It finds out that it slept, lets go of what it has no more, and listens.
        network.run(network.interval(), Trouble::None);
        assert_ne!(network.owners(), [best], "{network:?}");
        network.run(2 * down, Trouble::None);
        assert_eq!(network.owners(), [best], "{network:?}");
    });
}
