//! Which fields cross the border between the versions, and in which form: RFC 9113 §8.2.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Why a message of HTTP/2 is refused: the error of one stream, never of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A field that is about connections, which streams have no part in (RFC 9113 §8.2.2).
    #[error("a field about connections")]
    ConnectionField,
    /// `TE` with anything else than `trailers` (RFC 9113 §8.2.2).
    #[error("TE with more than trailers")]
    Te,
    /// Space around a value, or an octet that ends a line (RFC 9113 §8.2.1).
    #[error("malformed field value")]
    Value,
    /// More than one `content-length`.
    #[error("repeated content-length")]
    Length,
    /// A `:path` that is no absolute path, and no `*` of an OPTIONS (RFC 9113 §8.3.1).
    #[error("malformed :path")]
    Path,
    /// An `:authority` and a `host` that differ, or none where there must be one (RFC 9113 §8.3.1).
    #[error("contradictory or missing :authority")]
    Authority,
    /// A `:scheme` other than http and https.
    #[error("unknown :scheme")]
    Scheme,
    /// A `:protocol` that is not spoken here: 501 (RFC 8441 §4, RFC 9220 §3).
    #[error("unknown :protocol")]
    Protocol,
}

/// Whether a field is about the connection that it comes over. `TE` is not among them: in HTTP/2 it
/// has one meaning left.
pub(crate) fn is_about_connection(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "transfer-encoding" | "upgrade" | "keep-alive" | "proxy-connection"
    )
}

/// The value, if it stands on one line by itself.
pub(crate) fn checked(value: &HeaderValue) -> Result<&[u8], Malformed> {
    let octets = value.as_bytes();
    let is_space = |octet: Option<&u8>| matches!(octet, Some(b' ' | b'\t'));
    if is_space(octets.first())
        || is_space(octets.last())
        || memchr::memchr3(b'\r', b'\n', 0, octets).is_some()
    {
        return Err(Malformed::Value);
    }
    Ok(octets)
}

/// Appends a field as a line.
pub(crate) fn write_line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends the lines of a trailer section.
///
/// # Errors
/// What may not stand in one.
pub(crate) fn write_trailers(trailers: &HeaderMap, out: &mut Vec<u8>) -> Result<(), Malformed> {
    for (name, value) in trailers {
        if is_about_connection(name) {
            return Err(Malformed::ConnectionField);
        }
        write_line(name.as_str().as_bytes(), checked(value)?, out);
    }
    Ok(())
}
