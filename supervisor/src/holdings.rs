//! What the supervisor holds for its children, so that a restarted one finds it: listening sockets,
//! log files, the journal's folder, the shared counters.

mod gauge_places;
mod open;

pub(crate) use gauge_places::GaugePlaces;
pub(crate) use open::{Orphans, check_ports};

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipc::codec;
use ipc::vrrp::Succession;
use platform::counters::SharedCounters;
use platform::gauges::SharedGauges;
use platform::privilege::Identity;
use platform::{folders, listen, memfd};
use settings::{Position, Report, Settings};

use crate::child::Load;
use crate::credentials::Credentials;
use crate::legacy::numbers;
use crate::snapshots;
use open::{open_admin, open_logs, open_slots, push_bind_error};

/// Descriptors that fit a packet beside the snapshot.
const DESCRIPTORS_MAX: usize = codec::DESCRIPTORS_MAX - 1;

/// Everything that is held.
#[derive(Debug)]
pub(crate) struct Holdings {
    /// For each address, one socket a worker slot.
    listening: BTreeMap<SocketAddr, Vec<OwnedFd>>,
    access_logs: Vec<OwnedFd>,
    notify_files: Vec<OwnedFd>,
    credentials: Credentials,
    /// The admin process's sockets: the Unix one, then the TCP one where there is one.
    admin: Vec<OwnedFd>,
    journal: OwnedFd,
    /// The workers' counters.
    pub(crate) counters: SharedCounters,
    /// Connections that the workers have with each server.
    pub(crate) gauges: SharedGauges,
    /// Whose gauge is where.
    gauge_places: GaugePlaces,
    orphans: Orphans,
}

/// The sockets and files that a new configuration needs and the old one did not.
#[derive(Debug)]
pub(crate) struct Additions {
    listening: BTreeMap<SocketAddr, Vec<OwnedFd>>,
    access_logs: Vec<OwnedFd>,
    notify_files: Vec<OwnedFd>,
    gauge_places: GaugePlaces,
    pub(crate) credentials: Credentials,
}

/// What the image before this one has left open; empty at an ordinary start.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// For each address, one socket a worker slot.
    pub(crate) listening: BTreeMap<SocketAddr, Vec<OwnedFd>>,
    /// The admin process's sockets.
    pub(crate) admin: Vec<OwnedFd>,
    /// The workers' counters.
    pub(crate) counters: Option<OwnedFd>,
    /// Who may listen besides.
    pub(crate) orphans: Orphans,
}

impl Left {
    /// Makes as many sockets of each address as there are workers.
    ///
    /// # Errors
    /// Those of socket(2) and bind(2).
    pub(crate) fn fit(&mut self, slots: u16) -> io::Result<()> {
        for (address, sockets) in &mut self.listening {
            while sockets.len() < usize::from(slots) {
                sockets.push(listen::tcp(*address)?);
            }
            sockets.truncate(usize::from(slots));
        }
        Ok(())
    }
}

/// Where things live.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The run directory.
    pub(crate) run_dir: PathBuf,
    /// The admin process's Unix socket.
    pub(crate) admin_socket: PathBuf,
    /// The journal's folder.
    pub(crate) journal: PathBuf,
}

impl Holdings {
    /// Opens what lives as long as the supervisor. The configuration's own sockets and files are
    /// [`Additions`].
    ///
    /// # Errors
    /// What is wrong, at its place in the configuration where it has one.
    pub(crate) fn open(
        settings: &Settings,
        places: &Places,
        identity: Identity,
        left: Left,
    ) -> Result<Self, Report> {
        let mut report = Report::new();
        let file = Position::of_file;
        let admin = if left.admin.is_empty() {
            open_admin(settings, places, identity, left.orphans, &mut report)
        } else {
            left.admin
        };
        let journal = folders::state(&places.journal, identity).map_err(|error| {
            report.push(
                &file(&places.journal),
                format!("cannot use the state directory: {error}"),
                "make it, or choose another with --state-dir",
            );
        });
        // An image that counted other things left memory of another size: counting begins anew.
        let counters = left.counters.map(SharedCounters::open);
        let counters = counters.and_then(Result::ok);
        let counters = counters.map_or_else(SharedCounters::create, Ok);
        let counters = counters.map_err(|error| no_memory(&mut report, &error));
        // Those of the image before this one stay with its workers, which only end what they have.
        let gauges = SharedGauges::create().map_err(|error| no_memory(&mut report, &error));
        match (journal, counters, gauges) {
            (Ok(journal), Ok(counters), Ok(gauges)) if !report.has_errors() => Ok(Self {
                listening: left.listening,
                access_logs: Vec::new(),
                notify_files: Vec::new(),
                credentials: Credentials::default(),
                admin,
                journal,
                counters,
                gauges,
                gauge_places: GaugePlaces::default(),
                orphans: left.orphans,
            }),
            _ => Err(report),
        }
    }

