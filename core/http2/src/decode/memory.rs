//! Where octets stay until they are sent.

use bytes::{Bytes, BytesMut};

/// Octets of a block.
const BLOCK: usize = 16 * 1024;

/// What is longer has memory of its own: a block is kept as long as anything in it.
const SMALL: usize = 2 * 1024;

/// Blocks. When something is kept in all of them, small pieces have memory of their own too: who is slow
/// to take one octet does not keep a block for each.
const BLOCKS: usize = 64;

/// Memory that messages share: one allocation for as many small pieces as fit into a block, and none
/// when all that were in it are gone.
#[derive(Debug, Default)]
pub struct Memory(Vec<BytesMut>);

impl Memory {
    /// Keeps a copy of `octets` as long as somebody has it.
    pub fn copy(&mut self, octets: &[u8]) -> Bytes {
        if octets.len() > SMALL {
            return Bytes::copy_from_slice(octets);
        }
        let mut blocks = self.0.iter_mut();
        let with_room = blocks.find_map(|block| block.try_reclaim(octets.len()).then_some(block));
        if let Some(block) = with_room {
            return append(block, octets);
        }
        if self.0.len() == BLOCKS {
            return Bytes::copy_from_slice(octets);
        }
        let mut block = BytesMut::with_capacity(BLOCK);
        let copy = append(&mut block, octets);
        self.0.push(block);
        copy
    }
}

fn append(block: &mut BytesMut, octets: &[u8]) -> Bytes {
    block.extend_from_slice(octets);
    block.split().freeze()
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

    #[test]
    fn pieces_that_stay_do_not_keep_what_was_beside_them() {
        let mut memory = Memory::default();
        let mut stay = Vec::with_capacity(1_000);
        let held = allocation_counter::measure(|| {
            for _ in 0..1_000 {
                // A block is full with that.
                stay.push(memory.copy(b"."));
                memory.copy(&[0; SMALL - 1]);
                for _ in 1..BLOCK / SMALL {
                    memory.copy(&[0; SMALL]);
                }
            }
        });
        let most = i64::try_from((BLOCKS + 4) * BLOCK).unwrap();
        assert!(held.bytes_current <= most, "{held:?}");
        // What is free is used again.
        stay.clear();
        let again = allocation_counter::measure(|| drop(memory.copy(&[0; SMALL])));
        assert_eq!(again.count_total, 0);
    }
}
