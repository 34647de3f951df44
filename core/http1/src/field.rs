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

/// The names that mean something, by their length: most names are compared with one other or none.
static KNOWN: [&[(&[u8], Field)]; 21] = [
    &[],
    &[],
    &[(b"te", Field::Te)],
    &[],
    &[(b"host", Field::Host), (b"date", Field::Date)],
    &[],
    &[(b"expect", Field::Expect), (b"x-node", Field::NodeHeader)],
    &[(b"trailer", Field::Trailer), (b"upgrade", Field::Upgrade)],
    &[],
    &[
        (b"forwarded", Field::Identity),
        (b"x-real-ip", Field::Identity),
    ],
    &[
        (b"connection", Field::Connection),
        (b"keep-alive", Field::KeepAlive),
    ],
    &[],
    &[
        (b"x-request-id", Field::RequestId),
        (b"max-forwards", Field::MaxForwards),
    ],
    &[(b"authorization", Field::Authorization)],
    &[(b"content-length", Field::ContentLength)],
    &[],
    &[
        (b"proxy-connection", Field::HopByHop),
        (b"www-authenticate", Field::Challenge),
    ],
    &[
        (b"transfer-encoding", Field::TransferEncoding),
        (b"sec-websocket-key", Field::WebSocketKey),
    ],
    &[(b"proxy-authenticate", Field::HopByHop)],
    &[(b"proxy-authorization", Field::HopByHop)],
    &[(b"sec-websocket-accept", Field::WebSocketAccept)],
];

/// Classifies a field name.
pub(crate) fn classify(name: &[u8]) -> Field {
    let mut known = KNOWN.get(name.len()).into_iter().copied().flatten();
    match known.find(|(known, _)| name.eq_ignore_ascii_case(known)) {
        Some((_, field)) => *field,
        None if is_forwarded(name) => Field::Identity,
        None => Field::Other,
    }
}

/// A name with an underscore: many servers read it as a dash, so it could pass for any other field.
/// Dropped from what a client says, as nginx does.
pub(crate) fn is_alias(name: &[u8]) -> bool {
    name.contains(&b'_')
}

/// Whether a name is one of the `X-Forwarded-` family.
pub(crate) fn is_forwarded(name: &[u8]) -> bool {
    const FAMILY: &[u8] = b"x-forwarded-";
    let start = name.get(..FAMILY.len());
    name.len() > FAMILY.len() && start.is_some_and(|start| start.eq_ignore_ascii_case(FAMILY))
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
        for (length, known) in KNOWN.iter().enumerate() {
            for (name, field) in *known {
                assert_eq!(name.len(), length, "{}", name.escape_ascii());
                assert_eq!(classify(&name.to_ascii_uppercase()), *field);
            }
        }
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