    /// Opens what `settings` needs beyond what is held. Nothing is changed yet.
    ///
    /// # Errors
    /// A port in use, a file that cannot be opened, too many of them: all of it, with places.
    pub(crate) fn additions(
        &self,
        settings: &Settings,
        slots: u16,
        identity: Identity,
    ) -> Result<Additions, Report> {
        let mut report = Report::new();
        let mut listening: BTreeMap<SocketAddr, Vec<OwnedFd>> = BTreeMap::new();
        for bind in settings
            .listeners
            .iter()
            .flat_map(|listener| &listener.bind)
        {
            if !self.listening.contains_key(bind.value()) {
                match open_slots(*bind.value(), slots, self.orphans) {
                    Ok(sockets) => drop(listening.insert(*bind.value(), sockets)),
                    Err(error) => push_bind_error(&mut report, bind, &error),
                }
            }
        }
        let access_logs = open_logs(&snapshots::access_logs(settings), identity, &mut report);
        let notify_files = open_logs(&snapshots::notify_files(settings), identity, &mut report);
        if snapshots::binds(settings).len() + access_logs.len() > DESCRIPTORS_MAX
            || notify_files.len() + 1 > DESCRIPTORS_MAX
        {
            let message = format!("more than {DESCRIPTORS_MAX} sockets and files for one process");
            report.push(
                settings.node.address.position(),
                message,
                "use fewer addresses",
            );
        }
        let credentials = Credentials::read(settings, &mut report);
        if report.has_errors() {
            return Err(report);
        }
        for warning in report.findings() {
            tracing::warn!("{warning}");
        }
        Ok(Additions {
            listening,
            access_logs,
            notify_files,
            gauge_places: (self.gauge_places)
                .next(settings, |place| self.gauges.sum(usize::from(place)) == 0),
            credentials,
        })
    }

    /// Takes additions over, and closes what `settings` no longer names.
    pub(crate) fn adopt(&mut self, additions: Additions, settings: &Settings) {
        // They end now, and were needed only to start beside them.
        self.orphans = Orphans::None;
        self.listening.extend(additions.listening);
        let named: BTreeSet<SocketAddr> = snapshots::binds(settings).into_iter().collect();
        self.listening.retain(|address, _| named.contains(address));
        self.access_logs = additions.access_logs;
        self.notify_files = additions.notify_files;
        self.gauge_places = additions.gauge_places;
        self.credentials = additions.credentials;
        self.tell_who_speaks_first(settings);
    }

    /// Takes over what credentials look like now that say the same.
    pub(crate) fn note(&mut self, credentials: Credentials) {
        self.credentials = credentials;
    }

    /// The certificates and keys in use.
    pub(crate) const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Clients of HTTP do; on a TCP listener servers may, so nothing is waited for.
    fn tell_who_speaks_first(&self, settings: &Settings) {
        for listener in &settings.listeners {
            let waits = listener.protocol == settings::ListenerProtocol::Http;
            let sockets = listener
                .bind
                .iter()
                .filter_map(|bind| self.listening.get(bind.value()));
            for socket in sockets.flatten() {
                if let Err(error) = listen::await_first_octets(socket, waits) {
                    tracing::warn!("listener {}: {error}", listener.name);
                }
            }
        }
    }

    /// The addresses that are listened on.
    pub(crate) fn addresses(&self) -> BTreeSet<SocketAddr> {
        self.listening.keys().copied().collect()
    }

    /// A worker's configuration. With `additions` it is for a worker that runs with what is held;
    /// without, for a new process.
    ///
    /// # Errors
    /// When a memfd cannot be made or a descriptor cannot be copied.
    pub(crate) fn proxy_load(
        &self,
        settings: &Settings,
        generation: u64,
        slot: u16,
        fresh: bool,
        additions: Option<&Additions>,
    ) -> io::Result<Arc<Load>> {
        let known = if fresh {
            BTreeSet::new()
        } else {
            self.addresses()
        };
        let places = additions.map_or(&self.gauge_places, |additions| &additions.gauge_places);
        let credentials = additions.map_or(&self.credentials, |additions| &additions.credentials);
        let snapshot = snapshots::proxy(settings, &known, places, credentials);
        let mut descriptors = vec![sealed(&snapshot)?];
        let new = snapshot
            .listeners
            .iter()
            .flat_map(|listener| &listener.binds);
        for bind in new.filter(|bind| bind.new) {
            let sockets = additions
                .and_then(|additions| additions.listening.get(&bind.address))
                .or_else(|| self.listening.get(&bind.address))
                .and_then(|sockets| sockets.get(usize::from(slot)))
                .ok_or_else(|| io::Error::other(format!("no socket for {}", bind.address)))?;
            descriptors.push(sockets.try_clone()?);
        }
        let logs = additions.map_or(&self.access_logs, |additions| &additions.access_logs);
        descriptors.extend(clone_all(logs)?);
        Ok(Arc::new(Load {
            generation,
            descriptors,
        }))
    }

