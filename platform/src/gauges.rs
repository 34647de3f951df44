//! Numbers that go up and down, in memory that several processes share: each worker counts in its own
//! block, and the sum over the blocks is the node's. The block of a worker that ends is cleared.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::counters::SLOTS_MAX;
use crate::shared::{Block, Blocks};

/// Gauges of each worker.
pub const GAUGES: usize = 8 * 1024;

const BLOCKS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(SLOTS_MAX - 1);

/// One worker's gauges.
#[derive(Debug)]
#[repr(C, align(4096))]
struct Own {
    /// Whether a worker ever had this block. Workers have the first ones, so sums end at the first
    /// block without.
    used: AtomicU32,
    values: [AtomicU32; GAUGES],
}

#[expect(unsafe_code, reason = "what is mapped must be made for it")]
// SAFETY: atomics only, aligned as a page.
unsafe impl Block for Own {}

/// All gauges, mapped into this process.
#[derive(Debug)]
pub struct SharedGauges(Blocks<Own>);

impl SharedGauges {
    /// Makes them, all zero.
    ///
    /// # Errors
    /// Those of memfd_create(2), ftruncate(2) and mmap(2).
    pub fn create() -> io::Result<Self> {
        Blocks::create("evenkeel-gauges", BLOCKS).map(Self)
    }

    /// Maps those that another process has made.
    ///
    /// # Errors
    /// `InvalidData` when the descriptor is not a memfd of the right, unchangeable size.
    pub fn open(descriptor: OwnedFd) -> io::Result<Self> {
        Blocks::open(descriptor, BLOCKS).map(Self)
    }

    /// Sets the gauges of a worker to zero: when it begins, and when it has ended.
    pub fn clear(&self, slot: usize) {
        let own = self.0.get(slot);
        for value in &own.values {
            value.store(0, Ordering::SeqCst);
        }
        own.used.store(1, Ordering::SeqCst);
    }

    /// Adds one to a worker's gauge; those past [`GAUGES`] are ignored.
    pub fn raise(&self, slot: usize, index: usize) {
        if let Some(value) = self.0.get(slot).values.get(index) {
            value.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Takes one from a worker's gauge, which must have been raised.
    pub fn lower(&self, slot: usize, index: usize) {
        if let Some(value) = self.0.get(slot).values.get(index) {
            value.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// A gauge of the node. Of two workers that raise it and then look, one sees both at least.
    pub fn sum(&self, index: usize) -> u32 {
        (0..self.0.count())
            .map(|slot| self.0.get(slot))
            .take_while(|own| own.used.load(Ordering::SeqCst) != 0)
            .filter_map(|own| own.values.get(index))
            .fold(0, |sum, value| {
                sum.wrapping_add(value.load(Ordering::SeqCst))
            })
    }
}

impl AsFd for SharedGauges {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_count_apart_and_see_the_sum() {
        let ours = SharedGauges::create().unwrap();
        let theirs = SharedGauges::open(ours.as_fd().try_clone_to_owned().unwrap()).unwrap();
        ours.clear(0);
        theirs.clear(1);
        ours.raise(0, 5);
        theirs.raise(1, 5);
        theirs.raise(1, 5);
        theirs.raise(1, GAUGES - 1);
        theirs.raise(1, GAUGES);
        assert_eq!((ours.sum(5), ours.sum(GAUGES - 1)), (3, 1));
        theirs.lower(1, 5);
        assert_eq!(ours.sum(5), 2);
        ours.clear(1);
        assert_eq!((ours.sum(5), ours.sum(GAUGES)), (1, 0));
    }

    #[test]
    fn a_foreign_file_is_refused() {
        let foreign = crate::memfd::sealed("test", b"short").unwrap();
        let error = SharedGauges::open(foreign).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
