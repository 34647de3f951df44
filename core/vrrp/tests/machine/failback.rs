//! When a node that has recovered takes the addresses back.

use std::time::Duration;

use core_vrrp::{Failback, Priority, Spec, TrackEffect};

use crate::play::On::*;
use crate::play::*;

const TAKE_BACK: &str =
    "add, announce 1, say 200, Master: better than 192.168.0.102 (priority 100)";

fn after_5s() -> Spec {
    Spec {
        failback: Failback::After(Duration::from_secs(5)),
        ..banded(TrackEffect::Degraded)
    }
}

/// Adverts of a worse Master, one a second from 1 s to `last_s`.
fn hear_100_until(last_s: u64) -> Vec<Step> {
    (1..=last_s)
        .map(|at| (at * 1_000_000, Hear(100), ""))
        .collect()
}

#[test]
fn after_a_time_of_stability() {
    let stable = || backup_then(hear_100_until(6));
    let relapsing = |relapse: Vec<Step>| {
        let mut steps = backup_then(hear_100_until(4));
        steps.extend(relapse);
        steps
    };
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "well and hearing a worse Master for so long, then the timer",
            after_5s(),
            [stable(), vec![(8_218_750, Wake, TAKE_BACK)]].concat_steps(),
        ),
        (
            "a relapse starts the time anew",
            after_5s(),
            relapsing(vec![
                (4_100_000, Script(false), "200 to 2"),
                (4_200_000, Script(true), "2 to 200"),
                (5_000_000, Hear(100), ""),
                (6_000_000, Hear(100), ""),
                (9_000_000, Hear(100), ""),
                (10_000_000, Hear(100), ""),
                (12_218_750, Wake, TAKE_BACK),
            ]),
        ),
        (
            "so does a Master that is not worse",
            after_5s(),
            relapsing(vec![
                (5_000_000, Hear(210), ""),
                (6_000_000, Hear(100), ""),
                (9_000_000, Hear(100), ""),
                (10_999_999, Hear(100), ""),
                (11_000_000, Hear(100), ""),
                (14_218_749, Wake, TAKE_BACK),
            ]),
        ),
        (
            "so does a fault",
            Spec {
                failback: Failback::After(Duration::from_secs(5)),
                ..with_script(0)
            },
            relapsing(vec![
                (4_100_000, Script(false), "Fault: a tracked check failed"),
                (4_200_000, Script(true), "Backup: recovered"),
                (5_000_000, Hear(100), ""),
                (8_000_000, Hear(100), ""),
                (10_000_000, Hear(100), ""),
                (11_218_750, Wake, TAKE_BACK),
            ]),
        ),
        (
            "who is not ready yet is not stable",
            after_5s(),
            vec![
                (0, Start, "Backup: started"),
                (1_000_000, Hear(100), ""),
                (3_000_000, MayLead, ""),
                (4_000_000, Hear(100), ""),
                (7_000_000, Hear(100), ""),
                (9_000_000, Hear(100), ""),
                (10_218_750, Wake, TAKE_BACK),
            ],
        ),
        (
            "a Master that is gone is not waited for",
            after_5s(),
            backup_then(vec![(1_000_000, Hear(100), ""), (4_218_750, Wake, LEAD)]),
        ),
        (
            "nor one that gives up",
            after_5s(),
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
        (
            "nor one that is in a worse band",
            after_5s(),
            backup_then(vec![
                (1_000_000, Hear(100), ""),
                (2_000_000, Hear(2), ""),
                (
                    4_218_750,
                    Wake,
                    "add, announce 1, say 200, Master: better than 192.168.0.102 (priority 2)",
                ),
            ]),
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}

#[test]
fn an_owner_always_preempts() {
    // RFC 9568 §6.1, Preempt_Mode.
    for failback in [
        Failback::Manual,
        Failback::After(Duration::from_secs(100)),
        Failback::Auto(Duration::from_secs(100)),
    ] {
        let owner = Spec {
            priority: Priority::OWNER,
            failback,
            ..usual()
        };
        let steps = vec![
            (0, Link(false), ""),
            (0, Start, "Fault: interface down"),
            (0, MayLead, ""),
            (1_000_000, Link(true), "Backup: recovered"),
            (2_000_000, Hear(254), ""),
            (3_000_000, Hear(254), ""),
            (
                4_003_906,
                Wake,
                "add, announce 1, say 255, Master: better than 192.168.0.102 (priority 254)",
            ),
        ];
        play(&format!("{failback:?}"), owner, &steps);
    }
}

/// Steps, one after the other.
trait ConcatSteps {
    fn concat_steps(self) -> Vec<Step>;
}

impl<const N: usize> ConcatSteps for [Vec<Step>; N] {
    fn concat_steps(self) -> Vec<Step> {
        self.into_iter().flatten().collect()
    }
}
