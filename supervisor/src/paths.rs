//! Where things lie.

use std::io;
use std::path::{Path, PathBuf};

/// The control socket's name in the run directory.
pub(crate) const CONTROL_SOCKET: &str = "control.sock";
/// The admin socket's name in the run directory.
pub(crate) const ADMIN_SOCKET: &str = "admin.sock";
/// The pid file's name in the run directory.
pub(crate) const PID_FILE: &str = "evenkeel.pid";

/// The folder of the children's programs in an installed system.
const LIBEXEC: &str = "/usr/libexec/evenkeel";

/// This program as it is installed, even when the file that is running was replaced since.
///
/// # Errors
/// When it cannot be told.
pub(crate) fn own() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let text = own.to_string_lossy();
    // So the kernel marks a file that is no longer there.
    Ok(text
        .strip_suffix(" (deleted)")
        .map_or_else(|| own.clone(), PathBuf::from))
}

/// Finds a program: beside this one (a build tree), else where it is installed.
///
/// # Errors
/// When this program's own path cannot be told.
pub(crate) fn program(name: &str) -> io::Result<PathBuf> {
    let own = own()?;
    let beside = own.parent().unwrap_or(Path::new("/")).join(name);
    if beside.exists() {
        Ok(beside)
    } else {
        Ok(Path::new(LIBEXEC).join(name))
    }
}
