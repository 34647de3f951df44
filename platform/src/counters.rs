//! Counters in memory that several processes share: each worker adds in its own block, anybody reads
//! the sum. A worker that dies leaves its counts behind.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::shared::{Block, Blocks};

/// Counters in one block: whole cache lines, so that neighbours do not disturb each other.
pub const COUNTERS_PER_SLOT: usize = 32;

/// The most blocks, one for each worker.
pub const SLOTS_MAX: usize = 256;

const SLOTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(SLOTS_MAX - 1);

/// One worker's block of counters, which only grow. After an upgrade the worker that is left writes there
/// too.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Slot {
    counters: [AtomicU64; COUNTERS_PER_SLOT],
}

impl Slot {
    /// Adds to a counter; `index` is below [`COUNTERS_PER_SLOT`], others are ignored.
    pub fn add(&self, index: usize, amount: u64) {
        if let Some(counter) = self.counters.get(index) {
            counter.fetch_add(amount, Ordering::Relaxed);
        }
    }

    /// Reads a counter.
    pub fn load(&self, index: usize) -> u64 {
        self.counters
            .get(index)
            .map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

#[expect(unsafe_code, reason = "what is mapped must be made for it")]
// SAFETY: atomics only, aligned to less than a page.
unsafe impl Block for Slot {}

/// All blocks, mapped into this process.
#[derive(Debug)]
pub struct SharedCounters(Blocks<Slot>);

impl SharedCounters {
    /// Makes them, all zero.
    ///
    /// # Errors
    /// Those of memfd_create(2), ftruncate(2) and mmap(2).
    pub fn create() -> io::Result<Self> {
        Blocks::create("evenkeel-counters", SLOTS).map(Self)
    }

    /// Maps those that another process has made.
    ///
    /// # Errors
    /// `InvalidData` when the descriptor is not a memfd of the right, unchangeable size.
    pub fn open(descriptor: OwnedFd) -> io::Result<Self> {
        Blocks::open(descriptor, SLOTS).map(Self)
    }

    /// The block of one worker; a number past the last block takes the last.
    pub fn slot(&self, index: usize) -> &Slot {
        self.0.get(index)
    }

    /// The sum of one counter over all blocks.
    pub fn sum(&self, index: usize) -> u64 {
        (0..self.0.count()).fold(0, |sum, slot| sum.wrapping_add(self.slot(slot).load(index)))
    }
}

impl AsFd for SharedCounters {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;

    #[test]
    fn what_one_mapping_adds_another_sums() {
        let ours = SharedCounters::create().unwrap();
        let theirs = SharedCounters::open(ours.as_fd().try_clone_to_owned().unwrap()).unwrap();
        ours.slot(0).add(3, 5);
        theirs.slot(1).add(3, 2);
        assert_eq!(ours.sum(3), 7);
        assert_eq!(ours.slot(0).load(3), 5);
        assert_eq!(ours.sum(2), 0);
    }

    #[test]
    fn a_foreign_file_is_refused() {
        let foreign = memfd_create("test", MFdFlags::MFD_CLOEXEC).unwrap();
        assert_eq!(
            SharedCounters::open(foreign).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }
}
