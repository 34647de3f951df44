//! Somebody else says that an address is theirs.

use core_vrrp::Spec;

use crate::play::On::*;
use crate::play::*;

#[test]
fn claims() {
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "a Master that stays Master announces again, and people are told",
            usual(),
            master_then(vec![
                (4_218_750, Wake, "say 200"),
                (4_500_000, Claimed(9), ""),
                (4_600_000, Wake, "announce 1, contested by 9"),
                (5_218_750, Wake, "say 200"),
            ]),
        ),
        (
            "a claim that a successor's advert follows is none",
            usual(),
            master_then(vec![
                (4_500_000, Claimed(9), ""),
                (
                    4_501_000,
                    Hear(201),
                    "remove, say 200, Backup: 192.168.0.102 has priority 201",
                ),
            ]),
        ),
        (
            "one that goes on is answered once a second, and told once",
            usual(),
            master_then(vec![
                (4_218_750, Wake, "say 200"),
                (4_500_000, Claimed(9), ""),
                (4_550_000, Claimed(9), ""),
                (4_600_000, Wake, "announce 1, contested by 9"),
                (4_700_000, Claimed(9), ""),
                (5_218_750, Wake, "say 200"),
                (5_600_000, Wake, "announce 1"),
                (5_700_000, Claimed(9), ""),
                (6_218_750, Wake, "say 200"),
                (6_600_000, Wake, "announce 1"),
            ]),
        ),
        (
            "right after a burst it is answered a second later, not never",
            usual(),
            master_then(vec![
                (3_300_000, Claimed(9), ""),
                (4_218_750, Wake, "say 200, announce 1, contested by 9"),
            ]),
        ),
        (
            "in a Backup, addresses are elsewhere anyway",
            usual(),
            backup_then(vec![(1_000_000, Claimed(9), ""), (3_218_750, Wake, LEAD)]),
        ),
        (
            "during a hand-over, somebody is about to take over",
            usual(),
            master_then(vec![
                (4_000_000, Shutdown, "say 0, say 0"),
                (4_100_000, Claimed(9), ""),
                (4_215_000, Hear(199), "remove, Initialize: stopped"),
            ]),
        ),
        (
            "after a flap of the link nothing stale is left: it begins as if new",
            usual(),
            master_then(vec![
                (4_000_000, Claimed(9), ""),
                (4_010_000, Link(false), "remove, Fault: interface down"),
                (4_020_000, Link(true), "Backup: recovered"),
                (7_238_750, Wake, LEAD),
            ]),
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}

#[test]
fn people_are_told_again_after_a_minute_of_quiet() {
    let mut steps = master_then(vec![
        (4_218_750, Wake, "say 200"),
        (4_500_000, Claimed(9), ""),
        (4_600_000, Wake, "announce 1, contested by 9"),
    ]);
    steps.extend((5..65).map(|at| (at * 1_000_000 + 218_750, Wake, "say 200")));
    steps.extend([
        (64_500_000, Claimed(10), ""),
        (64_600_000, Wake, "announce 1, contested by 10"),
    ]);
    let router = play("quiet", usual(), &steps);
    assert_eq!(router.counters().contested, 2);
}
