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
mod preface;
mod wire;

pub(crate) use back::Connections;
pub(crate) use back_stream::BackStream;
pub(crate) use front::Front;
pub(crate) use preface::{Spoken, recognise};

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::SendStream;

/// An error of a stream as one of a connection. Unlike a reset of TCP it says nothing about what the
/// peer has read.
fn broken(error: h2::Error) -> io::Error {
    io::Error::other(error)
}

/// Waits until the peer takes payload; answers how much of `wanted` octets.
fn poll_capacity(
    body: &mut SendStream<Bytes>,
    cx: &mut Context<'_>,
    wanted: usize,
) -> Poll<io::Result<usize>> {
    body.reserve_capacity(wanted);
    while body.capacity() == 0 {
        match ready!(body.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }
    Poll::Ready(Ok(body.capacity().min(wanted)))
}
