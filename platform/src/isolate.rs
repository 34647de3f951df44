//! A world of its own for a program that starts others and must leave nothing behind, however it
//! ends: new user, process, mount and network namespaces.
//!
//! The program divides in two. The half outside waits; the half inside is process 1 of the new
//! world and adopts its orphans. When the inside ends, the kernel kills everything in the world and
//! removes its networks and its file system; when the outside ends first, even by SIGKILL, the
//! kernel kills the inside.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::exit;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{ForkResult, Pid, fork, getegid, geteuid, pipe2};

use crate::privilege;

/// Why there is no world of its own.
#[derive(Debug, thiserror::Error)]
pub enum IsolationError {
    /// An ordinary user may not make a user namespace here.
    #[error(
        "this needs root or a user namespace, and user namespaces are forbidden here. {advice}"
    )]
    Forbidden {
        /// What an administrator can do about it, a sentence.
        advice: &'static str,
    },
    /// Root, but not really: a container.
    #[error(
        "root may not make namespaces here: in a container, start the container privileged, or run this outside"
    )]
    Contained,
    /// A call failed.
    #[error("cannot {what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        error: io::Error,
    },
}

/// Which half of the program goes on.
#[derive(Debug)]
pub enum Half {
    /// The one that waits.
    Outside(Inside),
    /// Process 1 of the new world.
    Inside,
}

/// The half inside, seen from outside.
#[derive(Debug)]
pub struct Inside {
    pid: Pid,
    /// Its end tells an inside that has not yet asked for a death signal.
    _held: OwnedFd,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this exit status.
    Exit(i32),
    /// By this signal.
    Signal(Signal),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(status) => write!(f, "exit status {status}"),
            Self::Signal(signal) => write!(f, "signal {}", *signal as i32),
        }
    }
}

/// Divides the program, as root or as an ordinary user, who becomes root inside. To be called while
/// the process has one thread. Afterwards the half outside can start neither threads nor processes;
/// the half inside has no interface but a dead loopback, and must call [`furnish`].
///
/// # Errors
/// [`IsolationError`].
pub fn divide() -> Result<Half, IsolationError> {
    let threads = std::fs::read_dir("/proc/self/task").map_err(failed("count the threads"))?;
    if threads.count() != 1 {
        let error = io::Error::other("it has several threads");
        return Err(failed("divide this program")(error));
    }
    leave_the_host()?;
    halve().map_err(failed("start process 1"))
}

fn leave_the_host() -> Result<(), IsolationError> {
    let spaces = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNET;
    if privilege::is_root() {
        return unshare(spaces).map_err(|errno| match errno {
            Errno::EPERM => IsolationError::Contained,
            other => failed("make namespaces")(other.into()),
        });
    }
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | spaces).map_err(|errno| user_failed(errno.into()))?;
    // A user who is not root may map nobody but himself, and only after giving up setgroups(2).
    let map = |file, content: String| std::fs::write(file, content).map_err(user_failed);
    map("/proc/self/setgroups", "deny".into())?;
    map("/proc/self/uid_map", format!("0 {user} 1"))?;
    map("/proc/self/gid_map", format!("0 {group} 1"))
}

#[expect(unsafe_code, reason = "fork has no safe form")]
fn halve() -> io::Result<Half> {
    let (heard, held) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: the caller has checked that there is no other thread, so no lock can be held by one
    // that does not exist in the child.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(Half::Outside(Inside {
            pid: child,
            _held: held,
        })),
        ForkResult::Child => {
            drop(held);
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The signal comes for a death from now on; one before has closed the pipe.
            let mut watched = [PollFd::new(heard.as_fd(), PollFlags::empty())];
            if poll(&mut watched, PollTimeout::ZERO)? != 0 {
                exit(1);
            }
            Ok(Half::Inside)
        }
    }
}

/// Gives the world inside what it needs of a file system: its own `/proc`, and an empty file system
/// in memory (64 MiB) over the directory `scratch`. Nothing of it is seen outside.
///
/// # Errors
/// [`IsolationError`].
pub fn furnish(scratch: &Path) -> Result<(), IsolationError> {
    let none = None::<&str>;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(none, "/", none, private, none)
        .map_err(|errno| failed("make mounts private")(errno.into()))?;
    mount(Some("proc"), "/proc", Some("proc"), plain, none)
        .map_err(|errno| failed("mount /proc")(errno.into()))?;
    let limits = Some("size=64m,mode=0755");
    mount(Some("tmpfs"), scratch, Some("tmpfs"), plain, limits)
        .map_err(|errno| failed("mount a file system in memory")(errno.into()))
}

