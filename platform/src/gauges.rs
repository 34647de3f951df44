//! Numbers that go up and down, in memory that several processes share: each worker counts in its own
//! block, and the sum over the blocks is the node's. The block of a worker that ends is cleared.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::counters::SLOTS_MAX;
use crate::shared::{Block, Blocks};

/// Gauges of each worker for which somebody hands out the places.
pub const GAUGES: usize = 8 * 1024;

/// Gauges behind them, in each of two rows, for what is too much for a list: places by hash.
pub const CROWD_ROW: usize = 32 * 1024;

/// The first of the gauges behind the rows, for what connections do.
pub const STATES_AT: usize = GAUGES + 2 * CROWD_ROW;

/// How many of them there are.
pub const STATES: usize = 8;

const ALL: usize = STATES_AT + STATES;

const BLOCKS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(SLOTS_MAX - 1);

/// One worker's gauges.
#[derive(Debug)]
#[repr(C, align(4096))]
struct Own {
    /// Whether a worker ever had this block. Workers have the first ones, so sums end at the first
    /// block without.
    used: AtomicU32,
    /// The key of the hash; that of the first block is everybody's.
    seed: AtomicU64,
    values: [AtomicU32; ALL],
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
        let gauges = Self(Blocks::create("evenkeel-gauges", BLOCKS)?);
        let seed = RandomState::new().hash_one(std::process::id());
        gauges.0.get(0).seed.store(seed, Ordering::SeqCst);
        Ok(gauges)
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
        // What nobody has used is zero, and takes no memory.
        if own.used.swap(1, Ordering::SeqCst) != 0 {
            for value in &own.values {
                value.store(0, Ordering::SeqCst);
            }
        }
    }

    /// The key by which all workers find places in the rows; nobody else knows it.
    pub fn seed(&self) -> u64 {
        self.0.get(0).seed.load(Ordering::SeqCst)
    }

    /// Adds one to a worker's gauge; those past the last are ignored.
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
        theirs.raise(1, ALL - 1);
        theirs.raise(1, ALL);
        assert_eq!((ours.sum(5), ours.sum(ALL - 1)), (3, 1));
        theirs.lower(1, 5);
        assert_eq!(ours.sum(5), 2);
        assert_eq!(ours.seed(), theirs.seed());
        ours.clear(1);
        assert_eq!((ours.sum(5), ours.sum(ALL)), (1, 0));
    }

    #[test]
    fn a_foreign_file_is_refused() {
        let foreign = crate::memfd::sealed("test", b"short").unwrap();
        let error = SharedGauges::open(foreign).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
