//! Memory that several processes share, as a row of equal blocks of atomics.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// Something that others may change at any time.
///
/// # Safety
/// It consists of atomics only, so that all zeros and any other octets are a value of it, and its
/// alignment is no more than a page's.
#[expect(unsafe_code, reason = "what is mapped must be made for it")]
pub(crate) unsafe trait Block {}

/// So many blocks, mapped into this process.
#[derive(Debug)]
pub(crate) struct Blocks<B> {
    descriptor: OwnedFd,
    base: NonNull<B>,
    count: NonZeroUsize,
}

impl<B: Block> Blocks<B> {
    /// Makes them, all zero; pages that nobody touches take no memory.
    ///
    /// # Errors
    /// Those of memfd_create(2), ftruncate(2) and mmap(2).
    pub(crate) fn create(name: &str, count: NonZeroUsize) -> io::Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let descriptor = memfd_create(name, flags)?;
        let length = i64::try_from(length::<B>(count)?.get()).unwrap_or(i64::MAX);
        nix::unistd::ftruncate(&descriptor, length)?;
        let seals = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
        fcntl(&descriptor, FcntlArg::F_ADD_SEALS(seals))?;
        Self::map(descriptor, count)
    }

    /// Maps those that another process has made.
    ///
    /// # Errors
    /// `InvalidData` when the descriptor is not a memfd of the right, unchangeable size.
    pub(crate) fn open(descriptor: OwnedFd, count: NonZeroUsize) -> io::Result<Self> {
        let refused = |why| io::Error::new(io::ErrorKind::InvalidData, why);
        let seals =
            fcntl(&descriptor, FcntlArg::F_GET_SEALS).map_err(|_| refused("not a memfd"))?;
        // A file that could shrink would turn an access into a SIGBUS.
        if !SealFlag::from_bits_truncate(seals).contains(SealFlag::F_SEAL_SHRINK) {
            return Err(refused("memfd may shrink"));
        }
        let size = nix::sys::stat::fstat(&descriptor)?.st_size;
        if usize::try_from(size).ok() != Some(length::<B>(count)?.get()) {
            return Err(refused("memfd has another size"));
        }
        Self::map(descriptor, count)
    }

    #[expect(unsafe_code, reason = "shared memory is mapped by address")]
    fn map(descriptor: OwnedFd, count: NonZeroUsize) -> io::Result<Self> {
        let length = length::<B>(count)?;
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
            count,
        })
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.count.get()
    }

    /// One of them; a number past the last takes the last.
    #[expect(unsafe_code, reason = "shared memory is mapped by address")]
    pub(crate) fn get(&self, index: usize) -> &B {
        let index = index.min(self.count.get() - 1);
        // SAFETY: the mapping holds `count` blocks, is page-aligned and thus aligned for a Block,
        // lives as long as self, and all access to it is by atomics, for which any bits are valid.
        unsafe { self.base.add(index).as_ref() }
    }
}

/// Octets of so many blocks.
fn length<B>(count: NonZeroUsize) -> io::Result<NonZeroUsize> {
    let length = size_of::<B>().checked_mul(count.get());
    let length = length.and_then(NonZeroUsize::new);
    length.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

impl<B> AsFd for Blocks<B> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl<B> Drop for Blocks<B> {
    #[expect(unsafe_code, reason = "shared memory is unmapped by address")]
    fn drop(&mut self) {
        // SAFETY: the range is the one that `map` made, and no reference into it outlives self.
        // An error would leave the mapping until the process ends, which is harmless.
        let _ = unsafe { munmap(self.base.cast(), size_of::<B>() * self.count.get()) };
    }
}
