//! Going to the background, and being there once only.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
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
    umask(Mode::from_bits_truncate(0o027));
    let null = null()?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok(Side::Background(Ready { pipe: write.into() }))
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
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC).bits())
            .open(path)?;
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((mut file, _)) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid)?;
                return Err(PidFileError::Running(pid.trim().to_owned()));
            }
        };
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "{}", std::process::id())?;
        Ok(Self {
            path: path.to_owned(),
            lock,
        })
    }

    /// Takes over the pid file that the program before this one in the same process has held.
    ///
    /// # Errors
    /// When the descriptor is not that of a file that can be locked.
    pub fn adopt(path: &Path, descriptor: OwnedFd) -> Result<Self, PidFileError> {
        match Flock::lock(File::from(descriptor), FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self {
                path: path.to_owned(),
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

    /// The process that holds the pid file at `path`; `None` when there is none.
    ///
    /// # Errors
    /// Those of open(2), except that a missing file is nobody.
    pub fn holder(path: &Path) -> io::Result<Option<u32>> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut pid = String::new();
        Read::by_ref(&mut file).take(32).read_to_string(&mut pid)?;
        match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Ok(_) => Ok(None),
            Err(_) => Ok(pid.trim().parse().ok()),
        }
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

/// Opens a log file for appending, making its folder when it is missing; both belong to the given
/// user, who may be told to open it again.
///
/// # Errors
/// Those of mkdir(2), open(2) and chown(2).
pub fn open_log(path: &Path, owner: crate::privilege::Identity) -> io::Result<OwnedFd> {
    if let Some(folder) = path.parent()
        && !folder.exists()
    {
        std::fs::create_dir_all(folder)?;
        std::os::unix::fs::chown(folder, Some(owner.uid), Some(owner.gid))?;
    }
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NOCTTY).bits())
        .open(path)?;
    std::os::unix::fs::fchown(file.as_fd(), Some(owner.uid), Some(owner.gid))?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_taken_once() {
        let path = std::env::temp_dir().join(format!("evenkeel-pid-{}", std::process::id()));
        assert_eq!(PidFile::holder(&path).unwrap(), None);
        let held = PidFile::take(&path).unwrap();
        let own = std::process::id();
        assert_eq!(PidFile::holder(&path).unwrap(), Some(own));
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
        assert_eq!(PidFile::holder(&path).unwrap(), None);
        assert!(PidFile::take(&path).is_ok());
    }
}
