//! HTTP/2, on either side: streams that look like connections of HTTP/1.1.
//!
//! Sessions speak HTTP/1.1 text over an [`Io`](crate::io::Io). Here are two kinds of it that are
//! streams of HTTP/2: [`front`] has those that clients open, with the connection that they run in,
//! and [`back`] those that we open, with the connections to a server.
//! The text is made and read by `core-http2`, the frames by the `h2` crate.

mod back;
mod back_stream;
mod front;
mod front_stream;
mod incoming;
mod kept;
mod outgoing;
mod preface;
mod text;
mod windows;
mod wire;

pub(crate) use back::Connections;
pub(crate) use back_stream::BackStream;
pub(crate) use front::Front;
pub(crate) use kept::Kept;
pub(crate) use preface::{Spoken, recognise};

/// An error of a stream as one of a connection. Unlike a reset of TCP it says nothing about what the
/// peer has read.
fn broken(error: h2::Error) -> std::io::Error {
    std::io::Error::other(error)
}
