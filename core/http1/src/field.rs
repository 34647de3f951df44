//! Header fields by what a proxy does with them.

use crate::FIELDS_MAX;
use crate::lines::Fields;

/// The fields that mean something to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Connection,
    ContentLength,
    TransferEncoding,
    Te,
    Trailer,
    Host,
    Expect,
    Upgrade,
    WebSocketKey,
    WebSocketAccept,
    MaxForwards,
    Authorization,
    Challenge,
    Date,
    NodeHeader,
    KeepAlive,
    /// Hop-by-hop whatever `Connection` says (RFC 9110 §7.6.1).
    HopByHop,
    /// Says who the client is; only we may say that.
    Identity,
    /// Names the request, for logs.
    RequestId,
    Other,
}

/// Classifies a field name, by length first so that most names cost one comparison or none.
pub(crate) fn classify(name: &[u8]) -> Field {
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    let known = match name.len() {
        2 if is(b"te") => Field::Te,
        4 if is(b"host") => Field::Host,
        4 if is(b"date") => Field::Date,
        6 if is(b"expect") => Field::Expect,
        6 if is(b"x-node") => Field::NodeHeader,
        7 if is(b"trailer") => Field::Trailer,
        7 if is(b"upgrade") => Field::Upgrade,
        9 if is(b"forwarded") || is(b"x-real-ip") => Field::Identity,
        10 if is(b"connection") => Field::Connection,
        10 if is(b"keep-alive") => Field::KeepAlive,
        12 if is(b"x-request-id") => Field::RequestId,
        12 if is(b"max-forwards") => Field::MaxForwards,
        13 if is(b"authorization") => Field::Authorization,
        14 if is(b"content-length") => Field::ContentLength,
        16 if is(b"proxy-connection") => Field::HopByHop,
        16 if is(b"www-authenticate") => Field::Challenge,
        17 if is(b"transfer-encoding") => Field::TransferEncoding,
        17 if is(b"sec-websocket-key") => Field::WebSocketKey,
        18 if is(b"proxy-authenticate") => Field::HopByHop,
        19 if is(b"proxy-authorization") => Field::HopByHop,
        20 if is(b"sec-websocket-accept") => Field::WebSocketAccept,
        _ => Field::Other,
    };
    if known != Field::Other {
        return known;
    }
    if is_forwarded(name) {
        return Field::Identity;
    }
    Field::Other
}

/// A name with an underscore: many servers read it as a dash, so it could pass for any other field.
/// Dropped from what a client says, as nginx does.
pub(crate) fn is_alias(name: &[u8]) -> bool {
    name.contains(&b'_')
}

/// Whether a name is one of the `X-Forwarded-` family.
pub(crate) fn is_forwarded(name: &[u8]) -> bool {
    const FAMILY: &[u8] = b"x-forwarded-";
    let (start, rest) = name.split_at_checked(FAMILY.len()).unwrap_or_default();
    start.eq_ignore_ascii_case(FAMILY) && !rest.is_empty()
}

/// Fields that `Connection` never removes, whatever it names (CVE-2024-45410). Those that we set
/// ourselves are dropped or written whatever it says.
fn is_protected(name: &[u8]) -> bool {
    const PROTECTED: [&[u8]; 12] = [
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"authorization",
        b"cookie",
        b"set-cookie",
        b"cache-control",
        b"x-request-id",
        b"date",
        b"expect",
        b"max-forwards",
        b"www-authenticate",
    ];
    PROTECTED.iter().any(|kept| name.eq_ignore_ascii_case(kept))
}

/// The members of a comma list, trimmed; empty ones left out (RFC 9110 §5.6.1).
pub(crate) fn members(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(trim)
        .filter(|member| !member.is_empty())
}

/// Without SP and HTAB at both ends, and nothing else: other octets that some take for space are
/// part of the value.
pub(crate) fn trim(value: &[u8]) -> &[u8] {
    trim_end(trim_start(value))
}

/// Without SP and HTAB at the front.
pub(crate) fn trim_start(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    value
}

/// Without SP and HTAB at the end.
pub(crate) fn trim_end(mut value: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether credentials or a challenge are of a scheme that authenticates a connection instead of a
/// request: such a connection must never serve anybody else.
pub(crate) fn binds_connection(value: &[u8]) -> bool {
    const SCHEMES: [&[u8]; 2] = [b"ntlm", b"negotiate"];
    members(value).any(|member| {
        let scheme = member.split(u8::is_ascii_whitespace).next();
        scheme.is_some_and(|scheme| SCHEMES.iter().any(|one| scheme.eq_ignore_ascii_case(one)))
    })
}

/// What the `Connection` fields of a head say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectionOptions {
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
    /// Some field of the head is named, so that fields must be compared with the options.
    pub(crate) names_fields: bool,
}

impl ConnectionOptions {
    /// Adds the options of one field.
    pub(crate) fn add(&mut self, value: &[u8]) {
        // What nearly everybody says.
        if value.eq_ignore_ascii_case(b"keep-alive") {
            self.keep_alive = true;
            return;
        }
        for option in members(value) {
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                // That field is removed anyway.
                self.upgrade = true;
            } else {
                self.names_fields = true;
            }
        }
    }
}

/// Which fields of a head are not passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed(u128);

// One bit for each field.
const _: () = assert!(FIELDS_MAX <= 128);

impl Removed {
    pub(crate) fn insert(&mut self, index: usize) {
        self.0 |= 1_u128 << index;
    }

    pub(crate) fn remove(&mut self, index: usize) {
        self.0 &= !(1_u128 << index);
    }

    pub(crate) fn contains(self, index: usize) -> bool {
        self.0 & (1_u128 << index) != 0
    }

    /// Adds the fields that a `Connection` field names. The rare case: browsers send `keep-alive`.
    pub(crate) fn add_named(&mut self, fields: Fields<'_, '_>) {
        let connections = fields.iter().filter(|field| field.is("connection"));
        for option in connections.flat_map(|field| members(field.value)) {
            if is_protected(option) {
                continue;
            }
            for (index, field) in fields.iter().enumerate() {
                if field.name.eq_ignore_ascii_case(option) {
                    self.insert(index);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_classified_whatever_their_case() {
        let cases: [(&str, Field); 11] = [
            ("Host", Field::Host),
            ("hOST", Field::Host),
            ("Keep-Alive", Field::KeepAlive),
            ("TE", Field::Te),
            ("x-forwarded-for", Field::Identity),
            ("X-Forwarded-Anything", Field::Identity),
            ("X-Real-IP", Field::Identity),
            ("Forwarded", Field::Identity),
            ("x-request-ID", Field::RequestId),
            ("X-Forwarded", Field::Other),
            ("Accept", Field::Other),
        ];
        for (name, field) in cases {
            assert_eq!(classify(name.as_bytes()), field, "{name}");
        }
    }

    #[test]
    fn only_space_and_tab_are_trimmed() {
        assert_eq!(trim(b" \t a b\t "), b"a b");
        assert_eq!(trim(b"\xa0a\x0b"), b"\xa0a\x0b");
        assert_eq!(trim(b"  "), b"");
    }
}
