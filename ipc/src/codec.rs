//! Messages as bytes: postcard, one message a packet, bounded.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The largest packet in octets. What may be larger (a configuration) travels in a memfd.
pub const PACKET_MAX: usize = 64 * 1024;

/// The largest snapshot in octets that a child reads from a memfd.
pub const SNAPSHOT_MAX: usize = 64 * 1024 * 1024;

/// The most descriptors that travel with one packet (the kernel's SCM_MAX_FD).
pub const DESCRIPTORS_MAX: usize = 253;

/// A message that could not be written or read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CodecError {
    /// Our own message is larger than [`PACKET_MAX`]: a bug of the sender.
    #[error("message of {0} octets is larger than a packet may be")]
    TooLarge(usize),
    /// The bytes are no message of this edge: a bug or an attack of the sender.
    #[error("not a message of this edge: {0}")]
    Malformed(String),
    /// A message stands at the front, but bytes follow it.
    #[error("{0} octets follow the message")]
    Trailing(usize),
}

/// Writes `message` as one packet.
///
/// # Errors
/// [`CodecError::TooLarge`] when it is over [`PACKET_MAX`].
pub fn encode_packet<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = encode_snapshot(message)?;
    if bytes.len() > PACKET_MAX {
        return Err(CodecError::TooLarge(bytes.len()));
    }
    Ok(bytes)
}

/// Writes a snapshot, of any size.
///
/// # Errors
/// [`CodecError::Malformed`] when the value cannot be serialised.
pub fn encode_snapshot<T: Serialize>(snapshot: &T) -> Result<Vec<u8>, CodecError> {
    postcard::to_stdvec(snapshot).map_err(|error| CodecError::Malformed(error.to_string()))
}

/// Reads one message; all bytes must belong to it.
///
/// # Errors
/// [`CodecError::Malformed`] or [`CodecError::Trailing`]; never panics.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (message, rest) = postcard::take_from_bytes(bytes)
        .map_err(|error| CodecError::Malformed(error.to_string()))?;
    if rest.is_empty() {
        Ok(message)
    } else {
        Err(CodecError::Trailing(rest.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::ToChild;

    #[test]
    fn a_message_survives_the_way() {
        let sent: ToChild<u8> = ToChild::Ping { seq: 7 };
        let bytes = encode_packet(&sent).unwrap();
        assert_eq!(decode::<ToChild<u8>>(&bytes), Ok(sent));
    }

    #[test]
    fn bytes_behind_a_message_are_refused() {
        let mut bytes = encode_packet(&ToChild::<u8>::Ping { seq: 7 }).unwrap();
        bytes.push(0);
        assert_eq!(decode::<ToChild<u8>>(&bytes), Err(CodecError::Trailing(1)));
    }

    /// Rule 47: an unknown message is an error.
    #[test]
    fn an_unknown_variant_is_refused() {
        assert!(matches!(
            decode::<ToChild<u8>>(&[200, 1]),
            Err(CodecError::Malformed(_))
        ));
    }

    /// Rule 47: messages are bounded.
    #[test]
    fn a_packet_has_a_limit() {
        let sent = vec![0u8; PACKET_MAX + 1];
        assert!(matches!(encode_packet(&sent), Err(CodecError::TooLarge(_))));
    }
}
