//! Reading a file as text, within a limit.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The text of a file of at most `octets_max` octets, or why there is none. What is longer (a disk,
/// a log, given by mistake) is not read to its end.
pub(crate) fn read_text(path: &Path, octets_max: u64) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut octets = Vec::new();
    let length =
        (file.take(octets_max + 1).read_to_end(&mut octets)).map_err(|error| error.to_string())?;
    if u64::try_from(length).is_ok_and(|length| length > octets_max) {
        return Err(format!("it is longer than {octets_max} octets"));
    }
    String::from_utf8(octets).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..good).unwrap_or_default();
        let line = before.iter().filter(|&&octet| octet == b'\n').count() + 1;
        format!("line {line} is not UTF-8")
    })
}
