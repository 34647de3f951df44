//! The real session between clients and back ends that misbehave, in memory and in virtual time.

mod clients;
mod costs;
mod costs_http2;
mod costs_tls;
mod http2;
mod http2_frames;
mod http2_memory;
mod http2_servers;
mod http2_websocket;
mod lab;
mod octets;
mod own_answers;
#[path = "../../../tests/shared/plain.rs"]
mod plain;
mod records;
mod relaying;
mod retries;
mod semantics;
mod servers;
mod trouble;
mod websocket;
