//! HTTP/2 messages as HTTP/1.1 text and back: RFC 9113 §8, without I/O.
//!
//! Inside the proxy everything speaks HTTP/1.1. At its edges a stream of HTTP/2 is turned into that
//! text ([`encode`]) and the text into what a stream carries ([`decode`]). What comes from outside in
//! a form that HTTP/1.1 text cannot hold, or that would mean something else there, is
//! [`Malformed`]; everything else is left to the judgement of whoever reads the text, so that a
//! rule about requests stands in one place.
//!
//! It is no implementation of HTTP/2: frames, header compression and flow control are the business
//! of the `h2` crate. [`Frames`] looks at what passes for what that crate has no limit or
//! no name for.

pub mod decode;
pub mod encode;
mod fields;
mod frames;

pub use fields::Malformed;
pub use frames::{Frames, Offence};
