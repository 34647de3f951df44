//! The journal's files, as the writer's thread and the readers of what sinks have missed use them.
//! All of it blocks: it runs beside the event loop.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use ipc::event::Event;
use platform::directory::Directory;

use super::files::{self, ACTIVE, TAIL_MAX};
use super::line::Entry;

/// The open journal.
#[derive(Debug)]
pub(crate) struct Writer {
    directory: Directory,
    active: File,
    size: u64,
    last_seq: u64,
    boot: String,
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) struct Written {
    /// The events with their numbers: they are told to the sinks in any case.
    pub(crate) entries: Vec<Arc<Entry>>,
    /// Why they are not in the journal, if they are not.
    pub(crate) error: Option<String>,
}

impl Writer {
    /// Opens the journal in `directory`, cuts off what a crash has torn, and continues the count.
    /// `seq_min` is a number that is known to have been given already.
    ///
    /// # Errors
    /// Those of opening, reading and truncating.
    pub(crate) fn open(directory: Directory, seq_min: u64, boot: String) -> io::Result<Self> {
        let mut active = directory.open_append(ACTIVE)?;
        let end = read_tail(&mut active)?;
        let tail = files::examine_tail(&end);
        let mut size = active.metadata()?.len();
        if tail.torn > 0 {
            let torn = u64::try_from(tail.torn).unwrap_or(u64::MAX);
            size = size.saturating_sub(torn);
            active.set_len(size)?;
            tracing::warn!("the journal's last line was torn: {torn} octets were cut off");
        }
        let last_seq = match tail.last_seq {
            Some(seq) => seq,
            None => last_seq_put_aside(&directory),
        };
        Ok(Self {
            directory,
            active,
            size,
            last_seq: last_seq.max(seq_min),
            boot,
        })
    }

    /// The number that was given last.
    pub(crate) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Numbers and writes events; they are on disk when it returns.
    pub(crate) fn write(&mut self, node: &str, events: Vec<Event>) -> Written {
        let entries: Vec<Arc<Entry>> = events
            .into_iter()
            .map(|event| {
                self.last_seq += 1;
                Arc::new(Entry {
                    seq: self.last_seq,
                    boot: self.boot.clone(),
                    node: node.to_owned(),
                    event,
                })
            })
            .collect();
        let error = self.append(&entries).err().map(|error| error.to_string());
        Written { entries, error }
    }

    fn append(&mut self, entries: &[Arc<Entry>]) -> io::Result<()> {
        let mut lines = String::new();
        for entry in entries {
            lines.push_str(&entry.to_line().map_err(io::Error::other)?);
            lines.push('\n');
        }
        let more = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if files::is_full(self.size, more) {
            self.rotate()?;
        }
        let written = self
            .active
            .write_all(lines.as_bytes())
            .and_then(|()| self.active.sync_data());
        match written {
            Ok(()) => self.size += more,
            // Half a batch must not stay: the next one would continue in the middle of a line.
            Err(_) => self.active.set_len(self.size)?,
        }
        written
    }

    fn rotate(&mut self) -> io::Result<()> {
        for (from, to) in files::rotation() {
            match self.directory.rename(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        self.active = self.directory.open_append(ACTIVE)?;
        self.size = self.active.metadata()?.len();
        self.directory.sync()
    }
}

/// The last octets of a file.
fn read_tail(file: &mut File) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL_MAX)))?;
    let mut end = Vec::new();
    file.take(TAIL_MAX).read_to_end(&mut end)?;
    Ok(end)
}

/// The last number of the newest file that was put aside, for when the active one is empty.
fn last_seq_put_aside(directory: &Directory) -> u64 {
    let newest_first = files::oldest_first().into_iter().rev().skip(1);
    newest_first
        .filter_map(|name| read_tail(&mut directory.open(&name).ok()?).ok())
        .find_map(|end| files::examine_tail(&end).last_seq)
        .unwrap_or(0)
}

/// A piece of the journal, read back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Entries that were chosen, in order.
    pub(crate) entries: Vec<Arc<Entry>>,
    /// Whether the end of the journal was reached; if not, there is more behind the last entry.
    pub(crate) complete: bool,
}

