//! The configuration, cut into each child's part. Nothing is decided here: `settings` has checked
//! everything, and what is said twice (a name, and its place in a list) is turned from one into
//! the other.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipc::admin::AdminSnapshot;
use ipc::check::{CheckSnapshot, Probe, ScriptCheck, ScriptInit, ServerCheck};
use ipc::notify::{MailSpec, MailTls, NotifySnapshot, SinkKind, SinkSpec, SmsSpec};
use ipc::proxy::{
    BindSpec, ListenerLimits, ListenerSpec, ListenerTimeouts, ProxySnapshot, RouteAction,
    RouteSpec, ServerSpec, UpstreamSpec,
};
use ipc::vrrp::{
    AnnounceSpec, RouterSpec, Succession, Track, TrackSubject, Transport, VirtualAddress,
    VrrpSnapshot,
};
use settings::Settings;

/// The vrrp-actor's part.
pub(crate) fn vrrp(settings: &Settings, succession: Option<Succession>) -> VrrpSnapshot {
    VrrpSnapshot {
        node: settings.node.name.clone(),
        routers: settings
            .virtual_routers
            .iter()
            .map(|router| router_spec(settings, router))
            .collect(),
        succession,
    }
}

fn router_spec(settings: &Settings, router: &settings::VirtualRouter) -> RouterSpec {
    let transport = match &router.transport {
        settings::Transport::Multicast => Transport::Multicast {
            source: Some(*settings.node.address.value()),
        },
        settings::Transport::Unicast { peers } => Transport::Unicast {
            source: *settings.node.address.value(),
            peers: peers.iter().map(|peer| *peer.value()).collect(),
        },
    };
    RouterSpec {
        name: router.name.clone(),
        interface: router.interface.value().clone(),
        vrid: router.vrid.value().get(),
        version: match router.version {
            settings::Version::V2 => 2,
            settings::Version::V3 => 3,
        },
        advert_interval: *router.advert_interval.value(),
        priority: router.priority.value().get(),
        transport,
        auth_pass: router.auth.as_ref().map(|pass| pass.0),
        preempt: router.preempt,
        preempt_delay: router.preempt_delay,
        addresses: router
            .addresses
            .iter()
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
        },
        weight: *track.weight.value(),
    }
}

/// The proxy workers' part. `known` are the addresses that the workers listen on already.
pub(crate) fn proxy(settings: &Settings, known: &BTreeSet<SocketAddr>) -> ProxySnapshot {
    let log_paths = access_logs(settings);
    ProxySnapshot {
        node: settings.node.name.clone(),
        drain_timeout: settings.proxy.drain_timeout,
        listeners: settings
            .listeners
            .iter()
            .map(|listener| listener_spec(listener, known, &log_paths))
            .collect(),
        routes: settings
            .routes
            .iter()
            .map(|route| route_spec(settings, route))
            .collect(),
        upstreams: settings.upstreams.iter().map(upstream_spec).collect(),
        log_files: log_paths
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
    }
}

