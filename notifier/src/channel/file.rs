//! Lines in a file that the supervisor has opened, in the words of the log that scripts for
//! keepalived write.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use ipc::event::What;
use jiff::tz::TimeZone;

use super::retry;
use crate::journal::line::Entry;
use crate::sink::delivery::Outcome;
use crate::wording;

/// An open file.
#[derive(Debug)]
pub(crate) struct FileChannel {
    file: Arc<File>,
    zone: TimeZone,
}

impl FileChannel {
    /// Writes to `file`, which must be open for appending.
    pub(crate) fn new(file: File, zone: TimeZone) -> Self {
        Self {
            file: Arc::new(file),
            zone,
        }
    }

    /// Writes the entry's line. A disk can be slow: it is done beside the event loop.
    pub(crate) async fn send(&self, entry: &Entry) -> Outcome {
        let line = line(entry, &self.zone) + "\n";
        let file = Arc::clone(&self.file);
        let written =
            tokio::task::spawn_blocking(move || (&*file).write_all(line.as_bytes())).await;
        match written {
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(error)) => retry(error.to_string()),
            Err(error) => retry(error.to_string()),
        }
    }
}

/// The line, without its line feed.
fn line(entry: &Entry, zone: &TimeZone) -> String {
    let date = wording::date(entry.event.at_unix_ms, zone);
    let node = wording::one_line(&entry.node);
    match &entry.event.what {
        What::Transition(transition) => format!(
            "{date} [{node}] evenkeel HA role state transition: INSTANCE {} {} {}",
            wording::one_line(&transition.router),
            transition.to,
            transition.priority
        ),
        What::GroupTransition(group) => format!(
            "{date} [{node}] evenkeel HA role state transition: GROUP {} {} 0",
            wording::one_line(&group.group),
            group.to
        ),
        what => format!(
            "{date} [{node}] evenkeel event: {}",
            wording::sentence(what)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    #[test]
    fn lines_are_as_documented() {
        let cases = [
            (
                examples::master(),
                "Mon Dec 14 16:27:10 UTC 2015 [proxy101] evenkeel HA role state transition: INSTANCE YN_API_GATEWAY MASTER 202",
            ),
            (
                examples::entry(1, What::ProxyIll),
                "Mon Dec 14 16:27:10 UTC 2015 [proxy101] evenkeel event: the proxy no longer serves",
            ),
        ];
        for (entry, expected) in cases {
            assert_eq!(line(&entry, &TimeZone::UTC), expected);
        }
    }
}
