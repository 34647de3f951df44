//! Going to the background, and being there once only.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, dup2_stdin, dup2_stdout, fork, pipe2, setsid};

/// What [`background`] has made of the calling process.
#[derive(Debug)]
pub enum Side {
    /// The one that was called: the other one is ready, or says why it is not.
    Caller(Result<(), String>),
    /// The one in the background, which owes its caller a word.
    Background(Ready),
}

/// How the process in the background tells its caller how its start went.
#[derive(Debug)]
pub struct Ready {
    pipe: File,
}

impl Ready {
    /// The start is done: the caller ends with success.
    pub fn done(mut self) {
        // A caller that is gone does not want to know.
        let _ = self.pipe.write_all(b"+");
    }

    /// The start failed: the caller prints `why` and ends with failure.
    pub fn failed(mut self, why: &str) {
        let _ = self.pipe.write_all(why.as_bytes());
    }
}

/// Continues in the background: a session of its own, no terminal, no working directory, no standard
/// input and output. Standard error is still the caller's: it must be replaced before programs are
/// started that would hold it open. Must run before other threads exist. The caller waits until the background process says how its start
/// went; if that one dies without a word, this is a failure too.
///
/// # Errors
/// Those of pipe(2), fork(2) and setsid(2).
#[expect(unsafe_code, reason = "fork has no safe form")]
pub fn background() -> io::Result<Side> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: no other threads exist (the function's condition), so the child may do what it likes.
    if let ForkResult::Parent { child } = unsafe { fork()? } {
        drop(write);
        waitpid(child, None)?;
        return Ok(Side::Caller(hear(read)));
    }
    drop(read);
    setsid()?;
    // SAFETY: as above. The second fork gives up the right to gain a terminal again.
    if let ForkResult::Parent { .. } = unsafe { fork()? } {
        std::process::exit(0);
    }
    std::env::set_current_dir("/")?;
    let null = null()?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok(Side::Background(Ready { pipe: write.into() }))
}

/// Lets nobody but the owner write what this process and its scripts make, whatever the caller's
/// umask was. Who may read a file, each of ours says itself.
pub fn restrict_umask() {
    umask(Mode::from_bits_truncate(0o022));
}

/// Where what nobody reads is written.
///
/// # Errors
/// Those of open(2).
pub fn null() -> io::Result<OwnedFd> {
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    Ok(null.into())
}

fn hear(pipe: OwnedFd) -> Result<(), String> {
    let mut word = String::new();
    match File::from(pipe).take(64 * 1024).read_to_string(&mut word) {
        Ok(_) if word == "+" => Ok(()),
        Ok(0) => Err("the process in the background ended without saying why".into()),
        Ok(_) => Err(word),
        Err(error) => Err(error.to_string()),
    }
}

/// A pid file that is locked while its process lives, and removed when it ends in good order.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    was_left: bool,
    lock: Flock<File>,
}

/// Why a pid file could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum PidFileError {
    /// Another process holds it.
    #[error("it is running already, as process {0}")]
    Running(String),
    /// The file cannot be used.
    #[error("cannot use the pid file: {0}")]
    Io(#[from] io::Error),
}

impl PidFile {
    /// Takes the pid file at `path` for this process.
    ///
    /// # Errors
    /// [`PidFileError::Running`] when another living process has it.
    pub fn take(path: &Path) -> Result<Self, PidFileError> {
        let mut lock = loop {
            let lock = lock_pid_file(path)?;
            // Its last holder may have removed it between our open and our lock: then it is nobody's.
            if is_named(&lock, path)? {
                break lock;
            }
        };
        let was_left = lock.metadata()?.len() > 0;
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "{}", std::process::id())?;
        Ok(Self {
            path: path.to_owned(),
            was_left,
            lock,
        })
    }

    /// Whether its last holder did not end in good order: processes of it may still be about.
    pub const fn was_left(&self) -> bool {
        self.was_left
    }

    /// Takes over the pid file that the program before this one in the same process has held.
    ///
    /// # Errors
    /// When the descriptor is not that of a file that can be locked.
    pub fn adopt(path: &Path, descriptor: OwnedFd) -> Result<Self, PidFileError> {
        match Flock::lock(File::from(descriptor), FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self {
                path: path.to_owned(),
                was_left: false,
                lock,
            }),
            Err((_, error)) => Err(PidFileError::Io(error.into())),
        }
    }

    /// Its descriptor, to be left to the next program.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.lock.as_fd().try_clone_to_owned()
    }
}

