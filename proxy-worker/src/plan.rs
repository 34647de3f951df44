//! A configuration, made ready for use. It never changes; a reload replaces it between requests.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use core_http1::{FIELDS_MAX, Limits};
use core_route::{Access, Action, Route, Table};
use ipc::proxy::{
    AccessLogSpec, ListenerProtocol, ListenerSpec, ListenerTimeouts, ProxySnapshot, RouteAction,
    RouteSpec,
};
use ipc::status::NodeStatus;
use ipnet::IpNet;
use tls::Authorities;

use crate::crowd::CrowdLimits;
use crate::gauges::Gauges;
use crate::io::Io;
use crate::upstream::Upstream;

/// A listener over all configurations: listeners of one name have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenerId(usize);

/// The names that ever were listened under, so that a connection finds its listener again after a
/// reload. As many as there are names in all configurations of this process.
#[derive(Debug, Default)]
pub(crate) struct ListenerNames(HashMap<String, ListenerId>);

impl ListenerNames {
    pub(crate) fn id(&mut self, name: &str) -> ListenerId {
        let next = ListenerId(self.0.len());
        *self.0.entry(name.to_owned()).or_insert(next)
    }
}

/// What a connection has to know of its listener.
#[derive(Debug)]
pub(crate) struct Listener {
    /// TLS with clients.
    pub(crate) tls: Option<Rc<tls::Server>>,
    /// Octets are relayed, whatever they mean.
    pub(crate) is_tcp: bool,
    pub(crate) name: String,
    /// Connections that there may be.
    pub(crate) crowd: CrowdLimits,
    pub(crate) timeouts: ListenerTimeouts,
    pub(crate) limits: Limits,
    /// Octets; `u64::MAX` for no limit.
    pub(crate) body_max: u64,
    /// `u32::MAX` for no limit.
    pub(crate) requests_max: u32,
    /// Whether HTTP/2 is spoken beside HTTP/1.
    pub(crate) http2: bool,
    /// Streams of one connection of HTTP/2; `u32::MAX` for no limit.
    pub(crate) streams_max: u32,
    pub(crate) node_header: bool,
    /// Which access log, and what its lines look like.
    pub(crate) log: Option<AccessLogSpec>,
    /// Whether HTTP comes first, at most behind a PROXY header: no TLS, and no other protocol.
    pub(crate) begins_with_http: bool,
    /// From whom a PROXY header comes; empty: it is not spoken.
    proxy_protocol: Vec<IpNet>,
    /// Whose word about a client's address is taken.
    trusted_proxies: Vec<IpNet>,
    /// The addresses that it listens on.
    addresses: Vec<IpAddr>,
}

/// How a connection has to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// With its protocol.
    Protocol,
    /// With a PROXY header.
    Header,
    /// With a PROXY header that says that the connection is the sender's own.
    LocalHeader,
    /// It must not begin at all.
    Refused,
}

impl Listener {
    /// Whether a connection from `peer` comes from this very node.
    pub(crate) fn is_at(&self, peer: IpAddr) -> bool {
        peer.is_loopback() || self.addresses.contains(&peer)
    }

    /// Whether a connection from `peer` may be this node's question to itself: it is asked from the
    /// very address that it is asked at.
    pub(crate) fn may_ask_itself(&self, peer: IpAddr) -> bool {
        let mut addresses = self.addresses.iter();
        addresses.any(|own| *own == peer || own.is_unspecified() && peer.is_loopback())
    }

    /// Whether what `ip` says of others is believed.
    pub(crate) fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&ip))
    }

    /// How a connection from `peer` has to begin. Where PROXY headers are spoken they are mandatory
    /// (rule 40); this node may ask itself all the same.
    pub(crate) fn beginning(&self, peer: IpAddr) -> Beginning {
        if self.proxy_protocol.is_empty() {
            Beginning::Protocol
        } else if self.proxy_protocol.iter().any(|net| net.contains(&peer)) {
            Beginning::Header
        } else if self.is_at(peer) {
            Beginning::LocalHeader
        } else {
            Beginning::Refused
        }
    }
}

/// A configuration.
#[derive(Debug)]
pub(crate) struct Plan<I> {
    pub(crate) node: String,
    pub(crate) drain_timeout: Duration,
    pub(crate) tunnel_drain_timeout: Duration,
    /// Whether a server may want to know what address a client has connected to.
    pub(crate) tells_local: bool,
    /// By [`ListenerId`]; `None` for those that are no more.
    listeners: Vec<Option<Listener>>,
    pub(crate) routes: Table,
    pub(crate) upstreams: Vec<Rc<Upstream<I>>>,
}

impl<I: Io> Plan<I> {
    /// Makes a snapshot ready. What it has in common with `old` goes over: idle connections now,
    /// the state of the servers by [`Plan::carry_over`].
    ///
    /// # Errors
    /// A sentence, when the snapshot contradicts itself.
    pub(crate) fn new(
        snapshot: &ProxySnapshot,
        names: &mut ListenerNames,
        gauges: &Rc<Gauges>,
        old: Option<&Self>,
        tickets: &tls::TicketKeys,
    ) -> Result<Self, String> {
        let authorities = Authorities::new(&snapshot.authorities);
        let ids: Vec<_> = snapshot
            .listeners
            .iter()
            .map(|one| names.id(&one.name))
            .collect();
        let mut listeners: Vec<_> = (0..names.0.len()).map(|_| None).collect();
        for (spec, id) in snapshot.listeners.iter().zip(&ids) {
            if let Some(place) = listeners.get_mut(id.0) {
                *place = Some(listener(
                    spec,
                    snapshot.log_files.len(),
                    &authorities,
                    tickets,
                )?);
            }
        }
        let routes: Vec<Route> = snapshot
            .routes
            .iter()
            .map(|spec| route(spec, &ids, snapshot.upstreams.len()))
            .collect::<Result<_, _>>()?;
        let upstream = |spec| {
            let known = old.and_then(|old| old.upstream(&spec));
            Upstream::new(&spec, &authorities, gauges, known).map(Rc::new)
        };
        Ok(Self {
            node: snapshot.node.clone(),
            drain_timeout: snapshot.drain_timeout,
            tunnel_drain_timeout: snapshot.tunnel_drain_timeout,
            tells_local: (snapshot.upstreams.iter()).any(|upstream| upstream.send_proxy.is_some()),
            routes: Table::new(listeners.len(), &routes),
            listeners,
            upstreams: (snapshot.upstreams.iter())
                .cloned()
                .map(upstream)
                .collect::<Result<_, _>>()?,
        })
    }

