//! Bands: healthy goes before degraded, degraded before unhealthy, whatever the priorities.

use core_vrrp::{Band, Failback, OnUnhealthy, Priority, Spec, TrackEffect};

use crate::play::On::*;
use crate::play::*;

const OTHERS_TURN: &str = "remove, Backup: handed over to 192.168.0.102 (priority 199)";

fn degradable() -> Spec {
    banded(TrackEffect::Degraded)
}

#[test]
fn a_master_that_gets_worse() {
    let owner = || Spec {
        priority: Priority::OWNER,
        ..degradable()
    };
    let lowest = Spec {
        priority: Priority::LEAST,
        ..degradable()
    };
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "degraded: it abdicates, and follows who takes over",
            degradable(),
            master_then(vec![
                (4_000_000, Script(false), "say 0, say 0, 200 to 2"),
                (4_215_000, Hear(199), OTHERS_TURN),
            ]),
        ),
        (
            "unhealthy: so it does",
            banded(TrackEffect::Unhealthy),
            master_then(vec![
                (4_000_000, Script(false), "say 0, say 0, 200 to 1"),
                (4_215_000, Hear(199), OTHERS_TURN),
            ]),
        ),
        (
            "nobody takes over: best stays, and abdicates only when it gets worse still",
            degradable(),
            master_then(vec![
                (4_000_000, Script(false), "say 0, say 0, 200 to 2"),
                (5_250_000, Wake, "add, announce 1, say 2"),
                (5_300_000, Script(false), ""),
                (5_400_000, Proxy(false), "say 0, say 0, 2 to 1"),
                (6_650_000, Wake, "add, announce 1, say 1"),
                (6_700_000, Script(true), ""),
                (6_800_000, Proxy(true), "1 to 200"),
            ]),
        ),
        (
            "getting a little better is no reason to give up",
            degradable(),
            master_then(vec![
                (4_000_000, Proxy(false), "say 0, say 0, 200 to 1"),
                (5_250_000, Wake, "add, announce 1, say 1"),
                (5_300_000, Script(false), ""),
                (5_400_000, Proxy(true), "1 to 2"),
                (6_250_000, Wake, "say 2"),
            ]),
        ),
        (
            "an owner falls into its band too",
            owner(),
            vec![
                (0, MayLead, ""),
                (
                    0,
                    Start,
                    "add, announce 1, say 255, Master: owner of the addresses",
                ),
                (500_000, Script(false), "say 0, say 0, 255 to 2"),
                (715_000, Hear(199), OTHERS_TURN),
            ],
        ),
        (
            "a priority of 1 is no band: healthy ones have 3 at least",
            lowest,
            vec![
                (0, Start, "Backup: started"),
                (0, MayLead, ""),
                (
                    3_988_281,
                    Wake,
                    "add, announce 1, say 3, Master: no master heard",
                ),
                (4_000_000, Script(false), "say 0, say 0, 3 to 2"),
            ],
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}

#[test]
fn a_backup_that_is_not_well() {
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "degraded, it leaves a release to the healthy and to the one that gives up",
            degradable(),
            backup_then(vec![
                (100_000, Script(false), "200 to 2"),
                (1_000_000, Hear(150), ""),
                (2_000_000, Hear(0), ""),
                (
                    5_992_187,
                    Wake,
                    "add, announce 1, say 2, Master: the master gave up",
                ),
            ]),
        ),
        (
            "unhealthy, also to the degraded",
            degradable(),
            backup_then(vec![
                (100_000, Proxy(false), "200 to 1"),
                (1_000_000, Hear(150), ""),
                (2_000_000, Hear(0), ""),
                (
                    6_996_093,
                    Wake,
                    "add, announce 1, say 1, Master: the master gave up",
                ),
            ]),
        ),
        (
            "at short intervals it outlasts the whole hand-over",
            Spec {
                protocol: v3(10),
                ..degradable()
            },
            backup_then(vec![
                (10_000, Script(false), "200 to 2"),
                (100_000, HearV3(150, 10), ""),
                (200_000, HearV3(0, 10), ""),
                (
                    750_000,
                    Wake,
                    "add, announce 1, say 2, Master: the master gave up",
                ),
            ]),
        ),
        (
            "who gave up goes on: of equals the one that leads stays",
            degradable(),
            backup_then(vec![
                (100_000, Script(false), "200 to 2"),
                (1_000_000, Hear(0), ""),
                (2_250_000, Hear(2), ""),
                (3_250_000, Hear(2), ""),
                (
                    7_242_187,
                    Wake,
                    "add, announce 1, say 2, Master: no master heard",
                ),
            ]),
        ),
        (
            "a degraded one takes over from an unhealthy one",
            degradable(),
            backup_then(vec![
                (100_000, Script(false), "200 to 2"),
                (1_000_000, Hear(150), ""),
                (2_000_000, Hear(1), ""),
                (3_000_000, Hear(1), ""),
                (
                    4_992_187,
                    Wake,
                    "add, announce 1, say 2, Master: better than 192.168.0.102 (priority 1)",
                ),
            ]),
        ),
        (
            "it falls ill while it waits to preempt: the timer starts again",
            usual(),
            backup_then(vec![
                (1_000_000, Hear(210), ""),
                (2_000_000, Hear(100), ""),
                (4_000_000, Proxy(false), "200 to 1"),
                (4_500_000, Hear(100), ""),
                (
                    8_496_093,
                    Wake,
                    "add, announce 1, say 1, Master: no master heard",
                ),
            ]),
        ),
        (
            "it recovers while it waits for a silent Master: the timer is that of its priority",
            usual(),
            vec![
                (0, Proxy(false), ""),
                (0, Start, "Backup: started"),
                (0, MayLead, ""),
                (3_000_000, Proxy(true), "1 to 200"),
                (3_218_750, Wake, LEAD),
            ],
        ),
        (
            "it recovers while it waits after a release: it is one of the healthy now",
            usual(),
            backup_then(vec![
                (100_000, Proxy(false), "200 to 1"),
                (1_000_000, Hear(0), ""),
                (2_000_000, Proxy(true), "1 to 200"),
                (
                    2_218_750,
                    Wake,
                    "add, announce 1, say 200, Master: the master gave up",
                ),
            ]),
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}

