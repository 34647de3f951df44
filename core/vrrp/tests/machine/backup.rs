//! Backup.

use std::time::Duration;

use core_vrrp::{Failback, Spec, Time};

use crate::play::On::*;
use crate::play::*;

#[test]
fn backup() {
    let patient = Spec {
        failback: Failback::Manual,
        ..usual()
    };
    let hesitant = Spec {
        failback: Failback::Auto(Duration::from_secs(5)),
        ..usual()
    };
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "§6.4.2: Active_Down_Timer fires: address, ARP, advert, in this order",
            usual(),
            backup_then(vec![(3_218_750, Wake, LEAD)]),
        ),
        (
            "§6.4.2: priority 0 shortens the timer to Skew_Time and elects nobody by itself",
            usual(),
            backup_then(vec![
                (1_000_000, Hear(210), ""),
                (1_500_000, Hear(0), ""),
                (
                    1_718_750,
                    Wake,
                    "add, announce 1, say 200, Master: the master gave up",
                ),
            ]),
        ),
        (
            "§6.4.2: an advert of greater or equal priority restarts the timer",
            usual(),
            backup_then(vec![
                (1_000_000, Hear(201), ""),
                (2_000_000, Hear(200), ""),
                (5_218_750, Wake, LEAD),
            ]),
        ),
        (
            "§6.4.2: the address decides nothing in Backup",
            usual(),
            backup_then(vec![
                (1_000_000, HearFrom(LOWER_PEER, 200), ""),
                (4_218_750, Wake, LEAD),
            ]),
        ),
        (
            "§6.4.2: with Preempt_Mode an advert of lower priority does not restart the timer",
            usual(),
            backup_then(vec![
                (1_000_000, Hear(100), ""),
                (3_000_000, Hear(100), ""),
                (
                    3_218_750,
                    Wake,
                    "add, announce 1, say 200, Master: better than 192.168.0.102 (priority 100)",
                ),
            ]),
        ),
        (
            "§6.4.2: without Preempt_Mode it does",
            patient,
            backup_then(vec![(3_000_000, Hear(100), ""), (6_218_750, Wake, LEAD)]),
        ),
        (
            "preempt_delay: a worse Master is put up with for so long",
            hesitant,
            backup_then(vec![
                (1_000_000, Hear(100), ""),
                (3_000_000, Hear(100), ""),
                (5_999_999, Hear(100), ""),
                (6_100_000, Hear(100), ""),
                (
                    9_218_749,
                    Wake,
                    "add, announce 1, say 200, Master: better than 192.168.0.102 (priority 100)",
                ),
            ]),
        ),
        (
            "a timer that was overslept is restarted: listen before you speak",
            usual(),
            backup_then(vec![(4_218_750, Wake, ""), (7_437_500, Wake, LEAD)]),
        ),
        (
            "§6.4.2: Shutdown cancels the timer",
            usual(),
            backup_then(vec![(1, Shutdown, "Initialize: stopped")]),
        ),
        (
            "a reload to a longer interval gives the Master the time to be reloaded too",
            usual(),
            backup_then(vec![(3_000_000, Lengthen, ""), (9_218_750, Wake, LEAD)]),
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}

#[test]
fn version_3_learns_the_masters_interval() {
    let spec = Spec {
        protocol: v3(10),
        ..usual()
    };
    // §6.4.2: three of the Master's intervals of 1 s and 56/256 of it.
    let steps = backup_then(vec![
        (100_000, HearV3(210, 100), ""),
        (3_318_750, Wake, LEAD),
    ]);
    let router = play("learns", spec, &steps);
    // §6.4.3: as Master, its own.
    assert_eq!(
        router.poll_timeout(),
        Some(Time(Duration::from_micros(3_418_750)))
    );
}

#[test]
fn a_reload_changes_the_interval_of_who_has_learned_none() {
    let cases: Vec<(&str, Vec<Step>)> = vec![
        (
            "nobody was heard: its own is the new one",
            vec![(100_000, Every(100), ""), (3_318_750, Wake, LEAD)],
        ),
        (
            "a worse Master that is to be replaced teaches nothing",
            vec![
                (100_000, HearV3(100, 50), ""),
                (200_000, Every(100), ""),
                (
                    3_418_750,
                    Wake,
                    "add, announce 1, say 200, Master: better than 192.168.0.102 (priority 100)",
                ),
            ],
        ),
        (
            "the Master's stays learned",
            vec![
                (100_000, HearV3(210, 50), ""),
                (200_000, Every(100), ""),
                (1_809_375, Wake, LEAD),
            ],
        ),
        (
            "also after it has given up",
            vec![
                (100_000, HearV3(210, 50), ""),
                (110_000, HearV3(0, 50), ""),
                (120_000, Every(100), ""),
                (
                    1_729_375,
                    Wake,
                    "add, announce 1, say 200, Master: the master gave up",
                ),
            ],
        ),
    ];
    for (case, steps) in cases {
        let spec = Spec {
            protocol: v3(10),
            ..usual()
        };
        play(case, spec, &backup_then(steps));
    }
}
