//! Giving up in good order.

use std::time::Duration;

use core_vrrp::{Spec, State, Transport};

use crate::play::On::*;
use crate::play::*;

#[test]
fn handing_over() {
    let alone = Spec {
        transport: Transport::Multicast,
        ..usual()
    };
    let leased = Spec {
        lease: Some(Duration::from_secs(2)),
        ..usual()
    };
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "§6.4.3 Shutdown: priority 0; the address goes when a peer speaks",
            usual(),
            master_then(vec![
                (4_000_000, Shutdown, "say 0, say 0"),
                (4_001_000, Hear(0), ""),
                (4_215_000, Hear(199), "remove, Initialize: stopped"),
            ]),
        ),
        (
            "§6.4.3 Shutdown without a peer: it goes when the weakest would have spoken",
            alone,
            master_then(vec![
                (4_000_000, Shutdown, "say 0"),
                (5_250_000, Wake, "remove, Initialize: stopped"),
            ]),
        ),
        (
            "the lease is renewed meanwhile",
            leased,
            master_then(vec![
                (3_300_000, Shutdown, "say 0, say 0"),
                (3_700_000, Wake, "renew"),
                (4_100_000, Wake, "renew"),
                (4_500_000, Wake, "renew"),
                (4_550_000, Wake, "remove, Initialize: stopped"),
            ]),
        ),
        (
            "the proxy falls ill: abdicate, and follow who takes over",
            usual(),
            master_then(vec![
                (4_000_000, Proxy(false), "say 0, say 0, 200 to 1"),
                (
                    4_215_000,
                    Hear(199),
                    "remove, Backup: handed over to 192.168.0.102 (priority 199)",
                ),
            ]),
        ),
        (
            "nobody takes over: best stays, with the least priority, and does not abdicate again",
            usual(),
            master_then(vec![
                (4_000_000, Proxy(false), "say 0, say 0, 200 to 1"),
                (5_250_000, Wake, "add, announce 1, say 1"),
                (5_300_000, Proxy(false), ""),
                (6_250_000, Wake, "say 1"),
                (6_300_000, Proxy(true), "1 to 200"),
                (7_250_000, Wake, "say 200"),
                (7_300_000, Proxy(false), "say 0, say 0, 200 to 1"),
            ]),
        ),
        (
            "an ill Master yields to anybody",
            usual(),
            master_then(vec![
                (4_000_000, Proxy(false), "say 0, say 0, 200 to 1"),
                (5_250_000, Wake, "add, announce 1, say 1"),
                (
                    6_000_000,
                    Hear(50),
                    "remove, say 1, Backup: 192.168.0.102 has priority 50",
                ),
            ]),
        ),
        (
            "an ill Backup neither preempts nor jumps at a release, but follows silence",
            usual(),
            vec![
                (0, Proxy(false), ""),
                (0, Start, "Backup: started"),
                (0, MayLead, ""),
                (3_000_000, Hear(50), ""),
                (6_500_000, Hear(0), ""),
                (
                    11_496_093,
                    Wake,
                    "add, announce 1, say 1, Master: the master gave up",
                ),
            ],
        ),
        (
            "a hand-over that was overslept ends without the address",
            usual(),
            master_then(vec![
                (4_000_000, Proxy(false), "say 0, say 0, 200 to 1"),
                (
                    7_250_000,
                    Wake,
                    "remove, Backup: was not running, others may have taken over",
                ),
            ]),
        ),
        (
            "a stop during an abdication stops at its end",
            usual(),
            master_then(vec![
                (4_000_000, Proxy(false), "say 0, say 0, 200 to 1"),
                (4_100_000, Shutdown, ""),
                (5_250_000, Wake, "remove, Initialize: stopped"),
            ]),
        ),
        (
            "the interface goes during a stop",
            usual(),
            master_then(vec![
                (4_000_000, Shutdown, "say 0, say 0"),
                (4_100_000, Link(false), "remove, Initialize: stopped"),
            ]),
        ),
        (
            "a predecessor died as Master: its addresses stay until the peer speaks",
            usual(),
            vec![
                (
                    0,
                    Leftovers,
                    "add, say 0, say 0, Master: restarted while holding the addresses",
                ),
                (5, MayLead, ""),
                (
                    215_000,
                    Hear(199),
                    "remove, Backup: handed over to 192.168.0.102 (priority 199)",
                ),
            ],
        ),
        (
            "a predecessor left in good order: peers notice nothing",
            usual(),
            vec![
                (0, MayLead, ""),
                (
                    5,
                    Succession,
                    "add, announce 1, say 200, Master: goes on after an upgrade",
                ),
            ],
        ),
        (
            "a predecessor left in good order, but the node is not ready: as if it had died",
            usual(),
            vec![(
                0,
                Succession,
                "add, say 0, say 0, Master: restarted while holding the addresses",
            )],
        ),
        (
            "a predecessor died as Master and there is no peer: the node goes on",
            usual(),
            vec![
                (
                    0,
                    Leftovers,
                    "add, say 0, say 0, Master: restarted while holding the addresses",
                ),
                (5, MayLead, ""),
                (1_250_000, Wake, "add, announce 1, say 200"),
            ],
        ),
        (
            "a predecessor died as Master and the node is not ready: nobody goes on",
            usual(),
            vec![
                (
                    0,
                    Leftovers,
                    "add, say 0, say 0, Master: restarted while holding the addresses",
                ),
                (1_250_000, Wake, "remove, Backup: gave up, nobody took over"),
            ],
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}

#[test]
fn a_finished_router_wants_nothing_any_more() {
    let steps = master_then(vec![
        (4_000_000, Shutdown, "say 0, say 0"),
        (4_215_000, Hear(199), "remove, Initialize: stopped"),
        (4_300_000, Hear(100), ""),
        (4_400_000, Link(false), ""),
        (4_500_000, Shutdown, ""),
    ]);
    let router = play("finished", usual(), &steps);
    assert!(router.is_finished());
    assert_eq!(
        (router.state(), router.poll_timeout()),
        (State::Initialize, None)
    );
}