    fn upstream(&self, spec: &ipc::proxy::UpstreamSpec) -> Option<&Upstream<I>> {
        let mut upstreams = self.upstreams.iter();
        upstreams
            .find(|known| known.spec.name == spec.name)
            .map(Rc::as_ref)
    }

    /// Takes over what is known about servers that stay, at the moment of the switch.
    pub(crate) fn carry_over(&self, old: &Self) {
        for upstream in &self.upstreams {
            if let Some(known) = old.upstream(&upstream.spec) {
                upstream.carry_over(known);
            }
        }
    }

    /// Takes over the verdicts of the health checks.
    pub(crate) fn apply(&self, status: &NodeStatus) {
        for server in &status.servers {
            for upstream in &self.upstreams {
                if upstream.spec.name == server.upstream {
                    upstream.set_up(server.address, server.up);
                }
            }
        }
    }

    pub(crate) fn listener(&self, id: ListenerId) -> Option<&Listener> {
        self.listeners.get(id.0)?.as_ref()
    }

    /// Whether it matters to which host a client of the listener wants to go.
    pub(crate) fn names_hosts(&self, listener: ListenerId) -> bool {
        self.routes.names_hosts(listener.0)
    }

    /// What becomes of a request to a host for a path in normal form.
    pub(crate) fn find(
        &self,
        listener: ListenerId,
        host: Option<&str>,
        path: &str,
        client: IpAddr,
    ) -> core_route::Verdict {
        self.routes.find(listener.0, host, path, client)
    }
}

fn listener(
    spec: &ListenerSpec,
    logs: usize,
    authorities: &Authorities,
    tickets: &tls::TicketKeys,
) -> Result<Listener, String> {
    let log = spec.access_log;
    if log.is_some_and(|log| usize::from(log.file) >= logs) {
        return Err(format!(
            "listener {} logs to a file that did not come along",
            spec.name
        ));
    }
    let http2 = matches!(spec.protocol, ListenerProtocol::Http { http2: true });
    let server = |tls| tls::Server::new(tls, &spec.name, http2, authorities, tickets);
    let server = spec.tls.as_ref().map(server).transpose();
    let server = server.map_err(|fault| format!("listener {}: {fault}", spec.name))?;
    Ok(Listener {
        tls: server.map(Rc::new),
        is_tcp: spec.protocol == ListenerProtocol::Tcp,
        name: spec.name.clone(),
        crowd: CrowdLimits {
            of_listener: spec.limits.connections,
            of_client: spec.limits.connections_per_address,
        },
        timeouts: spec.timeouts.clone(),
        limits: Limits {
            head_bytes: usize::try_from(spec.limits.header_bytes).unwrap_or(usize::MAX),
            fields: usize::from(spec.limits.headers).min(FIELDS_MAX),
        },
        body_max: if spec.limits.body == 0 {
            u64::MAX
        } else {
            spec.limits.body
        },
        requests_max: match spec.limits.requests_per_connection {
            0 => u32::MAX,
            limit => limit,
        },
        http2: spec.protocol == ListenerProtocol::Http { http2: true },
        streams_max: match spec.limits.h2_streams {
            0 => u32::MAX,
            limit => limit,
        },
        node_header: spec.node_header,
        log,
        begins_with_http: spec.tls.is_none()
            && matches!(spec.protocol, ListenerProtocol::Http { .. }),
        proxy_protocol: spec.proxy_protocol.clone(),
        trusted_proxies: spec.trusted_proxies.clone(),
        addresses: spec.binds.iter().map(|bind| bind.address.ip()).collect(),
    })
}

fn route(spec: &RouteSpec, ids: &[ListenerId], upstreams: usize) -> Result<Route, String> {
    let action = match spec.action {
        RouteAction::Upstream(index) if usize::from(index) >= upstreams => {
            return Err(format!("route {} leads to no upstream", spec.path));
        }
        RouteAction::Upstream(index) => Action::Proxy {
            upstream: usize::from(index),
            websocket: spec.websocket,
        },
        RouteAction::StatusPage => Action::StatusPage,
        RouteAction::StubStatus => Action::StubStatus,
    };
    let listener = |index: &u16| ids.get(usize::from(*index)).map(|id| id.0);
    let listeners: Option<Vec<usize>> = spec.listeners.iter().map(listener).collect();
    Ok(Route {
        listeners: listeners
            .ok_or_else(|| format!("route {} is for a listener that is not there", spec.path))?,
        host: spec.host.clone(),
        prefix: spec.path.clone(),
        action,
        access: Access {
            allow: spec.allow.clone(),
            deny: spec.deny.clone(),
        },
    })
}
