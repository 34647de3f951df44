//! Response heads: RFC 9112 §4 and §5.

use crate::field::{ConnectionOptions, Field, Removed, binds_connection, classify};
use crate::length::LengthFields;
use crate::lines::{self, Fields, Lines};
use crate::websocket::{Handshake, SwitchFields};
use crate::{BodyLength, Fault, FieldSlots, Limits, Version};

/// What every response begins with.
const PROTOCOL: &[u8] = b"HTTP/";

/// What the request was, as far as that says how its response has to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing special.
    Content,
    /// A HEAD: the response has no body, whatever it says.
    HeadOnly,
    /// WebSocket was asked for: the response may be a 101.
    Switch(Handshake),
}

/// A response head that may be passed on.
#[derive(Debug)]
pub struct ResponseHead<'h, 'b> {
    /// Octets of the head.
    pub len: usize,
    /// The status, 100 to 599; 101 only if it is the right answer to what was asked.
    pub status: u16,
    /// How long the body is.
    pub body: BodyLength,
    /// Whether the server lets its connection be used again.
    pub keep_alive: bool,
    /// Seconds after which the server closes it, as `Keep-Alive: timeout` says.
    pub idle_timeout: Option<u32>,
    /// What is authenticated is the server's connection, which must serve nobody else.
    pub binds_connection: bool,
    pub(crate) fields: Fields<'h, 'b>,
    pub(crate) removed: Removed,
    pub(crate) reason: &'b [u8],
    pub(crate) has_date: bool,
    pub(crate) node_at: Option<usize>,
    pub(crate) framing_at: Option<usize>,
    pub(crate) trailer_at: Option<usize>,
}

impl<'h, 'b> ResponseHead<'h, 'b> {
    /// Reads the head at the front of `bytes`; `None` when more octets are needed.
    ///
    /// # Errors
    /// Any [`Fault`] is the server's: 502.
    pub fn parse(
        bytes: &'b [u8],
        limits: &Limits,
        expected: Expected,
        slots: &'h mut FieldSlots,
    ) -> Result<Option<Self>, Fault> {
        let Some(Lines { start, fields }) = lines::read_head(bytes, limits, slots)? else {
            // Who does not speak HTTP may never send a line feed.
            return if lines::agree(bytes, PROTOCOL) {
                Ok(None)
            } else {
                Err(Fault::StartLine)
            };
        };
        let (version, status, reason) = status_line(start)?;
        let mut new = Self {
            len: fields.head().len(),
            status,
            body: BodyLength::Fixed(0),
            keep_alive: false,
            idle_timeout: None,
            binds_connection: false,
            fields,
            removed: Removed::default(),
            reason,
            has_date: false,
            node_at: None,
            framing_at: None,
            trailer_at: None,
        };
        new.read_fields(version, expected)?;
        Ok(Some(new))
    }

    /// Whether it is worth while to [parse](Self::parse) `bytes`, of which the first `known` came to
    /// nothing yet; as for a request.
    pub fn may_be_whole(bytes: &[u8], known: usize, limits: &Limits) -> bool {
        known < PROTOCOL.len() || lines::is_worth_another_look(bytes, known, limits)
    }