/// Reads entries behind number `after` that `chosen` says yes to, `limit` of them at most.
///
/// # Errors
/// Those of reading. A file that is not there is none; a line that is no entry is passed over.
pub(crate) fn read_after(
    directory: &Directory,
    after: u64,
    limit: usize,
    chosen: impl Fn(&Entry) -> bool,
) -> io::Result<Piece> {
    let mut entries: Vec<Arc<Entry>> = Vec::new();
    for mut file in open_all(directory)? {
        let end = files::examine_tail(&read_tail(&mut file)?);
        if end.last_seq.is_some_and(|last| last <= after) {
            continue;
        }
        file.seek(SeekFrom::Start(0))?;
        for line in BufReader::new(file).split(b'\n') {
            let Ok(entry) = Entry::parse(&line?) else {
                continue;
            };
            // A file may come twice: numbers only go up.
            let newest = entries.last().map_or(after, |last| last.seq);
            if entry.seq <= newest || !chosen(&entry) {
                continue;
            }
            if entries.len() >= limit {
                let complete = false;
                return Ok(Piece { entries, complete });
            }
            entries.push(Arc::new(entry));
        }
    }
    let complete = true;
    Ok(Piece { entries, complete })
}

/// All files, the oldest first. The newest is opened first: a rotation meanwhile then shows a file
/// twice, and never hides one.
fn open_all(directory: &Directory) -> io::Result<Vec<File>> {
    let mut open = Vec::new();
    for name in files::oldest_first().iter().rev() {
        match directory.open(name) {
            Ok(file) => open.push(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    open.reverse();
    Ok(open)
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use super::*;
    use crate::examples;

    fn directory(place: &Path) -> Directory {
        let descriptor: OwnedFd = File::open(place).unwrap().into();
        Directory::from_descriptor(descriptor).unwrap()
    }

    fn open(place: &Path, seq_min: u64) -> Writer {
        Writer::open(directory(place), seq_min, "b0".into()).unwrap()
    }

    fn events(count: usize) -> Vec<Event> {
        vec![examples::master().event; count]
    }

    fn seqs(entries: &[Arc<Entry>]) -> Vec<u64> {
        entries.iter().map(|entry| entry.seq).collect()
    }

    #[test]
    fn the_count_goes_on_over_restarts_and_torn_lines() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(ACTIVE);
        let written = open(place.path(), 0).write("proxy101", events(2));
        assert_eq!(seqs(&written.entries), [1, 2]);
        assert_eq!(written.error, None);

        let whole = std::fs::read(&path).unwrap();
        let torn = [&whole[..], br#"{"seq":3,"boo"#].concat();
        std::fs::write(&path, torn).unwrap();
        let mut writer = open(place.path(), 0);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        assert_eq!(seqs(&writer.write("proxy101", events(1)).entries), [3]);
    }

    #[test]
    fn a_lost_journal_gives_no_number_twice() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(open(place.path(), 500).last_seq(), 500);
    }

    #[test]
    fn an_empty_file_after_a_rotation_continues_the_count() {
        let place = tempfile::tempdir().unwrap();
        let mut writer = open(place.path(), 0);
        writer.write("proxy101", events(4));
        writer.rotate().unwrap();
        assert_eq!(open(place.path(), 0).last_seq(), 4);
    }

    #[test]
    fn a_reader_sees_all_files_in_order() {
        let place = tempfile::tempdir().unwrap();
        let mut writer = open(place.path(), 0);
        for _ in 0..3 {
            writer.write("proxy101", events(2));
            writer.rotate().unwrap();
        }
        writer.write("proxy101", events(1));
        let directory = directory(place.path());

        let piece = read_after(&directory, 2, 3, |entry| entry.seq != 4).unwrap();
        assert_eq!(seqs(&piece.entries), [3, 5, 6]);
        assert!(!piece.complete);
        let piece = read_after(&directory, 6, 3, |_| true).unwrap();
        assert_eq!(seqs(&piece.entries), [7]);
        assert!(piece.complete);
    }

    #[test]
    fn a_full_disk_leaves_no_half_line() {
        let place = tempfile::tempdir().unwrap();
        let mut writer = open(place.path(), 0);
        writer.write("proxy101", events(1));
        let good = std::fs::read(place.path().join(ACTIVE)).unwrap();
        let whole = std::mem::replace(
            &mut writer.active,
            File::options().append(true).open("/dev/full").unwrap(),
        );
        let written = writer.write("proxy101", events(1));
        assert_eq!(
            seqs(&written.entries),
            [2],
            "the sinks are told all the same"
        );
        assert!(written.error.is_some());

        writer.active = whole;
        assert_eq!(writer.write("proxy101", events(1)).error, None);
        let piece = read_after(&directory(place.path()), 0, 9, |_| true).unwrap();
        assert_eq!(seqs(&piece.entries), [1, 3]);
        assert!(
            std::fs::read(place.path().join(ACTIVE))
                .unwrap()
                .starts_with(&good)
        );
    }
}
