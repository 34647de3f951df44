//! From HTTP/1.1 text to HTTP/2, as it comes: in pieces that end anywhere.
//!
//! The text is that of our own session, which has checked and rendered it; what still does not fit
//! its form is an error, never a guess. Heads are copied into [`Memory`], payload is not.

mod body;
mod head;
mod memory;
mod message;
mod request;
mod response;

pub use memory::Memory;
pub use message::{Decoder, Part, ReadHead, Taken};
pub use request::{RequestDecoder, RequestReader};
pub use response::{ResponseDecoder, ResponseHead, ResponseReader};

use http::HeaderMap;

/// The text is not what a session says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A head.
    #[error("unreadable head")]
    Head,
    /// A chunk, or the trailers behind the last one.
    #[error("unreadable body")]
    Body,
}

/// What the front of a body's text is.
#[derive(Debug)]
pub enum BodyPart<'a> {
    /// Payload, at least one octet.
    Payload(&'a [u8]),
    /// The trailers: the end.
    Trailers(HeaderMap),
    /// The end.
    End,
}
