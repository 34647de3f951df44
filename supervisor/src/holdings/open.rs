//! Opening what is held: each failure at its place in the configuration.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;

use platform::privilege::Identity;
use platform::{daemon, listen};
use settings::{Position, Report, Settings};

use super::Places;

/// Whether workers of an instance that died may still listen: for two seconds, so that clients are
/// served while the addresses move. Their ports are shared with them then; otherwise a port on which
/// somebody listens is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Orphans {
    /// There is no trace of any.
    #[default]
    None,
    /// The last instance did not end in good order.
    Possible,
}

/// One socket a slot, after a look whether somebody else listens there: with SO_REUSEPORT we would
/// share the port with any other process of the same user without noticing.
pub(super) fn open_slots(
    address: SocketAddr,
    slots: u16,
    orphans: Orphans,
) -> io::Result<Vec<OwnedFd>> {
    probe(address, orphans)?;
    (0..slots).map(|_| listen::tcp(address)).collect()
}

fn probe(address: SocketAddr, orphans: Orphans) -> io::Result<()> {
    match orphans {
        Orphans::None => listen::probe_tcp(address),
        Orphans::Possible => Ok(()),
    }
}

/// Says at its place in the configuration why an address cannot be listened on.
pub(super) fn push_bind_error(
    report: &mut Report,
    bind: &settings::Spanned<SocketAddr>,
    error: &io::Error,
) {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "stop the program that listens there (`ss -ltnp` shows it)",
        io::ErrorKind::PermissionDenied => "ports below 1024 need root",
        _ => "",
    };
    let message = format!("cannot listen on {}: {}", bind.value(), describe(error));
    report.push(bind.position(), message, advice);
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the port is in use".into(),
        _ => error.to_string(),
    }
}

/// What can be told about the ports of a configuration without opening anything for good.
pub(crate) fn check_ports(
    settings: &Settings,
    held: &BTreeSet<SocketAddr>,
    orphans: Orphans,
    report: &mut Report,
) {
    let binds = settings
        .listeners
        .iter()
        .flat_map(|listener| &listener.bind);
    for bind in binds.chain(&settings.admin.bind) {
        if !held.contains(bind.value())
            && let Err(error) = probe(*bind.value(), orphans)
        {
            push_bind_error(report, bind, &error);
        }
    }
}

/// The admin process's sockets; what cannot be opened is in the report.
pub(super) fn open_admin(
    settings: &Settings,
    places: &Places,
    identity: Identity,
    orphans: Orphans,
    report: &mut Report,
) -> Vec<OwnedFd> {
    let mut sockets = Vec::new();
    match listen::unix(&places.admin_socket, 0o660) {
        Ok(socket) => sockets.push(socket),
        Err(error) => report.push(
            &Position::of_file(&places.admin_socket),
            format!("cannot listen on the admin socket: {error}"),
            "",
        ),
    }
    if let Err(error) = std::os::unix::fs::chown(&places.admin_socket, None, Some(identity.gid)) {
        tracing::warn!(
            "cannot give the admin socket to group {}: {error}",
            identity.gid
        );
    }
    if let Some(bind) = &settings.admin.bind {
        match probe(*bind.value(), orphans).and_then(|()| listen::tcp(*bind.value())) {
            Ok(socket) => sockets.push(socket),
            Err(error) => push_bind_error(report, bind, &error),
        }
    }
    sockets
}

/// Log files, in their order; what cannot be opened is in the report.
pub(super) fn open_logs<P: AsRef<Path>>(
    paths: &[P],
    identity: Identity,
    report: &mut Report,
) -> Vec<OwnedFd> {
    let mut files = Vec::new();
    for path in paths.iter().map(AsRef::as_ref) {
        match daemon::open_log(path, identity) {
            Ok(file) => files.push(file),
            Err(error) => report.push(
                &Position::of_file(path),
                format!("cannot open the log file: {error}"),
                "make the folder, or choose another path",
            ),
        }
    }
    files
}
