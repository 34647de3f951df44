//! A head, line by line: where it ends, and where each field stands in it.
//!
//! Each octet is looked at once on the way to the end, and once more, many at a time, for those that
//! no line may have.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

use crate::field::{trim_end, trim_start};
use crate::octet::is_token;
use crate::{Fault, Limits, TARGET_MAX};

static HEAD_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));

/// What a start line may have beside its target: method, version, spaces.
const START_LINE_REST: usize = 64;

/// An empty line.
const LEADING_LINE: usize = 2;

/// Where a field stands, in octets from the front of its head. Between name and value there is a
/// colon, and space around the value.
#[derive(Clone, Copy, Debug)]
struct Place {
    name: usize,
    colon: usize,
    value: usize,
    value_end: usize,
}

/// Room for the fields of one head; it may be used again for the next one.
#[derive(Clone, Debug, Default)]
pub struct FieldSlots(Vec<Place>);

/// The fields of a head, in their order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'h, 'b> {
    head: &'b [u8],
    places: &'h [Place],
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'b> {
    /// Where it begins in its head.
    pub(crate) start: usize,
    /// A token.
    pub(crate) name: &'b [u8],
    /// Without the space around it.
    pub(crate) value: &'b [u8],
}

impl<'b> Line<'b> {
    /// Whether it is called so, in lower case or not.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

impl<'h, 'b> Fields<'h, 'b> {
    /// The head, from the start line to the empty line, both included.
    pub(crate) const fn head(&self) -> &'b [u8] {
        self.head
    }

    pub(crate) fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = Line<'b>> + ExactSizeIterator + use<'h, 'b> {
        let head = self.head;
        let part = move |start, end| head.get(start..end).unwrap_or_default();
        self.places.iter().map(move |place| Line {
            start: place.name,
            name: part(place.name, place.colon),
            value: part(place.value, place.value_end),
        })
    }
}

/// A head whose lines are in order.
pub(crate) struct Lines<'h, 'b> {
    /// Without its CRLF.
    pub(crate) start: &'b [u8],
    pub(crate) fields: Fields<'h, 'b>,
}

/// Reads the head at the front of `bytes`; `None` when more octets are needed.
///
/// # Errors
/// The first that is found of [`Fault::LineEnding`], [`Fault::TargetTooLong`],
/// [`Fault::HeadTooLarge`], [`Fault::TooManyFields`], [`Fault::Field`], complete or not, and
/// [`Fault::StartLine`] for a control character in the first line.
pub(crate) fn read_head<'h, 'b>(
    bytes: &'b [u8],
    limits: &Limits,
    slots: &'h mut FieldSlots,
) -> Result<Option<Lines<'h, 'b>>, Fault> {
    // Nothing behind the limit can make the head acceptable.
    let bytes = bytes.get(..limits.head_bytes).unwrap_or(bytes);
    let start = line(bytes)?;
    if start.unwrap_or(bytes).len() > TARGET_MAX + START_LINE_REST {
        return Err(Fault::TargetTooLong);
    }
    let fields = match start {
        Some(start) => read_fields(bytes, start.len() + CRLF.len(), limits.fields, slots)?,
        None => None,
    };
    match (start, fields) {
        (Some(start), Some(fields)) => Ok(Some(Lines { start, fields })),
        _ if bytes.len() >= limits.head_bytes => Err(Fault::HeadTooLarge),
        _ => Ok(None),
    }
}

/// Reads lines of fields from the octet at `at` to the empty line; `None` when more octets are
/// needed. The head is what stands before, and they.
///
/// # Errors
/// As [`read_head`].
pub(crate) fn read_fields<'h, 'b>(
    bytes: &'b [u8],
    mut at: usize,
    max: usize,
    slots: &'h mut FieldSlots,
) -> Result<Option<Fields<'h, 'b>>, Fault> {
    let places = &mut slots.0;
    places.clear();
    let first = at;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        if let [b'\r', b'\n', ..] = rest {
            let head = bytes.get(..at + CRLF.len()).unwrap_or_default();
            let lines = places.len() + 1 + usize::from(first > 0);
            refuse_controls(head, first, lines)?;
            return Ok(Some(Fields { head, places }));
        }
        let Some(line) = line(rest)? else {
            return Ok(None);
        };
        if places.len() >= max {
            return Err(Fault::TooManyFields);
        }
        places.push(place_of(line, at).ok_or(Fault::Field)?);
        at += line.len() + CRLF.len();
    }
}

const CRLF: &[u8] = b"\r\n";

/// The line at the front of `bytes`, without its CRLF; `None` when its end has not come.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, Fault> {
    let Some(feed) = memchr(b'\n', bytes) else {
        return Ok(None);
    };
    let line = bytes.get(..feed).unwrap_or_default();
    line.strip_suffix(b"\r").map(Some).ok_or(Fault::LineEnding)
}

/// Where name and value of a field are, in a line that begins at `at`. No space before the colon, and
/// none at the front: it would be a folded line (RFC 9112 §5.1, §5.2).
fn place_of(line: &[u8], at: usize) -> Option<Place> {
    let colon = line.iter().position(|&octet| !is_token(octet))?;
    let [b':', behind @ ..] = line.get(colon..).filter(|_| colon > 0)? else {
        return None;
    };
    let value = trim_start(behind);
    let start = at + line.len() - value.len();
    let value = trim_end(value);
    Some(Place {
        name: at,
        colon: at + colon,
        value: start,
        value_end: start + value.len(),
    })
}

/// Refuses control characters other than tabs and the ends of so many lines (RFC 9110 §5.5, RFC 9112
/// §2.2) in a head whose fields begin at `fields`.
fn refuse_controls(head: &[u8], fields: usize, lines: usize) -> Result<(), Fault> {
    let is_control = |octet: u8| (octet < b' ') & (octet != b'\t') | (octet == 0x7f);
    // Counted, in sums that an octet can hold, so that the compiler looks at many octets at once.
    let count = |part: &[u8]| {
        part.iter()
            .fold(0_u8, |sum, &octet| sum + u8::from(is_control(octet)))
    };
    let controls: usize = head.chunks(128).map(|part| usize::from(count(part))).sum();
    if controls == lines * CRLF.len() {
        return Ok(());
    }
    let is_wrong = |at: usize| match head.get(at) {
        Some(b'\r') => head.get(at + 1) != Some(&b'\n'),
        Some(b'\n') => false,
        Some(&octet) => is_control(octet),
        None => false,
    };
    let at = (0..head.len()).find(|&at| is_wrong(at));
    Err(match at {
        Some(at) if head.get(at) == Some(&b'\r') => Fault::LineEnding,
        Some(at) if at < fields => Fault::StartLine,
        _ => Fault::Field,
    })
}

/// Whether there may be more to say of `bytes` than of the first `known` of them, which was that more
/// octets are needed. Looks at new octets only; what is wrong elsewhere is found later then.
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
