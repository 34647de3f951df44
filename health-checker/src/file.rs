//! One look into a track file.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// What a number counts at most, either way, as in keepalived: more moves a priority no further.
const VALUE_MAX: i64 = 254;

/// Octets that are looked at; a number is shorter.
const OCTETS_MAX: u64 = 64;

/// Why there is no number.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{}", phrase(.0))]
    Io(#[from] io::Error),
    #[error("is no file")]
    NoFile,
    #[error("contains no number")]
    NoNumber,
}

/// A number that was found, or stands for a file that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    /// -254 to 254.
    pub(crate) value: i16,
    is_absent: bool,
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_absent {
            return f.write_str("there is no such file");
        }
        write!(f, "contains {}", self.value)
    }
}

/// The error without its number.
fn phrase(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

/// Reads the number at the front of a file; `absent` counts while there is none. Blocks as long as
/// the file system does.
///
/// # Errors
/// Everything but a number.
pub(crate) fn read(path: &Path, absent: Option<i16>) -> Result<Number, Failure> {
    // Looked at before it is opened: nobody may write to a pipe for ever.
    let kind = match (fs::metadata(path), absent) {
        (Err(error), Some(value)) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Number {
                value,
                is_absent: true,
            });
        }
        (kind, _) => kind?,
    };
    if !kind.is_file() {
        return Err(Failure::NoFile);
    }
    let mut text = Vec::new();
    File::open(path)?.take(OCTETS_MAX).read_to_end(&mut text)?;
    let value = number(&text).ok_or(Failure::NoNumber)?;
    Ok(Number {
        value,
        is_absent: false,
    })
}

/// The whole number at the front of a text, clamped; what follows after white space is a remark.
fn number(text: &[u8]) -> Option<i16> {
    let word = text.trim_ascii_start();
    let end = word.iter().position(u8::is_ascii_whitespace);
    let word = str::from_utf8(word.get(..end.unwrap_or(word.len()))?).ok()?;
    let value: i64 = word.parse().ok()?;
    i16::try_from(value.clamp(-VALUE_MAX, VALUE_MAX)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_at_the_front_counts() {
        let cases: [(&[u8], Option<i16>); 14] = [
            (b"0", Some(0)),
            (b"20\n", Some(20)),
            (b"-20\n", Some(-20)),
            (b"+7", Some(7)),
            (b" \n\t5 percent\n", Some(5)),
            (b"254", Some(254)),
            (b"255", Some(254)),
            (b"-99999999999", Some(-254)),
            (b"", None),
            (b"\n", None),
            (b"ten", None),
            (b"10%", None),
            (b"1.5", None),
            (b"\xff\xfe", None),
        ];
        for (text, expected) in cases {
            assert_eq!(number(text), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn what_is_said_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("number"), "12\n").unwrap();
        fs::write(at("text"), "well\n").unwrap();
        fs::create_dir(at("folder")).unwrap();
        // name, what counts where it is absent, expected
        let cases = [
            ("number", None, "12: contains 12"),
            ("number", Some(3), "12: contains 12"),
            ("nothing", Some(3), "3: there is no such file"),
            ("nothing", None, "there is no such file"),
            ("text", Some(3), "contains no number"),
            ("folder", Some(3), "is no file"),
        ];
        for (name, absent, expected) in cases {
            let said = match read(&at(name), absent) {
                Ok(number) => format!("{}: {number}", number.value),
                Err(failure) => failure.to_string(),
            };
            assert_eq!(said, expected, "{name} {absent:?}");
        }
    }
}
