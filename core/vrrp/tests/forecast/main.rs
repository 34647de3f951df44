//! The failover table: who owns the addresses in which combination of failures, and what is said
//! about it.

mod machine;

use std::net::IpAddr;
use std::time::Duration;

use core_vrrp::forecast::{Befallen, Contender, Failure, Forecast, Lint, Unmoved, forecast};
use core_vrrp::{Failback, Priority, Track, TrackEffect};

/// Nodes are called a, b, c in the order given; a later one has a higher address.
fn node(index: usize, priority: u8, tracks: &[(&str, i16)]) -> Contender {
    let octet = 101 + u8::try_from(index).expect("in range");
    Contender {
        address: IpAddr::from([192, 168, 0, octet]),
        priority: Priority::new(priority).expect("in range"),
        failback: Failback::Auto(Duration::ZERO),
        is_grouped: false,
        track_proxy: false,
        tracks: tracks
            .iter()
            .map(|(name, weight)| track(name, TrackEffect::Weight(*weight)))
            .collect(),
    }
}

fn track(name: &str, effect: TrackEffect) -> Track {
    Track {
        name: name.into(),
        effect,
    }
}

fn nodes(given: &[(u8, &[(&str, i16)])]) -> Vec<Contender> {
    let numbered = given.iter().enumerate();
    numbered
        .map(|(index, (priority, tracks))| node(index, *priority, tracks))
        .collect()
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// `a.chk + b.down`.
fn failures_text(failures: &[Befallen]) -> String {
    let one = |befallen: &Befallen| {
        let failure = match &befallen.failure {
            Failure::Track(name) => name,
            Failure::Proxy => "proxy",
            Failure::Down => "down",
        };
        format!("{}.{failure}", NAMES[befallen.node])
    };
    failures.iter().map(one).collect::<Vec<_>>().join(" + ")
}

/// `a.chk + b.down: a`, one line a case; `-` is nobody, `a|b` either.
fn table(forecast: &Forecast) -> Vec<String> {
    let line = |case: &core_vrrp::forecast::Case| {
        let owner = |owner: &Option<usize>| owner.map_or("-", |node| NAMES[node]);
        let owners: Vec<&str> = case.owners.iter().map(owner).collect();
        format!("{}: {}", failures_text(&case.failures), owners.join("|"))
    };
    forecast.cases.iter().map(line).collect()
}

#[test]
fn the_article_moves_when_one_check_fails_and_stays_when_both_do() {
    let seen = forecast(&nodes(&[(200, &[("chk", 2)]), (199, &[("chk", 2)])]));
    let expected = [
        ": a",
        "a.chk: b",
        "a.down: b",
        "b.chk: a",
        "b.down: a",
        "a.chk + b.chk: a",
        "a.chk + b.down: a",
        "a.down + b.chk: b",
        "a.down + b.down: -",
    ];
    assert_eq!(table(&seen), expected);
    assert!(seen.is_complete);
    assert_eq!(seen.lints, []);
}

#[test]
fn an_ill_proxy_counts_for_more_than_any_weight() {
    let mut pair = nodes(&[(200, &[("chk", 2)]), (199, &[("chk", 2)])]);
    for node in &mut pair {
        node.track_proxy = true;
    }
    let seen = forecast(&pair);
    let expected = [
        ": a",
        "a.chk: b",
        "a.proxy: b",
        "a.down: b",
        "b.chk: a",
        "b.proxy: a",
        "b.down: a",
        "a.chk + b.chk: a",
        "a.chk + b.proxy: a",
        "a.chk + b.down: a",
        "a.proxy + b.chk: b",
        // Best stays: whoever owned it when the other fell ill.
        "a.proxy + b.proxy: a|b",
        "a.proxy + b.down: a",
        "a.down + b.chk: b",
        "a.down + b.proxy: b",
        "a.down + b.down: -",
    ];
    assert_eq!(table(&seen), expected);
    assert!(seen.is_complete);
}

#[test]
fn a_track_without_weight_leaves_nobody_when_it_fails_everywhere() {
    let seen = forecast(&nodes(&[(200, &[("chk", 0)]), (100, &[("chk", 0)])]));
    assert!(table(&seen).contains(&"a.chk + b.chk: -".to_owned()));
    assert!(table(&seen).contains(&"a.chk + b.down: -".to_owned()));
    assert_eq!(seen.lints, [Lint::Orphans]);
}

#[test]
fn of_many_things_one_and_two_failures_are_shown() {
    let mut three = nodes(&[(200, &[("chk", -20)]), (190, &[("chk", -20)]), (100, &[])]);
    for node in &mut three {
        node.track_proxy = true;
    }
    assert!(forecast(&three).is_complete, "of eight things");
    three[2].tracks = nodes(&[(100, &[("x", -1), ("y", -1), ("z", -1)])])[0]
        .tracks
        .clone();
    let seen = forecast(&three);
    assert!(!seen.is_complete, "of eleven things");
    let expected = [
        ": a",
        "a.chk: b",
        "a.proxy: b",
        "a.down: b",
        "b.chk: a",
        "b.proxy: a",
        "b.down: a",
        "c.x: a",
        "c.y: a",
        "c.z: a",
        "c.proxy: a",
        "c.down: a",
        "a.chk + b.chk: a",
        "a.chk + b.proxy: a",
        "a.chk + b.down: a",
        "a.proxy + b.chk: b",
        "a.proxy + b.proxy: c",
        "a.proxy + b.down: c",
        "a.down + b.chk: b",
        "a.down + b.proxy: c",
        "a.down + b.down: c",
    ];
    assert_eq!(table(&seen), expected);
}

#[test]
fn without_preemption_the_address_stays_where_it_is() {
    let mut pair = nodes(&[(200, &[("chk", -50)]), (190, &[])]);
    pair[1].failback = Failback::Manual;
    let seen = forecast(&pair);
    let expected = [
        ": a",
        "a.chk: a",
        "a.down: b",
        "b.down: a",
        "a.down + b.down: -",
    ];
    assert_eq!(table(&seen), expected);
}

/// Two nodes that track `chk` with this effect.
fn pair_with(effect: TrackEffect) -> Vec<Contender> {
    let mut pair = nodes(&[(200, &[]), (100, &[])]);
    for node in &mut pair {
        node.tracks = vec![track("chk", effect)];
    }
    pair
}

#[test]
fn a_band_moves_the_addresses_across_any_gap_and_not_when_it_is_everywhere() {
    let expected = [
        ": a",
        "a.chk: b",
        "a.down: b",
        "b.chk: a",
        "b.down: a",
        // Whoever owned them when the other fell into the band.
        "a.chk + b.chk: a|b",
        "a.chk + b.down: a",
        "a.down + b.chk: b",
        "a.down + b.down: -",
    ];
    for effect in [TrackEffect::Degraded, TrackEffect::Unhealthy] {
        for failback in [Failback::Auto(Duration::ZERO), Failback::Manual] {
            let mut pair = pair_with(effect);
            for node in &mut pair {
                node.failback = failback;
            }
            let seen = forecast(&pair);
            assert_eq!(table(&seen), expected, "{effect:?} {failback:?}");
            let returns = failback != Failback::Manual;
            assert_eq!(seen.lints.is_empty(), returns, "{:?}", seen.lints);
        }
    }
}

#[test]
fn the_degraded_go_before_the_unhealthy() {
    let mut pair = pair_with(TrackEffect::Degraded);
    for node in &mut pair {
        node.track_proxy = true;
    }
    let seen = table(&forecast(&pair));
    for line in ["a.chk + b.proxy: a", "a.proxy + b.chk: b"] {
        assert!(seen.contains(&line.to_owned()), "{line} in {seen:?}");
    }
}

#[test]
fn an_owner_of_the_addresses_falls_into_its_band() {
    let mut pair = pair_with(TrackEffect::Degraded);
    pair[0].priority = Priority::OWNER;
    let seen = forecast(&pair);
    assert!(table(&seen).contains(&"a.chk: b".to_owned()));
    assert_eq!(seen.lints, []);
}

fn priority(number: u8) -> Priority {
    Priority::new(number).expect("in range")
}

fn unmoved(left: u8, rival_priority: u8) -> Lint {
    Lint::Unmoved {
        node: 0,
        track: "chk".into(),
        why: Unmoved::Gap {
            left: priority(left),
            rival: 1,
            rival_priority: priority(rival_priority),
        },
    }
}

type Nodes<'a> = &'a [(u8, &'a [(&'a str, i16)])];

