//! Where a sink's cursor is kept over restarts: a file of its own beside the journal, with a number
//! in it. It blocks.

use std::io;

use platform::directory::Directory;

/// Octets of the largest number and a line feed, with room to see that there is more.
const OCTETS_MAX: u64 = 32;

/// The cursor that was saved; `None` when the sink is new or the file is damaged.
///
/// # Errors
/// Those of reading.
pub(crate) fn load(directory: &Directory, sink: &str) -> io::Result<Option<u64>> {
    match directory.read(&file_name(sink), OCTETS_MAX) {
        Ok(content) => Ok(str::from_utf8(&content)
            .ok()
            .and_then(|text| text.trim_end().parse().ok())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Saves the cursor in one step.
///
/// # Errors
/// Those of writing; what was saved before is still there then.
pub(crate) fn save(directory: &Directory, sink: &str, cursor: u64) -> io::Result<()> {
    directory.replace(&file_name(sink), format!("{cursor}\n").as_bytes())
}

/// Forgets the cursor of a sink that is no longer configured.
///
/// # Errors
/// Those of unlinking.
pub(crate) fn forget(directory: &Directory, sink: &str) -> io::Result<()> {
    directory.remove(&file_name(sink))
}

/// `cursor-NAME`, with everything in the name that is not plain written as a number, so that each
/// name has a file of its own and none has a slash.
fn file_name(sink: &str) -> String {
    let mut name = String::from("cursor-");
    for octet in sink.bytes() {
        if octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_' {
            name.push(char::from(octet));
        } else {
            name.push_str(&format!("%{octet:02X}"));
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_cursor_is_kept_until_it_is_forgotten() {
        let place = tempfile::tempdir().unwrap();
        let descriptor = File::open(place.path()).unwrap().into();
        let directory = Directory::from_descriptor(descriptor).unwrap();
        assert_eq!(load(&directory, "ops-mail").unwrap(), None);
        save(&directory, "ops-mail", 7).unwrap();
        save(&directory, "ops-mail", u64::MAX).unwrap();
        assert_eq!(load(&directory, "ops-mail").unwrap(), Some(u64::MAX));
        std::fs::write(place.path().join("cursor-ops-mail"), "7x\n").unwrap();
        assert_eq!(load(&directory, "ops-mail").unwrap(), None, "damaged");
        forget(&directory, "ops-mail").unwrap();
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn each_name_has_a_file() {
        let cases = [
            ("ops-mail", "cursor-ops-mail"),
            ("a/b", "cursor-a%2Fb"),
            ("a%2Fb", "cursor-a%252Fb"),
            ("..", "cursor-%2E%2E"),
        ];
        for (sink, expected) in cases {
            assert_eq!(file_name(sink), expected);
        }
    }
}
