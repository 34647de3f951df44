//! What moves the priority: weights, as keepalived reckons them.

use core_vrrp::{Priority, Spec};

use crate::play::On::*;
use crate::play::*;

#[test]
fn tracks() {
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "a weight above zero is added on success, and no advert is sent for it",
            with_script(2),
            master_then(vec![
                (3_300_000, Script(true), "200 to 202"),
                (4_218_750, Wake, "say 202"),
                (4_300_000, Script(false), "202 to 200"),
                (5_218_750, Wake, "say 200"),
            ]),
        ),
        (
            "a weight below zero is subtracted on failure",
            with_script(-50),
            master_then(vec![
                (3_300_000, Script(true), ""),
                (4_218_750, Wake, "say 200"),
                (4_300_000, Script(false), "200 to 150"),
                (5_218_750, Wake, "say 150"),
            ]),
        ),
        (
            "the sum stays below that of an owner",
            with_script(100),
            master_then(vec![
                (3_300_000, Script(true), "200 to 254"),
                (4_218_750, Wake, "say 254"),
            ]),
        ),
        (
            "and above that of a release",
            with_script(-253),
            master_then(vec![
                (3_300_000, Script(false), "200 to 1"),
                (4_218_750, Wake, "say 1"),
            ]),
        ),
        (
            "a number is multiplied by the weight and added",
            with_script(2),
            master_then(vec![
                (3_300_000, Number(10), "200 to 220"),
                (4_218_750, Wake, "say 220"),
                (4_300_000, Number(-30), "220 to 140"),
                (5_218_750, Wake, "say 140"),
            ]),
        ),
        (
            "a product of -254 and below is a fault, as in keepalived",
            with_script(2),
            master_then(vec![
                (3_300_000, Number(-126), "200 to 1"),
                (3_400_000, Number(-127), "say 0, say 0"),
                (
                    3_600_000,
                    Hear(199),
                    "remove, Fault: a tracked check failed",
                ),
                (4_000_000, Number(0), "Backup: recovered"),
            ]),
        ),
        (
            "no weight: every number but 0 is a fault",
            with_script(0),
            master_then(vec![
                (3_300_000, Number(0), ""),
                (3_400_000, Number(5), "say 0, say 0"),
            ]),
        ),
        (
            "a number that is missing is a fault whatever the weight",
            with_script(1),
            master_then(vec![
                (3_300_000, Number(0), ""),
                (3_400_000, NoNumber, "say 0, say 0"),
                (3_500_000, Number(0), ""),
            ]),
        ),
        (
            "no weight: a failure is a fault, handed over first",
            with_script(0),
            master_then(vec![
                (3_300_000, Script(false), "say 0, say 0"),
                (
                    3_500_000,
                    Hear(199),
                    "remove, Fault: a tracked check failed",
                ),
                (4_000_000, Hear(199), ""),
                (5_000_000, Script(true), "Backup: recovered"),
            ]),
        ),
        (
            "no weight, no peer: a fault all the same",
            with_script(0),
            master_then(vec![
                (3_300_000, Script(false), "say 0, say 0"),
                (4_550_000, Wake, "remove, Fault: a tracked check failed"),
            ]),
        ),
        (
            "a fault that passes during its hand-over is none",
            with_script(0),
            master_then(vec![
                (3_300_000, Script(false), "say 0, say 0"),
                (3_400_000, Script(true), ""),
                (4_550_000, Wake, "add, announce 1, say 200"),
            ]),
        ),
        (
            "a Backup with a fault is not elected",
            with_script(0),
            backup_then(vec![
                (1_000_000, Script(false), "Fault: a tracked check failed"),
                (9_000_000, Script(true), "Backup: recovered"),
                (12_218_750, Wake, LEAD),
            ]),
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
    let owner = Spec {
        priority: Priority::OWNER,
        ..with_script(-50)
    };
    let router = play(
        "owner",
        owner,
        &[(0, Script(false), ""), (0, Start, "Backup: started")],
    );
    assert_eq!(router.effective_priority(), Priority::OWNER);
}
