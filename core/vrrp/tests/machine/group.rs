//! Sync groups: what a group makes of its members, what a member does about it, and two nodes with
//! two members each.

use std::collections::VecDeque;
use std::time::Duration;

use core_vrrp::{
    Accord, Band, Course, Effect, Effects, Event, Found, Group as Members, Member, Part, Route,
    Router, Spec, State, Time, TrackEffect, Verdict, encode,
};

use crate::play::On::*;
use crate::play::*;

const LEADING: Accord = Accord {
    course: Course::Lead,
    ..Accord::NONE
};
const FOLLOWING: Accord = Accord {
    course: Course::Follow,
    ..Accord::NONE
};
const FAULTY: Accord = Accord {
    has_fault: true,
    ..Accord::NONE
};

fn member(part: Part) -> Member {
    Member {
        part,
        has_fault: false,
        band: Band::Healthy,
    }
}

/// What part which member takes, one after the other.
type Steps<'a> = &'a [(usize, Part)];

#[test]
fn what_a_group_agrees_on() {
    use Part::{Fault, Follows, HandsOver, Leads, Out, Ready};
    // the parts of two members one after the other, and the course after each
    let cases: [(&str, Steps<'_>, &[Course]); 8] = [
        (
            "all start: Backup",
            &[(0, Follows), (1, Follows)],
            &[Course::Follow, Course::Follow],
        ),
        (
            "one whose time has come waits for the others",
            &[(0, Follows), (1, Follows), (0, Ready), (1, Ready)],
            &[Course::Follow, Course::Follow, Course::Follow, Course::Lead],
        ),
        (
            "on the way to Master it stays so",
            &[(0, Ready), (1, Ready), (0, Leads), (1, Leads)],
            &[Course::None, Course::Lead, Course::Lead, Course::Lead],
        ),
        (
            "one steps down: all do",
            &[(0, Leads), (1, Leads), (0, Follows)],
            &[Course::None, Course::Lead, Course::Follow],
        ),
        (
            "a hand-over is no step down before it is at its end",
            &[(0, Leads), (1, Leads), (0, HandsOver), (0, Leads)],
            &[Course::None, Course::Lead, Course::Lead, Course::Lead],
        ),
        (
            "a stop is no step down",
            &[
                (0, Leads),
                (1, Leads),
                (0, HandsOver),
                (1, HandsOver),
                (0, Out),
            ],
            &[
                Course::None,
                Course::Lead,
                Course::Lead,
                Course::Lead,
                Course::Lead,
            ],
        ),
        (
            "a member in fault: nothing is agreed on",
            &[(0, Leads), (1, Leads), (0, Fault)],
            &[Course::None, Course::Lead, Course::None],
        ),
        ("a member that there is not", &[(7, Leads)], &[Course::None]),
    ];
    for (case, parts, courses) in cases {
        let mut group = Members::new(2);
        let seen: Vec<Course> = (parts.iter())
            .map(|(number, part)| {
                group.note(*number, member(*part));
                group.accord().course
            })
            .collect();
        assert_eq!(seen, courses, "{case}");
    }
}

#[test]
fn faults_and_bands_are_those_of_all() {
    let mut group = Members::new(3);
    let one = |has_fault, band| Member {
        part: Part::Leads,
        has_fault,
        band,
    };
    let cases = [
        (0, one(false, Band::Degraded), (false, Band::Degraded)),
        (1, one(true, Band::Unhealthy), (true, Band::Unhealthy)),
        (0, one(false, Band::Healthy), (true, Band::Unhealthy)),
        (2, one(true, Band::Degraded), (true, Band::Unhealthy)),
        (1, one(false, Band::Healthy), (true, Band::Degraded)),
        (2, one(false, Band::Healthy), (false, Band::Healthy)),
    ];
    for (number, member, expected) in cases {
        group.note(number, member);
        let accord = group.accord();
        assert_eq!((accord.has_fault, accord.band), expected);
        let again = group.note(number, member);
        assert_eq!(again.accord, None, "nothing is said twice");
    }
}

#[test]
fn a_transition_of_the_group_is_one_of_all_its_members() {
    let mut group = Members::new(2);
    let (stop, backup, master) = (State::Initialize, State::Backup, State::Master);
    let cases = [
        (0, Part::Follows, None),
        (1, Part::Follows, Some((stop, backup))),
        (0, Part::Ready, None),
        (0, Part::Leads, None),
        (1, Part::Leads, Some((backup, master))),
        (0, Part::HandsOver, None),
        (0, Part::Follows, None),
        (0, Part::Leads, None),
        (1, Part::Follows, None),
        (0, Part::Follows, Some((master, backup))),
    ];
    for (number, part, expected) in cases {
        let outcome = group.note(number, member(part));
        assert_eq!(outcome.transition, expected, "{number} {part:?}");
    }
}

fn grouped() -> Spec {
    Spec {
        is_grouped: true,
        ..usual()
    }
}

#[test]
fn what_a_member_does_about_it() {
    let leading = || {
        vec![
            (0, Start, "Backup: started"),
            (0, MayLead, ""),
            (3_218_750, Wake, ""),
            (3_300_000, Group(LEADING), LEAD),
        ]
    };
    let led = |steps: Vec<Step>| {
        let mut all = leading();
        all.extend(steps);
        all
    };
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "it becomes Master when its own time and that of the group have come",
            grouped(),
            led(vec![(4_300_000, Wake, "say 200")]),
        ),
        (
            "it is not elected before its own time has come",
            grouped(),
            backup_then(vec![(1_000_000, Group(LEADING), "")]),
        ),
        (
            "nor when it has heard a Master since",
            grouped(),
            backup_then(vec![
                (3_218_750, Wake, ""),
                (3_300_000, Hear(210), ""),
                (3_400_000, Group(LEADING), ""),
            ]),
        ),
        (
            "an owner waits for its group too",
            Spec {
                priority: priority(255),
                ..grouped()
            },
            vec![
                (0, MayLead, ""),
                (0, Start, "Backup: started"),
                (
                    10,
                    Group(LEADING),
                    "add, announce 1, say 255, Master: owner of the addresses",
                ),
            ],
        ),
        (
            "the group steps down: it hands over and does not come back by itself",
            grouped(),
            led(vec![
                (4_000_000, Group(FOLLOWING), "say 0, say 0"),
                (5_250_000, Wake, "remove, Backup: its sync group gave up"),
            ]),
        ),
        (
            "or its peer takes over first",
            grouped(),
            led(vec![
                (4_000_000, Group(FOLLOWING), "say 0, say 0"),
                (
                    4_001_000,
                    Hear(199),
                    "remove, Backup: handed over to 192.168.0.102 (priority 199)",
                ),
            ]),
        ),
        (
            "another one fails: so does it, and hands over first",
            grouped(),
            led(vec![
                (4_000_000, Group(FAULTY), "say 0, say 0"),
                (
                    4_001_000,
                    Hear(199),
                    "remove, Fault: another of its sync group failed",
                ),
                (9_000_000, Group(Accord::NONE), "Backup: recovered"),
            ]),
        ),
        (
            "its own fault is gone, another one's is not",
            grouped(),
            backup_then(vec![
                (1_000_000, Link(false), "Fault: interface down"),
                (1_000_000, Group(FAULTY), ""),
                (2_000_000, Link(true), ""),
                (3_000_000, Group(Accord::NONE), "Backup: recovered"),
            ]),
        ),
        (
            "another one is degraded: so is it",
            grouped(),
            led(vec![(
                4_000_000,
                Group(Accord {
                    band: Band::Degraded,
                    ..LEADING
                }),
                "say 0, say 0, 200 to 2",
            )]),
        ),
        (
            "who is in no group is told in vain",
            usual(),
            master_then(vec![(4_000_000, Group(FAULTY), "")]),
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}

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
    group: Members,
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
                group: Members::new(2),
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