#[test]
fn what_is_probably_not_meant_is_said() {
    let cases: [(&str, Nodes<'_>, &[Lint]); 7] = [
        (
            "the article",
            &[(200, &[("chk", 2)]), (199, &[("chk", 2)])],
            &[],
        ),
        (
            "a weight below the gap",
            &[(200, &[("chk", 2)]), (190, &[("chk", 2)])],
            &[unmoved(200, 192), Lint::NeverMoves],
        ),
        (
            "a weight that is the gap",
            &[(200, &[("chk", -10)]), (190, &[])],
            &[unmoved(190, 190), Lint::NeverMoves],
        ),
        (
            "sums above 254",
            &[(250, &[("chk", 10)]), (253, &[("other", 1)])],
            &[Lint::Clamped {
                nodes: [0, 1],
                sums: [260, 254],
                priority: priority(254),
            }],
        ),
        (
            "equal priorities",
            &[(100, &[("chk", 2)]), (100, &[("chk", 2)])],
            &[Lint::Equal {
                nodes: [1, 0],
                priority: priority(102),
            }],
        ),
        (
            "an owner of the addresses",
            &[(255, &[("chk", -200)]), (100, &[])],
            &[
                Lint::Unmoved {
                    node: 0,
                    track: "chk".into(),
                    why: Unmoved::AddressOwner,
                },
                Lint::NeverMoves,
            ],
        ),
        ("one node has no choice", &[(100, &[("chk", 2)])], &[]),
    ];
    for (what, given, expected) in cases {
        assert_eq!(forecast(&nodes(given)).lints, expected, "{what}");
    }
}

#[test]
fn what_does_not_preempt_is_said() {
    let mut pair = nodes(&[(200, &[("chk", -50)]), (190, &[])]);
    for node in &mut pair {
        node.failback = Failback::Manual;
    }
    let expected = [
        Lint::Unmoved {
            node: 0,
            track: "chk".into(),
            why: Unmoved::NoPreempt { rival: 1 },
        },
        Lint::NeverMoves,
        Lint::NoReturn { node: 0 },
    ];
    assert_eq!(forecast(&pair).lints, expected);
}
