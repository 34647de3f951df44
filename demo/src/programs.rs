//! Where the programs are, and where the demonstration may put its files.

use std::io;
use std::path::{Path, PathBuf};

/// Directories of every system that an empty file system can lie over, in the order of preference.
const SCRATCHES: &[&str] = &["/mnt", "/srv", "/media", "/tmp"];

/// Places that are known before anything is started.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The `evenkeel` that the nodes run.
    pub(crate) evenkeel: PathBuf,
    /// The directory that is covered, inside, by a file system in memory.
    pub(crate) scratch: &'static Path,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramsError {
    #[error("there is no evenkeel beside {0}; build all programs first (cargo build --workspace)")]
    NoEvenkeel(PathBuf),
    #[error("none of /mnt, /srv, /media and /tmp is a directory apart from the programs")]
    NoScratch,
    #[error("cannot find this program's own file: {0}")]
    Lost(#[from] io::Error),
}

impl Programs {
    /// Looks beside this program, then where an installed system has `evenkeel`.
    pub(crate) fn find() -> Result<Self, ProgramsError> {
        let this = std::env::current_exe()?;
        let candidates = [
            this.with_file_name("evenkeel"),
            this.join("../../../sbin/evenkeel"),
        ];
        let found = candidates.iter().find_map(|path| path.canonicalize().ok());
        let Some(evenkeel) = found else {
            return Err(ProgramsError::NoEvenkeel(this));
        };
        let scratch =
            scratch_apart_from(&evenkeel, Path::is_dir).ok_or(ProgramsError::NoScratch)?;
        Ok(Self { evenkeel, scratch })
    }
}

/// The first directory whose covering does not hide `program`.
fn scratch_apart_from(program: &Path, is_dir: impl Fn(&Path) -> bool) -> Option<&'static Path> {
    SCRATCHES
        .iter()
        .map(Path::new)
        .find(|scratch| is_dir(scratch) && !program.starts_with(scratch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_are_never_hidden() {
        for (program, without, scratch) in [
            ("/usr/sbin/evenkeel", "", Some("/mnt")),
            ("/mnt/c/target/debug/evenkeel", "", Some("/srv")),
            ("/mntx/evenkeel", "", Some("/mnt")),
            ("/home/evenkeel", "/mnt", Some("/srv")),
        ] {
            let found = scratch_apart_from(Path::new(program), |path| path != Path::new(without));
            assert_eq!(found, scratch.map(Path::new), "{program}");
        }
        assert_eq!(scratch_apart_from(Path::new("/x"), |_| false), None);
    }
}
