//! Who is listened to (RFC 9568 §7.1).

use std::net::IpAddr;
use std::time::Duration;

use core_vrrp::{
    Advert, Auth, Discard, Effects, Event, Found, GROUP, Protocol, Received, Route, Router,
    Seconds, Spec, Time, Transport, Vrid,
};

use crate::play::*;

#[test]
fn adverts_that_are_not_listened_to() {
    let vip_2 = [IpAddr::from([192, 168, 0, 106])];
    let unicast = usual();
    let multicast = Spec {
        transport: Transport::Multicast,
        ..usual()
    };
    let fine = received(&unicast, PEER, 210, v2(1));
    let elsewhere = Route {
        destination: GROUP.into(),
        ..fine.route
    };
    let stranger = IpAddr::from([192, 168, 0, 66]);
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
                    addresses: vip_2.as_slice().into(),
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
            Event::Start(Found::Nothing),
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
