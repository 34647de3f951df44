//! The configuration that tests of sessions and of the whole worker begin with: what the supervisor
//! sends where nothing but the necessary is configured.

use std::net::SocketAddr;
use std::time::Duration;

use ipc::proxy::{
    Balance, ListenerLimits, ListenerProtocol, ListenerSpec, ListenerTimeouts, ProxySnapshot,
    RetryOn, RouteAction, RouteSpec, ServerSpec, UpstreamProtocol, UpstreamSpec,
};

/// One listener, "public", and one upstream, "app".
pub(crate) fn snapshot(routes: Vec<RouteSpec>, servers: Vec<ServerSpec>) -> ProxySnapshot {
    ProxySnapshot {
        node: "proxy101".into(),
        drain_timeout: Duration::from_secs(30),
        tunnel_drain_timeout: Duration::from_secs(600),
        listeners: vec![ListenerSpec {
            name: "public".into(),
            binds: Vec::new(),
            protocol: ListenerProtocol::Http { http2: false },
            tls: None,
            proxy_protocol: Vec::new(),
            trusted_proxies: Vec::new(),
            node_header: false,
            access_log: None,
            timeouts: ListenerTimeouts {
                tls_handshake: Duration::from_secs(10),
                head: Duration::from_secs(10),
                body_idle: Duration::from_secs(30),
                body_min_rate: 0,
                keep_alive: Duration::from_secs(75),
                send: Duration::from_secs(60),
                tunnel: Duration::from_secs(3_600),
            },
            limits: ListenerLimits {
                connections: 0,
                connections_per_address: 0,
                header_bytes: 32 * 1024,
                headers: 100,
                body: 10 * 1024 * 1024,
                requests_per_connection: 1000,
                h2_streams: 100,
            },
        }],
        routes,
        upstreams: vec![UpstreamSpec {
            name: "app".into(),
            servers,
            balance: Balance::RoundRobin,
            protocol: UpstreamProtocol::Http1,
            tls: None,
            send_proxy: None,
            idle_max: 256,
            idle_timeout: Duration::from_secs(50),
            requests_max: 0,
            connect_timeout: Duration::from_secs(3),
            read_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(60),
            queue_timeout: Duration::from_secs(5),
            tries: 2,
            retry_on: RetryOn {
                connect: true,
                stale: true,
                timeout: false,
                bad_gateway: false,
                unavailable: false,
                gateway_timeout: false,
            },
            retry_budget: 20,
        }],
        authorities: Vec::new(),
        log_files: Vec::new(),
    }
}

/// For all hosts and everybody, on the one listener.
pub(crate) fn route(path: &str, action: RouteAction) -> RouteSpec {
    RouteSpec {
        listeners: vec![0],
        host: None,
        path: path.into(),
        action,
        websocket: true,
        allow: Vec::new(),
        deny: Vec::new(),
    }
}

/// With the default weight; `gauge` is its place in the shared memory.
pub(crate) fn server(address: SocketAddr, gauge: u16) -> ServerSpec {
    ServerSpec {
        address,
        weight: 1,
        max_fails: 1,
        fail_timeout: Duration::from_secs(10),
        backup: false,
        max_conns: 0,
        ready: true,
        gauge,
    }
}
