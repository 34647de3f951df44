//! One directory, held open: files in it are named relative to its descriptor, so that a process
//! without rights on the path above it can work in it, and nothing outside it can be named.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};

/// The mode of files made here: written by their owner, read by the group.
const FILE_MODE: Mode = Mode::from_bits_truncate(0o640);

/// An open directory.
#[derive(Debug)]
pub struct Directory {
    descriptor: OwnedFd,
}

impl Directory {
    /// Takes over a descriptor.
    ///
    /// # Errors
    /// `NotADirectory` when it is of something else; those of fstat(2).
    pub fn from_descriptor(descriptor: OwnedFd) -> io::Result<Self> {
        let file = File::from(descriptor);
        if !file.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            descriptor: file.into(),
        })
    }

    /// Another handle on the same directory.
    ///
    /// # Errors
    /// Those of fcntl(2).
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            descriptor: self.descriptor.try_clone()?,
        })
    }

    /// Opens the file `name` for reading.
    ///
    /// # Errors
    /// Those of openat(2); `InvalidInput` when `name` is a path.
    pub fn open(&self, name: &str) -> io::Result<File> {
        self.open_with(name, OFlag::O_RDONLY)
    }

    /// Opens the file `name` for reading and appending; makes it when there is none.
    ///
    /// # Errors
    /// Those of openat(2); `InvalidInput` when `name` is a path.
    pub fn open_append(&self, name: &str) -> io::Result<File> {
        self.open_with(name, OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT)
    }

    /// Reads the first `limit` octets of the file `name`.
    ///
    /// # Errors
    /// Those of openat(2) and read(2).
    pub fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.open(name)?.take(limit).read_to_end(&mut content)?;
        Ok(content)
    }

    /// Puts `content` in the place of the file `name` in one step: whoever reads, and whatever is
    /// there after a loss of power, is the old content or the new one. Blocks until it is on disk.
    ///
    /// # Errors
    /// Those of openat(2), write(2), fdatasync(2) and renameat(2); the old content is untouched then.
    pub fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let draft = format!("{name}.new");
        let mut file = self.open_with(&draft, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC)?;
        file.write_all(content)?;
        file.sync_data()?;
        self.rename(&draft, name)
    }

    /// Renames a file within the directory; one that has the name already is replaced.
    ///
    /// # Errors
    /// Those of renameat(2); `InvalidInput` when a name is a path.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (checked(from)?, checked(to)?);
        Ok(renameat(&self.descriptor, from, &self.descriptor, to)?)
    }

    /// Removes the file `name`. That there is none is no error.
    ///
    /// # Errors
    /// Those of unlinkat(2); `InvalidInput` when `name` is a path.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.descriptor, checked(name)?, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until renamed, made and removed names are on disk.
    ///
    /// # Errors
    /// Those of fsync(2).
    pub fn sync(&self) -> io::Result<()> {
        Ok(fsync(&self.descriptor)?)
    }

    fn open_with(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let descriptor = openat(&self.descriptor, checked(name)?, flags, FILE_MODE)?;
        Ok(File::from(descriptor))
    }
}

/// A name is one component: nothing above or below the directory can be meant.
fn checked(name: &str) -> io::Result<&str> {
    if name.is_empty() || name == "." || name == ".." || name.contains('/') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{name:?} is not a file name"),
        ));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn directory() -> (tempfile::TempDir, Directory) {
        let place = tempfile::tempdir().unwrap();
        let descriptor = File::open(place.path()).unwrap().into();
        (place, Directory::from_descriptor(descriptor).unwrap())
    }

    #[test]
    fn content_is_replaced_and_read_back() {
        let (place, directory) = directory();
        directory.replace("cursor", b"1").unwrap();
        directory.replace("cursor", b"22").unwrap();
        assert_eq!(directory.read("cursor", 10).unwrap(), b"22");
        assert_eq!(directory.read("cursor", 1).unwrap(), b"2");
        let names = std::fs::read_dir(place.path()).unwrap().count();
        assert_eq!(names, 1, "no draft is left");
    }

    #[test]
    fn files_are_not_for_everybody() {
        let (place, directory) = directory();
        directory.open_append("events").unwrap();
        let mode = std::fs::metadata(place.path().join("events")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o137, 0);
    }

    #[test]
    fn only_names_in_the_directory_can_be_said() {
        let (_place, directory) = directory();
        for name in ["", ".", "..", "../x", "/etc/passwd", "a/b"] {
            let error = directory.open_append(name).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name}");
        }
        directory.remove("none").unwrap();
    }

    #[test]
    fn a_file_is_no_directory() {
        let file = tempfile::tempfile().unwrap();
        assert!(Directory::from_descriptor(file.into()).is_err());
    }
}
