//! Retired: processes that an image before this one has started, and that end by themselves: workers
//! with their last connections, scripts. They are children of this process still: they are reaped, and
//! killed when they are silent or take too long. When that is, [`Retirement`] decides.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use core_health::retirement::{Fault, Retirement};
use platform::process::{self, Signal, inherited_descriptor};
use platform::seqpacket::SeqPacket;
use serde::{Deserialize, Serialize};

/// Signs of life that are read in one go; more of them say no more.
const SIGNS_MAX: usize = 64;

/// One of them, as one image leaves it to the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Leaver {
    /// Its process.
    pub(crate) pid: u32,
    /// Our end of the link that it shows on that it lives; `None`: it does not.
    pub(crate) socket: Option<RawFd>,
    /// How long it may take yet.
    pub(crate) within_ms: u64,
}

impl Leaver {
    /// For a process that has `within` left.
    pub(crate) fn new(pid: u32, socket: Option<&SeqPacket>, within: Duration) -> Self {
        Self {
            pid,
            socket: socket.map(AsRawFd::as_raw_fd),
            within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Retired {
    sockets: BTreeMap<u32, SeqPacket>,
    watch: Retirement<u32>,
}

impl Retired {
    /// Takes over who was left. One whose socket is not there gives no sign, which is no fault of its.
    pub(crate) fn take(leavers: Vec<Leaver>, now: Instant) -> Self {
        let mut retired = Self {
            sockets: BTreeMap::new(),
            watch: Retirement::new(now),
        };
        for Leaver {
            pid,
            socket,
            within_ms,
        } in leavers
        {
            let socket = socket.map(inherited_descriptor).and_then(Result::ok);
            let socket = socket.map(SeqPacket::from_descriptor).and_then(Result::ok);
            let within = Duration::from_millis(within_ms);
            retired.watch.watch(pid, within, socket.is_some(), now);
            retired.sockets.extend(socket.map(|socket| (pid, socket)));
        }
        retired
    }

    /// Hears, reaps, and kills those whom nothing else would end. To be called every
    /// [`core_health::retirement::LOOK_INTERVAL`].
    pub(crate) fn look(&mut self, now: Instant) {
        for (&pid, socket) in &self.sockets {
            if has_sign(socket) {
                self.watch.handle_sign(pid, now);
            }
        }
        let pids: Vec<u32> = self.watch.left(now).map(|(pid, _)| pid).collect();
        for pid in pids.into_iter().filter(|&pid| process::has_ended(pid)) {
            self.watch.handle_ended(pid);
            self.sockets.remove(&pid);
        }
        for (pid, fault) in self.watch.handle_timeout(now) {
            let why = match fault {
                Fault::Silent(silent) => format!("is silent for {silent:?}"),
                Fault::Overdue => "does not end".into(),
            };
            tracing::warn!("process {pid} of the image before this one {why}; killing it");
            if let Err(error) = process::kill_group(pid, Signal::SIGKILL) {
                tracing::debug!("cannot kill process {pid}: {error}");
            }
        }
    }

    /// Who has not ended, for the next image.
    pub(crate) fn leavers(&self, now: Instant) -> Vec<Leaver> {
        let left = self.watch.left(now);
        left.map(|(pid, within)| Leaver::new(pid, self.sockets.get(&pid), within))
            .collect()
    }

    /// The sockets of [`Retired::leavers`].
    pub(crate) fn kept(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.values().map(AsFd::as_fd)
    }
}

/// Whether something has come: what it says is the language of another image.
fn has_sign(socket: &SeqPacket) -> bool {
    let mut buffer = [0; 64];
    let mut receive = || match socket.receive(&mut buffer) {
        Ok(packet) => packet.length > 0,
        Err(error) => error.kind() == std::io::ErrorKind::InvalidData,
    };
    (0..SIGNS_MAX).take_while(|_| receive()).count() > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use core_health::retirement::SILENCE_MAX;

    #[test]
    fn a_sign_is_whatever_comes_and_the_end_is_none() {
        let (ours, theirs) = SeqPacket::pair().unwrap();
        assert!(!has_sign(&ours));
        theirs.send(b"?", &[]).unwrap();
        theirs.send(&[0; 1024], &[]).unwrap();
        assert!(has_sign(&ours));
        assert!(!has_sign(&ours), "all was read");
        drop(theirs);
        assert!(!has_sign(&ours));
    }

    /// A process that sleeps for a minute, in a group of its own, and our end of a link to it.
    #[expect(clippy::zombie_processes, reason = "what is tested reaps it")]
    fn sleeper(held: &mut Vec<SeqPacket>) -> (u32, SeqPacket) {
        use std::os::unix::process::CommandExt as _;
        let mut command = std::process::Command::new("sleep");
        let child = command.arg("60").process_group(0).spawn().unwrap();
        let (ours, theirs) = SeqPacket::pair().unwrap();
        held.push(theirs);
        (child.id(), ours)
    }

    #[test]
    fn who_is_silent_is_killed_and_reaped_and_who_is_heard_is_left_to_the_next() {
        let mut held = Vec::new();
        let ((silent, one), (heard, other)) = (sleeper(&mut held), sleeper(&mut held));
        let start = Instant::now();
        let minute = Duration::from_secs(60);
        let mut retired = Retired::take(Vec::new(), start);
        for (pid, socket) in [(silent, one), (heard, other)] {
            retired.watch.watch(pid, minute, true, start);
            retired.sockets.insert(pid, socket);
        }
        let pids = |retired: &Retired, now| {
            let leavers = retired.leavers(now).into_iter();
            leavers.map(|one| one.pid).collect::<Vec<_>>()
        };
        let mut now = start;
        while now < start + SILENCE_MAX {
            now += core_health::retirement::LOOK_INTERVAL;
            held[1].send(b"!", &[]).unwrap();
            retired.look(now);
        }
        // The kernel takes a moment to end a process that is killed.
        while pids(&retired, now).len() > 1 {
            std::thread::yield_now();
            retired.look(now);
        }
        assert_eq!(pids(&retired, now), [heard]);
        let left = &retired.leavers(now)[0];
        assert_eq!(left.socket, Some(retired.sockets[&heard].as_raw_fd()));
        assert!(left.within_ms < 57_100, "{}", left.within_ms);
        process::kill_group(heard, Signal::SIGKILL).unwrap();
        while !pids(&retired, now).is_empty() {
            std::thread::yield_now();
            retired.look(now);
        }
        assert_eq!(retired.kept().count(), 0);
    }
}
