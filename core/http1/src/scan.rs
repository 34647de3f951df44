//! Where a head ends, and that all its lines end in CRLF.
//!
//! httparse takes a bare LF for the end of a line; so every line is looked at here first, in one
//! pass that also finds the end.

use crate::{Fault, Limits, TARGET_MAX};

/// The end of the head at the front of `bytes`: `Some(len)` up to and with the empty line, `None`
/// when more octets are needed.
///
/// # Errors
/// [`Fault::LineEnding`] for a bare LF, [`Fault::TargetTooLong`] and [`Fault::HeadTooLarge`] as soon
/// as a limit is passed, complete or not.
pub(crate) fn head_end(bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Fault> {
    let mut line_start = 0;
    for feed in memchr::memchr_iter(b'\n', bytes) {
        if feed == 0 || bytes.get(feed - 1) != Some(&b'\r') {
            return Err(Fault::LineEnding);
        }
        let end = feed + 1;
        if end > limits.head_bytes {
            return Err(Fault::HeadTooLarge);
        }
        if line_start == 0 && end > TARGET_MAX + START_LINE_REST {
            return Err(Fault::TargetTooLong);
        }
        if line_start > 0 && feed - 1 == line_start {
            return Ok(Some(end));
        }
        line_start = end;
    }
    if line_start == 0 && bytes.len() > TARGET_MAX + START_LINE_REST {
        return Err(Fault::TargetTooLong);
    }
    if bytes.len() >= limits.head_bytes {
        return Err(Fault::HeadTooLarge);
    }
    Ok(None)
}

/// What a start line may have beside its target: method, version, spaces, CRLF.
const START_LINE_REST: usize = 64;

/// The length of the one empty line that RFC 9112 §2.2 lets a client send before a request.
///
/// # Errors
/// [`Fault::LineEnding`] for more of them or for one that is no CRLF.
pub(crate) fn leading_line(bytes: &[u8]) -> Result<usize, Fault> {
    match bytes {
        [b'\r', b'\n', b'\r' | b'\n', ..] => Err(Fault::LineEnding),
        [b'\r', b'\n', ..] => Ok(2),
        [b'\r'] => Ok(0),
        [b'\r' | b'\n', ..] => Err(Fault::LineEnding),
        _ => Ok(0),
    }
}

/// Whether `bytes` begin with `start`, as far as they go.
pub(crate) fn agree(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(one, other)| one == other)
}