fn lock_pid_file(path: &Path) -> Result<Flock<File>, PidFileError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(file, error)| match error {
        nix::Error::EWOULDBLOCK => {
            let mut pid = String::new();
            // Without its number it is running all the same.
            let _ = file.take(32).read_to_string(&mut pid);
            PidFileError::Running(pid.trim().to_owned())
        }
        other => PidFileError::Io(other.into()),
    })
}

/// Whether `file` is what lies at `path` now.
fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // A file that is gone already is what was wanted.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A socket to the local syslog daemon as a descriptor that takes the place of standard error:
/// each line written becomes one message, and a daemon that does not read loses lines instead of
/// holding us up.
///
/// # Errors
/// When nothing listens on /dev/log.
pub fn syslog_stream() -> io::Result<OwnedFd> {
    let socket = UnixDatagram::unbound()?;
    socket.connect("/dev/log")?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Opens a log file for appending, making it and its folder when they are missing. The file belongs
/// to the given user, the folder stays ours: a process without privileges must not be able to put
/// something else in the place of a file that is opened again with them.
///
/// # Errors
/// Those of mkdir(2), open(2) and chown(2); `InvalidInput` for what is no plain file of one name.
pub fn open_log(path: &Path, owner: crate::privilege::Identity) -> io::Result<OwnedFd> {
    if let Some(folder) = path.parent()
        && !folder.exists()
    {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(folder)?;
        std::os::unix::fs::chown(folder, None, Some(owner.gid))?;
    }
    // Without O_NONBLOCK a pipe that nobody reads would hold us up for ever.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    let opened = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(flags.bits())
        .open(path);
    let irregular = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
    let file = match opened {
        Err(error) if error.raw_os_error() == Some(nix::Error::ENXIO as i32) => {
            return Err(irregular());
        }
        opened => opened?,
    };
    let entry = file.metadata()?;
    if !entry.is_file() {
        return Err(irregular());
    }
    if entry.nlink() != 1 {
        let message = "it has another name (a hard link), and would be given away under that too";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    std::os::unix::fs::fchown(file.as_fd(), Some(owner.uid), Some(owner.gid))?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_taken_once() {
        let path = std::env::temp_dir().join(format!("evenkeel-pid-{}", std::process::id()));
        let held = PidFile::take(&path).unwrap();
        assert!(!held.was_left());
        let own = std::process::id();
        let Err(PidFileError::Running(pid)) = PidFile::take(&path) else {
            panic!("taken twice")
        };
        assert_eq!(pid, own.to_string());
        drop(held);
        assert!(!path.exists());
    }

    #[test]
    fn a_pid_file_of_the_dead_is_free() {
        let path = std::env::temp_dir().join(format!("evenkeel-stale-{}", std::process::id()));
        std::fs::write(&path, "1\n").unwrap();
        let held = PidFile::take(&path).unwrap();
        assert!(held.was_left());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        drop(held);
    }

    #[test]
    fn a_pid_file_that_was_removed_meanwhile_is_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let lock = lock_pid_file(&path).unwrap();
        assert!(is_named(&lock, &path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(!is_named(&lock, &path).unwrap());
        std::fs::write(&path, "another").unwrap();
        assert!(!is_named(&lock, &path).unwrap());
    }

    #[test]
    fn a_log_is_a_plain_file_of_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let owner = crate::privilege::Identity {
            uid: nix::unistd::Uid::effective().as_raw(),
            gid: nix::unistd::Gid::effective().as_raw(),
        };
        std::fs::write(place("plain"), "before\n").unwrap();
        let mut log = File::from(open_log(&place("plain"), owner).unwrap());
        log.write_all(b"after\n").unwrap();
        assert_eq!(
            std::fs::read_to_string(place("plain")).unwrap(),
            "before\nafter\n"
        );

        std::os::unix::fs::symlink(place("plain"), place("link")).unwrap();
        nix::unistd::mkfifo(&place("pipe"), Mode::S_IRWXU).unwrap();
        std::fs::write(place("two"), "").unwrap();
        std::fs::hard_link(place("two"), place("names")).unwrap();
        std::fs::create_dir(place("folder")).unwrap();
        for name in ["link", "pipe", "names", "folder"] {
            assert!(open_log(&place(name), owner).is_err(), "{name}");
        }
    }
}
