//! The state machine as a table: what happens, when, and what the router does about it. Each case
//! names the clause that it pins.
//!
//! Unless a case says otherwise: version 2, an advert each second, priority 200 (skew 218.75 ms, down
//! after 3218.75 ms), own address .101, one unicast peer .102, one packet per announcement.

use std::net::Ipv4Addr;
use std::time::Duration;

use core_vrrp::{
    Advert, AnnouncePlan, Auth, Centiseconds, ChecksumForm, Discard, Effect, Effects, Event, GROUP,
    Octets, Priority, Protocol, Received, Route, Router, Seconds, Spec, State, Time, Track,
    Transport, Vrid,
};

const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 101);
const PEER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 102);
const LOWER_PEER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 9);
const VIP: Octets = [192, 168, 0, 105];

/// What a router is told, in the words of the table.
enum On {
    Start,
    Leftovers,
    MayLead,
    /// An advert of `PEER` with this priority.
    Hear(u8),
    HearFrom(Ipv4Addr, u8),
    /// An advert of version 3 with this interval in centiseconds.
    HearV3(u8, u16),
    Wake,
    Proxy(bool),
    Link(bool),
    Script(bool),
    Readdress,
    Lengthen,
    Shutdown,
}
use On::*;

/// At so many µs: what happens, and what comes of it.
type Step = (u64, On, &'static str);

fn v2(interval_s: u8) -> Protocol {
    Protocol::V2 {
        interval: Seconds::new(interval_s).expect("in range"),
        auth: Auth::None,
    }
}

fn v3(interval_cs: u16) -> Protocol {
    Protocol::V3 {
        interval: Centiseconds::new(interval_cs).expect("in range"),
    }
}

fn priority(number: u8) -> Priority {
    Priority::new(number).unwrap_or(Priority::RELEASE)
}

fn usual() -> Spec {
    Spec {
        vrid: Vrid::new(101).expect("in range"),
        protocol: v2(1),
        priority: priority(200),
        preempt: true,
        preempt_delay: Duration::ZERO,
        source: OWN,
        transport: Transport::Unicast(vec![PEER, LOWER_PEER]),
        addresses: vec![VIP],
        tracks: Vec::new(),
        lease: None,
        announce: AnnouncePlan {
            repeat: 1,
            interval: Duration::ZERO,
            delay: Duration::ZERO,
            refresh: Duration::ZERO,
        },
        startup_delay: Duration::ZERO,
        down_timer_adverts: 3,
    }
}

fn with_script(weight: i16) -> Spec {
    Spec {
        tracks: vec![Track {
            name: "script".into(),
            weight,
        }],
        ..usual()
    }
}

fn received(spec: &Spec, source: Ipv4Addr, number: u8, protocol: Protocol) -> Received<'_> {
    let destination = if spec.transport == Transport::Multicast {
        GROUP
    } else {
        OWN
    };
    Received {
        route: Route {
            source,
            destination,
        },
        checksum: ChecksumForm::Message,
        advert: Advert {
            protocol,
            vrid: spec.vrid,
            priority: priority(number),
            addresses: &spec.addresses,
        },
    }
}

fn tell(router: &mut Router, now: Time, on: &On, effects: &mut Effects) {
    let spec = router.spec().clone();
    let event = match *on {
        Start => Event::Start { leftovers: false },
        Leftovers => Event::Start { leftovers: true },
        MayLead => Event::MayLead,
        Hear(number) => Event::Advert(received(&spec, PEER, number, spec.protocol)),
        HearFrom(source, number) => Event::Advert(received(&spec, source, number, spec.protocol)),
        HearV3(number, interval) => Event::Advert(received(&spec, PEER, number, v3(interval))),
        Wake => Event::Timeout,
        Proxy(well) => Event::Proxy { well },
        Link(up) => Event::Link { up },
        Script(up) => Event::Track { name: "script", up },
        Readdress => {
            let addresses = vec![VIP, [192, 168, 0, 106]];
            Event::Reload(Box::new(Spec {
                addresses,
                ..spec.clone()
            }))
        }
        Lengthen => Event::Reload(Box::new(Spec {
            protocol: v2(2),
            ..spec.clone()
        })),
        Shutdown => Event::Shutdown,
    };
    router.handle(now, event, effects);
}

