//! Request heads: RFC 9112 §3 and §5.

use crate::field::{ConnectionOptions, Field, Removed, binds_connection, classify, is_alias};
use crate::length::LengthFields;
use crate::lines::{self, Fields, Line, Lines};
use crate::octet::is_token;
use crate::target::is_authority;
use crate::websocket::{Handshake, SwitchFields};
use crate::{BodyLength, Fault, FieldSlots, Limits, TARGET_MAX, Target, Version, target};

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
    /// The client waits for a 100 before it sends the body (RFC 9110 §10.1.1); HTTP/1.1 only.
    pub expects_continue: bool,
    /// The client wants to go on in WebSocket: a GET of HTTP/1.1 without a body that says so in
    /// every way that it must (RFC 6455 §4.1).
    pub websocket: Option<Handshake>,
    /// How many proxies more may pass on this OPTIONS (RFC 9110 §7.6.2).
    pub hops_left: Option<u32>,
    /// What authenticates with these credentials is the connection, not the request.
    pub binds_connection: bool,
    pub(crate) fields: Fields<'h, 'b>,
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
        slots: &'h mut FieldSlots,
    ) -> Result<Option<Self>, Fault> {
        let skipped = lines::leading_line(bytes)?;
        let bytes = bytes.get(skipped..).unwrap_or_default();
        let Some(Lines { start, fields }) = lines::read_head(bytes, limits, slots)? else {
            // TLS and other protocols are told at once, not when the time for a head is over.
            return match bytes.first() {
                Some(first) if !first.is_ascii_graphic() && *first != b'\r' => {
                    Err(Fault::StartLine)
                }
                _ => Ok(None),
            };
        };
        let (method, raw_target, version) = request_line(start)?;
        // Tunnels are not offered; TRACE would show a client what others added to its request.
        if matches!(method, "CONNECT" | "TRACE") {
            return Err(Fault::Method);
        }
        let target = target::parse(method, raw_target)?;
        let mut meaning = Meaning::of(fields)?;
        let body = meaning.length.of_request(version)?;
        let hops_left = meaning.hops_left(method)?;
        Ok(Some(Self {
            len: skipped + fields.head().len(),
            method,
            raw_target,
            host: meaning.host(version, &target)?,
            target,
            version,
            body,
            keep_alive: meaning.keep_alive(version),
            accepts_trailers: meaning.accepts_trailers,
            expects_continue: meaning.expects_continue(version),
            websocket: meaning.websocket(method, version, body)?,
            hops_left,
            binds_connection: meaning.binds_connection,
            fields,
            removed: meaning.removed(fields, target.authority.is_some()),
        }))
    }

    /// Whether it is worth while to [parse](Self::parse) `bytes`, of which the first `known` came to
    /// nothing yet. Who asks before looks at each octet of a head a few times, however it comes
    /// (rule 38), and not at all of it for each.
    pub fn may_be_whole(bytes: &[u8], known: usize, limits: &Limits) -> bool {
        lines::is_worth_another_look(bytes, known, limits)
    }

    /// The value of the first field called `name`, in lower case or not.
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        let mut fields = self.fields.iter();
        fields.find(|field| field.is(name)).map(|field| field.value)
    }
}

/// Whether a request may be sent again without harm (RFC 9110 §9.2.2).
pub fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE")
}

/// The parts of a request line (RFC 9112 §3): one space between them and nowhere else.
fn request_line(line: &[u8]) -> Result<(&str, &str, Version), Fault> {
    let parts = line.split_last_chunk::<9>();
    let parts = parts.and_then(|(rest, end)| Some((rest, Version::of(end.strip_prefix(b" ")?)?)));
    let Some((line, version)) = parts else {
        return Err(without_our_version(line));
    };
    let text = |octets| str::from_utf8(octets).map_err(|_| Fault::StartLine);
    let method_end = line.iter().position(|&octet| !is_token(octet));
    let (method, target) = line.split_at(method_end.unwrap_or(line.len()));
    let [b' ', target @ ..] = target else {
        return Err(Fault::StartLine);
    };
    if method.is_empty() || target.is_empty() || target.contains(&b' ') {
        return Err(Fault::StartLine);
    }
    let (method, target) = (text(method)?, text(target)?);
    if target.len() > TARGET_MAX {
        return Err(Fault::TargetTooLong);
    }
    Ok((method, target, version))
}