    /// The notifier's configuration.
    ///
    /// # Errors
    /// As [`Holdings::proxy_load`].
    pub(crate) fn notify_load(
        &self,
        settings: &Settings,
        generation: u64,
        additions: Option<&Additions>,
    ) -> io::Result<Arc<Load>> {
        let mut descriptors = vec![
            sealed(&snapshots::notify(settings))?,
            self.journal.try_clone()?,
        ];
        let files = additions.map_or(&self.notify_files, |additions| &additions.notify_files);
        descriptors.extend(clone_all(files)?);
        Ok(Arc::new(Load {
            generation,
            descriptors,
        }))
    }

    /// The vrrp-actor's configuration.
    ///
    /// # Errors
    /// As [`Holdings::proxy_load`].
    pub(crate) fn vrrp_load(
        &self,
        settings: &Settings,
        generation: u64,
        succession: Option<Succession>,
    ) -> io::Result<Arc<Load>> {
        plain_load(generation, &snapshots::vrrp(settings, succession))
    }

    /// The numbers of the listening sockets.
    pub(crate) fn listening_numbers(&self) -> Vec<(SocketAddr, Vec<RawFd>)> {
        let listening = self.listening.iter();
        listening
            .map(|(address, sockets)| (*address, numbers(sockets)))
            .collect()
    }

    /// The numbers of the admin process's sockets.
    pub(crate) fn admin_numbers(&self) -> Vec<RawFd> {
        numbers(&self.admin)
    }

    /// What of it the next image finds open.
    pub(crate) fn kept(&self) -> Vec<BorrowedFd<'_>> {
        let sockets = self.listening.values().flatten().chain(&self.admin);
        sockets
            .map(AsFd::as_fd)
            .chain([self.counters.as_fd()])
            .collect()
    }

    /// The health-checker's configuration.
    ///
    /// # Errors
    /// As [`Holdings::proxy_load`].
    pub(crate) fn check_load(
        &self,
        settings: &Settings,
        generation: u64,
        additions: Option<&Additions>,
    ) -> io::Result<Arc<Load>> {
        let credentials = additions.map_or(&self.credentials, |additions| &additions.credentials);
        plain_load(generation, &snapshots::check(settings, credentials))
    }

    /// The admin process's configuration.
    ///
    /// # Errors
    /// As [`Holdings::proxy_load`].
    pub(crate) fn admin_load(
        &self,
        settings: &Settings,
        generation: u64,
        fresh: bool,
    ) -> io::Result<Arc<Load>> {
        let mut descriptors = vec![sealed(&snapshots::admin(settings))?];
        if fresh {
            descriptors.extend(clone_all(&self.admin)?);
        }
        Ok(Arc::new(Load {
            generation,
            descriptors,
        }))
    }

    /// Opens all log files anew, as after a rotation: the access logs and the notifier's files.
    ///
    /// # Errors
    /// What cannot be opened; the old files stay in use then.
    pub(crate) fn reopen_logs(
        &mut self,
        settings: &Settings,
        identity: Identity,
    ) -> Result<(), Report> {
        let mut report = Report::new();
        let access_logs = open_logs(&snapshots::access_logs(settings), identity, &mut report);
        let notify_files = open_logs(&snapshots::notify_files(settings), identity, &mut report);
        if report.has_errors() {
            return Err(report);
        }
        self.access_logs = access_logs;
        self.notify_files = notify_files;
        Ok(())
    }

    /// Copies of the access logs' descriptors.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(crate) fn access_logs(&self) -> io::Result<Vec<OwnedFd>> {
        clone_all(&self.access_logs)
    }

    /// Copies of the notifier's files' descriptors.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(crate) fn notify_files(&self) -> io::Result<Vec<OwnedFd>> {
        clone_all(&self.notify_files)
    }

    /// What goes with a worker's greeting.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(crate) fn proxy_greeting(&self) -> io::Result<Vec<OwnedFd>> {
        Ok(vec![
            self.counters.as_fd().try_clone_to_owned()?,
            self.gauges.as_fd().try_clone_to_owned()?,
        ])
    }
}

fn no_memory(report: &mut Report, error: &io::Error) {
    let place = Position::of_file(Path::new("memfd"));
    report.push(&place, format!("cannot share memory: {error}"), "");
}

fn plain_load<S: serde::Serialize>(generation: u64, snapshot: &S) -> io::Result<Arc<Load>> {
    Ok(Arc::new(Load {
        generation,
        descriptors: vec![sealed(snapshot)?],
    }))
}

fn sealed<S: serde::Serialize>(snapshot: &S) -> io::Result<OwnedFd> {
    let bytes = codec::encode_snapshot(snapshot).map_err(io::Error::other)?;
    memfd::sealed("evenkeel-snapshot", &bytes)
}

fn clone_all(descriptors: &[OwnedFd]) -> io::Result<Vec<OwnedFd>> {
    descriptors.iter().map(OwnedFd::try_clone).collect()
}
