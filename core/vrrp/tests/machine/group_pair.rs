//! Sync groups on two nodes with two members each: who owns what when links and members fail.

use std::collections::VecDeque;
use std::time::Duration;

use core_vrrp::{
    Effect, Effects, Event, Found, Group, Route, Router, Spec, Time, TrackEffect, Verdict, encode,
};

use crate::group::grouped;
use crate::play::{OWN, PEER, banded, priority};

/// Two nodes, each with one member of the group on the left link and one on the right.
struct Pair {
    now: Time,
    nodes: [Node; 2],
    flights: VecDeque<(usize, usize, Vec<u8>)>,
    /// Links on which the nodes do not hear each other.
    is_cut: [bool; 2],
    log: Vec<String>,
}

struct Node {
    routers: [Router; 2],
    group: Group,
    holds: [bool; 2],
}

const LEFT: usize = 0;
const RIGHT: usize = 1;
/// The nodes: the first has the higher priority.
const A: usize = 0;
const B: usize = 1;

impl Pair {
    /// Settled: the first node is Master of both.
    fn new(spec: &Spec) -> Self {
        let node = |source, number| {
            let peers = vec![if source == OWN { PEER } else { OWN }];
            let spec = Spec {
                source,
                priority: priority(number),
                transport: core_vrrp::Transport::Unicast {
                    peers,
                    min_ttl: 255,
                },
                ..spec.clone()
            };
            Node {
                routers: [Router::new(spec.clone()), Router::new(spec)],
                group: Group::new(2),
                holds: [false; 2],
            }
        };
        let mut pair = Self {
            now: Time(Duration::from_secs(1000)),
            nodes: [node(OWN, 200), node(PEER, 199)],
            flights: VecDeque::new(),
            is_cut: [false; 2],
            log: Vec::new(),
        };
        for at in [A, B] {
            for link in [LEFT, RIGHT] {
                pair.tell(at, link, Event::Start(Found::Nothing));
                pair.tell(at, link, Event::MayLead);
            }
        }
        pair.run(10_000);
        assert_eq!(pair.owners(), [[true, true], [false, false]]);
        pair.log.clear();
        pair
    }

    /// Tells a member, and everybody of its group what follows from it.
    fn tell(&mut self, at: usize, link: usize, event: Event<'_>) {
        self.feed(at, link, event);
        // A group that is not agreed after so many rounds never will be.
        for _ in 0..10 {
            let node = &mut self.nodes[at];
            let mut told = None;
            for number in [LEFT, RIGHT] {
                let outcome = node.group.note(number, node.routers[number].member());
                told = outcome.accord.or(told);
                if let Some((from, to)) = outcome.transition {
                    let at = ["a", "b"][at];
                    self.log.push(format!("{at} {from:?} to {to:?}"));
                }
            }
            let Some(accord) = told else { return };
            for number in [LEFT, RIGHT] {
                self.feed(at, number, Event::Group(accord));
            }
        }
        panic!("it does not come to an end: {:?}", self.log);
    }

    fn feed(&mut self, at: usize, link: usize, event: Event<'_>) {
        let mut effects = Effects::default();
        let node = &mut self.nodes[at];
        node.routers[link].handle(self.now, event, &mut effects);
        for effect in effects.drain() {
            match effect {
                Effect::AddAddresses => node.holds[link] = true,
                Effect::RemoveAddresses => node.holds[link] = false,
                Effect::SendAdvert(priority) if !self.is_cut[link] => {
                    let router = &node.routers[link];
                    let route = Route {
                        source: router.spec().source,
                        destination: if at == A { PEER } else { OWN },
                    };
                    let mut packet = Vec::new();
                    encode(
                        &router.advert(priority),
                        route,
                        router.checksum(),
                        1,
                        &mut packet,
                    );
                    self.flights.push_back((1 - at, link, packet));
                }
                _ => {}
            }
        }
    }

