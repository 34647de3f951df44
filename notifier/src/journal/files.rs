//! The journal's files: their names, when they change, and what a crash may have left. No I/O.

use super::line::Entry;

/// The file that is written.
pub(crate) const ACTIVE: &str = "events.jsonl";

/// Its size in octets beyond which it is put aside.
const SIZE_MAX: u64 = 10 * 1024 * 1024;

/// How many files that were put aside are kept.
const KEPT: u32 = 5;

/// How much of the end of a file is looked at after a start. Longer than any line: a packet of 64
/// KiB grows at most sixfold when all of it has to be escaped.
pub(crate) const TAIL_MAX: u64 = 1024 * 1024;

/// The files in the order in which they were written, the active one last.
pub(crate) fn oldest_first() -> Vec<String> {
    let mut names: Vec<String> = (1..=KEPT).rev().map(put_aside).collect();
    names.push(ACTIVE.into());
    names
}

/// Whether a file of `size` octets is put aside before `more` octets are added.
pub(crate) fn is_full(size: u64, more: u64) -> bool {
    size > 0 && size.saturating_add(more) > SIZE_MAX
}

/// The renames, in order, that put the active file aside. The first one overwrites the oldest.
pub(crate) fn rotation() -> Vec<(String, String)> {
    let older = (1..KEPT).rev().map(|n| (put_aside(n), put_aside(n + 1)));
    older.chain([(ACTIVE.into(), put_aside(1))]).collect()
}

fn put_aside(number: u32) -> String {
    format!("{ACTIVE}.{number}")
}

/// What the end of a file says after a start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Octets at the end that are no whole line: a write that a crash has torn.
    pub(crate) torn: usize,
    /// The number of the last entry that can be read.
    pub(crate) last_seq: Option<u64>,
}

/// Looks at the last octets of a file.
pub(crate) fn examine_tail(end: &[u8]) -> Tail {
    let whole = end
        .iter()
        .rposition(|octet| *octet == b'\n')
        .map_or(0, |at| at + 1);
    Tail {
        torn: end.len() - whole,
        last_seq: end[..whole]
            .rsplit(|octet| *octet == b'\n')
            .find_map(|line| Entry::parse(line).ok())
            .map(|entry| entry.seq),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    #[test]
    fn a_torn_end_is_found() {
        let line = |seq| {
            let mut entry = examples::master();
            entry.seq = seq;
            entry.to_line().unwrap() + "\n"
        };
        let (one, two) = (line(1), line(2));
        let cases = [
            ("empty", String::new(), 0, None),
            ("whole", format!("{one}{two}"), 0, Some(2)),
            ("torn", format!("{one}{}", &two[..20]), 20, Some(1)),
            (
                "without line feed",
                format!("{one}{}", two.trim_end()),
                two.len() - 1,
                Some(1),
            ),
            ("only torn", two[..9].to_owned(), 9, None),
            ("zeros after a crash", format!("{one}\0\0\0\n"), 0, Some(1)),
            (
                "begins within a line",
                format!("{}{two}", &one[9..]),
                0,
                Some(2),
            ),
        ];
        for (name, end, torn, last_seq) in cases {
            assert_eq!(
                examine_tail(end.as_bytes()),
                Tail { torn, last_seq },
                "{name}"
            );
        }
    }

    #[test]
    fn files_change_at_their_size() {
        let cases = [
            (0, SIZE_MAX + 1, false),
            (1, SIZE_MAX, true),
            (SIZE_MAX - 5, 5, false),
            (SIZE_MAX, 1, true),
        ];
        for (size, more, full) in cases {
            assert_eq!(is_full(size, more), full, "{size} + {more}");
        }
    }

    #[test]
    fn five_are_kept() {
        let renames = rotation();
        assert_eq!(renames.len(), 5);
        assert_eq!(
            renames[0],
            ("events.jsonl.4".into(), "events.jsonl.5".into())
        );
        assert_eq!(renames[4], ("events.jsonl".into(), "events.jsonl.1".into()));
        assert_eq!(oldest_first().first().unwrap(), "events.jsonl.5");
        assert_eq!(oldest_first().last().unwrap(), ACTIVE);
    }
}
