//! Where octets stay until they are sent.

use bytes::{Bytes, BytesMut};

/// Octets of a block.
const BLOCK: usize = 16 * 1024;

/// What is longer has memory of its own: a block is kept as long as anything in it.
const SMALL: usize = 2 * 1024;

/// Memory that messages share: one allocation for as many small pieces as fit into a block, and none
/// when all that were in it are gone.
#[derive(Debug, Default)]
pub struct Memory(BytesMut);

impl Memory {
    /// Keeps a copy of `octets` as long as somebody has it.
    pub fn copy(&mut self, octets: &[u8]) -> Bytes {
        if octets.len() > SMALL {
            return Bytes::copy_from_slice(octets);
        }
        if self.0.capacity() < octets.len() {
            self.0.reserve(BLOCK);
        }
        self.0.extend_from_slice(octets);
        self.0.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_what_was_copied() {
        let mut memory = Memory::default();
        let lengths = [0, 1, 100, SMALL, SMALL + 1, 3 * BLOCK];
        let pieces: Vec<_> = (0_u8..100)
            .flat_map(|octet| lengths.map(|length| vec![octet; length]))
            .collect();
        let copies: Vec<_> = pieces.iter().map(|piece| memory.copy(piece)).collect();
        assert_eq!(pieces, copies);
    }
}