impl Inside {
    /// Sends it a signal.
    ///
    /// # Errors
    /// `NotFound` when it is gone.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        send(self.pid, signal)
    }

    /// Whether it has ended, and how. To be asked until it has, and not again.
    ///
    /// # Errors
    /// Those of waitid(2).
    pub fn poll_end(&self) -> io::Result<Option<Ending>> {
        Ok(ended(Id::Pid(self.pid))?.map(|(_, ending)| ending))
    }
}

/// Takes note of children and adopted orphans that have ended, all of them; for a process 1, which
/// waits for none of them by another way.
///
/// # Errors
/// Those of waitid(2).
pub fn reap() -> io::Result<Vec<(u32, Ending)>> {
    let mut all = Vec::new();
    loop {
        match ended(Id::All) {
            Ok(Some((pid, ending))) => all.push((pid.as_raw().unsigned_abs(), ending)),
            Ok(None) => return Ok(all),
            Err(error) if error.raw_os_error() == Some(Errno::ECHILD as i32) => return Ok(all),
            Err(error) => return Err(error),
        }
    }
}

fn ended(which: Id<'_>) -> io::Result<Option<(Pid, Ending)>> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
    Ok(match waitid(which, flags)? {
        WaitStatus::Exited(pid, status) => Some((pid, Ending::Exit(status))),
        WaitStatus::Signaled(pid, signal, _) => Some((pid, Ending::Signal(signal))),
        _ => None,
    })
}

/// Sends `signal` to one process.
///
/// # Errors
/// `NotFound` when there is none; `InvalidInput` for what means more than one process.
pub fn signal(pid: u32, signal: Signal) -> io::Result<()> {
    match i32::try_from(pid) {
        Ok(pid) if pid > 0 => send(Pid::from_raw(pid), signal),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn send(pid: Pid, signal: Signal) -> io::Result<()> {
    kill(pid, signal).map_err(|errno| match errno {
        Errno::ESRCH => io::ErrorKind::NotFound.into(),
        other => other.into(),
    })
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> IsolationError {
    move |error| IsolationError::System { what, error }
}

/// What a refused user namespace means. ENOSPC is how the kernel says that the number of user
/// namespaces is limited to none.
fn user_failed(error: io::Error) -> IsolationError {
    let refused = [Errno::EPERM, Errno::EACCES, Errno::ENOSPC];
    if refused
        .iter()
        .any(|errno| error.raw_os_error() == Some(*errno as i32))
    {
        let advice = advice(|switch| std::fs::read_to_string(switch).ok());
        IsolationError::Forbidden { advice }
    } else {
        failed("make a user namespace")(error)
    }
}

/// Which switch of this kernel forbids user namespaces; `read` returns a switch's content.
fn advice(read: impl Fn(&str) -> Option<String>) -> &'static str {
    let is = |switch, value| read(switch).is_some_and(|content| content.trim() == value);
    if is("/proc/sys/user/max_user_namespaces", "0") {
        "Run it as root, or allow them: sysctl user.max_user_namespaces=10000"
    } else if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "Run it as root, or allow them: sysctl kernel.unprivileged_userns_clone=1"
    } else if is(
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
    ) {
        "Run it as root, or allow them: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    } else {
        "Run it as root; in a container, start the container privileged"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_to_turn_is_named() {
        for (switch, value, said) in [
            (
                "/proc/sys/user/max_user_namespaces",
                "0\n",
                "user.max_user_namespaces=",
            ),
            (
                "/proc/sys/kernel/unprivileged_userns_clone",
                "0\n",
                "kernel.unprivileged_userns_clone=1",
            ),
            (
                "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
                "1\n",
                "kernel.apparmor_restrict_unprivileged_userns=0",
            ),
            (
                "/proc/sys/user/max_user_namespaces",
                "96365\n",
                "privileged",
            ),
        ] {
            let advice = advice(|asked| (asked == switch).then(|| value.to_owned()));
            assert!(advice.contains(said), "{switch} {value:?}: {advice}");
        }
    }

    #[test]
    fn no_signal_goes_to_a_group_or_to_all() {
        for pid in [0, u32::MAX] {
            let error = signal(pid, Signal::SIGCONT).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{pid}");
        }
    }

    #[test]
    fn a_program_with_threads_cannot_be_divided() {
        // The test's own thread is a second one.
        assert!(matches!(divide(), Err(IsolationError::System { .. })));
    }
}
