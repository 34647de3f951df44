//! A configured virtual router as the core knows it.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use core_vrrp::{
    AnnouncePlan, AntiReplay, Auth, Centiseconds, ChecksumForm, Failback, HmacAuth, Key, Mode,
    OnUnhealthy, Password, Priority, Protocol, Seconds, Spec, Transport, Vrid,
};
use settings::{HmacMode, Lease, Settings, Version, VirtualRouter};

/// `None` when a number is out of its range, which `settings` does not let happen. `link_local` is
/// that of the router's interface, unspecified where there is none.
pub(super) fn spec(
    settings: &Settings,
    router: &VirtualRouter,
    link_local: Ipv6Addr,
) -> Option<Spec> {
    let source = match router.transport.source() {
        Some(source) => source,
        None if router.is_ipv6() => link_local.into(),
        None => IpAddr::from(*settings.node.address.value()),
    };
    let announce = &router.announce;
    Some(Spec {
        vrid: Vrid::new(router.vrid.value().get())?,
        protocol: protocol(router)?,
        hmac: match &router.auth {
            Some(settings::Auth::Hmac(auth)) => Some(hmac(auth)?),
            Some(settings::Auth::Pass(_)) | None => None,
        },
        priority: Priority::new(router.priority.value().get())?,
        // What nothing on the link tells.
        failback: Failback::Manual,
        on_unhealthy: OnUnhealthy::Abdicate,
        checksum: router.checksum.map(|form| match form {
            settings::ChecksumForm::Message => ChecksumForm::Message,
            settings::ChecksumForm::PseudoHeader => ChecksumForm::PseudoHeader,
        }),
        source,
        transport: match &router.transport {
            settings::Transport::Multicast { .. } => Transport::Multicast,
            settings::Transport::Unicast { peers, min_ttl, .. } => Transport::Unicast {
                peers: peers.iter().map(|peer| *peer.value()).collect(),
                min_ttl: min_ttl.get(),
            },
        },
        addresses: (router.addresses.iter())
            .map(|address| address.address)
            .collect(),
        tracks: Vec::new(),
        track_proxy: router.track_proxy,
        is_grouped: router.sync_group.is_some(),
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
            auth: match &router.auth {
                Some(settings::Auth::Pass(pass)) => Auth::Pass(Password::new(pass.0)),
                Some(settings::Auth::Hmac(_)) | None => Auth::None,
            },
        },
        Version::V3 => Protocol::V3 {
            interval: Centiseconds::new(u16::try_from(interval.as_millis() / 10).ok()?)?,
        },
    })
}

fn hmac(auth: &settings::HmacAuth) -> Option<HmacAuth> {
    let keys = auth.keys.iter();
    let keys: Option<Vec<_>> = keys
        .map(|(id, key)| Some((*id, Key::new(&key.0)?)))
        .collect();
    let mode = match auth.mode {
        HmacMode::Enforce => Mode::Enforce,
        HmacMode::Permissive => Mode::Permissive,
        HmacMode::ReceiveOnly => Mode::ReceiveOnly,
    };
    let anti_replay = match auth.time_window {
        Some(window) => AntiReplay::Time { window },
        None => AntiReplay::Monotonic,
    };
    HmacAuth::new(keys?, auth.active, mode, anti_replay)
}
