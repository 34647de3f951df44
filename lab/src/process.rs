//! Processes that a scenario started: found, signalled and ended by their ids alone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::{run, wait_until};

/// What is sent to processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End now.
    Kill,
    /// End in good order.
    Term,
    /// As Ctrl-C.
    Int,
    /// Read the configuration anew.
    Hup,
    /// Open log files anew.
    Usr1,
    /// Run the programs that are installed now.
    Usr2,
    /// Stop running, as a machine that hangs.
    Stop,
    /// Run on.
    Cont,
}

impl Signal {
    const fn option(self) -> &'static str {
        match self {
            Self::Kill => "-KILL",
            Self::Term => "-TERM",
            Self::Int => "-INT",
            Self::Hup => "-HUP",
            Self::Usr1 => "-USR1",
            Self::Usr2 => "-USR2",
            Self::Stop => "-STOP",
            Self::Cont => "-CONT",
        }
    }
}

/// Sends one signal to all of `pids`, with one system call each and nothing between. Processes that
/// are gone already are passed over.
pub fn signal(signal: Signal, pids: &[u32]) {
    if pids.is_empty() {
        return;
    }
    let mut command = Command::new("kill");
    command
        .arg(signal.option())
        .args(pids.iter().map(u32::to_string));
    // Fails when one of them is gone, which is no fault of the scenario.
    command
        .stderr(Stdio::null())
        .status()
        .expect("kill can be run");
}

/// A program that was started, ended when this value goes.
#[derive(Debug)]
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts `command` with both outputs in the file `log`. Call it inside a namespace
    /// ([`crate::Host::inside`]) to start the program there.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap_or_else(|error| panic!("cannot open {}: {error}", log.display()));
        let both = file.try_clone().expect("a file can be opened twice");
        command.stdin(Stdio::null()).stdout(file).stderr(both);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How it ended, when it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Sends it a signal.
    pub fn signal(&self, what: Signal) {
        signal(what, &[self.pid()]);
    }

    /// Waits until it has ended. Panics with its log when it does not in time.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let what = format!("end of process {}, log {}", self.pid(), self.log.display());
        wait_until(&what, within, || self.ended())
    }

    /// Ends it in good order and waits for it.
    pub fn stop(&mut self, within: Duration) -> ExitStatus {
        self.signal(Signal::Term);
        self.wait(within)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processes whose parent is `pid`, from /proc.
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|candidate| parent_of(*candidate) == Some(pid))
        .collect()
}

/// The parent's id: the second field behind the name, which stands in parentheses and may hold
/// anything. `None` for a process that has ended, reaped or not.
fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let mut fields = behind_name.split(' ');
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.next()?.parse().ok(),
    }
}

/// What `ps` shows of it, up to the first NUL.
pub(crate) fn title_of(pid: u32) -> Option<String> {
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let title = command_line.split(|octet| *octet == 0).next()?;
    Some(String::from_utf8_lossy(title).into_owned())
}

/// The processes in a network namespace, as `ip` lists them.
pub(crate) fn in_namespace(namespace: &str) -> Vec<u32> {
    run(&["ip", "netns", "pids", namespace])
        .lines()
        .filter_map(|line| line.trim().parse().ok())
        .collect()
}
