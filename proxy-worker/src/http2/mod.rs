//! HTTP/2, on either side: streams that look like connections of HTTP/1.1.
//!
//! Sessions speak HTTP/1.1 text over an [`Io`](crate::io::Io). Here are two kinds of it that are
//! streams of HTTP/2: [`front`] has those that clients open, with the connection that they run in.
//! The text is made and read by `core-http2`, the frames by the `h2` crate.

mod front;
mod front_stream;
mod preface;
mod wire;

pub(crate) use front::Front;
pub(crate) use preface::{Spoken, recognise};

use std::io;

/// An error of a stream as one of a connection.
fn broken(error: h2::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}
