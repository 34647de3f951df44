//! Request heads: RFC 9112 §3 and §5.

use httparse::Header;

use crate::field::{ConnectionOptions, Field, Removed, classify};
use crate::length::LengthFields;
use crate::target::is_authority;
use crate::{BodyLength, Fault, FieldSlots, Limits, TARGET_MAX, Target, Version, scan, target};

/// A request head that may be served.
#[derive(Debug)]
pub struct RequestHead<'h, 'b> {
    /// Octets to consume: the head, and the empty line that may stand before it.
    pub len: usize,
    /// The method, a token.
    pub method: &'b str,
    /// The target as it came, for logs.
    pub raw_target: &'b str,
    /// The target, split.
    pub target: Target<'b>,
    /// The version.
    pub version: Version,
    /// Who is asked: the authority of the target, else `Host`; `None` in HTTP/1.0 only.
    pub host: Option<&'b str>,
    /// How long the body is.
    pub body: BodyLength,
    /// Whether the client wants to go on after the answer.
    pub keep_alive: bool,
    /// The client takes trailer fields (`TE: trailers`).
    pub accepts_trailers: bool,
    pub(crate) head: &'b [u8],
    pub(crate) fields: &'h [Header<'b>],
    pub(crate) removed: Removed,
}

impl<'h, 'b> RequestHead<'h, 'b> {
    /// Reads the head at the front of `bytes`; `None` when more octets are needed.
    ///
    /// # Errors
    /// The [`Fault`] to answer with; the connection cannot be read any further.
    pub fn parse(
        bytes: &'b [u8],
        limits: &Limits,
        slots: &'h mut FieldSlots<'b>,
    ) -> Result<Option<Self>, Fault> {
        let skipped = scan::leading_line(bytes)?;
        let bytes = bytes.get(skipped..).unwrap_or_default();
        let Some(len) = scan::head_end(bytes, limits)? else {
            // TLS and other protocols are told at once, not when the time for a head is over.
            return match bytes.first() {
                Some(first) if !first.is_ascii_graphic() && *first != b'\r' => {
                    Err(Fault::StartLine)
                }
                _ => Ok(None),
            };
        };
        let head = bytes.get(..len).unwrap_or_default();
        let mut request = httparse::Request::new(&mut []);
        let room = slots.get_mut(..limits.fields).ok_or(Fault::TooManyFields)?;
        match request.parse_with_uninit_headers(head, room) {
            Ok(httparse::Status::Complete(end)) if end == len => {}
            Ok(_) => return Err(Fault::StartLine),
            Err(error) => return Err(fault_of(error, head)),
        }
        let (Some(method), Some(raw_target), Some(version)) =
            (request.method, request.path, request.version)
        else {
            return Err(Fault::StartLine);
        };
        if raw_target.len() > TARGET_MAX {
            return Err(Fault::TargetTooLong);
        }
        // Tunnels are not offered; TRACE would show a client what others added to its request.
        if matches!(method, "CONNECT" | "TRACE") {
            return Err(Fault::Method);
        }
        let version = if version == 0 {
            Version::Http10
        } else {
            Version::Http11
        };
        let target = target::parse(method, raw_target)?;
        let fields: &'h [Header<'b>] = request.headers;
        let meaning = Meaning::of(fields)?;
        Ok(Some(Self {
            len: skipped + len,
            method,
            raw_target,
            host: meaning.host(version, &target)?,
            target,
            version,
            body: meaning.length.of_request(version)?,
            keep_alive: meaning.keep_alive(version),
            accepts_trailers: meaning.accepts_trailers,
            head,
            fields,
            removed: meaning.removed(fields, target.authority.is_some()),
        }))
    }

    /// The value of the first field called `name`, in lower case or not.
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        let mut fields = self.fields.iter();
        fields
            .find(|field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value)
    }
}

/// Whether a request may be sent again without harm (RFC 9110 §9.2.2).
pub fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE")
}

/// httparse says "version" for anything else than HTTP/1.0 and 1.1; only what has the shape of a
/// version is answered with 505.
fn fault_of(error: httparse::Error, head: &[u8]) -> Fault {
    match error {
        httparse::Error::TooManyHeaders => Fault::TooManyFields,
        httparse::Error::Token | httparse::Error::Status => Fault::StartLine,
        httparse::Error::Version if names_other_version(head) => Fault::Version,
        httparse::Error::Version => Fault::StartLine,
        _ => Fault::Field,
    }
}

fn names_other_version(head: &[u8]) -> bool {
    let end = memchr::memchr(b'\r', head).unwrap_or(head.len());
    let mut parts = head
        .get(..end)
        .unwrap_or_default()
        .split(|&byte| byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    parts.next().is_none()
        && method.is_some_and(|part| !part.is_empty())
        && target.is_some_and(|part| !part.is_empty())
        && matches!(
            version,
            Some([b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'])
        )
}

/// What the fields say that a proxy must know.
#[derive(Default)]
struct Meaning<'b> {
    host: Option<&'b [u8]>,
    host_at: usize,
    length: LengthFields,
    connection: ConnectionOptions,
    accepts_trailers: bool,
    removed: Removed,
}

impl<'b> Meaning<'b> {
    fn of(fields: &[Header<'b>]) -> Result<Self, Fault> {
        let mut meaning = Self::default();
        for (index, field) in fields.iter().enumerate() {
            meaning.add(index, field)?;
        }
        Ok(meaning)
    }

    fn add(&mut self, index: usize, field: &Header<'b>) -> Result<(), Fault> {
        match classify(field.name.as_bytes()) {
            Field::Host if self.host.is_some() => return Err(Fault::Host),
            Field::Host => {
                self.host = Some(field.value);
                self.host_at = index;
            }
            Field::ContentLength => self.length.add_content_length(field.value)?,
            Field::TransferEncoding => self.length.add_transfer_encoding(field.value)?,
            Field::Expect if !field.value.eq_ignore_ascii_case(b"100-continue") => {
                return Err(Fault::Expectation);
            }
            Field::Connection => {
                self.connection.add(field.value);
                self.removed.insert(index);
            }
            Field::Te => {
                let mut codings = crate::field::members(field.value);
                self.accepts_trailers |=
                    codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
                self.removed.insert(index);
            }
            Field::HopByHop | Field::Identity | Field::Alias => self.removed.insert(index),
            Field::Expect | Field::Trailer | Field::Date | Field::NodeHeader | Field::Other => {}
        }
        Ok(())
    }

    /// RFC 9112 §3.2: exactly one valid `Host` in HTTP/1.1, also when the target replaces it.
    fn host(&self, version: Version, target: &Target<'b>) -> Result<Option<&'b str>, Fault> {
        let field = match self.host {
            Some(value) => {
                let text = str::from_utf8(value).map_err(|_| Fault::Host)?;
                if !is_authority(text) {
                    return Err(Fault::Host);
                }
                Some(text)
            }
            None if version == Version::Http11 => return Err(Fault::Host),
            None => None,
        };
        Ok(target.authority.or(field))
    }

    fn keep_alive(&self, version: Version) -> bool {
        match version {
            Version::Http11 => !self.connection.close,
            Version::Http10 => self.connection.keep_alive && !self.connection.close,
        }
    }

    fn removed(&self, fields: &[Header<'b>], host_is_replaced: bool) -> Removed {
        let mut removed = self.removed;
        if self.connection.names_fields {
            removed.add_named(fields);
        }
        if host_is_replaced && self.host.is_some() {
            removed.insert(self.host_at);
        }
        removed
    }
}
