//! To run when it is time, whatever else the machine does: real-time scheduling and memory that
//! stays in memory.

use std::fmt;
use std::io;

use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

/// The lowest real-time priority: above everything ordinary, below what others have chosen to be
/// more urgent.
const PRIORITY: libc::c_int = 1;

/// The most favourable that nice(1) knows.
const NICENESS: libc::c_int = -20;

/// A real-time process that works for so long without ever waiting is not what it should be. Ended,
/// it leaves the machine to those who can do something about it. In microseconds.
const WORK_US_MAX: u64 = 2_000_000;

/// What was permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realtime {
    /// How this process is scheduled.
    pub scheduling: Scheduling,
    /// Whether its memory is locked; else, why not.
    pub locked: Result<(), String>,
}

/// How a process is scheduled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// Before all ordinary processes (SCHED_FIFO).
    Fifo,
    /// As an ordinary process that gets more time than others.
    Nice,
    /// As any other, for this reason.
    Ordinary(String),
}

impl fmt::Display for Realtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scheduling {
            Scheduling::Fifo => write!(f, "SCHED_FIFO, priority {PRIORITY}")?,
            Scheduling::Nice => write!(f, "nice {NICENESS}")?,
            Scheduling::Ordinary(why) => write!(f, "ordinary priority ({why})")?,
        }
        match &self.locked {
            Ok(()) => f.write_str(", memory locked"),
            Err(why) => write!(f, ", memory not locked ({why})"),
        }
    }
}

/// Raises the priority of this process and locks its memory, as far as is permitted. To be called
/// before other threads exist and before privileges are dropped: both stay. Programs and threads
/// that are started later have ordinary priority.
pub fn begin() -> Realtime {
    Realtime {
        scheduling: schedule(),
        locked: lock_memory().map_err(|error| error.to_string()),
    }
}

fn schedule() -> Scheduling {
    let Err(error) = schedule_fifo() else {
        return Scheduling::Fifo;
    };
    match schedule_nice() {
        Ok(()) => Scheduling::Nice,
        Err(_) => Scheduling::Ordinary(error.to_string()),
    }
}

#[expect(unsafe_code, reason = "scheduling policies have no safe form")]
fn schedule_fifo() -> io::Result<()> {
    // The guard first: nobody is real-time without it.
    setrlimit(Resource::RLIMIT_RTTIME, WORK_US_MAX, WORK_US_MAX)?;
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    let parameters = libc::sched_param {
        sched_priority: PRIORITY,
    };
    // SAFETY: the parameters are read during the call alone; 0 is this thread.
    let outcome = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    Ok(Errno::result(outcome).map(drop)?)
}

#[expect(unsafe_code, reason = "priorities have no safe form")]
fn schedule_nice() -> io::Result<()> {
    // SAFETY: it takes numbers alone; 0 is this process.
    let outcome = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
    Ok(Errno::result(outcome).map(drop)?)
}

/// All memory, now and later. Only without a limit: at a limit, later requests would fail once
/// privileges are gone, and a stack that cannot grow ends the process.
fn lock_memory() -> io::Result<()> {
    setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY)?;
    Ok(mlockall(
        MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE,
    )?)
}
