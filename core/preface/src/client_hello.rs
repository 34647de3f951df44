//! The server name in a TLS hello, for a relay that passes TLS through: RFC 8446 §4.1.2 (the same
//! octets in TLS 1.2, RFC 5246 §7.4.1.2) and RFC 6066 §3.
//!
//! It is read, not judged: what the hello means for TLS is the server's business. But a name that two
//! readers could find in two places is none.

/// A hello that is longer, its records' headers included, is refused: with post-quantum keys and all
/// it has 2 KiB.
const HELLO_MAX: usize = 16 * 1024;

/// The most octets that a record may carry (RFC 8446 §5.1).
const RECORD_MAX: usize = 1 << 14;

/// The longest name (RFC 1035 §2.3.4).
const NAME_MAX: usize = 253;

const CONTENT_HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: usize = 0;
const HOST_NAME: usize = 0;

/// What the first octets of a connection turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientHello {
    /// A hello that names a server, as it is spelled there: letters, digits, `-`, `_` and dots.
    Named(String),
    /// A hello without a name.
    Nameless,
    /// No TLS.
    Other,
    /// It begins as TLS and is none, or is longer than 16 KiB.
    Malformed,
}

/// Reads the hello at the front of `octets`; `None` when more are needed, which are never more than
/// 16 KiB.
pub fn client_hello(octets: &[u8]) -> Option<ClientHello> {
    match octets {
        [] | [CONTENT_HANDSHAKE] => return None,
        [CONTENT_HANDSHAKE, 3, ..] => {}
        _ => return Some(ClientHello::Other),
    }
    let message = match message(octets) {
        Ok(None) if octets.len() > HELLO_MAX => return Some(ClientHello::Malformed),
        Ok(message) => message?,
        Err(Malformed) => return Some(ClientHello::Malformed),
    };
    let found = match server_name(&message) {
        Some(Some(name)) => ClientHello::Named(name),
        Some(None) => ClientHello::Nameless,
        None => ClientHello::Malformed,
    };
    Some(found)
}

/// The octets are no TLS.
struct Malformed;

/// The body of the first handshake message, put together from its records; `None`: not yet whole.
fn message(octets: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    let mut rest = octets;
    let mut message = Vec::new();
    loop {
        let Some(carried) = take_record(&mut rest)? else {
            return Ok(None);
        };
        message.extend_from_slice(carried);
        let Some((&[kind, high, middle, low], body)) = message.split_first_chunk() else {
            continue;
        };
        let len = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if kind != CLIENT_HELLO || len > HELLO_MAX {
            return Err(Malformed);
        }
        if let Some(body) = body.get(..len) {
            return Ok(Some(body.to_vec()));
        }
    }
}

/// What the next record carries, as far as it is there: a hello that is complete within a record that
/// is not, is complete. `None`: nothing of it is there.
fn take_record<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let Some((&[kind, major, _, high, low], carried)) = rest.split_first_chunk() else {
        return Ok(None);
    };
    let len = usize::from(high) << 8 | usize::from(low);
    if kind != CONTENT_HANDSHAKE || major != 3 || !(1..=RECORD_MAX).contains(&len) {
        return Err(Malformed);
    }
    let (carried, next) = carried.split_at(len.min(carried.len()));
    *rest = next;
    Ok((!carried.is_empty()).then_some(carried))
}

/// The name in a hello; outside `None`: it is malformed, inside: there is none.
fn server_name(hello: &[u8]) -> Option<Option<String>> {
    let mut rest = hello;
    take(&mut rest, 2 + 32)?; // version, random
    take_vector::<1>(&mut rest)?; // session id
    take_vector::<2>(&mut rest)?; // cipher suites
    take_vector::<1>(&mut rest)?; // compression methods
    if rest.is_empty() {
        return Some(None); // TLS 1.2 without extensions
    }
    let mut extensions = take_vector::<2>(&mut rest)?;
    let mut name = None;
    while !extensions.is_empty() {
        let kind = take_number::<2>(&mut extensions)?;
        let value = take_vector::<2>(&mut extensions)?;
        if kind == SERVER_NAME && name.replace(host_name(value)?).is_some() {
            return None;
        }
    }
    rest.is_empty().then_some(name)
}

/// The one name of the extension; nobody ever defined a second type of names.
fn host_name(mut extension: &[u8]) -> Option<String> {
    let mut names = take_vector::<2>(&mut extension)?;
    let kind = take_number::<1>(&mut names)?;
    let name = take_vector::<2>(&mut names)?;
    let is_alone = extension.is_empty() && names.is_empty() && kind == HOST_NAME;
    let is_spelled = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_.".contains(octet);
    let is_name = (1..=NAME_MAX).contains(&name.len()) && name.iter().all(is_spelled);
    (is_alone && is_name).then(|| name.iter().copied().map(char::from).collect())
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}

/// A number of so many octets, the most significant first.
fn take_number<const OCTETS: usize>(rest: &mut &[u8]) -> Option<usize> {
    let octets = take(rest, OCTETS)?;
    Some(
        octets
            .iter()
            .fold(0, |sum, octet| sum << 8 | usize::from(*octet)),
    )
}

/// What follows its own length, which has so many octets.
fn take_vector<'a, const OCTETS: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = take_number::<OCTETS>(rest)?;
    take(rest, len)
}