/// The access logs of all listeners, each once, in the order in which their files go along.
pub(crate) fn access_logs(settings: &Settings) -> Vec<PathBuf> {
    let logs = settings
        .listeners
        .iter()
        .filter_map(|listener| listener.access_log.as_ref());
    logs.map(|log| log.path.value().clone())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// The files of the notifier's file sinks, in the order in which they go along.
pub(crate) fn notify_files(settings: &Settings) -> Vec<&Path> {
    let files = settings.notify.iter().filter_map(|sink| match &sink.kind {
        settings::SinkKind::File(path) => Some(path.value().as_path()),
        _ => None,
    });
    files.collect()
}

/// Every address that is listened on, each once, in the order of the file.
pub(crate) fn binds(settings: &Settings) -> Vec<SocketAddr> {
    settings
        .listeners
        .iter()
        .flat_map(|listener| &listener.bind)
        .map(|bind| *bind.value())
        .collect()
}

fn listener_spec(
    listener: &settings::Listener,
    known: &BTreeSet<SocketAddr>,
    log_paths: &[PathBuf],
) -> ListenerSpec {
    let bind = |address: &settings::Spanned<SocketAddr>| BindSpec {
        address: *address.value(),
        new: !known.contains(address.value()),
    };
    let access_log = listener
        .access_log
        .as_ref()
        .and_then(|log| log_paths.iter().position(|path| path == log.path.value()));
    ListenerSpec {
        name: listener.name.clone(),
        binds: listener.bind.iter().map(bind).collect(),
        node_header: listener.node_header,
        access_log: access_log.and_then(|index| u16::try_from(index).ok()),
        timeouts: ListenerTimeouts {
            head: listener.timeouts.head,
            body_idle: listener.timeouts.body_idle,
            keep_alive: listener.timeouts.keep_alive,
            send: listener.timeouts.send,
        },
        limits: ListenerLimits {
            header_bytes: listener.limits.header_bytes,
            headers: listener.limits.headers,
            body: listener.limits.body.unwrap_or(0),
            requests_per_connection: listener
                .limits
                .requests_per_connection
                .map_or(0, |requests| requests.get()),
        },
    }
}

fn route_spec(settings: &Settings, route: &settings::Route) -> RouteSpec {
    let listeners = settings.listeners.iter().enumerate();
    RouteSpec {
        listeners: listeners
            .filter(|(_, listener)| route.listeners.contains(&listener.name))
            .filter_map(|(index, _)| u16::try_from(index).ok())
            .collect(),
        path: route.path.value().clone(),
        action: match &route.action {
            settings::RouteAction::Upstream(name) => RouteAction::Upstream(index_of(
                settings
                    .upstreams
                    .iter()
                    .map(|upstream| upstream.name.as_str()),
                name,
            )),
            settings::RouteAction::StatusPage => RouteAction::StatusPage,
            settings::RouteAction::StubStatus => RouteAction::StubStatus,
        },
        allow: route.allow.clone(),
        deny: route.deny.clone(),
    }
}

/// The place of a name that `settings` has seen to exist.
fn index_of<'a>(mut names: impl Iterator<Item = &'a str>, wanted: &str) -> u16 {
    names
        .position(|name| name == wanted)
        .and_then(|index| u16::try_from(index).ok())
        .unwrap_or(u16::MAX)
}

fn upstream_spec(upstream: &settings::Upstream) -> UpstreamSpec {
    let server = |server: &settings::Server| ServerSpec {
        address: *server.address.value(),
        weight: server.weight.get(),
        max_fails: server.max_fails,
        fail_timeout: server.fail_timeout,
    };
    UpstreamSpec {
        name: upstream.name.clone(),
        servers: upstream.servers.iter().map(server).collect(),
        idle_max: upstream.keep_alive.idle,
        idle_timeout: upstream.keep_alive.timeout,
        connect_timeout: upstream.timeouts.connect,
        read_timeout: upstream.timeouts.read,
        send_timeout: upstream.timeouts.send,
        tries: upstream.retries.tries.get(),
    }
}

/// The health-checker's part.
pub(crate) fn check(settings: &Settings) -> CheckSnapshot {
    let servers = settings.upstreams.iter().flat_map(|upstream| {
        let check = upstream.check.as_ref();
        check.into_iter().flat_map(move |check| {
            upstream
                .servers
                .iter()
                .map(move |server| server_check(upstream, server, check))
        })
    });
    let used: BTreeSet<&str> = settings
        .virtual_routers
        .iter()
        .flat_map(|router| &router.tracks)
        .filter_map(|track| match &track.subject {
            settings::TrackSubject::Script(name) => Some(name.as_str()),
            settings::TrackSubject::Interface(_) => None,
        })
        .collect();
    let scripts = settings
        .scripts
        .iter()
        .filter(|script| used.contains(script.name.as_str()));
    CheckSnapshot {
        servers: servers.collect(),
        scripts: scripts.map(script_check).collect(),
    }
}

