//! What is counted of a router's life, and what its tracks come to.

use core_vrrp::{Share, Spec, Track, TrackEffect};

use crate::play::On::*;
use crate::play::*;

#[test]
fn releases_and_changes_of_the_master() {
    let released = || {
        master_then(vec![
            (4_000_000, Proxy(false), "say 0, say 0, 200 to 1"),
            (
                4_100_000,
                Hear(201),
                "remove, Backup: handed over to 192.168.0.102 (priority 201)",
            ),
        ])
    };
    let mut back = released();
    back.extend([
        (4_200_000, Proxy(true), "1 to 200"),
        (4_300_000, Hear(0), ""),
    ]);
    let outranked = master_then(vec![(
        4_000_000,
        Hear(201),
        "remove, say 200, Backup: 192.168.0.102 has priority 201",
    )]);
    // steps, became Master, ceased to be, releases sent and heard
    let cases: Vec<(&str, Vec<Step>, [u64; 4])> = vec![
        (
            "Master for the first time",
            master_then(vec![]),
            [1, 0, 0, 0],
        ),
        ("gave up, by unicast twice", released(), [1, 1, 2, 0]),
        ("heard another give up", back, [1, 1, 2, 1]),
        (
            "was outranked, and released nothing",
            outranked,
            [1, 1, 0, 0],
        ),
    ];
    for (case, steps, expected) in cases {
        let router = play(case, usual(), &steps);
        let it = router.counters();
        let counted = [
            it.became_master,
            it.ceased_master,
            it.releases_sent,
            it.releases_received,
        ];
        assert_eq!(counted, expected, "{case}");
    }
}

#[test]
fn each_track_says_what_it_does() {
    use TrackEffect::{Degraded, Unhealthy, Weight};
    // effect, verdict, what it does
    let cases = [
        (Weight(10), None, Share::Adds(0)),
        (Weight(10), Some(Script(true)), Share::Adds(10)),
        (Weight(10), Some(Script(false)), Share::Adds(0)),
        (Weight(-10), Some(Script(false)), Share::Adds(-10)),
        (Weight(0), Some(Script(false)), Share::Fault),
        (Weight(0), Some(Number(0)), Share::Adds(0)),
        (Weight(0), Some(Number(7)), Share::Fault),
        (Weight(2), Some(Number(-20)), Share::Adds(-40)),
        (Weight(2), Some(Number(-127)), Share::Fault),
        (Weight(2), Some(NoNumber), Share::Fault),
        (Degraded, Some(Script(true)), Share::Adds(0)),
        (Degraded, Some(Script(false)), Share::Degraded),
        (Unhealthy, Some(Number(1)), Share::Unhealthy),
        (Unhealthy, Some(Number(0)), Share::Adds(0)),
    ];
    for (effect, verdict, expected) in cases {
        let spec = Spec {
            tracks: vec![Track {
                name: "script".into(),
                effect,
            }],
            ..usual()
        };
        let case = format!("{effect:?}, {expected:?}");
        let steps: Vec<Step> = verdict.into_iter().map(|it| (0, it, "")).collect();
        let router = play(&case, spec, &steps);
        let shares: Vec<Share> = router.tracks().map(|(_, _, share)| share).collect();
        assert_eq!(shares, [expected], "{case}");
    }
}
