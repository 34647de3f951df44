//! A configured virtual router as the core knows it.

use std::net::IpAddr;
use std::time::Duration;

use core_vrrp::{
    AnnouncePlan, Auth, Centiseconds, Password, Priority, Protocol, Seconds, Spec, Transport, Vrid,
};
use settings::{Lease, Settings, Version, VirtualRouter};

/// `None` when a number is out of its range, which `settings` does not let happen.
pub(super) fn spec(settings: &Settings, router: &VirtualRouter) -> Option<Spec> {
    let announce = &router.announce;
    Some(Spec {
        vrid: Vrid::new(router.vrid.value().get())?,
        protocol: protocol(router)?,
        priority: Priority::new(router.priority.value().get())?,
        preempt: router.preempt,
        preempt_delay: router.preempt_delay,
        checksum: None,
        source: IpAddr::from(*settings.node.address.value()),
        transport: match &router.transport {
            settings::Transport::Multicast => Transport::Multicast,
            settings::Transport::Unicast { peers } => {
                let peers = peers.iter().map(|peer| IpAddr::from(*peer.value()));
                Transport::Unicast {
                    peers: peers.collect(),
                    min_ttl: core_vrrp::TTL,
                }
            }
        },
        addresses: (router.addresses.iter())
            .map(|address| IpAddr::from(address.address))
            .collect(),
        tracks: Vec::new(),
        lease: match router.lease {
            Lease::Off => None,
            Lease::Seconds(seconds) => Some(Duration::from_secs(seconds.into())),
        },
        announce: AnnouncePlan {
            repeat: announce.repeat.get(),
            interval: announce.interval,
            delay: announce.delay,
            refresh: announce.refresh,
        },
        startup_delay: router.startup_delay,
        down_timer_adverts: router.down_timer_adverts.get(),
    })
}

fn protocol(router: &VirtualRouter) -> Option<Protocol> {
    let interval = *router.advert_interval.value();
    Some(match router.version {
        Version::V2 => Protocol::V2 {
            interval: Seconds::new(u8::try_from(interval.as_secs()).ok()?)?,
            auth: (router.auth).map_or(Auth::None, |pass| Auth::Pass(Password::new(pass.0))),
        },
        Version::V3 => Protocol::V3 {
            interval: Centiseconds::new(u16::try_from(interval.as_millis() / 10).ok()?)?,
        },
    })
}
