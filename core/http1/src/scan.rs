//! Where a head ends, and that all its lines end in CRLF.
//!
//! httparse takes a bare LF for the end of a line; so all line ends are looked at here first, many
//! octets at a time.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::{Fault, Limits, TARGET_MAX};

static HEAD_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));

/// The end of the head at the front of `bytes`: `Some(len)` up to and with the empty line, `None`
/// when more octets are needed.
///
/// # Errors
/// [`Fault::LineEnding`] for a bare LF, [`Fault::TargetTooLong`] and [`Fault::HeadTooLarge`] as soon
/// as a limit is passed, complete or not.
pub(crate) fn head_end(bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Fault> {
    // Nothing behind the limit can make the head acceptable.
    let bytes = bytes.get(..limits.head_bytes).unwrap_or(bytes);
    let end = HEAD_END.find(bytes).map(|at| at + b"\r\n\r\n".len());
    let head = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    if has_bare_feed(head) {
        return Err(Fault::LineEnding);
    }
    if is_target_too_long(head) {
        return Err(Fault::TargetTooLong);
    }
    if end.is_none() && bytes.len() >= limits.head_bytes {
        return Err(Fault::HeadTooLarge);
    }
    Ok(end)
}

/// Whether there may be more to say of `bytes` than of the first `known` of them, which was that more
/// octets are needed. Looks at new octets only; that a target is too long is found later then.
pub(crate) fn is_worth_another_look(bytes: &[u8], known: usize, limits: &Limits) -> bool {
    let before = known.saturating_sub(HEAD_END.needle().len() - 1);
    let fresh = bytes.get(before..).unwrap_or_default();
    let is_bare = |pair: &[u8]| matches!(pair, [before, b'\n'] if *before != b'\r');
    // The first octets tell what is no head at all.
    known <= LEADING_LINE
        || bytes.len() >= limits.head_bytes
        || HEAD_END.find(fresh).is_some()
        || fresh.windows(2).any(is_bare)
}

/// Whether some LF has no CR before it. Without a branch for each octet, so that the compiler looks
/// at many at once.
fn has_bare_feed(head: &[u8]) -> bool {
    let behind = head.get(1..).unwrap_or_default();
    let is_bare =
        |(&before, &octet): (&u8, &u8)| u8::from(octet == b'\n') & u8::from(before != b'\r');
    let bare = head
        .iter()
        .zip(behind)
        .map(is_bare)
        .fold(0, |sum, one| sum | one);
    bare != 0 || head.first() == Some(&b'\n')
}

fn is_target_too_long(head: &[u8]) -> bool {
    let line_max = TARGET_MAX + START_LINE_REST;
    head.len() > line_max
        && !head
            .get(..line_max)
            .is_some_and(|start| start.contains(&b'\n'))
}

/// What a start line may have beside its target: method, version, spaces, CRLF.
const START_LINE_REST: usize = 64;

/// An empty line.
const LEADING_LINE: usize = 2;

/// The length of the one empty line that RFC 9112 §2.2 lets a client send before a request.
///
/// # Errors
/// [`Fault::LineEnding`] for more of them or for one that is no CRLF.
pub(crate) fn leading_line(bytes: &[u8]) -> Result<usize, Fault> {
    match bytes {
        [b'\r', b'\n', b'\r' | b'\n', ..] => Err(Fault::LineEnding),
        [b'\r', b'\n', ..] => Ok(LEADING_LINE),
        [b'\r'] => Ok(0),
        [b'\r' | b'\n', ..] => Err(Fault::LineEnding),
        _ => Ok(0),
    }
}

/// Whether `bytes` begin with `start`, as far as they go.
pub(crate) fn agree(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(one, other)| one == other)
}
