//! Response heads: RFC 9112 §4 and §5.

use httparse::Header;

use crate::field::{ConnectionOptions, Field, Removed, binds_connection, classify};
use crate::length::LengthFields;
use crate::websocket::{Handshake, SwitchFields};
use crate::{BodyLength, Fault, FieldSlots, Limits, Version, scan};

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
    pub(crate) head: &'b [u8],
    pub(crate) fields: &'h [Header<'b>],
    pub(crate) removed: Removed,
    pub(crate) reason: &'b str,
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
        slots: &'h mut FieldSlots<'b>,
    ) -> Result<Option<Self>, Fault> {
        let Some(len) = scan::head_end(bytes, limits)? else {
            // Who does not speak HTTP may never send a line feed.
            return if scan::agree(bytes, PROTOCOL) {
                Ok(None)
            } else {
                Err(Fault::StartLine)
            };
        };
        let head = bytes.get(..len).unwrap_or_default();
        let mut response = httparse::Response::new(&mut []);
        let room = slots.get_mut(..limits.fields).ok_or(Fault::TooManyFields)?;
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            head,
            room,
        );
        match parsed {
            Ok(httparse::Status::Complete(end)) if end == len && head.starts_with(PROTOCOL) => {}
            Ok(_) => return Err(Fault::StartLine),
            Err(httparse::Error::TooManyHeaders) => return Err(Fault::TooManyFields),
            Err(_) => return Err(Fault::Field),
        }
        let (Some(status), Some(version)) = (response.code, response.version) else {
            return Err(Fault::StartLine);
        };
        if !(100..600).contains(&status) {
            return Err(Fault::Status);
        }
        let version = if version == 0 {
            Version::Http10
        } else {
            Version::Http11
        };
        let mut new = Self {
            len,
            status,
            body: BodyLength::Fixed(0),
            keep_alive: false,
            idle_timeout: None,
            binds_connection: false,
            head,
            fields: response.headers,
            removed: Removed::default(),
            reason: response.reason.unwrap_or_default(),
            has_date: false,
            node_at: None,
            framing_at: None,
            trailer_at: None,
        };
        new.read_fields(version, expected)?;
        Ok(Some(new))
    }

    fn read_fields(&mut self, version: Version, expected: Expected) -> Result<(), Fault> {
        let mut length = LengthFields::default();
        let mut connection = ConnectionOptions::default();
        let mut switch = SwitchFields::default();
        let bodiless = self.status < 200 || self.status == 204;
        for (index, field) in self.fields.iter().enumerate() {
            match classify(field.name.as_bytes()) {
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
