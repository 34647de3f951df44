//! Which processes there are, by the network namespace that they are in. What the nodes' processes
//! do, or that they cannot do anything any more, is seen here, not told by them.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A living process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// The number of its network namespace.
    pub(crate) place: u64,
    /// Stopped by a signal.
    pub(crate) frozen: bool,
    pub(crate) title: Title,
}

/// What a process calls itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Title {
    /// `evenkeel: ROLE` or `evenkeel: ROLE SLOT`.
    Child { role: String, slot: u16 },
    /// Anything else: the supervisor, or a script that a node runs.
    Other(String),
}

/// All living processes that can be seen. One that ends while it is looked at is left out.
///
/// # Errors
/// When there is no `/proc`.
pub(crate) fn all() -> io::Result<Vec<Process>> {
    let entries = fs::read_dir("/proc")?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(look_at).collect())
}

fn look_at(pid: u32) -> Option<Process> {
    let folder = Path::new("/proc").join(pid.to_string());
    let place = fs::metadata(folder.join("ns/net")).ok()?.ino();
    let state = state(&fs::read_to_string(folder.join("stat")).ok()?)?;
    let title = title(&fs::read(folder.join("cmdline")).ok()?);
    (!matches!(state, 'Z' | 'X')).then_some(Process {
        pid,
        place,
        frozen: matches!(state, 'T' | 't'),
        title,
    })
}

/// The state in `/proc/PID/stat`: behind the name, which is in brackets and may contain any.
fn state(stat: &str) -> Option<char> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.trim_start().chars().next()
}

fn title(arguments: &[u8]) -> Title {
    let first = arguments.split(|octet| *octet == 0).next();
    let first = String::from_utf8_lossy(first.unwrap_or_default());
    let Some(said) = first.strip_prefix("evenkeel: ") else {
        return Title::Other(first.into_owned());
    };
    let (role, slot) = said.split_once(' ').unwrap_or((said, "0"));
    Title::Child {
        role: role.to_owned(),
        slot: slot.trim().parse().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_say_role_and_slot() {
        let child = |role: &str, slot| Title::Child {
            role: role.into(),
            slot,
        };
        for (arguments, expected) in [
            ("evenkeel: proxy 1\0", child("proxy", 1)),
            ("evenkeel: vrrp\0", child("vrrp", 0)),
            ("evenkeel: proxy x\0", child("proxy", 0)),
            (
                "/usr/sbin/evenkeel\0run\0",
                Title::Other("/usr/sbin/evenkeel".into()),
            ),
            ("", Title::Other(String::new())),
        ] {
            assert_eq!(title(arguments.as_bytes()), expected, "{arguments:?}");
        }
    }

    #[test]
    fn the_state_is_behind_the_name() {
        for (stat, expected) in [
            ("12 (evenkeel-proxy) S 1 12", Some('S')),
            ("12 (odd) R) T 1 12", Some('T')),
            ("12", None),
        ] {
            assert_eq!(state(stat), expected, "{stat}");
        }
    }

    #[test]
    fn this_process_is_seen() {
        let processes = all().expect("there is a /proc");
        let this = processes
            .iter()
            .find(|process| process.pid == std::process::id())
            .expect("this test runs");
        assert!(!this.frozen);
    }
}
