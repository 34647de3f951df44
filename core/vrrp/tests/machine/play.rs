//! The words of the tables, and how they are played.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use core_vrrp::{
    Accord, Advert, AnnouncePlan, Auth, Centiseconds, ChecksumForm, Effect, Effects, Event,
    Failback, Found, OnUnhealthy, Priority, Protocol, Received, Route, Router, Seconds, Spec, TTL,
    Time, Track, TrackEffect, Transport, Verdict, Vrid,
};

pub(crate) const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 101));
pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 102));
pub(crate) const LOWER_PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 9));
pub(crate) const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 105));

/// What a router is told, in the words of the table.
pub(crate) enum On {
    Start,
    Leftovers,
    Succession,
    MayLead,
    /// An advert of `PEER` with this priority.
    Hear(u8),
    HearFrom(IpAddr, u8),
    /// An advert of version 3 with this interval in centiseconds.
    HearV3(u8, u16),
    Wake,
    Proxy(bool),
    Link(bool),
    Script(bool),
    /// What is tracked is a number.
    Number(i16),
    /// What is tracked should be a number and is none.
    NoNumber,
    /// Somebody else says that the address is at the MAC address with this last octet.
    Claimed(u8),
    /// What the sync group has agreed on.
    Group(Accord),
    /// A reload with this priority.
    Become(u8),
    Readdress,
    Lengthen,
    /// A reload with version 3 and this interval in centiseconds.
    Every(u16),
    Shutdown,
}

/// At so many µs: what happens, and what comes of it.
pub(crate) type Step = (u64, On, &'static str);

pub(crate) fn v2(interval_s: u8) -> Protocol {
    Protocol::V2 {
        interval: Seconds::new(interval_s).expect("in range"),
        auth: Auth::None,
    }
}

pub(crate) fn v3(interval_cs: u16) -> Protocol {
    Protocol::V3 {
        interval: Centiseconds::new(interval_cs).expect("in range"),
    }
}

pub(crate) fn priority(number: u8) -> Priority {
    Priority::new(number).unwrap_or(Priority::RELEASE)
}

pub(crate) fn usual() -> Spec {
    Spec {
        vrid: Vrid::new(101).expect("in range"),
        protocol: v2(1),
        hmac: None,
        priority: priority(200),
        failback: Failback::Auto(Duration::ZERO),
        on_unhealthy: OnUnhealthy::Abdicate,
        checksum: None,
        source: OWN,
        transport: Transport::Unicast {
            peers: vec![PEER, LOWER_PEER],
            min_ttl: TTL,
        },
        addresses: vec![VIP],
        tracks: Vec::new(),
        track_proxy: true,
        is_grouped: false,
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

/// Tracks nothing but a script with this weight.
pub(crate) fn with_script(weight: i16) -> Spec {
    Spec {
        tracks: vec![Track {
            name: "script".into(),
            effect: TrackEffect::Weight(weight),
        }],
        track_proxy: false,
        ..usual()
    }
}

/// Tracks a script that does this to its node.
pub(crate) fn banded(effect: TrackEffect) -> Spec {
    Spec {
        tracks: vec![Track {
            name: "script".into(),
            effect,
        }],
        ..usual()
    }
}

pub(crate) fn received(
    spec: &Spec,
    source: IpAddr,
    number: u8,
    protocol: Protocol,
) -> Received<'_> {
    let destination = if spec.transport == Transport::Multicast {
        spec.group()
    } else {
        OWN
    };
    Received {
        route: Route {
            source,
            destination,
        },
        ttl: TTL,
        checksum: ChecksumForm::Message,
        advert: Advert {
            protocol,
            vrid: spec.vrid,
            priority: priority(number),
            addresses: spec.addresses.as_slice().into(),
        },
        signed: None,
    }
}

fn tell(router: &mut Router, now: Time, on: &On, effects: &mut Effects) {
    use On::*;
    let spec = router.spec().clone();
    let event = match *on {
        Start => Event::Start(Found::Nothing),
        Leftovers => Event::Start(Found::Leftovers),
        Succession => Event::Start(Found::Succession),
        MayLead => Event::MayLead,
        Hear(number) => Event::Advert(received(&spec, PEER, number, spec.protocol)),
        HearFrom(source, number) => Event::Advert(received(&spec, source, number, spec.protocol)),
        HearV3(number, interval) => Event::Advert(received(&spec, PEER, number, v3(interval))),
        Wake => Event::Timeout,
        Proxy(well) => Event::Proxy { well },
        Link(up) => Event::Link { up },
        Script(up) => Event::Track {
            name: "script",
            verdict: if up { Verdict::Up } else { Verdict::Down },
        },
        Number(value) => Event::Track {
            name: "script",
            verdict: Verdict::Value(value),
        },
        NoNumber => Event::Track {
            name: "script",
            verdict: Verdict::NoValue,
        },
        Claimed(octet) => Event::Contested {
            address: VIP,
            mac: [2, 0, 0, 0, 0, octet],
        },
        Group(accord) => Event::Group(accord),
        Become(number) => Event::Reload(Box::new(Spec {
            priority: priority(number),
            ..spec.clone()
        })),
        Readdress => {
            let addresses = vec![VIP, IpAddr::from([192, 168, 0, 106])];
            Event::Reload(Box::new(Spec {
                addresses,
                ..spec.clone()
            }))
        }
        Lengthen => Event::Reload(Box::new(Spec {
            protocol: v2(2),
            ..spec.clone()
        })),
        Every(interval) => Event::Reload(Box::new(Spec {
            protocol: v3(interval),
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
        Effect::PriorityChanged { from, to, .. } => format!("{from} to {to}"),
        Effect::Contested { mac, .. } => format!("contested by {}", mac[5]),
        Effect::Transition(change) => format!("{:?}: {}", change.to, change.cause),
        Effect::ChecksumDiffers { heard, .. } => format!("checksum is of {heard:?}"),
        Effect::Discarded { reason, .. } => format!("discard {}", reason.name()),
    }
}

/// Plays the steps. Every wake-up has to be the one that the router asked for, or later.
pub(crate) fn play(case: &str, spec: Spec, steps: &[Step]) -> Router {
    let mut router = Router::new(spec);
    let mut effects = Effects::default();
    for (at_us, on, expected) in steps {
        let now = Time(Duration::from_micros(*at_us));
        if matches!(on, On::Wake) {
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

pub(crate) const LEAD: &str = "add, announce 1, say 200, Master: no master heard";

/// Started, and Master since 3 218 750 µs.
pub(crate) fn master_then(steps: Vec<Step>) -> Vec<Step> {
    use On::{MayLead, Start, Wake};
    let mut all = vec![
        (0, Start, "Backup: started"),
        (0, MayLead, ""),
        (3_218_750, Wake, LEAD),
    ];
    all.extend(steps);
    all
}

/// Started and allowed to lead.
pub(crate) fn backup_then(steps: Vec<Step>) -> Vec<Step> {
    use On::{MayLead, Start};
    let mut all = vec![(0, Start, "Backup: started"), (0, MayLead, "")];
    all.extend(steps);
    all
}
