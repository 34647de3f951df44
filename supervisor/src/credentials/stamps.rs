//! Whether files may have changed since.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use settings::Settings;

/// What a change of a file changes. No entry: it is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamps(BTreeMap<PathBuf, Option<Stamp>>);

/// Device, inode, size, and the times of the last changes, to the nanosecond.
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

impl Stamps {
    /// Of all files that `settings` names for TLS, as they are now; symbolic links are followed.
    pub(crate) fn of(settings: &Settings) -> Self {
        let stamp = |path: &PathBuf| {
            let meta = std::fs::metadata(path).ok()?;
            let (modified, changed) = (
                (meta.mtime(), meta.mtime_nsec()),
                (meta.ctime(), meta.ctime_nsec()),
            );
            Some((meta.dev(), meta.ino(), meta.size(), modified, changed))
        };
        let files = super::files(settings).map(|file| file.value());
        Self(files.map(|path| (path.clone(), stamp(path))).collect())
    }

    /// Of one file with this inode.
    #[cfg(test)]
    pub(crate) fn of_inode(path: &str, inode: u64) -> Self {
        let stamp = Some((0, inode, 0, (0, 0), (0, 0)));
        Self(BTreeMap::from([(path.into(), stamp)]))
    }
}
