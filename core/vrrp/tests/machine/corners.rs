//! Clauses that only two nodes with odd priorities, or a Master with another interval, show.

use std::time::Duration;

use core_vrrp::{Priority, Spec, Time};

use crate::play::On::*;
use crate::play::*;

const OWN_IT: &str = "add, announce 1, say 255, Master: owner of the addresses";

#[test]
fn two_nodes_that_both_own_the_addresses() {
    // keepalived lowers itself to 254 and starts again. Here nobody's configuration is changed: the
    // greater address stays, and there is no fight.
    let owner = || Spec {
        priority: Priority::OWNER,
        ..usual()
    };
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "§6.4.3: of two owners the one with the lower address gives in, and leaves it at that",
            owner(),
            vec![
                (0, MayLead, ""),
                (0, Start, OWN_IT),
                (
                    100_000,
                    Hear(255),
                    "remove, say 255, Backup: 192.168.0.102 has priority 255",
                ),
                (1_000_000, Hear(255), ""),
                (2_000_000, Hear(255), ""),
                (
                    5_003_906,
                    Wake,
                    "add, announce 1, say 255, Master: no master heard",
                ),
            ],
        ),
        (
            "§6.4.3: the one with the greater address says so once for each advert",
            owner(),
            vec![
                (0, MayLead, ""),
                (0, Start, OWN_IT),
                (100_000, HearFrom(LOWER_PEER, 255), "say 255"),
                (1_000_000, Wake, "announce 1"),
                (1_100_000, Wake, "say 255"),
            ],
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}

#[test]
fn equal_priorities() {
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "§6.4.2: equal is not lower: no preemption, wherever the address is",
            usual(),
            backup_then(vec![
                (1_000_000, HearFrom(LOWER_PEER, 200), ""),
                (2_000_000, HearFrom(LOWER_PEER, 200), ""),
                (3_000_000, HearFrom(LOWER_PEER, 200), ""),
                (6_218_750, Wake, LEAD),
            ]),
        ),
        (
            "§6.4.3: it was Master of a pair of equals, and its peer is back: one of them yields",
            usual(),
            master_then(vec![
                (4_218_750, Wake, "say 200"),
                (4_300_000, HearFrom(LOWER_PEER, 200), "say 200, announce 1"),
                (
                    4_400_000,
                    Hear(200),
                    "remove, say 200, Backup: 192.168.0.102 has priority 200",
                ),
                (5_400_000, Hear(200), ""),
            ]),
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}

#[test]
fn releases() {
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "§6.4.2: a release of somebody else while a Master speaks elects nobody",
            usual(),
            backup_then(vec![
                (1_000_000, Hear(210), ""),
                (1_900_000, HearFrom(LOWER_PEER, 0), ""),
                (2_000_000, Hear(210), ""),
                (5_218_750, Wake, LEAD),
            ]),
        ),
        (
            "§6.4.2: a second release starts Skew_Time again",
            usual(),
            backup_then(vec![
                (1_000_000, Hear(0), ""),
                (1_100_000, Hear(0), ""),
                (
                    1_318_750,
                    Wake,
                    "add, announce 1, say 200, Master: the master gave up",
                ),
            ]),
        ),
        (
            "§6.4.2: a release is no preemption: also who never preempts takes over",
            Spec {
                failback: core_vrrp::Failback::Manual,
                ..usual()
            },
            backup_then(vec![
                (1_000_000, Hear(100), ""),
                (1_500_000, Hear(0), ""),
                (
                    1_718_750,
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
fn intervals_are_learned_from_the_master_alone() {
    let spec = || Spec {
        protocol: v3(10),
        ..usual()
    };
    // What is heard, and when the timer runs out, in µs.
    let cases: [(&str, Vec<Step>, u64); 4] = [
        (
            "§6.4.2: from an advert of greater or equal priority",
            vec![(100_000, HearV3(200, 100), "")],
            3_318_750,
        ),
        (
            "§6.4.2: not from one that is discarded because it is lower",
            vec![(100_000, HearV3(100, 100), "")],
            321_875,
        ),
        (
            "§6.4.2: not from a release, whose Skew_Time is that of the Master before",
            vec![
                (100_000, HearV3(210, 100), ""),
                (200_000, HearV3(0, 500), ""),
            ],
            418_750,
        ),
        (
            "§6.4.2: the last Master's holds",
            vec![
                (100_000, HearV3(210, 100), ""),
                (200_000, HearV3(220, 20), ""),
            ],
            843_750,
        ),
    ];
    for (case, steps, due_us) in cases {
        let router = play(case, spec(), &backup_then(steps));
        let due = Time(Duration::from_micros(due_us));
        assert_eq!(router.poll_timeout(), Some(due), "{case}");
    }
    // §6.4.3: and by a Master from the one that outranks it.
    let steps = backup_then(vec![
        (321_875, Wake, LEAD),
        (
            400_000,
            HearV3(210, 100),
            "remove, say 200, Backup: 192.168.0.102 has priority 210",
        ),
    ]);
    let router = play("outranked", spec(), &steps);
    let due = Time(Duration::from_micros(3_618_750));
    assert_eq!(router.poll_timeout(), Some(due));
}

#[test]
fn priorities_that_a_reload_changes() {
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "a Master says its new one at once, and stays",
            usual(),
            master_then(vec![
                (4_000_000, Become(150), "add, say 150, 200 to 150"),
                (5_000_000, Wake, "say 150"),
            ]),
        ),
        (
            "a Backup that is better now preempts when its timer runs out",
            usual(),
            backup_then(vec![
                (1_000_000, Hear(210), ""),
                (1_500_000, Become(220), "200 to 220"),
                (2_000_000, Hear(210), ""),
                (
                    4_640_625,
                    Wake,
                    "add, announce 1, say 220, Master: better than 192.168.0.102 (priority 210)",
                ),
            ]),
        ),
        (
            "a Backup that is worse now stops preempting",
            usual(),
            backup_then(vec![
                (1_000_000, Hear(150), ""),
                (2_000_000, Become(100), "200 to 100"),
                (3_000_000, Hear(150), ""),
                (4_000_000, Hear(150), ""),
            ]),
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}
