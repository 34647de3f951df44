//! What lies between TCP and HTTP on the way to a server.

use ipc::proxy::{ProxyVersion, UpstreamProtocol, UpstreamSpec};

/// Of one upstream.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) protocol: UpstreamProtocol,
    pub(crate) send_proxy: Option<ProxyVersion>,
}

impl Transport {
    /// # Errors
    /// A sentence, when the upstream's keys or certificates cannot be used.
    pub(crate) fn new(spec: &UpstreamSpec) -> Result<Self, String> {
        Ok(Self {
            protocol: spec.protocol,
            send_proxy: spec.send_proxy,
        })
    }
}
