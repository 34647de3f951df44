//! What lies between TCP and HTTP on the way to a server.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ipc::proxy::{ProxyVersion, UpstreamProtocol, UpstreamSpec};
use tls::Authorities;
use tokio::time::Instant;

use crate::http2::Connections;

/// Between two lines of the log about handshakes that fail.
const COMPLAINTS: Duration = Duration::from_secs(10);

/// Of one upstream.
#[derive(Debug)]
pub(crate) struct Transport {
    upstream: String,
    pub(crate) protocol: UpstreamProtocol,
    pub(crate) tls: Option<tls::Client>,
    pub(crate) send_proxy: Option<ProxyVersion>,
    /// How long a server may take nothing of what it is sent.
    pub(crate) send_timeout: Duration,
    complained: Cell<Option<Instant>>,
    /// Those of HTTP/2, each for many requests.
    pub(crate) connections: Connections,
}

impl Transport {
    /// # Errors
    /// A sentence, when the upstream's keys or certificates cannot be used.
    pub(crate) fn new(spec: &UpstreamSpec, authorities: &Authorities) -> Result<Self, String> {
        let protocol = match spec.protocol {
            UpstreamProtocol::Http1 => tls::HTTP_11,
            UpstreamProtocol::Http2 => tls::H2,
        };
        let tls = spec.tls.as_ref();
        let tls = tls.map(|tls| tls::Client::new(tls, authorities, protocol));
        let tls = tls.transpose();
        Ok(Self {
            upstream: spec.name.clone(),
            protocol: spec.protocol,
            tls: tls.map_err(|fault| format!("upstream {}: {fault}", spec.name))?,
            send_proxy: spec.send_proxy,
            send_timeout: spec.send_timeout,
            complained: Cell::default(),
            connections: Connections::default(),
        })
    }

    /// Whether its connections are of the same kind.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let kind = |of: &Self| (of.protocol, of.send_proxy);
        kind(self) == kind(other) && self.tls == other.tls
    }

    /// Says why there is no TLS with a server: a certificate that has expired does not get better by
    /// itself. Once in a while is enough.
    pub(crate) fn complain(&self, server: SocketAddr, error: &io::Error) {
        let now = Instant::now();
        if (self.complained.get()).is_none_or(|last| now - last >= COMPLAINTS) {
            self.complained.set(Some(now));
            let reason = tls::reason(error);
            tracing::warn!("{}: no TLS with {server}: {reason}", self.upstream);
        }
    }
}
