//! The state machine of a virtual router, told whatever there is to tell in any order.

use std::net::IpAddr;
use std::time::Duration;

use core_vrrp::{
    Advert, AnnouncePlan, Centiseconds, ChecksumForm, Effect, Effects, Event, Failback, Found,
    OnUnhealthy, Priority, Protocol, Received, Route, Router, Spec, State, TTL, Time, Track,
    TrackEffect, Transport, Verdict, Vrid,
};

use super::leave;
use crate::Target;

/// Two octets an event: which, and how.
pub(crate) const MACHINE: Target = Target {
    name: "machine",
    seeds: || {
        vec![
            vec![0, 0, 1, 0, 9, 255, 9, 255, 2, 100, 3, 0, 9, 20, 8, 0],
            vec![
                5, 0, 0, 1, 1, 0, 6, 0, 6, 1, 7, 3, 9, 200, 4, 1, 2, 0, 9, 90,
            ],
        ]
    },
    repair: leave,
    check: |input| {
        let mut life = Life::new();
        for pair in input.chunks_exact(2) {
            life.tell(pair[0] % 10, pair[1]);
        }
    },
};

/// A spec that everything is in.
pub(crate) fn spec(source: IpAddr, peer: IpAddr) -> Spec {
    Spec {
        vrid: Vrid::new(101).expect("in range"),
        protocol: Protocol::V3 {
            interval: Centiseconds::new(100).expect("in range"),
        },
        hmac: None,
        priority: Priority::new(100).expect("in range"),
        failback: Failback::Auto(Duration::ZERO),
        on_unhealthy: OnUnhealthy::Abdicate,
        checksum: Some(ChecksumForm::Message),
        source,
        transport: Transport::Unicast {
            peers: vec![peer],
            min_ttl: TTL,
        },
        addresses: vec![[192, 168, 0, 105].into()],
        tracks: vec![Track {
            name: "script".into(),
            effect: TrackEffect::Weight(0),
        }],
        track_proxy: true,
        is_grouped: false,
        lease: Some(Duration::from_secs(2)),
        announce: AnnouncePlan {
            repeat: 2,
            interval: Duration::from_millis(50),
            delay: Duration::from_secs(5),
            refresh: Duration::from_secs(60),
        },
        startup_delay: Duration::ZERO,
        down_timer_adverts: 3,
    }
}

struct Life {
    router: Router,
    now: Time,
    effects: Effects,
    holds: bool,
}

impl Life {
    fn new() -> Self {
        let (own, peer) = ([192, 168, 0, 101].into(), [192, 168, 0, 102].into());
        Self {
            router: Router::new(spec(own, peer)),
            now: Time(Duration::from_secs(1_000)),
            effects: Effects::default(),
            holds: false,
        }
    }

    fn tell(&mut self, which: u8, how: u8) {
        let is_odd = how % 2 == 1;
        let founds = [Found::Nothing, Found::Leftovers, Found::Succession];
        let verdicts = [Verdict::Up, Verdict::Down, Verdict::Value(how.into())];
        let mut changed = self.router.spec().clone();
        changed.priority = Priority::new(how.max(1)).expect("above 0");
        let addresses = changed.addresses.clone();
        let event = match which {
            0 => Event::Start(founds[usize::from(how % 3)]),
            1 => Event::MayLead,
            2 | 3 => self.advert(how, &addresses),
            4 => Event::Track {
                name: "script",
                verdict: verdicts[usize::from(how % 3)],
            },
            5 => Event::Proxy { well: is_odd },
            6 => Event::Link { up: is_odd },
            7 => Event::Reload(Box::new(changed)),
            8 if how < 32 => Event::Shutdown,
            8 => Event::Contested {
                address: addresses[0],
                mac: [how; 6],
            },
            _ => return self.wait(how),
        };
        self.handle(event);
    }

    fn advert<'a>(&self, how: u8, addresses: &'a [IpAddr]) -> Event<'a> {
        let route = Route {
            source: [192, 168, 0, 102].into(),
            destination: self.router.spec().source,
        };
        let priority = match how {
            0 => Priority::RELEASE,
            number => Priority::new(number).expect("above 0"),
        };
        Event::Advert(Received {
            route,
            ttl: TTL,
            checksum: ChecksumForm::Message,
            signed: None,
            advert: Advert {
                protocol: self.router.spec().protocol,
                vrid: self.router.spec().vrid,
                priority,
                addresses: addresses.into(),
            },
        })
    }

    /// Lets time pass, and wakes the router whenever it wants to be woken.
    fn wait(&mut self, how: u8) {
        let until = self.now + Duration::from_millis(20) * u32::from(how);
        let mut wakes = 0;
        while let Some(at) = self.router.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.handle(Event::Timeout);
            wakes += 1;
            assert!(wakes < 1_000, "it wants to be woken again and again");
        }
        self.now = until;
    }

    fn handle(&mut self, event: Event<'_>) {
        self.router.handle(self.now, event, &mut self.effects);
        for effect in self.effects.drain() {
            match effect {
                Effect::AddAddresses => self.holds = true,
                Effect::RemoveAddresses => self.holds = false,
                Effect::RenewLease => assert!(self.holds, "renews what it does not hold"),
                _ => {}
            }
        }
        let is_master = self.router.state() == State::Master;
        assert_eq!(self.holds, is_master, "{:?}", self.router.state());
    }
}
