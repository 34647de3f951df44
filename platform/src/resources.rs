//! What a process may run out of: descriptors and memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use nix::sys::resource::{Resource, getrlimit};

/// The most descriptors that this process may have open.
///
/// # Errors
/// Those of getrlimit(2).
pub fn descriptors_max() -> io::Result<u64> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(soft)
}

/// How many descriptors this process has open. Before Linux 6.2 that takes a look at each of them.
///
/// # Errors
/// When /proc is not there, or there is no descriptor left for a look.
pub fn descriptors_open() -> io::Result<u64> {
    let folder = "/proc/self/fd";
    let count = std::fs::metadata(folder)?.size();
    if count > 0 {
        return Ok(count);
    }
    let listed = std::fs::read_dir(folder)?.count();
    Ok(u64::try_from(listed).unwrap_or(u64::MAX))
}

/// Memory, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What could be had without swapping, or without reaching the limit.
    pub available: u64,
    /// All there is, or the limit.
    pub total: u64,
}

/// Files that tell of memory, opened once: there might be no descriptor left when it matters.
#[derive(Debug)]
pub struct MemoryGauge {
    machine: Option<File>,
    group: Option<Group>,
}

/// The control group (version 2) of this process, where it has a limit.
#[derive(Debug)]
struct Group {
    max: File,
    current: File,
    stat: Option<File>,
}

/// Octets that are read of such a file. What is looked for stands in front of that.
const READ_MAX: usize = 4096;

impl MemoryGauge {
    /// Opens what there is.
    pub fn open() -> Self {
        Self {
            machine: File::open("/proc/meminfo").ok(),
            group: Group::open(),
        }
    }

    /// What is left, of the machine or of the control group, whichever has less in proportion; `None`
    /// where neither tells.
    pub fn read(&self) -> Option<Memory> {
        let machine = self
            .machine
            .as_ref()
            .and_then(text)
            .as_deref()
            .and_then(machine_memory);
        let group = self.group.as_ref().and_then(Group::read);
        let share = |memory: &Memory| {
            u128::from(memory.available) * u128::from(u32::MAX) / u128::from(memory.total.max(1))
        };
        machine.into_iter().chain(group).min_by_key(share)
    }
}

impl Group {
    fn open() -> Option<Self> {
        let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let folder = Path::new("/sys/fs/cgroup").join(path);
        let file = |name: &str| File::open(folder.join(name)).ok();
        Some(Self {
            max: file("memory.max")?,
            current: file("memory.current")?,
            stat: file("memory.stat"),
        })
    }

    fn read(&self) -> Option<Memory> {
        let number = |file: &File| text(file)?.trim().parse::<u64>().ok();
        // "max" is no number, and no limit.
        let total = number(&self.max)?;
        let stat = self.stat.as_ref().and_then(text).unwrap_or_default();
        // Pages of files that the kernel takes back before anything else.
        let cached = field(&stat, "inactive_file ").unwrap_or(0);
        let used = number(&self.current)?.saturating_sub(cached);
        Some(Memory {
            available: total.saturating_sub(used),
            total,
        })
    }
}

/// What /proc/meminfo says (proc_meminfo(5)).
fn machine_memory(text: &str) -> Option<Memory> {
    let octets = |name| field(text, name).map(|kib| kib.saturating_mul(1024));
    Some(Memory {
        available: octets("MemAvailable:")?,
        total: octets("MemTotal:")?,
    })
}

/// The number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

fn text(file: &File) -> Option<String> {
    let mut octets = vec![0; READ_MAX];
    let count = file.read_at(&mut octets, 0).ok()?;
    octets.truncate(count);
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_counted() {
        let before = descriptors_open().unwrap();
        let more: Vec<_> = (0..100).map(|_| File::open("/dev/null").unwrap()).collect();
        let after = descriptors_open().unwrap();
        // Other tests of this process open and close some.
        assert!(after > before.saturating_add(50), "{before}, {after}");
        assert!(after <= descriptors_max().unwrap());
        drop(more);
    }

    #[test]
    fn memory_of_this_machine_is_known() {
        let memory = MemoryGauge::open().read().unwrap();
        assert!(memory.available <= memory.total, "{memory:?}");
        assert!(memory.total > 1 << 20, "{memory:?}");
    }

    #[test]
    fn meminfo_is_understood() {
        let text = "MemTotal:       16384 kB\nMemFree:  12 kB\nMemAvailable:    4096 kB\n";
        let expected = Memory {
            available: 4 << 20,
            total: 16 << 20,
        };
        assert_eq!(machine_memory(text), Some(expected));
        assert_eq!(machine_memory("MemTotal: 1 kB\n"), None);
    }
}
