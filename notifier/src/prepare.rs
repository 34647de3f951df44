//! A configuration made ready: everything that can be wrong with it is found here, before anything
//! changes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use ipc::notify::{NotifySnapshot, SinkKind, SinkSpec};
use jiff::tz::TimeZone;
use platform::directory::Directory;
use rustls::ClientConfig;

use crate::channel::{Channel, Surroundings, http};
use crate::journal::writer::Writer;
use crate::journal::{Configure, ConfiguredSink};
use crate::sink::cursor;

/// Where the kernel tells one boot from another.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A configuration that can be switched to.
pub(crate) struct Prepared {
    /// Which one.
    pub(crate) generation: u64,
    /// What the journal needs.
    pub(crate) configure: Configure,
    /// What stays known of it.
    pub(crate) applied: Applied,
}

/// The configuration in force, as far as the shell needs it again.
pub(crate) struct Applied {
    /// The node's name.
    pub(crate) node: String,
    /// The journal's directory: the first one stays for good.
    pub(crate) directory: Arc<Directory>,
    /// All sinks.
    pub(crate) sinks: Vec<SinkSpec>,
    /// For channels that are opened anew.
    pub(crate) around: Surroundings,
}

/// What needs the disk.
struct Groundwork {
    directory: Arc<Directory>,
    cursors: BTreeMap<String, u64>,
    writer: Option<Writer>,
    tls: Arc<ClientConfig>,
}

/// Makes a configuration ready. `open` is the journal's directory if the journal is open already.
///
/// # Errors
/// A sentence for the operator; nothing has changed then.
pub(crate) async fn prepare(
    generation: u64,
    snapshot: NotifySnapshot,
    descriptors: Vec<OwnedFd>,
    open: Option<Arc<Directory>>,
) -> Result<Prepared, String> {
    let mut descriptors = descriptors.into_iter();
    let directory = descriptors
        .next()
        .ok_or("the journal's directory did not come along")?;
    let files = descriptors.map(File::from).collect();
    let names: Vec<String> = snapshot
        .sinks
        .iter()
        .map(|sink| sink.name.clone())
        .collect();
    let ground = tokio::task::spawn_blocking(move || lay_ground(directory, open, &names));
    let ground = ground.await.map_err(|error| error.to_string())??;
    let around = Surroundings {
        cluster: snapshot.cluster,
        zone: TimeZone::system(),
        tls: ground.tls,
    };
    let channels = open_channels(&snapshot.sinks, files, &around)?;
    let configured = snapshot.sinks.iter().cloned().zip(channels);
    Ok(Prepared {
        generation,
        configure: Configure {
            node: snapshot.node.clone(),
            directory: Arc::clone(&ground.directory),
            writer: ground.writer,
            sinks: configured
                .map(|(spec, channel)| ConfiguredSink {
                    cursor: ground.cursors.get(&spec.name).copied(),
                    spec,
                    channel,
                })
                .collect(),
        },
        applied: Applied {
            node: snapshot.node,
            directory: ground.directory,
            sinks: snapshot.sinks,
            around,
        },
    })
}

fn lay_ground(
    descriptor: OwnedFd,
    open: Option<Arc<Directory>>,
    names: &[String],
) -> Result<Groundwork, String> {
    let failed = |error: io::Error| format!("the journal cannot be opened: {error}");
    let is_open = open.is_some();
    let directory = match open {
        Some(directory) => directory,
        None => Arc::new(Directory::from_descriptor(descriptor).map_err(failed)?),
    };
    let mut cursors = BTreeMap::new();
    for name in names {
        if let Some(cursor) = cursor::load(&directory, name).map_err(failed)? {
            cursors.insert(name.clone(), cursor);
        }
    }
    let writer = if is_open {
        None
    } else {
        let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
        let seq_min = cursors.values().copied().max().unwrap_or(0);
        let directory = directory.try_clone().map_err(failed)?;
        Some(Writer::open(directory, seq_min, boot.trim().into()).map_err(failed)?)
    };
    Ok(Groundwork {
        directory,
        cursors,
        writer,
        tls: http::tls_client()?,
    })
}

/// Opens the way out of every sink; file sinks get the files in order, and there must be as many.
pub(crate) fn open_channels(
    sinks: &[SinkSpec],
    files: Vec<File>,
    around: &Surroundings,
) -> Result<Vec<Channel>, String> {
    let mut files = files.into_iter();
    let mut channels = Vec::new();
    for spec in sinks {
        let file = match spec.kind {
            SinkKind::File { .. } => files.next(),
            _ => None,
        };
        let channel = Channel::open(spec, file, around)
            .map_err(|why| format!("[notify.{}]: {why}", spec.name))?;
        channels.push(channel);
    }
    match files.count() {
        0 => Ok(channels),
        more => Err(format!("{more} files came along that no sink is for")),
    }
}
