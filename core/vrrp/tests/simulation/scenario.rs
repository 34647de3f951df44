//! What a world is made of, by its seed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use core_vrrp::{
    AnnouncePlan, Auth, Centiseconds, Failback, OnUnhealthy, Password, Priority, Protocol, Seconds,
    Spec, TTL, Track, TrackEffect, Transport, Vrid,
};

use crate::dice::Dice;

/// By how much the kernel may be late to take an address away when its lifetime is over: on Linux
/// 0.04 s to 0.46 s were measured.
pub(crate) const KERNEL_LATE_MAX: Duration = Duration::from_millis(500);

/// What may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Nothing: nodes stop, fall ill, are upgraded and reconfigured one at a time.
    Calm,
    /// The nodes: they freeze, die, sleep, lose their links. What is sent arrives.
    Nodes,
    /// The network: packets are lost, late, doubled, out of order, and do not reach everybody.
    Network,
    /// Both at once.
    Storm,
}

impl Profile {
    pub(crate) const ALL: [Self; 4] = [Self::Calm, Self::Nodes, Self::Network, Self::Storm];

    pub(crate) fn of(seed: u64) -> Self {
        let number = usize::try_from(seed % 4).expect("small");
        Self::ALL[number]
    }
}

/// How late things are on a network and on nodes that are well. The protocol's promises need a
/// round trip far below the interval; here it is a fifth at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    /// Of a packet.
    pub(crate) link: Duration,
    /// Of a timer.
    pub(crate) timer: Duration,
}

/// A world before it begins.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) profile: Profile,
    pub(crate) specs: Vec<Spec>,
    pub(crate) latency: Latency,
    /// Neighbours that believe the last announcement.
    pub(crate) clients: usize,
}

impl Scenario {
    pub(crate) fn new(seed: u64, dice: &mut Dice) -> Self {
        let nodes = dice.one_of(&[2, 2, 2, 3, 3, 4, 5]);
        let is_v6 = dice.percent(20);
        let shared = any_protocol(is_v6, dice);
        let is_mixed = matches!(shared, Protocol::V3 { .. }) && dice.percent(15);
        let traits = Traits::new(nodes, is_v6, dice);
        let specs: Vec<Spec> = (0..nodes)
            .map(|node| {
                let protocol = if is_mixed { any_v3(dice) } else { shared };
                traits.spec(node, protocol, dice)
            })
            .collect();
        let shortest = (specs.iter().map(|spec| spec.protocol.interval()))
            .min()
            .expect("nodes");
        Self {
            profile: Profile::of(seed),
            specs,
            latency: Latency {
                link: (shortest / 10).min(Duration::from_millis(2)),
                timer: (shortest / 50).min(Duration::from_micros(500)),
            },
            clients: 2,
        }
    }
}

fn any_protocol(is_v6: bool, dice: &mut Dice) -> Protocol {
    if is_v6 || dice.percent(60) {
        return any_v3(dice);
    }
    let auth = if dice.percent(50) {
        Auth::None
    } else {
        Auth::Pass(Password::new(*b"evenkeel"))
    };
    let interval = Seconds::new(dice.one_of(&[1, 1, 2, 3])).expect("in range");
    Protocol::V2 { interval, auth }
}

pub(crate) fn any_v3(dice: &mut Dice) -> Protocol {
    let interval = Centiseconds::new(dice.one_of(&[100, 100, 10, 10, 1, 25, 300]));
    Protocol::V3 {
        interval: interval.expect("in range"),
    }
}

/// What the nodes of one world have in common.
struct Traits {
    nodes: usize,
    is_v6: bool,
    is_unicast: bool,
    down_timer_adverts: u8,
    failback: Habit,
    on_unhealthy: OnUnhealthy,
    track_proxy: bool,
    are_equal: bool,
    has_owner: bool,
    startup: u32,
    lease: Leases,
    tracks: Vec<Track>,
}

#[derive(Clone, Copy)]
enum Habit {
    AtOnce,
    Patient,
    Never,
    Various,
}

#[derive(Clone, Copy)]
enum Leases {
    Automatic,
    TwoSeconds,
    Off,
}