fn word(effect: Effect) -> String {
    match effect {
        Effect::AddAddresses => "add".into(),
        Effect::RemoveAddresses => "remove".into(),
        Effect::RenewLease => "renew".into(),
        Effect::SendAdvert(priority) => format!("say {priority}"),
        Effect::Announce { times } => format!("announce {times}"),
        Effect::Transition(change) => format!("{:?}: {}", change.to, change.cause),
        Effect::Discarded { reason, .. } => format!("discard {}", reason.name()),
    }
}

/// Plays the steps. Every wake-up has to be the one that the router asked for, or later.
fn play(case: &str, spec: Spec, steps: &[Step]) -> Router {
    let mut router = Router::new(spec);
    let mut effects = Effects::default();
    for (at_us, on, expected) in steps {
        let now = Time(Duration::from_micros(*at_us));
        if matches!(on, Wake) {
            let wanted = router
                .poll_timeout()
                .unwrap_or_else(|| panic!("{case}: at {at_us}"));
            assert!(
                wanted <= now,
                "{case}: at {at_us} a wake-up is not due before {wanted:?}"
            );
        }
        tell(&mut router, now, on, &mut effects);
        let words: Vec<String> = effects.drain().map(word).collect();
        assert_eq!(words.join(", "), *expected, "{case}: at {at_us} µs");
    }
    router
}

const LEAD: &str = "add, announce 1, say 200, Master: no master heard";

/// Started, and Master since 3 218 750 µs.
fn master_then(steps: Vec<Step>) -> Vec<Step> {
    let mut all = vec![
        (0, Start, "Backup: started"),
        (0, MayLead, ""),
        (3_218_750, Wake, LEAD),
    ];
    all.extend(steps);
    all
}

/// Started and allowed to lead.
fn backup_then(steps: Vec<Step>) -> Vec<Step> {
    let mut all = vec![(0, Start, "Backup: started"), (0, MayLead, "")];
    all.extend(steps);
    all
}

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

