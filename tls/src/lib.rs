//! What the certificates and keys in a configuration come to: how rustls is to speak with clients and
//! with servers.
//!
//! The supervisor makes it to find out whether the files can be used, with the very code with which
//! the workers and the health-checker make it for use. Nothing here reads a file or a socket.

mod authorities;
mod client;
mod fault;
mod identity;
mod mark;
mod names;
mod pem;
mod server;
mod tickets;

use std::sync::Arc;

use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;

pub use authorities::Authorities;
pub use client::Client;
pub use fault::{Fault, Part, reason};
pub use identity::{Identity, Validity};
pub use pem::usable_pem;
pub use server::Server;
pub use tickets::{TicketKeys, fresh_ticket_key};

use mark::Mark;

/// The name of HTTP/2 in ALPN (RFC 9113 §3.2).
pub const H2: &[u8] = b"h2";

/// The name of HTTP/1.1 in ALPN (RFC 9112 §12.4).
pub const HTTP_11: &[u8] = b"http/1.1";

fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| !is_quick(suite.suite()));
    Arc::new(provider)
}

/// Whether a suite hashes with SHA-256, for which processors have instructions that they do not have for
/// SHA-384: a sixth of what a handshake costs. Both are strong enough for decades.
const fn is_quick(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}
