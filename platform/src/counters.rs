//! Counters in memory that several processes share: each worker adds in its own block, anybody reads
//! the sum. A worker that dies leaves its counts behind.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// Counters in one block: two cache lines, so that neighbours do not disturb each other.
pub const COUNTERS_PER_SLOT: usize = 16;

/// The most blocks, one for each worker.
pub const SLOTS_MAX: usize = 256;

const LENGTH: usize = SLOTS_MAX * size_of::<Slot>();

/// One worker's block of counters.
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

    /// Takes from a counter that goes up and down.
    pub fn subtract(&self, index: usize, amount: u64) {
        if let Some(counter) = self.counters.get(index) {
            counter.fetch_sub(amount, Ordering::Relaxed);
        }
    }

    /// Sets a counter, as after the death of the worker to whom it belonged.
    pub fn set(&self, index: usize, value: u64) {
        if let Some(counter) = self.counters.get(index) {
            counter.store(value, Ordering::Relaxed);
        }
    }

    /// Reads a counter.
    pub fn load(&self, index: usize) -> u64 {
        self.counters
            .get(index)
            .map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

/// All blocks, mapped into this process.
#[derive(Debug)]
pub struct SharedCounters {
    descriptor: OwnedFd,
    base: NonNull<Slot>,
}

impl SharedCounters {
    /// Makes them, all zero.
    ///
    /// # Errors
    /// Those of memfd_create(2), ftruncate(2) and mmap(2).
    pub fn create() -> io::Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let descriptor = memfd_create("evenkeel-counters", flags)?;
        nix::unistd::ftruncate(&descriptor, i64::try_from(LENGTH).unwrap_or(i64::MAX))?;
        let seals = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
        fcntl(&descriptor, FcntlArg::F_ADD_SEALS(seals))?;
        Self::map(descriptor)
    }

    /// Maps those that another process has made.
    ///
    /// # Errors
    /// `InvalidData` when the descriptor is not a memfd of the right, unchangeable size.
    pub fn open(descriptor: OwnedFd) -> io::Result<Self> {
        let seals = fcntl(&descriptor, FcntlArg::F_GET_SEALS)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a memfd"))?;
        // A file that could shrink would turn a counter into a SIGBUS.
        if !SealFlag::from_bits_truncate(seals).contains(SealFlag::F_SEAL_SHRINK) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "memfd may shrink",
            ));
        }
        let length = nix::sys::stat::fstat(&descriptor)?.st_size;
        if usize::try_from(length).ok() != Some(LENGTH) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "memfd has another size",
            ));
        }
        Self::map(descriptor)
    }

    #[expect(unsafe_code, reason = "shared memory is mapped by address")]
    fn map(descriptor: OwnedFd) -> io::Result<Self> {
        let length = NonZeroUsize::new(LENGTH).ok_or(io::ErrorKind::InvalidInput)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice, of a memfd whose size was
        // checked and cannot shrink; it lives until drop and is only reached through `base`.
        let address = unsafe {
            mmap(
                None,
                length,
                protection,
                MapFlags::MAP_SHARED,
                &descriptor,
                0,
            )?
        };
        Ok(Self {
            descriptor,
            base: address.cast(),
        })
    }

    /// The block of one worker; a number past the last block takes the last.
    #[expect(unsafe_code, reason = "shared memory is mapped by address")]
    pub fn slot(&self, index: usize) -> &Slot {
        let index = index.min(SLOTS_MAX - 1);
        // SAFETY: the mapping holds SLOTS_MAX blocks, is page-aligned and thus aligned for Slot,
        // lives as long as self, and all access to it is by atomics, for which any bits are valid.
        unsafe { self.base.add(index).as_ref() }
    }

    /// The sum of one counter over all blocks.
    pub fn sum(&self, index: usize) -> u64 {
        (0..SLOTS_MAX).fold(0, |sum, slot| sum.wrapping_add(self.slot(slot).load(index)))
    }
}

impl AsFd for SharedCounters {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for SharedCounters {
    #[expect(unsafe_code, reason = "shared memory is unmapped by address")]
    fn drop(&mut self) {
        // SAFETY: the range is the one that `map` made, and no reference into it outlives self.
        // An error would leave the mapping until the process ends, which is harmless.
        let _ = unsafe { munmap(self.base.cast(), LENGTH) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_mapping_adds_another_sums() {
        let ours = SharedCounters::create().unwrap();
        let theirs = SharedCounters::open(ours.as_fd().try_clone_to_owned().unwrap()).unwrap();
        ours.slot(0).add(3, 5);
        theirs.slot(1).add(3, 2);
        theirs.slot(1).subtract(3, 1);
        assert_eq!(ours.sum(3), 6);
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