/// What is wrong with a line that ends in no version of ours: only what has the shape of a version is
/// answered with 505.
fn without_our_version(line: &[u8]) -> Fault {
    let mut parts = line.split(|&octet| octet == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    let names_other = parts.next().is_none()
        && method.is_some_and(|part| !part.is_empty())
        && target.is_some_and(|part| !part.is_empty())
        && matches!(
            version,
            Some([b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'])
        );
    if names_other {
        Fault::Version
    } else {
        Fault::StartLine
    }
}

/// What the fields say that a proxy must know.
#[derive(Default)]
struct Meaning<'b> {
    host: Option<&'b [u8]>,
    host_at: usize,
    length: LengthFields,
    connection: ConnectionOptions,
    accepts_trailers: bool,
    expect_at: Option<usize>,
    switch: SwitchFields<'b>,
    max_forwards: Option<(usize, &'b [u8])>,
    binds_connection: bool,
    /// There is an underscore somewhere in the head: names have to be looked at for one.
    may_alias: bool,
    removed: Removed,
}

impl<'b> Meaning<'b> {
    fn of(fields: Fields<'_, 'b>) -> Result<Self, Fault> {
        let mut meaning = Self {
            may_alias: memchr::memchr(b'_', fields.head()).is_some(),
            ..Self::default()
        };
        for (index, field) in fields.iter().enumerate() {
            meaning.add(index, &field)?;
        }
        Ok(meaning)
    }

    fn add(&mut self, index: usize, field: &Line<'b>) -> Result<(), Fault> {
        match classify(field.name) {
            Field::Host if self.host.is_some() => return Err(Fault::Host),
            Field::Host => {
                self.host = Some(field.value);
                self.host_at = index;
            }
            Field::ContentLength => self.length.add_content_length(field.value)?,
            Field::TransferEncoding => self.length.add_transfer_encoding(field.value)?,
            // Several are a list (RFC 9110 §5.3), and nothing can be expected beside this.
            Field::Expect
                if self.expect_at.is_some()
                    || !field.value.eq_ignore_ascii_case(b"100-continue") =>
            {
                return Err(Fault::Expectation);
            }
            Field::Expect => self.expect_at = Some(index),
            Field::Upgrade => {
                self.switch.add_upgrade(field.value);
                self.removed.insert(index);
            }
            Field::WebSocketKey => self.switch.add_token(field.value),
            Field::MaxForwards if self.max_forwards.is_some() => return Err(Fault::Field),
            Field::MaxForwards => self.max_forwards = Some((index, field.value)),
            Field::Authorization => self.binds_connection |= binds_connection(field.value),
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
            Field::HopByHop | Field::KeepAlive | Field::Identity | Field::RequestId => {
                self.removed.insert(index)
            }
            Field::Other if self.may_alias && is_alias(field.name) => {
                self.removed.insert(index);
            }
            Field::Trailer
            | Field::Date
            | Field::NodeHeader
            | Field::WebSocketAccept
            | Field::Challenge
            | Field::Other => {}
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

    /// A client of HTTP/1.0 gets no 100, so it expects none, and no server is to hear of it.
    fn expects_continue(&mut self, version: Version) -> bool {
        if let Some(index) = self.expect_at.filter(|_| version == Version::Http10) {
            self.removed.insert(index);
        }
        self.expect_at.is_some() && version == Version::Http11
    }

    /// A request for WebSocket that only some servers would take for one is none: what a tunnel is
    /// for one side only is a way to smuggle.
    fn websocket(
        &self,
        method: &str,
        version: Version,
        body: BodyLength,
    ) -> Result<Option<Handshake>, Fault> {
        let is_asked_for = self.connection.upgrade && self.switch.name_websocket();
        let may_be = method == "GET" && version == Version::Http11 && body == BodyLength::Fixed(0);
        if !is_asked_for || !may_be {
            return Ok(None);
        }
        let handshake = self.switch.token().and_then(Handshake::of_key);
        handshake.map(Some).ok_or(Fault::Handshake)
    }

    /// `Max-Forwards` means something to OPTIONS (TRACE is not served), and is written anew then.
    fn hops_left(&mut self, method: &str) -> Result<Option<u32>, Fault> {
        let Some((index, value)) = self.max_forwards.filter(|_| method == "OPTIONS") else {
            return Ok(None);
        };
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Fault::Field);
        }
        self.removed.insert(index);
        let number = str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse().ok());
        // More than there are proxies is as good as any other number of them.
        Ok(Some(number.unwrap_or(u32::MAX)))
    }

    fn removed(&self, fields: Fields<'_, 'b>, host_is_replaced: bool) -> Removed {
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
