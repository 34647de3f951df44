//! What a connection says before its protocol begins: a PROXY header, the server name of a TLS hello.
//! Without I/O.

mod client_hello;
pub mod proxy_header;

pub use client_hello::{ClientHello, client_hello};
