//! What we send on a stream, as it is read from text.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use core_http2::decode::{BodyPart, Decoder, ReadHead, Taken};
use h2::SendStream;

use super::{Kept, broken};

/// Takes the front of `octets`; of payload, no more than the peer takes. `body` is there from the head on.
///
/// # Errors
/// Of the kind [`io::ErrorKind::InvalidInput`] when the octets are no message of HTTP/1.1 that can be
/// passed on; otherwise that the peer takes no more.
pub(super) fn poll_step<'a, R: ReadHead>(
    decoder: &mut Decoder<R>,
    body: Option<&mut SendStream<Bytes>>,
    cx: &mut Context<'_>,
    octets: &'a [u8],
    kept: &Kept,
) -> Poll<io::Result<Taken<'a, R::Head>>> {
    if decoder.is_done() {
        return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
    }
    let octets = match body {
        Some(body) if decoder.is_at_payload() => {
            let capacity = ready!(poll_capacity(body, cx, octets.len()))?;
            octets.get(..capacity).unwrap_or(octets)
        }
        _ => octets,
    };
    Poll::Ready(
        decoder
            .step(octets, &mut kept.pieces())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error)),
    )
}

/// Sends a part of a body that `decoder` has just read.
pub(super) fn send_body<R: ReadHead>(
    decoder: &mut Decoder<R>,
    body: &mut SendStream<Bytes>,
    part: BodyPart<'_>,
    kept: &Kept,
) -> Result<(), h2::Error> {
    match part {
        BodyPart::Payload(octets) => body.send_data(kept.pieces().copy(octets), decoder.take_end()),
        BodyPart::Trailers(trailers) => body.send_trailers(trailers),
        BodyPart::End => body.send_data(Bytes::new(), true),
    }
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
