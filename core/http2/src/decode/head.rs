//! Where a head ends, and its fields.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::Unreadable;
use crate::fields::is_about_connection;

/// The longest head in octets: what a session lets through, and what it adds.
const HEAD_MAX: usize = 128 * 1024;

/// The most fields of a head: what a session lets through, and what it adds.
pub(super) const FIELDS_MAX: usize = 160;

/// Collects a head.
#[derive(Debug, Default)]
pub(super) struct HeadCollector {
    held: Vec<u8>,
}

impl HeadCollector {
    /// Takes octets at the front of `octets` up to the end of a head; answers how many, and the head
    /// when it is whole.
    pub(super) fn take(&mut self, octets: &[u8]) -> Result<(usize, Option<Bytes>), Unreadable> {
        if self.held.is_empty()
            && let Some(end) = head_end(octets, 0)
        {
            let head = octets.get(..end).unwrap_or_default();
            return Ok((end, Some(Bytes::copy_from_slice(head))));
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
    memchr::memmem::find(octets.get(start..)?, END).map(|at| start + at + END.len())
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

/// Reads parsed fields into a map that shares the memory of `head`, without those about
/// connections.
pub(super) fn read_fields(
    head: &Bytes,
    parsed: &[httparse::Header<'_>],
) -> Result<(HeaderMap, Length), Unreadable> {
    let mut fields = HeaderMap::with_capacity(parsed.len());
    let mut length = Length::Unsaid;
    for field in parsed {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Unreadable::Head)?;
        if name == header::TRANSFER_ENCODING {
            length = Length::Chunked;
        }
        // `trailers` is all that HTTP/2 permits (RFC 9113 §8.2.2).
        let is_foreign_te = name == header::TE && !field.value.eq_ignore_ascii_case(b"trailers");
        if is_about_connection(&name) || is_foreign_te {
            continue;
        }
        if name == header::CONTENT_LENGTH {
            length = Length::Fixed(decimal(field.value).ok_or(Unreadable::Head)?);
        }
        let value = if field.value.is_empty() {
            Bytes::new()
        } else {
            head.slice_ref(field.value)
        };
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| Unreadable::Head)?;
        fields
            .try_append(name, value)
            .map_err(|_| Unreadable::Head)?;
    }
    Ok((fields, length))
}

fn decimal(value: &[u8]) -> Option<u64> {
    let all_digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    str::from_utf8(value)
        .ok()
        .filter(|_| all_digits)?
        .parse()
        .ok()
}
