//! Master.

use std::time::Duration;

use core_vrrp::Spec;

use crate::play::On::*;
use crate::play::*;

#[test]
fn master() {
    let leased = Spec {
        lease: Some(Duration::from_secs(2)),
        ..usual()
    };
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "§6.4.3: Adver_Timer, on the beat also when it was a little late",
            usual(),
            master_then(vec![
                (4_218_750, Wake, "say 200"),
                (5_300_000, Wake, "say 200"),
                (6_218_750, Wake, "say 200"),
            ]),
        ),
        (
            "§6.4.3: priority 0 is answered with an advert, which restarts Adver_Timer, and neighbours are told",
            usual(),
            master_then(vec![
                (4_000_000, Hear(0), "say 200"),
                (4_218_750, Wake, "announce 1"),
                (5_000_000, Wake, "say 200"),
            ]),
        ),
        (
            "§6.4.3: a greater priority wins; the last word makes it announce itself",
            usual(),
            master_then(vec![(
                4_000_000,
                Hear(201),
                "remove, say 200, Backup: 192.168.0.102 has priority 201",
            )]),
        ),
        (
            "§6.4.3: an equal priority wins with the greater address",
            usual(),
            master_then(vec![(
                4_000_000,
                Hear(200),
                "remove, say 200, Backup: 192.168.0.102 has priority 200",
            )]),
        ),
        (
            "§6.4.3: an equal priority with the lower address is contradicted at once",
            usual(),
            master_then(vec![(4_000_000, HearFrom(LOWER_PEER, 200), "say 200")]),
        ),
        (
            "§6.4.3: so is a lower priority, and neighbours are told again",
            usual(),
            master_then(vec![
                (4_218_750, Wake, "say 200"),
                (4_300_000, Hear(100), "say 200, announce 1"),
                (5_300_000, Wake, "say 200"),
            ]),
        ),
        (
            "the lease is renewed with adverts, and between them while it ends before a peer's timer",
            leased,
            master_then(vec![
                (3_618_750, Wake, "renew"),
                (4_218_750, Wake, "renew, say 200"),
                (4_618_750, Wake, "renew"),
            ]),
        ),
        (
            "who was stopped for a master-down time lets go before anything else",
            usual(),
            master_then(vec![
                (
                    6_218_750,
                    Wake,
                    "remove, Backup: was not running, others may have taken over",
                ),
                (9_437_500, Wake, LEAD),
            ]),
        ),
        (
            "also when an advert is what wakes it: it does not contradict",
            usual(),
            master_then(vec![(
                7_000_000,
                Hear(100),
                "remove, Backup: was not running, others may have taken over",
            )]),
        ),
        (
            "an interface that is down leaves nothing to hand over",
            usual(),
            master_then(vec![
                (4_000_000, Link(false), "remove, Fault: interface down"),
                (4_500_000, Hear(100), ""),
                (5_000_000, Link(true), "Backup: recovered"),
            ]),
        ),
        (
            "a reload keeps state and addresses and says so once",
            usual(),
            master_then(vec![(4_000_000, Readdress, "add, announce 1, say 200")]),
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}
