//! Listeners, routes and upstreams, as a proxy worker gets them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipc::check::{ListenerCheck, ListenerProbe};
use ipc::proxy::{
    AccessLogSpec, Balance, BindSpec, ListenerLimits, ListenerProtocol, ListenerSpec,
    ListenerTimeouts, LogFormat, ProxySnapshot, ProxyVersion, RetryOn, RouteAction, RouteSpec,
    ServerSpec, UpstreamProtocol, UpstreamSpec,
};
use settings::Settings;

use crate::credentials::Credentials;
use crate::holdings::GaugePlaces;

/// The proxy workers' part. `known` are the addresses that the workers listen on already.
pub(crate) fn proxy(
    settings: &Settings,
    known: &BTreeSet<SocketAddr>,
    gauges: &GaugePlaces,
    credentials: &Credentials,
) -> ProxySnapshot {
    let log_paths = access_logs(settings);
    ProxySnapshot {
        node: settings.node.name.clone(),
        drain_timeout: settings.proxy.drain_timeout,
        tunnel_drain_timeout: settings.proxy.tunnel_drain_timeout,
        listeners: settings
            .listeners
            .iter()
            .map(|listener| listener_spec(listener, known, &log_paths, credentials))
            .collect(),
        routes: settings
            .routes
            .iter()
            .flat_map(|route| route_specs(settings, route))
            .collect(),
        upstreams: (settings.upstreams.iter())
            .map(|upstream| upstream_spec(upstream, gauges, credentials))
            .collect(),
        authorities: credentials.authorities(),
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

/// Where the node's own proxy is asked whether it answers: not where octets go to others.
pub(super) fn listener_checks(settings: &Settings) -> Vec<ListenerCheck> {
    let listeners = settings.listeners.iter();
    let listeners =
        listeners.filter(|listener| listener.protocol == settings::ListenerProtocol::Http);
    let checks = listeners.flat_map(|listener| {
        let probe = match &listener.tls {
            None => ListenerProbe::Http,
            Some(tls) if tls.client_auth == settings::ClientAuth::Required => ListenerProbe::Tls,
            Some(_) => ListenerProbe::Https,
        };
        listener.bind.iter().map(move |bind| ListenerCheck {
            address: *bind.value(),
            probe,
            proxy_header: listener.proxy_protocol.is_some(),
        })
    });
    checks.collect()
}

/// The addresses at which the node asks itself whether it serves.
pub(crate) fn asked_addresses(settings: &Settings) -> BTreeSet<SocketAddr> {
    let checks = listener_checks(settings).into_iter();
    checks.map(|check| check.address).collect()
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
    credentials: &Credentials,
) -> ListenerSpec {
    let bind = |address: &settings::Spanned<SocketAddr>| BindSpec {
        address: *address.value(),
        new: !known.contains(address.value()),
    };
    let access_log = |log: &settings::AccessLog| {
        let file = log_paths.iter().position(|path| path == log.path.value())?;
        Some(AccessLogSpec {
            file: u16::try_from(file).ok()?,
            format: match log.format {
                settings::LogFormat::Combined => LogFormat::Combined,
                settings::LogFormat::Json => LogFormat::Json,
            },
        })
    };
    ListenerSpec {
        name: listener.name.clone(),
        binds: listener.bind.iter().map(bind).collect(),
        protocol: match listener.protocol {
            settings::ListenerProtocol::Http => ListenerProtocol::Http {
                http2: listener.http2.unwrap_or(listener.tls.is_some()),
            },
            settings::ListenerProtocol::Tcp => ListenerProtocol::Tcp,
        },
        tls: listener.tls.as_ref().map(|tls| credentials.listener(tls)),
        proxy_protocol: (listener.proxy_protocol.as_ref())
            .map(|spoken| spoken.from.clone())
            .unwrap_or_default(),
        trusted_proxies: listener.trusted_proxies.clone(),
        node_header: listener.node_header,
        access_log: listener.access_log.as_ref().and_then(access_log),
        timeouts: ListenerTimeouts {
            tls_handshake: listener.timeouts.tls_handshake,
            head: listener.timeouts.head,
            body_idle: listener.timeouts.body_idle,
            body_min_rate: listener.timeouts.body_min_rate,
            keep_alive: listener.timeouts.keep_alive,
            send: listener.timeouts.send,
            tunnel: listener.timeouts.tunnel,
        },
        limits: ListenerLimits {
            connections: listener.limits.connections,
            connections_per_address: listener.limits.connections_per_address,
            header_bytes: listener.limits.header_bytes,
            headers: listener.limits.headers,
            body: listener.limits.body.unwrap_or(0),
            requests_per_connection: listener
                .limits
                .requests_per_connection
                .map_or(0, |requests| requests.get()),
            h2_streams: (listener.limits.h2_streams).map_or(0, |streams| streams.get()),
        },
    }
}

/// One for each host of the route.
fn route_specs(settings: &Settings, route: &settings::Route) -> Vec<RouteSpec> {
    let of_host = |host: Option<&settings::Spanned<String>>| RouteSpec {
        host: host.map(|host| host.value().clone()),
        ..route_spec(settings, route)
    };
    if route.hosts.is_empty() {
        vec![of_host(None)]
    } else {
        route.hosts.iter().map(|host| of_host(Some(host))).collect()
    }
}

fn route_spec(settings: &Settings, route: &settings::Route) -> RouteSpec {
    let listeners = settings.listeners.iter().enumerate();
    RouteSpec {
        listeners: listeners
            .filter(|(_, listener)| route.listeners.contains(&listener.name))
            .filter_map(|(index, _)| u16::try_from(index).ok())
            .collect(),
        host: None,
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
        websocket: route.websocket.as_ref().is_none_or(|it| *it.value()),
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

/// The form of a PROXY header.
pub(super) const fn proxy_version(version: settings::ProxyVersion) -> ProxyVersion {
    match version {
        settings::ProxyVersion::V1 => ProxyVersion::V1,
        settings::ProxyVersion::V2 => ProxyVersion::V2,
    }
}

/// What servers speak.
pub(super) const fn upstream_protocol(protocol: settings::Protocol) -> UpstreamProtocol {
    match protocol {
        settings::Protocol::Http1 => UpstreamProtocol::Http1,
        settings::Protocol::H2 | settings::Protocol::H2c => UpstreamProtocol::Http2,
    }
}

fn retry_on(retries: &settings::Retries) -> RetryOn {
    use settings::RetryCause as Cause;
    let on = |cause: Cause| retries.on.contains(&cause);
    RetryOn {
        connect: on(Cause::Connect),
        stale: on(Cause::Stale),
        timeout: on(Cause::Timeout),
        bad_gateway: on(Cause::BadGateway),
        unavailable: on(Cause::Unavailable),
        gateway_timeout: on(Cause::GatewayTimeout),
    }
}

fn upstream_spec(
    upstream: &settings::Upstream,
    gauges: &GaugePlaces,
    credentials: &Credentials,
) -> UpstreamSpec {
    let server = |server: &settings::Server| ServerSpec {
        address: *server.address.value(),
        weight: server.weight.get(),
        max_fails: server.max_fails,
        fail_timeout: server.fail_timeout,
        backup: server.backup,
        max_conns: server.max_conns.map_or(0, |max| max.get()),
        ready: server.state == settings::ServerState::Ready,
        gauge: gauges.of_server(&upstream.name, *server.address.value()),
    };
    UpstreamSpec {
        name: upstream.name.clone(),
        servers: upstream.servers.iter().map(server).collect(),
        balance: match upstream.balance {
            settings::Balance::RoundRobin => Balance::RoundRobin,
            settings::Balance::LeastConn => Balance::LeastConn,
        },
        protocol: upstream_protocol(upstream.protocol),
        tls: upstream.tls.as_ref().map(|tls| credentials.upstream(tls)),
        send_proxy: upstream.send_proxy.map(proxy_version),
        idle_max: upstream.keep_alive.idle,
        idle_timeout: upstream.keep_alive.timeout,
        requests_max: upstream.keep_alive.requests.map_or(0, |max| max.get()),
        connect_timeout: upstream.timeouts.connect,
        read_timeout: upstream.timeouts.read,
        send_timeout: upstream.timeouts.send,
        queue_timeout: upstream.timeouts.queue,
        tries: upstream.retries.tries.get(),
        retry_on: retry_on(&upstream.retries),
        retry_budget: upstream.retries.budget,
    }
}
