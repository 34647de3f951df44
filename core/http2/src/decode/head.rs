//! Where a head ends, and its fields.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::{Memory, Unreadable};
use crate::fields::is_about_connection;

/// The longest head in octets: what a session lets through, and what it adds.
const HEAD_MAX: usize = 128 * 1024;

/// The most fields of a head: what a session lets through, and what it adds.
const FIELDS_MAX: usize = 160;

/// Fields that there is room for at once; more only cost more.
const FIELDS_USUAL: usize = 12;

/// Collects a head.
#[derive(Debug, Default)]
pub struct HeadCollector {
    held: Vec<u8>,
}

impl HeadCollector {
    /// One that has `octets` already, which are no whole head.
    pub(super) fn begun(octets: &[u8]) -> Self {
        Self {
            held: octets.to_vec(),
        }
    }

    /// Takes octets at the front of `octets` up to the end of a head; answers how many, and the head
    /// when it is whole.
    pub(super) fn take(
        &mut self,
        octets: &[u8],
        memory: &mut Memory,
    ) -> Result<(usize, Option<Bytes>), Unreadable> {
        if self.held.is_empty()
            && let Some(end) = head_end(octets, 0)
        {
            let head = octets.get(..end).unwrap_or_default();
            return Ok((end, Some(memory.copy(head))));
        }
        let known = self.held.len();
        self.held.extend_from_slice(octets);
        if let Some(end) = head_end(&self.held, known) {
            self.held.truncate(end);
            let head = Bytes::from(std::mem::take(&mut self.held));
            return Ok((end - known, Some(head)));
        }
        if self.held.len() > HEAD_MAX {
            return Err(Unreadable::Head);
        }
        Ok((octets.len(), None))
    }
}

/// The end of the empty line, which is not within the first `known` octets.
fn head_end(octets: &[u8], known: usize) -> Option<usize> {
    const END: &[u8] = b"\r\n\r\n";
    let start = known.saturating_sub(END.len() - 1);
    memchr::memchr_iter(b'\n', octets.get(start..)?)
        .map(|at| start + at + 1)
        .find(|end| octets.get(..*end).is_some_and(|head| head.ends_with(END)))
}

/// The lines of a head.
#[derive(Debug)]
pub(super) struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    /// Those of a head that is whole, or of trailers.
    pub(super) const fn new(head: &'a [u8]) -> Self {
        Self(head)
    }

    /// The next line without its end; `None` for the empty one.
    pub(super) fn next(&mut self) -> Result<Option<&'a [u8]>, Unreadable> {
        let end = memchr::memchr(b'\n', self.0).ok_or(Unreadable::Head)?;
        let (line, rest) = self.0.split_at_checked(end + 1).ok_or(Unreadable::Head)?;
        self.0 = rest;
        let line = line.strip_suffix(b"\r\n").ok_or(Unreadable::Head)?;
        Ok(Some(line).filter(|line| !line.is_empty()))
    }
}

/// How long a body is, as its head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// So many octets.
    Fixed(u64),
    Chunked,
    /// Nothing is said.
    Unsaid,
}

/// Reads the lines of fields into a map that shares the memory of `head`, without those about
/// connections.
pub(super) fn read_fields(
    head: &Bytes,
    lines: &mut Lines<'_>,
) -> Result<(HeaderMap, Length), Unreadable> {
    let mut fields = HeaderMap::with_capacity(FIELDS_USUAL);
    let mut length = Length::Unsaid;
    while let Some(line) = lines.next()? {
        let (name, value) = split_field(line).ok_or(Unreadable::Head)?;
        let Some(name) = read_name(name, value, &mut length)? else {
            continue;
        };
        if fields.len() == FIELDS_MAX {
            return Err(Unreadable::Head);
        }
        let value = HeaderValue::from_maybe_shared(head.slice_ref(value));
        let value = value.map_err(|_| Unreadable::Head)?;
        fields
            .try_append(name, value)
            .map_err(|_| Unreadable::Head)?;
    }
    Ok((fields, length))
}

/// The name of a field that goes on; `length` takes what the field says about the body.
fn read_name(
    name: &[u8],
    value: &[u8],
    length: &mut Length,
) -> Result<Option<HeaderName>, Unreadable> {
    if let Some(name) = usual_name(name) {
        return Ok(Some(name));
    }
    let name = HeaderName::from_bytes(name).map_err(|_| Unreadable::Head)?;
    match name.as_str() {
        "transfer-encoding" => *length = Length::Chunked,
        "content-length" => *length = Length::Fixed(decimal(value).ok_or(Unreadable::Head)?),
        // All that HTTP/2 permits (RFC 9113 §8.2.2).
        "te" if !value.eq_ignore_ascii_case(b"trailers") => return Ok(None),
        _ => {}
    }
    Ok(Some(name).filter(|name| !is_about_connection(name)))
}

/// Names that need no look at what they mean, as most servers write them: nothing is to be searched for.
fn usual_name(name: &[u8]) -> Option<HeaderName> {
    Some(match name {
        b"Date" => header::DATE,
        b"ETag" => header::ETAG,
        b"Vary" => header::VARY,
        b"Server" => header::SERVER,
        b"Expires" => header::EXPIRES,
        b"Location" => header::LOCATION,
        b"Set-Cookie" => header::SET_COOKIE,
        b"Content-Type" => header::CONTENT_TYPE,
        b"Accept-Ranges" => header::ACCEPT_RANGES,
        b"Cache-Control" => header::CACHE_CONTROL,
        b"Last-Modified" => header::LAST_MODIFIED,
        b"Content-Encoding" => header::CONTENT_ENCODING,
        _ => return None,
    })
}

/// The name and the value of a field, without the space around the value.
fn split_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
    let mut value = value.get(1..)?;
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    Some((name, value))
}

fn decimal(value: &[u8]) -> Option<u64> {
    let all_digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    str::from_utf8(value)
        .ok()
        .filter(|_| all_digits)?
        .parse()
        .ok()
}