impl Traits {
    fn new(nodes: usize, is_v6: bool, dice: &mut Dice) -> Self {
        use Habit::{AtOnce, Never, Patient, Various};
        use Leases::{Automatic, Off, TwoSeconds};
        use OnUnhealthy::{Abdicate, Deprioritise};
        use TrackEffect::{Degraded, Unhealthy, Weight};
        let effects = [0, -20, -100, 20, 100].map(Weight);
        let effect = match dice.below(3) {
            0 => dice.one_of(&[Degraded, Unhealthy]),
            _ => dice.one_of(&effects),
        };
        Self {
            nodes,
            is_v6,
            is_unicast: dice.percent(50),
            down_timer_adverts: dice.one_of(&[3, 3, 3, 3, 2, 5]),
            failback: dice.one_of(&[AtOnce, AtOnce, AtOnce, AtOnce, Patient, Never, Various]),
            on_unhealthy: dice.one_of(&[Abdicate, Abdicate, Abdicate, Deprioritise]),
            track_proxy: dice.percent(85),
            are_equal: dice.percent(15),
            has_owner: dice.percent(10),
            startup: dice.one_of(&[0, 0, 0, 0, 1, 6]),
            lease: dice.one_of(&[Automatic, Automatic, Automatic, Automatic, TwoSeconds, Off]),
            tracks: vec![Track {
                name: "script".into(),
                effect,
            }],
        }
    }

    fn address(&self, node: usize) -> IpAddr {
        let number = u8::try_from(node).expect("few") + 101;
        if self.is_v6 {
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number.into()).into()
        } else {
            Ipv4Addr::new(192, 168, 0, number).into()
        }
    }

    fn failback(&self, interval: Duration, dice: &mut Dice) -> Failback {
        let patience = dice.duration(6 * interval);
        let patient = [Failback::Auto(patience), Failback::After(patience)];
        match self.failback {
            Habit::AtOnce => Failback::Auto(Duration::ZERO),
            Habit::Patient => dice.one_of(&patient),
            Habit::Never => Failback::Manual,
            Habit::Various => {
                let at_once = Failback::Auto(Duration::ZERO);
                dice.one_of(&[at_once, Failback::Manual, patient[0], patient[1]])
            }
        }
    }

    fn spec(&self, node: usize, protocol: Protocol, dice: &mut Dice) -> Spec {
        let interval = protocol.interval();
        let priority = match () {
            () if self.has_owner && node == 0 => 255,
            () if self.are_equal => 100,
            () => dice.number(1, 254),
        };
        let peers = (0..self.nodes).filter(|peer| *peer != node);
        Spec {
            vrid: Vrid::new(101).expect("in range"),
            protocol,
            hmac: None,
            priority: Priority::new(priority).expect("above 0"),
            failback: self.failback(interval, dice),
            on_unhealthy: self.on_unhealthy,
            checksum: None,
            source: self.address(node),
            transport: if self.is_unicast {
                Transport::Unicast {
                    peers: peers.map(|peer| self.address(peer)).collect(),
                    min_ttl: TTL,
                }
            } else {
                Transport::Multicast
            },
            addresses: virtual_addresses(self.is_v6, 1),
            tracks: self.tracks.clone(),
            track_proxy: self.track_proxy,
            is_grouped: false,
            lease: self.lease.of(interval * u32::from(self.down_timer_adverts)),
            announce: any_plan(interval, dice),
            startup_delay: self.startup * interval,
            down_timer_adverts: self.down_timer_adverts,
        }
    }
}

impl Leases {
    /// As the configuration has it: whole seconds, two at least, over before `down` if possible.
    fn of(self, down: Duration) -> Option<Duration> {
        let seconds = down.saturating_sub(KERNEL_LATE_MAX).as_secs().max(2);
        match self {
            Self::Automatic => Some(Duration::from_secs(seconds)),
            Self::TwoSeconds => Some(Duration::from_secs(2)),
            Self::Off => None,
        }
    }
}

pub(crate) fn virtual_addresses(is_v6: bool, count: u8) -> Vec<IpAddr> {
    let address = |number: u8| {
        if is_v6 {
            IpAddr::from(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, number.into()))
        } else {
            IpAddr::from(Ipv4Addr::new(192, 168, 0, number))
        }
    };
    (1..=count).map(|number| address(200 + number)).collect()
}

/// Short intervals get a short plan, so that it is seen to its end.
fn any_plan(interval: Duration, dice: &mut Dice) -> AnnouncePlan {
    let second = Duration::from_secs(1);
    let is_quick = interval < second / 2;
    AnnouncePlan {
        repeat: dice.one_of(&[5, 5, 1, 3]),
        interval: dice.one_of(&[Duration::ZERO, Duration::ZERO, second / 20]),
        delay: dice.one_of(&[1, 1, if is_quick { 2 } else { 5 }, 0]) * second,
        refresh: dice.one_of(&[1, 1, 1, 0]) * if is_quick { 3 * second } else { 20 * second },
    }
}
