//! Legacy: what one image of the supervisor leaves to the next in the same process, when the programs
//! are replaced by those now installed: sockets by their numbers, and what was known.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

use ipc::codec;
use ipc::event::Event;
use ipc::vrrp::{TrackSubject, TrackVerdict};
use platform::memfd;
use platform::process::inherited_descriptor;
use serde::{Deserialize, Serialize};

use crate::retired::{Leaver, Retired};

/// The environment variable with the number of the memfd that holds it: the environment itself has
/// room for 128 KiB.
pub(crate) const VARIABLE: &str = "EVENKEEL_LEGACY";

/// What is left, as it travels: descriptors by their numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Testament {
    /// For each address, one socket a worker slot.
    pub(crate) listening: Vec<(SocketAddr, Vec<RawFd>)>,
    /// The admin process's sockets.
    pub(crate) admin: Vec<RawFd>,
    /// The control socket.
    pub(crate) control: RawFd,
    /// The pid file, locked.
    pub(crate) pid_file: RawFd,
    /// The workers' counters.
    pub(crate) counters: RawFd,
    /// Workers that still end their connections, and scripts that run. An image that left their numbers
    /// alone left nobody to be watched.
    #[serde(default)]
    pub(crate) retired: Vec<Leaver>,
    /// What was known.
    pub(crate) knowledge: Knowledge,
}

impl Testament {
    /// Writes it down for the next image.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn seal(&self) -> io::Result<OwnedFd> {
        memfd::sealed("evenkeel-testament", &serde_json::to_vec(self)?)
    }
}

/// What was known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Knowledge {
    /// The generation of the configuration.
    pub(crate) generation: u64,
    /// Whether routers may become Master.
    pub(crate) may_lead: bool,
    /// Servers: upstream, address, verdict, reason.
    pub(crate) servers: Vec<(String, SocketAddr, bool, String)>,
    /// Tracks, their verdicts and reasons. An image that knew nothing of it left nothing.
    #[serde(default)]
    pub(crate) tracks: Vec<(TrackSubject, TrackVerdict, String)>,
    /// What is in no journal yet.
    pub(crate) events: Vec<Event>,
}

/// What was left, taken over.
#[derive(Debug)]
pub(crate) struct Legacy {
    /// For each address, one socket a worker slot.
    pub(crate) listening: BTreeMap<SocketAddr, Vec<OwnedFd>>,
    /// The admin process's sockets.
    pub(crate) admin: Vec<OwnedFd>,
    /// The control socket.
    pub(crate) control: OwnedFd,
    /// The pid file, locked.
    pub(crate) pid_file: OwnedFd,
    /// The workers' counters.
    pub(crate) counters: OwnedFd,
    /// Workers that still end their connections, and scripts that run.
    pub(crate) retired: Retired,
    /// What was known.
    pub(crate) knowledge: Knowledge,
}

impl Legacy {
    /// Takes over what the environment tells of; `None` at an ordinary start. To be called once,
    /// before other descriptors are opened.
    ///
    /// # Errors
    /// When what was left is not there.
    pub(crate) fn take() -> io::Result<Option<Self>> {
        let Ok(number) = std::env::var(VARIABLE) else {
            return Ok(None);
        };
        let number = number.parse().map_err(io::Error::other)?;
        let text = memfd::read_sealed(inherited_descriptor(number)?, codec::SNAPSHOT_MAX)?;
        let testament: Testament = serde_json::from_slice(&text)?;
        let all = |numbers: Vec<RawFd>| {
            numbers
                .into_iter()
                .map(inherited_descriptor)
                .collect::<io::Result<Vec<_>>>()
        };
        let listening = testament.listening.into_iter();
        Ok(Some(Self {
            listening: listening
                .map(|(address, sockets)| Ok((address, all(sockets)?)))
                .collect::<io::Result<_>>()?,
            admin: all(testament.admin)?,
            control: inherited_descriptor(testament.control)?,
            pid_file: inherited_descriptor(testament.pid_file)?,
            counters: inherited_descriptor(testament.counters)?,
            retired: Retired::take(testament.retired, Instant::now()),
            knowledge: testament.knowledge,
        }))
    }
}

/// The numbers of descriptors.
pub(crate) fn numbers(descriptors: &[OwnedFd]) -> Vec<RawFd> {
    descriptors.iter().map(AsRawFd::as_raw_fd).collect()
}
