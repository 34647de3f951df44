//! The real program, driven as the supervisor drives it, over real sockets on loopback.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod back_ends;
mod harness;
mod http2;
mod http2_tls;
mod http2_websocket;
mod overload;
#[path = "../shared/plain.rs"]
mod plain;
mod proxy_header;
mod secure;
mod serving;
mod tunnels;