    /// Packets arrive at once; then whoever is due first.
    fn run(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        loop {
            if let Some((at, link, packet)) = self.flights.pop_front() {
                self.tell(at, link, Event::of_packet(&packet));
                continue;
            }
            let places = [(A, LEFT), (A, RIGHT), (B, LEFT), (B, RIGHT)];
            let due = places.into_iter().filter_map(|(at, link)| {
                Some((self.nodes[at].routers[link].poll_timeout()?, at, link))
            });
            match due.min() {
                Some((due, at, link)) if due <= end => {
                    self.now = self.now.max(due);
                    self.tell(at, link, Event::Timeout);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn owners(&self) -> [[bool; 2]; 2] {
        [self.nodes[A].holds, self.nodes[B].holds]
    }
}

const ALL_AT_A: [[bool; 2]; 2] = [[true, true], [false, false]];
const ALL_AT_B: [[bool; 2]; 2] = [[false, false], [true, true]];

#[test]
fn the_interface_of_one_member_fails_and_comes_back() {
    let mut pair = Pair::new(&grouped());
    pair.is_cut[LEFT] = true;
    pair.tell(A, LEFT, Event::Link { up: false });
    // The other member says that it gives up; on the dead link the peer finds out by itself.
    pair.run(5_000);
    assert_eq!(pair.owners(), ALL_AT_B);
    assert_eq!(pair.log, ["a Master to Fault", "b Backup to Master"]);
    pair.is_cut[LEFT] = false;
    pair.tell(A, LEFT, Event::Link { up: true });
    pair.run(10_000);
    assert_eq!(pair.owners(), ALL_AT_A);
    assert_eq!(
        pair.log[2..],
        [
            "a Fault to Backup",
            "a Backup to Master",
            "b Master to Backup"
        ]
    );
    pair.run(60_000);
    assert_eq!(pair.log.len(), 5, "nothing moves any more: {:?}", pair.log);
}

#[test]
fn nodes_that_hear_each_other_on_one_link_only_do_not_go_to_and_fro() {
    let mut pair = Pair::new(&grouped());
    pair.is_cut[LEFT] = true;
    pair.run(60_000);
    assert_eq!(
        (pair.owners(), pair.log.as_slice()),
        (ALL_AT_A, [].as_slice())
    );
    pair.is_cut[LEFT] = false;
    pair.run(10_000);
    assert_eq!(
        (pair.owners(), pair.log.as_slice()),
        (ALL_AT_A, [].as_slice())
    );
}

#[test]
fn after_a_split_heals_the_better_node_has_both() {
    let mut pair = Pair::new(&grouped());
    pair.is_cut = [true; 2];
    pair.run(10_000);
    assert_eq!(pair.owners(), [[true, true], [true, true]]);
    for healed in [LEFT, RIGHT] {
        pair.is_cut[healed] = false;
    }
    pair.run(2_000);
    assert_eq!(pair.owners(), ALL_AT_A);
    pair.run(60_000);
    assert_eq!(pair.log, ["b Backup to Master", "b Master to Backup"]);
}

#[test]
fn what_degrades_one_member_moves_both() {
    let spec = Spec {
        is_grouped: true,
        ..banded(TrackEffect::Degraded)
    };
    let mut pair = Pair::new(&spec);
    let told = |verdict| Event::Track {
        name: "script",
        verdict,
    };
    pair.tell(A, LEFT, told(Verdict::Down));
    pair.run(1_000);
    assert_eq!(pair.owners(), ALL_AT_B);
    pair.tell(B, RIGHT, told(Verdict::Down));
    pair.run(60_000);
    assert_eq!(pair.owners(), ALL_AT_B, "both are degraded: nothing moves");
    pair.tell(A, LEFT, told(Verdict::Up));
    pair.run(10_000);
    assert_eq!(pair.owners(), ALL_AT_A);
}

#[test]
fn a_stop_hands_both_over_without_a_gap() {
    let mut pair = Pair::new(&grouped());
    for link in [LEFT, RIGHT] {
        pair.tell(A, link, Event::Shutdown);
    }
    for _ in 0..2_000 {
        pair.run(1);
        for link in [LEFT, RIGHT] {
            assert!(
                pair.nodes.iter().any(|node| node.holds[link]),
                "{:?}",
                pair.log
            );
        }
    }
    assert_eq!(pair.owners(), ALL_AT_B);
    assert!(pair.nodes[A].routers.iter().all(Router::is_finished));
    assert_eq!(pair.log, ["b Backup to Master", "a Master to Initialize"]);
}