#[test]
fn backup() {
    let patient = Spec {
        preempt: false,
        ..usual()
    };
    let hesitant = Spec {
        preempt_delay: Duration::from_secs(5),
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
            "§6.4.3: priority 0 is answered with an advert, which restarts Adver_Timer",
            usual(),
            master_then(vec![
                (4_000_000, Hear(0), "say 200"),
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
            "the lease is renewed four times in its life",
            leased,
            master_then(vec![
                (3_718_750, Wake, "renew"),
                (4_218_750, Wake, "renew, say 200"),
                (4_718_750, Wake, "renew"),
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
                (3_800_000, Wake, "renew"),
                (4_300_000, Wake, "renew"),
                (4_550_000, Wake, "remove, Initialize: stopped"),
            ]),
        ),
        (
            "the proxy falls ill: abdicate, and follow who takes over",
            usual(),
            master_then(vec![
                (4_000_000, Proxy(false), "say 0, say 0"),
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
                (4_000_000, Proxy(false), "say 0, say 0"),
                (5_250_000, Wake, "add, announce 1, say 1"),
                (5_300_000, Proxy(false), ""),
                (6_250_000, Wake, "say 1"),
                (6_300_000, Proxy(true), ""),
                (7_250_000, Wake, "say 200"),
                (7_300_000, Proxy(false), "say 0, say 0"),
            ]),
        ),
        (
            "an ill Master yields to anybody",
            usual(),
            master_then(vec![
                (4_000_000, Proxy(false), "say 0, say 0"),
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
                    10_496_093,
                    Wake,
                    "add, announce 1, say 1, Master: the master gave up",
                ),
            ],
        ),
        (
            "a hand-over that was overslept ends without the address",
            usual(),
            master_then(vec![
                (4_000_000, Proxy(false), "say 0, say 0"),
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
                (4_000_000, Proxy(false), "say 0, say 0"),
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
fn tracks() {
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "a weight above zero is added on success, and no advert is sent for it",
            with_script(2),
            master_then(vec![
                (3_300_000, Script(true), ""),
                (4_218_750, Wake, "say 202"),
                (4_300_000, Script(false), ""),
                (5_218_750, Wake, "say 200"),
            ]),
        ),
        (
            "a weight below zero is subtracted on failure",
            with_script(-50),
            master_then(vec![
                (3_300_000, Script(true), ""),
                (4_218_750, Wake, "say 200"),
                (4_300_000, Script(false), ""),
                (5_218_750, Wake, "say 150"),
            ]),
        ),
        (
            "the sum stays below that of an owner",
            with_script(100),
            master_then(vec![
                (3_300_000, Script(true), ""),
                (4_218_750, Wake, "say 254"),
            ]),
        ),
        (
            "and above that of a release",
            with_script(-253),
            master_then(vec![
                (3_300_000, Script(false), ""),
                (4_218_750, Wake, "say 1"),
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

#[test]
fn adverts_that_are_not_listened_to() {
    let vip_2: &'static [Octets] = &[[192, 168, 0, 106]];
    let unicast = usual();
    let multicast = Spec {
        transport: Transport::Multicast,
        ..usual()
    };
    let fine = received(&unicast, PEER, 210, v2(1));
    let elsewhere = Route {
        destination: GROUP,
        ..fine.route
    };
    let stranger = Ipv4Addr::new(192, 168, 0, 66);
    let password = core_vrrp::Password::new(*b"testpass");
    let pass = Protocol::V2 {
        interval: Seconds::new(1).expect("in range"),
        auth: Auth::Pass(password),
    };
    let guarded = Spec {
        protocol: pass,
        ..usual()
    };
    let wrong = Protocol::V2 {
        interval: Seconds::new(1).expect("in range"),
        auth: Auth::Pass(core_vrrp::Password::new(*b"TESTPASS")),
    };
    let with = |protocol| Received {
        advert: Advert {
            protocol,
            ..fine.advert
        },
        ..fine
    };
    let another_vrid = Advert {
        vrid: Vrid::new(102).expect("in range"),
        ..fine.advert
    };
    let cases: Vec<(&str, &Spec, Received<'_>, Option<Discard>)> = vec![
        ("fine", &unicast, fine, None),
        (
            "other addresses",
            &unicast,
            Received {
                advert: Advert {
                    addresses: vip_2,
                    ..fine.advert
                },
                ..fine
            },
            None,
        ),
        (
            "§7.1: another virtual router",
            &unicast,
            Received {
                advert: another_vrid,
                ..fine
            },
            Some(Discard::Vrid),
        ),
        (
            "§7.1: another version",
            &unicast,
            with(v3(100)),
            Some(Discard::Version),
        ),
        (
            "RFC 3768 §7.1: another interval",
            &unicast,
            with(v2(2)),
            Some(Discard::Interval),
        ),
        (
            "RFC 3768 §7.1: a password",
            &unicast,
            with(pass),
            Some(Discard::AuthType),
        ),
        (
            "RFC 2338 §7.1: no password",
            &guarded,
            fine,
            Some(Discard::AuthType),
        ),
        (
            "RFC 2338 §7.1: a wrong password",
            &guarded,
            with(wrong),
            Some(Discard::AuthPassword),
        ),
        ("the right password", &guarded, with(pass), None),
        (
            "its own address",
            &unicast,
            Received {
                route: Route {
                    source: OWN,
                    ..fine.route
                },
                ..fine
            },
            Some(Discard::OwnAddress),
        ),
        (
            "multicast to one who speaks unicast",
            &unicast,
            Received {
                route: elsewhere,
                ..fine
            },
            Some(Discard::Transport),
        ),
        (
            "unicast to one who speaks multicast",
            &multicast,
            fine,
            Some(Discard::Transport),
        ),
        (
            "a stranger",
            &unicast,
            Received {
                route: Route {
                    source: stranger,
                    ..fine.route
                },
                ..fine
            },
            Some(Discard::NotAPeer),
        ),
        (
            "a stranger in multicast is a router like any other",
            &multicast,
            Received {
                route: Route {
                    source: stranger,
                    ..elsewhere
                },
                ..fine
            },
            None,
        ),
    ];
    for (case, spec, received, expected) in cases {
        let mut router = Router::new(spec.clone());
        let mut effects = Effects::default();
        router.handle(
            Time(Duration::ZERO),
            Event::Start { leftovers: false },
            &mut effects,
        );
        effects.drain().for_each(drop);
        router.handle(
            Time(Duration::from_secs(1)),
            Event::Advert(received),
            &mut effects,
        );
        let heard = u64::from(expected.is_none());
        assert_eq!(router.counters().received, heard, "{case}");
        assert_eq!(router.master().is_some(), expected.is_none(), "{case}");
        for reason in Discard::ALL {
            let count = u64::from(expected == Some(reason));
            assert_eq!(
                router.counters().discarded(reason),
                count,
                "{case}: {reason:?}"
            );
        }
        let differs = u64::from(case == "other addresses");
        assert_eq!(router.counters().address_list_differs, differs, "{case}");
    }
}
