//! Before and at the start.

use std::time::Duration;

use core_vrrp::{Priority, Spec};

use crate::play::On::*;
use crate::play::*;

#[test]
fn initialize() {
    let owner = || Spec {
        priority: Priority::OWNER,
        ..usual()
    };
    let delayed = Spec {
        startup_delay: Duration::from_secs(10),
        ..usual()
    };
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "§6.4.1: who is no owner begins as Backup",
            usual(),
            vec![(0, Start, "Backup: started")],
        ),
        (
            "§6.4.1: the owner begins as Master",
            owner(),
            vec![
                (0, MayLead, ""),
                (
                    0,
                    Start,
                    "add, announce 1, say 255, Master: owner of the addresses",
                ),
            ],
        ),
        (
            "the owner too waits until its node is ready",
            owner(),
            vec![
                (0, Start, "Backup: started"),
                (
                    70,
                    MayLead,
                    "add, announce 1, say 255, Master: owner of the addresses",
                ),
            ],
        ),
        (
            "who may lead only later makes up for it at once",
            usual(),
            vec![(0, Start, "Backup: started"), (9_000_000, MayLead, LEAD)],
        ),
        (
            "nobody leads within the startup delay, heard or not",
            delayed,
            backup_then(vec![(1_000_000, Hear(200), ""), (10_000_000, Wake, LEAD)]),
        ),
        (
            "an interface that is down at the start is a fault",
            usual(),
            vec![
                (0, Link(false), ""),
                (0, Start, "Fault: interface down"),
                (5, Link(true), "Backup: recovered"),
            ],
        ),
        (
            "nothing to give up before the start",
            usual(),
            vec![(0, Shutdown, ""), (0, Start, "")],
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}
