//! Starting programs: the image that was opened at the start, with one socket and nothing else.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
pub use nix::sys::signal::Signal;
use nix::sys::signal::{SigSet, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::privilege::Identity;
use crate::seqpacket::SeqPacket;

/// The environment variable that tells a child the number of its socket.
const SOCKET_VARIABLE: &str = "EVENKEEL_SOCKET";

/// A program file, held open: what it starts stays the same when the file is replaced on disk.
#[derive(Debug)]
pub struct Image {
    file: File,
}

impl Image {
    /// Opens the program at `path`.
    ///
    /// # Errors
    /// Those of open(2); `PermissionDenied` when it is not executable.
    pub fn open(path: &Path) -> io::Result<Self> {
        nix::unistd::access(path, nix::unistd::AccessFlags::X_OK)?;
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let file = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(path)?;
        Ok(Self { file })
    }

    /// Starts the program with `socket` as its only descriptor
    /// beside the standard ones. `title` is what `ps` shows. It gets a
    /// process group of its own (a Ctrl-C on the terminal is the supervisor's to handle), a clean
    /// environment and no standard input. Its standard output and error are the supervisor's.
    ///
    /// # Errors
    /// Those of fork(2) and execve(2).
    pub fn start(&self, title: &str, socket: SeqPacket) -> io::Result<Child> {
        let mut command =
            std::process::Command::new(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        command
            .arg0(title)
            .env_clear()
            .stdin(Stdio::null())
            .process_group(0);
        // Time zones, colours and back traces are harmless and wanted; the rest of the environment
        // is not the children's.
        for name in ["TZ", "RUST_BACKTRACE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        hand_over(&mut command, &socket);
        Command::from(command).spawn()
    }
}

#[expect(
    unsafe_code,
    reason = "a descriptor is made inheritable between fork and exec"
)]
fn hand_over(command: &mut std::process::Command, socket: &SeqPacket) {
    let socket = socket.as_raw_fd();
    command.env(SOCKET_VARIABLE, socket.to_string());
    // SAFETY: the closure runs in the child between fork and exec, calls only fcntl, which is
    // async-signal-safe, and allocates nothing; the parent keeps the socket open until then.
    unsafe {
        command.pre_exec(move || {
            let socket = BorrowedFd::borrow_raw(socket);
            fcntl(socket, FcntlArg::F_SETFD(FdFlag::empty()))?;
            Ok(())
        });
    }
}

/// Takes the socket that [`Image::start`] has handed over. To be called once, first thing.
///
/// # Errors
/// `InvalidInput` when there is none: the program was started by hand.
#[expect(
    unsafe_code,
    reason = "an inherited descriptor is known by its number alone"
)]
pub fn inherited_socket() -> io::Result<SeqPacket> {
    let number: RawFd = std::env::var(SOCKET_VARIABLE)
        .ok()
        .and_then(|number| number.parse().ok())
        .filter(|number| *number > 2)
        .ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: borrowed for the one question whether it is open at all.
    fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_GETFD)?;
    // SAFETY: it is open, and this runs once at the start of a child, before anything else opens
    // descriptors: it was inherited, and nobody in this process owns it yet.
    SeqPacket::from_descriptor(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Makes `log` this process's standard error.
///
/// # Errors
/// Those of dup2(2).
pub fn replace_stderr(log: impl AsFd) -> io::Result<()> {
    Ok(nix::unistd::dup2_stderr(log)?)
}

/// A command that runs for an operator (a track script, a notification) as `identity`, without a
/// shell, in a process group of its own, with an environment of `PATH` alone.
pub fn script<S: AsRef<OsStr>>(argv: &[S], identity: Option<Identity>) -> Option<Command> {
    let (program, arguments) = argv.split_first()?;
    let mut command = std::process::Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .stdin(Stdio::null())
        .process_group(0)
        .current_dir("/");
    if let Some(identity) = identity {
        // The standard library also clears the supplementary groups when it runs as root.
        command.uid(identity.uid).gid(identity.gid);
    }
    Some(Command::from(command))
}

/// Sends `signal` to a whole process group.
///
/// # Errors
/// `NotFound` when it is gone.
pub fn kill_group(pid: u32, signal: Signal) -> io::Result<()> {
    let group = i32::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    killpg(Pid::from_raw(group), signal).map_err(|error| match error {
        nix::Error::ESRCH => io::ErrorKind::NotFound.into(),
        other => other.into(),
    })
}

/// Raises the limit of open descriptors as far as it goes, for this process and those it starts.
///
/// # Errors
/// Those of setrlimit(2).
pub fn raise_descriptor_limit() -> io::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

/// This machine's host name.
///
/// # Errors
/// `InvalidData` when it is not text.
pub fn host_name() -> io::Result<String> {
    nix::unistd::gethostname()?
        .into_string()
        .map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Whether this user could execute the file at `path`.
///
/// # Errors
/// Those of access(2): `NotFound`, `PermissionDenied`.
pub fn executable(path: &Path) -> io::Result<()> {
    Ok(nix::unistd::access(path, nix::unistd::AccessFlags::X_OK)?)
}

/// Becomes another program: the same process, with `descriptors` kept open at their numbers. The
/// operator's signals wait until the program releases them ([`release_signals`]).
/// Returns only when that failed, with the reason; the descriptors are as before then.
pub fn become_program(
    program: &Path,
    arguments: &[OsString],
    variable: (&str, &str),
    descriptors: &[BorrowedFd<'_>],
) -> io::Error {
    let inheritable = |flag: FdFlag| {
        descriptors
            .iter()
            .try_for_each(|descriptor| fcntl(descriptor, FcntlArg::F_SETFD(flag)).map(drop))
    };
    if let Err(error) = inheritable(FdFlag::empty()) {
        return error.into();
    }
    let mut command = std::process::Command::new(program);
    command.args(arguments).env(variable.0, variable.1);
    let error = match hold_signals() {
        Ok(()) => command.exec(),
        Err(error) => error,
    };
    let restored = inheritable(FdFlag::FD_CLOEXEC)
        .map_err(io::Error::from)
        .and_then(|()| release_signals());
    restored.err().unwrap_or(error)
}

/// Takes over a descriptor that the program before this one in the same process has left open.
///
/// # Errors
/// `InvalidInput` when the number is that of a standard stream; EBADF when it is not open.
#[expect(
    unsafe_code,
    reason = "an inherited descriptor is known by its number alone"
)]
pub fn inherited_descriptor(number: RawFd) -> io::Result<OwnedFd> {
    if number <= 2 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: borrowed for the one question whether it is open at all.
    fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_GETFD)?;
    // SAFETY: it is open, and the caller names each number that it was left once, at its start.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl(&descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(descriptor)
}

