//! A node: the real programs in a namespace of their own, and what can be done to them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use platform::isolate::{self, Ending};
use platform::process::Signal;
use platform::topology::{self, Namespace};

use crate::action::Action;
use crate::configuration;
use crate::network::{INTERFACE, Machine};
use crate::processes::{self, Process, Title};

/// How often the processes of a node are looked for anew while signals are sent: processes that
/// are started meanwhile are caught in the next round.
const ROUNDS_MAX: usize = 10;
/// How much of a node's log is shown when it does not start.
const LOG_LINES: usize = 12;

/// A node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) machine: Machine,
    namespace: Namespace,
    /// The number of the namespace.
    place: u64,
    program: PathBuf,
    folder: PathBuf,
    /// The supervisor, from its start until its end was seen.
    supervisor: Option<u32>,
    /// How the supervisor ended last.
    pub(crate) ending: Option<Ending>,
    /// It was told to stop.
    pub(crate) stopping: bool,
}

impl Node {
    /// Writes the node's files below `scratch`; starts nothing.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn new(
        machine: Machine,
        namespace: Namespace,
        program: &Path,
        scratch: &Path,
        sole_user: bool,
    ) -> io::Result<Self> {
        let folder = scratch.join(machine.name);
        fs::create_dir_all(&folder)?;
        for part in ["run", "state"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let notifications = folder.join("state/notifications.log");
        fs::write(
            folder.join("evenkeel.toml"),
            configuration::text(sole_user, &notifications),
        )?;
        Ok(Self {
            machine,
            place: namespace.number()?,
            namespace,
            program: program.to_owned(),
            folder,
            supervisor: None,
            ending: None,
            stopping: false,
        })
    }

    /// The socket of its admin process.
    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.folder.join("run/admin.sock")
    }

    /// Its processes among `all`.
    pub(crate) fn own<'a>(&self, all: &'a [Process]) -> impl Iterator<Item = &'a Process> {
        let place = self.place;
        all.iter().filter(move |process| process.place == place)
    }

    /// Whether any of its processes among `all` can do anything.
    pub(crate) fn is_alive(&self, all: &[Process]) -> bool {
        self.own(all).any(|process| !process.frozen)
    }

    /// The process id of its supervisor.
    pub(crate) const fn supervisor(&self) -> Option<u32> {
        self.supervisor
    }

    /// The addresses on its interface, from the kernel.
    ///
    /// # Errors
    /// Those of entering the namespace and asking.
    pub(crate) fn addresses(&self) -> io::Result<Vec<Ipv4Addr>> {
        self.namespace.run(|| topology::addresses(INTERFACE))?
    }

    /// A process ended that nobody else waits for.
    pub(crate) fn handle_end(&mut self, pid: u32, ending: Ending) {
        if self.supervisor == Some(pid) {
            self.supervisor = None;
            self.ending = Some(ending);
            self.stopping = false;
        }
    }

    /// The last lines that it wrote.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(LOG_LINES);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Does it, and says what was done.
    ///
    /// # Errors
    /// A sentence: why not.
    pub(crate) fn perform(&mut self, action: Action) -> Result<String, String> {
        let done = match action {
            Action::Start => self.start(),
            Action::Stop => self.stop(),
            Action::KillWorker => self.signal_workers(Signal::SIGKILL, 1),
            Action::KillWorkers => self.signal_workers(Signal::SIGKILL, usize::MAX),
            Action::FreezeWorkers => self.signal_workers(Signal::SIGSTOP, usize::MAX),
            // Frozen first, so that nothing has time to react to the death of another: power is
            // cut for all at once.
            Action::Kill => self
                .signal_all(Signal::SIGSTOP)
                .and_then(|_| self.signal_all(Signal::SIGKILL)),
            Action::Freeze => self.signal_all(Signal::SIGSTOP),
            Action::Thaw => self.signal_all(Signal::SIGCONT),
        };
        done.map_err(|error| format!("{}: cannot {action}: {error}", self.machine.name))
    }

    /// Starts it; its output goes to its log.
    ///
    /// # Errors
    /// Those of starting a program; `AlreadyExists` when it runs.
    pub(crate) fn start(&mut self) -> io::Result<String> {
        let name = self.machine.name;
        if self.supervisor.is_some() {
            let why = format!("{name} is running");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        let log = File::create(self.log())?;
        let mut command = Command::new(&self.program);
        command
            .arg("run")
            .arg("-c")
            .arg(self.folder.join("evenkeel.toml"))
            .args(["--node", name])
            .arg("--run-dir")
            .arg(self.folder.join("run"))
            .arg("--state-dir")
            .arg(self.folder.join("state"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C on the terminal is not the nodes'.
            .process_group(0);
        self.namespace.place(&mut command)?;
        let pid = command.spawn()?.id();
        self.supervisor = Some(pid);
        self.ending = None;
        Ok(format!("started {name} (pid {pid})"))
    }

    fn stop(&mut self) -> io::Result<String> {
        let name = self.machine.name;
        let pid = self.supervisor.ok_or(io::ErrorKind::NotFound)?;
        isolate::signal(pid, Signal::SIGTERM)?;
        self.stopping = true;
        Ok(format!("asked {name} to stop (SIGTERM to pid {pid})"))
    }

    fn signal_workers(&self, signal: Signal, most: usize) -> io::Result<String> {
        let all = processes::all()?;
        let mut workers: Vec<_> = self
            .own(&all)
            .filter_map(|process| match &process.title {
                Title::Child { role, slot } if role == "proxy" => Some((*slot, process.pid)),
                _ => None,
            })
            .collect();
        workers.sort_unstable();
        workers.truncate(most);
        if workers.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "there is no worker",
            ));
        }
        for (_, pid) in &workers {
            send(*pid, signal)?;
        }
        let named = |(slot, pid): &(u16, u32)| format!("{slot} (pid {pid})");
        let workers: Vec<String> = workers.iter().map(named).collect();
        Ok(format!(
            "{} proxy worker {} of {}",
            past_tense(signal),
            workers.join(" and "),
            self.machine.name
        ))
    }

    /// Reaches the supervisor first, since it starts others.
    fn signal_all(&self, signal: Signal) -> io::Result<String> {
        let mut reached = BTreeSet::new();
        for _ in 0..ROUNDS_MAX {
            let all = processes::all()?;
            let mut new: Vec<u32> = self.own(&all).map(|process| process.pid).collect();
            new.retain(|pid| !reached.contains(pid));
            if new.is_empty() {
                break;
            }
            new.sort_by_key(|pid| (self.supervisor != Some(*pid), *pid));
            for pid in new {
                send(pid, signal)?;
                reached.insert(pid);
            }
        }
        if reached.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it is not running"));
        }
        Ok(format!(
            "{} {} ({signal} to all {} processes)",
            past_tense(signal),
            self.machine.name,
            reached.len()
        ))
    }
}

const fn past_tense(signal: Signal) -> &'static str {
    match signal {
        Signal::SIGKILL => "killed",
        Signal::SIGSTOP => "froze",
        Signal::SIGCONT => "thawed",
        _ => "signalled",
    }
}

/// A process that has just ended needs no signal.
fn send(pid: u32, signal: Signal) -> io::Result<()> {
    match isolate::signal(pid, signal) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        sent => sent,
    }
}