#[test]
fn without_failback() {
    let patient = || Spec {
        failback: Failback::Manual,
        ..usual()
    };
    let unaware = Spec {
        failback: Failback::Manual,
        ..with_script(2)
    };
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "a healthy Backup takes over from an unhealthy Master all the same",
            patient(),
            backup_then(vec![
                (1_000_000, Hear(100), ""),
                (2_000_000, Hear(1), ""),
                (3_000_000, Hear(1), ""),
                (
                    4_218_750,
                    Wake,
                    "add, announce 1, say 200, Master: better than 192.168.0.102 (priority 1)",
                ),
            ]),
        ),
        (
            "and from a degraded one",
            patient(),
            backup_then(vec![
                (1_000_000, Hear(2), ""),
                (
                    3_218_750,
                    Wake,
                    "add, announce 1, say 200, Master: better than 192.168.0.102 (priority 2)",
                ),
            ]),
        ),
        (
            "where there are no bands 1 is a priority like any other",
            unaware,
            backup_then(vec![(1_000_000, Hear(1), ""), (4_218_750, Wake, LEAD)]),
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}

#[test]
fn deprioritise_does_as_keepalived() {
    let spec = |effect| Spec {
        on_unhealthy: OnUnhealthy::Deprioritise,
        ..banded(effect)
    };
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "the worse priority goes out on the beat",
            spec(TrackEffect::Degraded),
            master_then(vec![
                (4_000_000, Script(false), "200 to 2"),
                (4_218_750, Wake, "say 2"),
                (
                    5_000_000,
                    Hear(199),
                    "remove, say 2, Backup: 192.168.0.102 has priority 199",
                ),
            ]),
        ),
        (
            "so it does when the proxy falls ill",
            spec(TrackEffect::Weight(-50)),
            master_then(vec![
                (4_000_000, Script(false), "200 to 150"),
                (4_100_000, Proxy(false), "150 to 1"),
                (4_218_750, Wake, "say 1"),
            ]),
        ),
        (
            "a fault removes the addresses, then says 0, all at once",
            spec(TrackEffect::Weight(0)),
            master_then(vec![
                (
                    4_000_000,
                    Script(false),
                    "remove, say 0, say 0, Fault: a tracked check failed",
                ),
                (5_000_000, Script(true), "Backup: recovered"),
            ]),
        ),
        (
            "a release is Skew_Time for everybody",
            spec(TrackEffect::Degraded),
            backup_then(vec![
                (100_000, Script(false), "200 to 2"),
                (1_000_000, Hear(0), ""),
                (
                    1_992_187,
                    Wake,
                    "add, announce 1, say 2, Master: the master gave up",
                ),
            ]),
        ),
        (
            "a stop hands over as ever",
            spec(TrackEffect::Degraded),
            master_then(vec![
                (4_000_000, Shutdown, "say 0, say 0"),
                (4_215_000, Hear(199), "remove, Initialize: stopped"),
            ]),
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}

#[test]
fn bands_are_ordered_and_read_from_priorities() {
    assert!(Band::Unhealthy < Band::Degraded && Band::Degraded < Band::Healthy);
    for (number, band) in [
        (0, Band::Unhealthy),
        (1, Band::Unhealthy),
        (2, Band::Degraded),
        (3, Band::Healthy),
        (255, Band::Healthy),
    ] {
        assert_eq!(Band::said_by(priority(number)), band, "{number}");
    }
}
