//! The configuration, cut into each child's part. Nothing is decided here: `settings` has checked
//! everything, and what is said twice (a name, and its place in a list) is turned from one into
//! the other.

mod notify;
mod proxy;

pub(crate) use notify::{notify, notify_files};
pub(crate) use proxy::{access_logs, asked_addresses, binds, proxy};

use std::collections::BTreeSet;

use ipc::admin::AdminSnapshot;
use ipc::check::{
    CheckSnapshot, FileCheck, Probe, ProcessCheck, ScriptCheck, ScriptInit, UpstreamCheck,
};
use ipc::vrrp::{
    AnnounceSpec, Auth, ChecksumForm, Failback, HmacAuth, HmacKey, HmacMode, OnUnhealthy, Pass,
    RouterSpec, Succession, Track, TrackEffect, TrackSubject, Transport, VirtualAddress,
    VrrpSnapshot,
};
use settings::Settings;

use crate::credentials::Credentials;
use crate::node::is_asked;

/// The vrrp-actor's part.
pub(crate) fn vrrp(settings: &Settings, succession: Option<Succession>) -> VrrpSnapshot {
    VrrpSnapshot {
        node: settings.node.name.clone(),
        routers: settings.virtual_routers.iter().map(router_spec).collect(),
        succession,
    }
}

fn router_spec(router: &settings::VirtualRouter) -> RouterSpec {
    let transport = match &router.transport {
        settings::Transport::Multicast { source } => Transport::Multicast { source: *source },
        settings::Transport::Unicast {
            source,
            peers,
            min_ttl,
        } => Transport::Unicast {
            source: *source,
            peers: peers.iter().map(|peer| *peer.value()).collect(),
            min_ttl: min_ttl.get(),
        },
    };
    RouterSpec {
        name: router.name.clone(),
        interface: router.interface.value().clone(),
        vrid: router.vrid.value().get(),
        vmac: router.vmac,
        version: match router.version {
            settings::Version::V2 => 2,
            settings::Version::V3 => 3,
        },
        advert_interval: *router.advert_interval.value(),
        priority: router.priority.value().get(),
        transport,
        checksum: router.checksum.map(|form| match form {
            settings::ChecksumForm::Message => ChecksumForm::Message,
            settings::ChecksumForm::PseudoHeader => ChecksumForm::PseudoHeader,
        }),
        auth: router.auth.as_ref().map(auth),
        failback: match router.failback {
            settings::Failback::Auto(wait) => Failback::Auto(wait),
            settings::Failback::After(wait) => Failback::After(wait),
            settings::Failback::Manual => Failback::Manual,
        },
        on_unhealthy: match router.on_unhealthy {
            settings::OnUnhealthy::Abdicate => OnUnhealthy::Abdicate,
            settings::OnUnhealthy::Deprioritise => OnUnhealthy::Deprioritise,
        },
        sync_group: (router.sync_group.as_ref()).map(|group| group.value().clone()),
        notify_priority_changes: router.notify_priority_changes,
        addresses: router
            .addresses
            .iter()
            .map(|address| virtual_address(address.value()))
            .collect(),
        excluded_addresses: (router.excluded_addresses.iter())
            .map(|address| virtual_address(address.value()))
            .collect(),
        lease_seconds: match router.lease {
            settings::Lease::Off => None,
            settings::Lease::Seconds(seconds) => Some(seconds),
        },
        tracks: router.tracks.iter().map(track).collect(),
        track_proxy: router.track_proxy,
        announce: AnnounceSpec {
            repeat: router.announce.repeat.get(),
            delay: router.announce.delay,
            refresh: router.announce.refresh,
            interval: router.announce.interval,
        },
        startup_delay: router.startup_delay,
        down_timer_adverts: router.down_timer_adverts.get(),
    }
}

fn auth(auth: &settings::Auth) -> Auth {
    match auth {
        settings::Auth::Pass(pass) => Auth::Pass(Pass(pass.0)),
        settings::Auth::Hmac(hmac) => Auth::Hmac(HmacAuth {
            keys: (hmac.keys.iter())
                .map(|(id, key)| (id.get(), HmacKey(key.0.clone())))
                .collect(),
            active: hmac.active.get(),
            mode: match hmac.mode {
                settings::HmacMode::Enforce => HmacMode::Enforce,
                settings::HmacMode::Permissive => HmacMode::Permissive,
                settings::HmacMode::ReceiveOnly => HmacMode::ReceiveOnly,
            },
            time_window: hmac.time_window,
        }),
    }
}

