//! The opening handshake of WebSocket: RFC 6455 §4, as far as a relay has to check it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use crate::field::members;

/// What a server appends to the key before it hashes it (RFC 6455 §1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Octets of a key in base64: 16 of them in clear.
const KEY_LEN: usize = 24;

/// A handshake that a client began: the `Sec-WebSocket-Accept` that a server has to answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake([u8; 28]);

impl Handshake {
    /// The handshake of a `Sec-WebSocket-Key`; `None` when that is not 16 octets in base64.
    pub(crate) fn of_key(key: &[u8]) -> Option<Self> {
        // A buffer of the very size: longer keys do not fit, shorter ones leave a rest.
        let mut clear = [0; 18];
        if key.len() != KEY_LEN || STANDARD.decode_slice(key, &mut clear) != Ok(16) {
            return None;
        }
        let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
        let mut accept = [0; 28];
        let written = STANDARD.encode_slice(digest, &mut accept).ok()?;
        (written == accept.len()).then_some(Self(accept))
    }

    /// Whether a server's `Sec-WebSocket-Accept` is the answer to this very handshake.
    pub(crate) fn is_answered_by(&self, accept: &[u8]) -> bool {
        self.0 == accept
    }
}

/// The fields of a head that switch to WebSocket, gathered while its fields are walked. Each may
/// stand there once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SwitchFields<'b> {
    /// `Upgrade`: present and exactly `websocket`.
    upgrade: Once<()>,
    /// `Sec-WebSocket-Key` of a request, `Sec-WebSocket-Accept` of a response.
    token: Once<&'b [u8]>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Once<T> {
    #[default]
    Absent,
    Is(T),
    Wrong,
}

impl<T> Once<T> {
    fn add(&mut self, value: Option<T>) {
        *self = match (&self, value) {
            (Self::Absent, Some(value)) => Self::Is(value),
            _ => Self::Wrong,
        };
    }
}

impl<'b> SwitchFields<'b> {
    pub(crate) fn add_upgrade(&mut self, value: &[u8]) {
        let mut protocols = members(value);
        let is_websocket = protocols
            .next()
            .is_some_and(|first| first.eq_ignore_ascii_case(b"websocket"))
            && protocols.next().is_none();
        self.upgrade.add(is_websocket.then_some(()));
    }

    pub(crate) fn add_token(&mut self, value: &'b [u8]) {
        self.token.add(Some(value));
    }

    /// Whether it is WebSocket, and nothing else, that is to be switched to.
    pub(crate) const fn name_websocket(&self) -> bool {
        matches!(self.upgrade, Once::Is(()))
    }

    /// The one key or the one answer to it.
    pub(crate) const fn token(&self) -> Option<&'b [u8]> {
        match self.token {
            Once::Is(value) => Some(value),
            Once::Absent | Once::Wrong => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455 §1.3.
    #[test]
    fn answer_to_a_key_is_that_of_the_rfc() {
        let handshake = Handshake::of_key(b"dGhlIHNhbXBsZSBub25jZQ==").expect("a key");
        assert!(handshake.is_answered_by(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(!handshake.is_answered_by(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo"));
        assert!(!handshake.is_answered_by(b""));
    }

    #[test]
    fn key_is_sixteen_octets_in_base64() {
        for key in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZSE=",
            "dGhlIHNhbXBsZSBub25jZSEh",
            "dGhlIHNhbXBsZSBub25jZR==",
            "dGhlIHNhbXBsZSBub25j Q==",
            "dGhlIHNhbXBsZSBub25j-_==",
        ] {
            assert_eq!(Handshake::of_key(key.as_bytes()), None, "{key:?}");
        }
    }
}