/// Closes what the caller has left open besides the standard streams: it would be held open, and
/// reach every program that is started. To be called before other threads exist, once everything that
/// was meant to be inherited is taken over.
///
/// # Errors
/// When /proc is not there.
#[expect(
    unsafe_code,
    reason = "an inherited descriptor is known by its number alone"
)]
pub fn close_foreign() -> io::Result<()> {
    let numbers: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    for number in numbers {
        // SAFETY: borrowed for the one question; the directory's own is closed again, which is an
        // error.
        let flags = fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_GETFD);
        if flags.is_ok_and(|flags| !FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC)) {
            // SAFETY: it is open, and nobody in this process owns it: everything that this program
            // opens or takes over is close-on-exec.
            drop(unsafe { OwnedFd::from_raw_fd(number) });
        }
    }
    Ok(())
}

/// Whether a child that the program before this one has started has ended; it is reaped then. One that
/// is no child of ours, or was reaped already, has.
pub fn has_ended(pid: u32) -> bool {
    let Ok(pid) = i32::try_from(pid) else {
        return true;
    };
    waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) != Ok(WaitStatus::StillAlive)
}

/// The signals by which an operator speaks to the supervisor.
fn operator_signals() -> SigSet {
    [
        Signal::SIGHUP,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGTERM,
        Signal::SIGINT,
    ]
    .into_iter()
    .collect()
}

/// Lets the operator's signals wait until [`release_signals`]: before there is a handler, each of
/// them would end the process, a rotation of logs as well as a stop. To be called before other
/// threads exist, and with no program started until the release: threads and programs inherit it.
///
/// # Errors
/// Those of sigprocmask(2).
pub fn hold_signals() -> io::Result<()> {
    Ok(operator_signals().thread_block()?)
}

/// Delivers what waits, and what comes, to the handlers that are there now.
///
/// # Errors
/// Those of sigprocmask(2).
pub fn release_signals() -> io::Result<()> {
    Ok(operator_signals().thread_unblock()?)
}