fn virtual_address(address: &settings::VirtualAddress) -> VirtualAddress {
    VirtualAddress {
        address: address.address,
        prefix_len: address.prefix_len,
        interface: address
            .interface
            .as_ref()
            .map(|interface| interface.value().clone()),
        label: address.label.clone(),
        scope: address.scope.number(),
    }
}

fn track(track: &settings::Track) -> Track {
    Track {
        subject: match &track.subject {
            settings::TrackSubject::Script(name) => TrackSubject::Script(name.clone()),
            settings::TrackSubject::Interface(name) => {
                TrackSubject::Interface(name.value().clone())
            }
            settings::TrackSubject::File(name) => TrackSubject::File(name.clone()),
            settings::TrackSubject::Process(name) => TrackSubject::Process(name.clone()),
        },
        effect: match *track.effect.value() {
            settings::TrackEffect::Weight(weight) => TrackEffect::Weight(weight),
            settings::TrackEffect::Degraded => TrackEffect::Degraded,
            settings::TrackEffect::Unhealthy => TrackEffect::Unhealthy,
        },
    }
}

/// The health-checker's part.
pub(crate) fn check(settings: &Settings, credentials: &Credentials) -> CheckSnapshot {
    let upstreams = settings.upstreams.iter().filter_map(|upstream| {
        let check = upstream.check.as_ref()?;
        Some(upstream_check(upstream, check, credentials))
    });
    let used: BTreeSet<TrackSubject> = settings
        .virtual_routers
        .iter()
        .flat_map(|router| &router.tracks)
        .map(|it| track(it).subject)
        .collect();
    let is_used = |kind: fn(String) -> TrackSubject, name: &str| used.contains(&kind(name.into()));
    CheckSnapshot {
        upstreams: upstreams.collect(),
        authorities: credentials.authorities(),
        scripts: (settings.scripts.iter())
            .filter(|script| is_used(TrackSubject::Script, &script.name))
            .map(script_check)
            .collect(),
        files: (settings.files.iter())
            .filter(|file| is_used(TrackSubject::File, &file.name))
            .map(file_check)
            .collect(),
        processes: (settings.processes.iter())
            .filter(|process| is_used(TrackSubject::Process, &process.name))
            .map(process_check)
            .collect(),
        listeners: proxy::listener_checks(settings),
    }
}

fn upstream_check(
    upstream: &settings::Upstream,
    check: &settings::Check,
    credentials: &Credentials,
) -> UpstreamCheck {
    let servers = upstream.servers.iter();
    let checked = servers.filter(|server| is_asked(upstream, server));
    UpstreamCheck {
        name: upstream.name.clone(),
        servers: checked.map(|server| *server.address.value()).collect(),
        protocol: proxy::upstream_protocol(upstream.protocol),
        send_proxy: upstream.send_proxy.map(proxy::proxy_version),
        probe: match &check.probe {
            settings::Probe::Tcp => Probe::Tcp,
            settings::Probe::Http { path, host, status } => Probe::Http {
                path: path.clone(),
                host: host.clone(),
                statuses: vec![*status],
            },
        },
        tls: upstream.tls.as_ref().map(|tls| credentials.upstream(tls)),
        interval: check.interval,
        timeout: check.timeout,
        rise: check.rise.get(),
        fall: check.fall.get(),
    }
}

fn script_check(script: &settings::Script) -> ScriptCheck {
    ScriptCheck {
        name: script.name.clone(),
        interval: script.interval,
        timeout: script.timeout,
        rise: script.rise.get(),
        fall: script.fall.get(),
        init: match script.init {
            settings::ScriptInit::Wait => ScriptInit::Wait,
            settings::ScriptInit::Up => ScriptInit::Up,
            settings::ScriptInit::Down => ScriptInit::Down,
        },
    }
}

fn file_check(file: &settings::TrackFile) -> FileCheck {
    FileCheck {
        name: file.name.clone(),
        path: file.path.value().clone(),
        interval: file.interval,
        absent: file.absent,
    }
}

fn process_check(process: &settings::TrackProcess) -> ProcessCheck {
    ProcessCheck {
        name: process.name.clone(),
        process: process.process.clone(),
        params: process.params.clone(),
        quorum: process.quorum.get(),
        interval: process.interval,
        delay: process.delay,
    }
}

/// The admin process's part.
pub(crate) fn admin(settings: &Settings) -> AdminSnapshot {
    AdminSnapshot {
        node: settings.node.name.clone(),
        bind: settings.admin.bind.as_ref().map(|bind| *bind.value()),
    }
}
