//! Bytes in a sealed memfd: how a snapshot that does not fit a packet travels, and stays as it was.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// A memfd with `bytes` that nobody can change any more.
///
/// # Errors
/// Those of memfd_create(2) and write(2).
pub fn sealed(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let descriptor = memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut file = File::from(descriptor);
    file.write_all(bytes)?;
    let seals = SealFlag::F_SEAL_SEAL
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_WRITE;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

/// The bytes of a sealed memfd.
///
/// # Errors
/// `InvalidData` when it is not sealed against writing, or larger than `length_max`.
pub fn read_sealed(descriptor: OwnedFd, length_max: usize) -> io::Result<Vec<u8>> {
    let seals = fcntl(&descriptor, FcntlArg::F_GET_SEALS)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a memfd"))?;
    let wanted = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
    if !SealFlag::from_bits_truncate(seals).contains(wanted) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "memfd is not sealed",
        ));
    }
    let file = File::from(descriptor);
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length > length_max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "memfd is too large",
        ));
    }
    let mut bytes = vec![0; length];
    // By position: the file and its offset are shared with all who got the same snapshot.
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_read_and_cannot_change() {
        let descriptor = sealed("test", b"snapshot").unwrap();
        let mut copy = File::from(descriptor.try_clone().unwrap());
        assert!(copy.write_all(b"x").is_err());
        assert_eq!(read_sealed(descriptor, 100).unwrap(), b"snapshot");
    }

    #[test]
    fn what_could_still_change_is_refused() {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let open = memfd_create("test", flags).unwrap();
        assert_eq!(
            read_sealed(open, 100).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let descriptor = sealed("test", b"snapshot").unwrap();
        assert_eq!(
            read_sealed(descriptor, 7).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }
}