fn server_check(
    upstream: &settings::Upstream,
    server: &settings::Server,
    check: &settings::Check,
) -> ServerCheck {
    ServerCheck {
        upstream: upstream.name.clone(),
        address: *server.address.value(),
        probe: match &check.probe {
            settings::Probe::Tcp => Probe::Tcp,
            settings::Probe::Http { path, host, status } => Probe::Http {
                path: path.clone(),
                host: host.clone(),
                statuses: vec![*status],
            },
        },
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

/// The notifier's part.
pub(crate) fn notify(settings: &Settings) -> NotifySnapshot {
    NotifySnapshot {
        cluster: settings.cluster.name.clone(),
        node: settings.node.name.clone(),
        sinks: settings
            .notify
            .iter()
            .map(|sink| sink_spec(settings, sink))
            .collect(),
    }
}

fn sink_spec(settings: &Settings, sink: &settings::Sink) -> SinkSpec {
    let names_it = |router: &&settings::VirtualRouter| {
        router.notify.iter().any(|name| name.value() == &sink.name)
    };
    SinkSpec {
        name: sink.name.clone(),
        kind: sink_kind(sink),
        routers: settings
            .virtual_routers
            .iter()
            .filter(names_it)
            .map(|router| router.name.clone())
            .collect(),
        classes: sink
            .events
            .iter()
            .map(|class| class.as_str().to_owned())
            .collect(),
        severity_min: match sink.min_severity {
            settings::Severity::Info => ipc::event::Severity::Info,
            settings::Severity::Warning => ipc::event::Severity::Warning,
            settings::Severity::Error => ipc::event::Severity::Error,
            settings::Severity::Critical => ipc::event::Severity::Critical,
        },
        age_max: sink.max_age,
    }
}

fn sink_kind(sink: &settings::Sink) -> SinkKind {
    let timeout = sink.timeout;
    match &sink.kind {
        settings::SinkKind::File(path) => SinkKind::File {
            path: path.value().display().to_string(),
        },
        settings::SinkKind::Syslog(syslog) => SinkKind::Syslog {
            facility: syslog.facility,
            tag: syslog.tag.clone(),
        },
        settings::SinkKind::Mail(mail) => SinkKind::Mail(MailSpec {
            host: mail.host.clone(),
            port: mail.port,
            tls: match mail.tls {
                settings::MailTls::None => MailTls::None,
                settings::MailTls::StartTls => MailTls::StartTls,
                settings::MailTls::Implicit => MailTls::Implicit,
            },
            credentials: mail
                .credentials
                .as_ref()
                .map(|(user, password)| (user.clone(), password.0.clone())),
            helo: mail.helo.clone(),
            from: mail.from.clone(),
            to: mail.to.clone(),
            timeout,
        }),
        settings::SinkKind::Sms(sms) => SinkKind::Sms(SmsSpec {
            to: sms.to.clone(),
            url: sms.url.as_str().to_owned(),
            method: sms.method.as_str().to_owned(),
            body: sms.body.clone(),
            headers: plain(&sms.headers),
            success_statuses: sms.success_status.clone(),
            timeout,
        }),
        settings::SinkKind::Webhook(webhook) => SinkKind::Webhook {
            url: webhook.url.as_str().to_owned(),
            headers: plain(&webhook.headers),
            secret: webhook.secret.as_ref().map(|secret| secret.0.clone()),
            timeout,
        },
        settings::SinkKind::Exec(command) => SinkKind::Exec {
            command: command.value().clone(),
            timeout,
        },
    }
}

fn plain(headers: &[(String, settings::Secret)]) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.clone(), value.0.clone()))
        .collect()
}

/// The admin process's part.
pub(crate) fn admin(settings: &Settings) -> AdminSnapshot {
    AdminSnapshot {
        node: settings.node.name.clone(),
        bind: settings.admin.bind.as_ref().map(|bind| *bind.value()),
    }
}
