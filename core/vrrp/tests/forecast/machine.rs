//! What is forecast is what the state machines do: routers on a link that loses nothing, on which
//! one thing after the other fails.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use core_vrrp::forecast::{Befallen, Contender, Failure, forecast};
use core_vrrp::{
    AnnouncePlan, Auth, Effect, Effects, Event, Failback, Found, GROUP, OnUnhealthy, Protocol,
    Route, Router, Seconds, Spec, State, Time, TrackEffect, Transport, Verdict, Vrid, encode,
};
use proptest::prelude::*;

use crate::track;

/// Far more than every timer.
const SETTLED: Duration = Duration::from_secs(15);

struct Link {
    now: Time,
    /// `None` where the node is down.
    routers: Vec<Option<Router>>,
    flights: VecDeque<(usize, Vec<u8>)>,
}

impl Link {
    fn new(contenders: &[Contender], on_unhealthy: OnUnhealthy) -> Self {
        let router = |it| Some(Router::new(spec(it, on_unhealthy)));
        let routers = contenders.iter().map(router);
        let mut link = Self {
            now: Time(Duration::from_secs(1000)),
            routers: routers.collect(),
            flights: VecDeque::new(),
        };
        for (node, contender) in contenders.iter().enumerate() {
            for track in &contender.tracks {
                let (name, verdict) = (track.name.as_str(), Verdict::Up);
                link.tell(node, Event::Track { name, verdict });
            }
            link.tell(node, Event::MayLead);
        }
        for node in 0..contenders.len() {
            link.tell(node, Event::Start(Found::Nothing));
        }
        link.settle();
        link
    }

    fn befall(&mut self, befallen: &Befallen) {
        let node = befallen.node;
        match &befallen.failure {
            Failure::Track(name) => {
                let verdict = Verdict::Down;
                self.tell(node, Event::Track { name, verdict });
            }
            Failure::Proxy => self.tell(node, Event::Proxy { well: false }),
            Failure::Down => self.routers[node] = None,
        }
        self.settle();
    }

    /// Timers that run out at the same time do so before anybody hears of it: the worst case.
    fn settle(&mut self) {
        let end = self.now + SETTLED;
        loop {
            let timers = self.routers.iter().enumerate();
            let timer = timers
                .filter_map(|(node, router)| Some((router.as_ref()?.poll_timeout()?, node)))
                .min();
            match timer {
                Some((at, node)) if at <= self.now => self.tell(node, Event::Timeout),
                _ => match (self.flights.pop_front(), timer) {
                    (Some((to, packet)), _) => self.tell(to, Event::of_packet(&packet)),
                    (None, Some((at, _))) if at < end => self.now = at,
                    _ => break,
                },
            }
        }
        self.now = end;
    }

    /// Tells a node; what it says is on its way to everybody then.
    fn tell(&mut self, node: usize, event: Event<'_>) {
        let count = self.routers.len();
        let Some(router) = &mut self.routers[node] else {
            return;
        };
        let mut effects = Effects::default();
        router.handle(self.now, event, &mut effects);
        for effect in effects.drain() {
            if let Effect::SendAdvert(priority) = effect {
                let route = Route {
                    source: router.spec().source,
                    destination: GROUP.into(),
                };
                let mut packet = Vec::new();
                encode(
                    &router.advert(priority),
                    route,
                    router.checksum(),
                    1,
                    &mut packet,
                );
                let others = (0..count).filter(|other| *other != node);
                self.flights
                    .extend(others.map(|other| (other, packet.clone())));
            }
        }
    }

    fn owner(&self) -> Option<usize> {
        let routers = self.routers.iter().enumerate();
        let mut masters = routers.filter(|(_, router)| {
            router
                .as_ref()
                .is_some_and(|router| router.state() == State::Master)
        });
        let owner = masters.next().map(|(node, _)| node);
        assert_eq!(masters.next().map(|(node, _)| node), None, "a second owner");
        owner
    }
}

fn spec(contender: &Contender, on_unhealthy: OnUnhealthy) -> Spec {
    Spec {
        vrid: Vrid::new(101).expect("in range"),
        protocol: Protocol::V2 {
            interval: Seconds::new(1).expect("in range"),
            auth: Auth::None,
        },
        priority: contender.priority,
        failback: contender.failback,
        on_unhealthy,
        checksum: None,
        source: contender.address,
        transport: Transport::Multicast,
        addresses: vec![IpAddr::from([192, 168, 0, 105])],
        tracks: contender.tracks.clone(),
        track_proxy: contender.track_proxy,
        is_grouped: contender.is_grouped,
        hmac: None,
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

/// Nodes whose priorities are near to one another and to the limits, so that weights decide. A base
/// of 1 is left out: it cannot be told from an ill proxy's, and time decides between them.
fn contenders() -> impl Strategy<Value = Vec<Contender>> {
    let base = prop_oneof![98u8..=103, 250u8..=255];
    let effect = prop_oneof![
        Just(TrackEffect::Weight(0)),
        Just(TrackEffect::Degraded),
        Just(TrackEffect::Unhealthy),
        (-4i16..=4).prop_map(TrackEffect::Weight),
        (-4i16..=4).prop_map(TrackEffect::Weight),
    ];
    let effects = prop::collection::vec(effect, 0..=2);
    let failback = prop_oneof![
        Just(Failback::Auto(Duration::ZERO)),
        Just(Failback::After(Duration::from_secs(5))),
        Just(Failback::Manual),
    ];
    let one = (base, effects, failback, any::<bool>());
    prop::collection::vec(one, 1..=3).prop_map(|given| {
        let numbered = given.into_iter().enumerate();
        let contender = |(index, (base, effects, failback, track_proxy)): (
            usize,
            (u8, Vec<TrackEffect>, Failback, bool),
        )| {
            let names = ["chk", "other"];
            let tracks = names.iter().zip(effects);
            Contender {
                failback,
                track_proxy,
                tracks: tracks.map(|(name, effect)| track(name, effect)).collect(),
                ..crate::node(index, base, &[])
            }
        };
        numbered.map(contender).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_machines_do_what_is_forecast(
        mut contenders in contenders(),
        abdicates in any::<bool>(),
        choice in any::<prop::sample::Index>(),
        turn in any::<prop::sample::Index>(),
    ) {
        let on_unhealthy = if abdicates {
            OnUnhealthy::Abdicate
        } else {
            // Who knows nothing of bands takes 1 and 2 for priorities like any other.
            contenders.iter_mut().for_each(|it| it.track_proxy = true);
            OnUnhealthy::Deprioritise
        };
        let cases = forecast(&contenders).cases;
        let case = choice.get(&cases);
        let mut order = case.failures.clone();
        if !order.is_empty() {
            let by = turn.index(order.len());
            order.rotate_left(by);
        }
        let mut link = Link::new(&contenders, on_unhealthy);
        for befallen in &order {
            link.befall(befallen);
        }
        prop_assert!(
            case.owners.contains(&link.owner()),
            "{order:?}: {:?} is not among {:?}", link.owner(), case.owners
        );
    }
}
