//! Which version a client speaks where no TLS says so: HTTP/2 begins with octets that no request of
//! HTTP/1 begins with (RFC 9113 §3.4).

use std::io;
use std::task::{Context, Poll, ready};

use crate::io::{Io as _, Tcp};

/// What every connection of HTTP/2 begins with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// HTTP/1, or nonsense.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Reads until it is known what is spoken; `seen` keeps what was read so far, and all of it is given
/// back in the end.
///
/// # Errors
/// The connection's, and its end before it was known.
pub(crate) fn recognise(
    tcp: &mut Tcp,
    seen: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Spoken>> {
    loop {
        let mut room = [0; PREFACE.len()];
        let missing = room.get_mut(seen.len()..).unwrap_or_default();
        let count = ready!(tcp.poll_read(cx, missing))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        seen.extend_from_slice(missing.get(..count).unwrap_or_default());
        let spoken = if !PREFACE.starts_with(seen) {
            Spoken::Http1
        } else if seen.len() == PREFACE.len() {
            Spoken::Http2
        } else {
            continue;
        };
        tcp.unread(seen);
        return Poll::Ready(Ok(spoken));
    }
}