    fn read_fields(&mut self, version: Version, expected: Expected) -> Result<(), Fault> {
        let mut length = LengthFields::default();
        let mut connection = ConnectionOptions::default();
        let mut switch = SwitchFields::default();
        let bodiless = self.status < 200 || self.status == 204;
        for (index, field) in self.fields.iter().enumerate() {
            match classify(field.name) {
                Field::ContentLength => {
                    length.add_content_length(field.value)?;
                    // RFC 9110 §8.6 forbids it here; a client might wait for the octets.
                    if bodiless {
                        self.removed.insert(index);
                    }
                }
                Field::TransferEncoding => {
                    length.add_transfer_encoding(field.value)?;
                    self.framing_at = Some(index);
                }
                Field::Connection => {
                    connection.add(field.value);
                    self.removed.insert(index);
                }
                Field::KeepAlive => {
                    self.idle_timeout = idle_timeout(field.value).or(self.idle_timeout);
                    self.removed.insert(index);
                }
                Field::HopByHop | Field::Te => self.removed.insert(index),
                Field::Upgrade => {
                    switch.add_upgrade(field.value);
                    self.removed.insert(index);
                }
                Field::WebSocketAccept => switch.add_token(field.value),
                Field::Challenge => self.binds_connection |= binds_connection(field.value),
                Field::Date => self.has_date = true,
                Field::NodeHeader => self.node_at = Some(index),
                Field::Trailer => self.trailer_at = Some(index),
                // A server may say what it likes about clients; underscores harm nobody here.
                Field::Host
                | Field::Expect
                | Field::WebSocketKey
                | Field::MaxForwards
                | Field::Authorization
                | Field::Identity
                | Field::RequestId
                | Field::Other => {}
            }
        }
        if connection.names_fields {
            self.removed.add_named(self.fields);
        }
        if self.is_switch() && !switches(expected, version, connection, &switch) {
            return Err(Fault::Status);
        }
        self.body = length.of_response(version, self.status, expected == Expected::HeadOnly)?;
        self.keep_alive = self.body != BodyLength::UntilClose
            && match version {
                Version::Http11 => !connection.close,
                Version::Http10 => connection.keep_alive && !connection.close,
            };
        Ok(())
    }

    /// Whether this is an interim answer (1xx): the final one follows.
    pub fn is_interim(&self) -> bool {
        self.status < 200 && !self.is_switch()
    }

    /// Whether what follows is no HTTP any more: a 101 that was asked for.
    pub const fn is_switch(&self) -> bool {
        self.status == 101
    }
}

/// The parts of a status line (RFC 9112 §4). Some servers leave out the space before an empty reason.
fn status_line(line: &[u8]) -> Result<(Version, u16, &[u8]), Fault> {
    let parts = line.split_first_chunk::<9>();
    let parts =
        parts.and_then(|(start, rest)| Some((Version::of(start.strip_suffix(b" ")?)?, rest)));
    let (version, rest) = parts.ok_or(Fault::StartLine)?;
    let (digits, reason) = match rest {
        [a, b, c] => ([a, b, c], &[][..]),
        [a, b, c, b' ', reason @ ..] => ([a, b, c], reason),
        _ => return Err(Fault::StartLine),
    };
    if !digits.iter().all(|digit| digit.is_ascii_digit()) {
        return Err(Fault::StartLine);
    }
    let status = digits
        .iter()
        .fold(0, |status, &&digit| status * 10 + u16::from(digit - b'0'));
    if !(100..600).contains(&status) {
        return Err(Fault::Status);
    }
    Ok((version, status, reason))
}

/// The seconds of `timeout=5, max=100`. No standard has them, and many servers send them.
fn idle_timeout(value: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"timeout=";
    let mut members = crate::field::members(value);
    members.find_map(|member| {
        let (name, seconds) = member.split_at_checked(NAME.len())?;
        let seconds = str::from_utf8(seconds).ok()?;
        let is_number = seconds.bytes().all(|byte| byte.is_ascii_digit());
        (name.eq_ignore_ascii_case(NAME) && is_number).then(|| seconds.parse().ok())?
    })
}

/// Whether a 101 says in every way that it must that it switches to what was asked for (RFC 9110
/// §7.8, RFC 6455 §4.1).
fn switches(
    expected: Expected,
    version: Version,
    connection: ConnectionOptions,
    fields: &SwitchFields<'_>,
) -> bool {
    let Expected::Switch(handshake) = expected else {
        return false;
    };
    let answers = |accept: &[u8]| handshake.is_answered_by(accept);
    version == Version::Http11
        && connection.upgrade
        && fields.name_websocket()
        && fields.token().is_some_and(answers)
}
