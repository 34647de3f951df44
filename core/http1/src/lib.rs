//! HTTP/1: heads, body framing and header rules, without I/O.
//!
//! A relay reads octets from one side and asks this crate three things: where a head ends and what
//! it says ([`RequestHead`], [`ResponseHead`]), which of the following octets belong to its body
//! ([`Body`]), and what the head looks like on the other side ([`forward`]). Everything from outside
//! is hostile until parsed: where RFC 9112 leaves a choice between tolerance and refusal, and
//! tolerance was ever used to smuggle a request, this crate refuses.
//!
//! It is no HTTP library: it knows nothing of connections, time-outs, routes or servers.

mod answer;
mod body;
mod chunked;
mod client;
mod date;
mod fault;
mod field;
pub mod forward;
mod length;
mod lines;
mod octet;
mod request;
mod response;
mod target;
mod websocket;

pub use answer::{Answer, ShortAnswer, short_answer};
pub use body::{Body, BodyFault, Step};
pub use chunked::Framing;
pub use date::http_date;
pub use fault::Fault;
pub use length::BodyLength;
pub use lines::FieldSlots;
pub use request::{RequestHead, is_idempotent};
pub use response::{Expected, ResponseHead};
pub use target::Target;
pub use websocket::Handshake;

/// The most fields that a head can have, whatever the configured limit is.
pub const FIELDS_MAX: usize = 128;

/// The longest request target in octets; a longer one is answered with 414.
pub const TARGET_MAX: usize = 8 * 1024;

/// How much of a head is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets from the first to the empty line.
    pub head_bytes: usize,
    /// Fields, at most [`FIELDS_MAX`].
    pub fields: usize,
}

/// The two versions that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

impl Version {
    /// The version that is written so, if it is one of ours.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"HTTP/1.0" => Some(Self::Http10),
            b"HTTP/1.1" => Some(Self::Http11),
            _ => None,
        }
    }
}
