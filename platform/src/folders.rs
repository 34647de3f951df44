//! Folders that a privileged process makes and trusts: nobody else may put something into them.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::unistd::Uid;

use crate::privilege::Identity;

/// The write permissions of group and others.
const WRITABLE: u32 = 0o022;

/// Makes the folder of pid file and sockets, for everybody to look into, or finds it.
///
/// # Errors
/// Those of mkdir(2); `PermissionDenied` when it is a symbolic link, belongs to somebody else, or can
/// be written by others: sockets and files made there could be replaced.
pub fn run(path: &Path) -> io::Result<()> {
    let (folder, made) = make(path, 0o755)?;
    let entry = folder.metadata()?;
    if entry.uid() != Uid::effective().as_raw() {
        return Err(refused(format!("it belongs to user {}", entry.uid())));
    }
    if made {
        // Whatever the umask is.
        return folder.set_permissions(std::fs::Permissions::from_mode(0o755));
    }
    if entry.mode() & WRITABLE != 0 {
        return Err(refused("it can be written by others".into()));
    }
    Ok(())
}

/// Makes the folder in which `owner` keeps what must outlive a restart, or finds it and gives it to
/// `owner`.
///
/// # Errors
/// Those of mkdir(2) and chown(2); `PermissionDenied` when it is a symbolic link, or a folder that
/// everybody may write, such as /tmp.
pub fn state(path: &Path, owner: Identity) -> io::Result<OwnedFd> {
    let (folder, _) = make(path, 0o750)?;
    if folder.metadata()?.mode() & 0o002 != 0 {
        return Err(refused("it can be written by everybody".into()));
    }
    std::os::unix::fs::fchown(&folder, Some(owner.uid), Some(owner.gid))?;
    Ok(folder.into())
}

/// The folder, and whether it was not there before.
fn make(path: &Path, mode: u32) -> io::Result<(File, bool)> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).create(parent)?;
    }
    let made = match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    if std::fs::symlink_metadata(path)?.is_symlink() {
        return Err(refused("it is a symbolic link".into()));
    }
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let folder = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    Ok((folder, made))
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_run_folder_is_ours_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("above").join("run");
        run(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o755);
        run(&path).unwrap();

        let link = place.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(run(&link).is_err());
        std::fs::write(place.path().join("file"), "").unwrap();
        assert!(run(&place.path().join("file")).is_err());
        for mode in [0o775, 0o757, 0o1777] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = run(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{mode:o}");
        }
    }

    #[test]
    fn a_state_folder_is_given_away_only_when_it_may_be() {
        let place = tempfile::tempdir().unwrap();
        let owner = Identity {
            uid: Uid::effective().as_raw(),
            gid: nix::unistd::Gid::effective().as_raw(),
        };
        let path = place.path().join("state");
        state(&path, owner).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o750);
        let link = place.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(state(&link, owner).is_err());
        set_permissions(&path, Permissions::from_mode(0o1777)).unwrap();
        assert!(state(&path, owner).is_err());
    }
}
