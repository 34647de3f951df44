//! One entry of the journal as one line of JSON. No I/O.

use ipc::event::{Event, Severity, What};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wording;

/// An event that has its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Counts up by one over the life of the journal, from 1; 0 stands for what is not in it.
    pub(crate) seq: u64,
    /// The kernel's boot identifier: entries of one boot can be told from those of another.
    pub(crate) boot: String,
    /// The node's name.
    pub(crate) node: String,
    /// What happened.
    pub(crate) event: Event,
}

/// A line that is no entry: cut off, damaged, or written by a program we do not know.
#[derive(Debug, thiserror::Error)]
#[error("not an entry of the journal: {0}")]
pub(crate) struct LineError(#[from] serde_json::Error);

/// The line's shape: what all entries have, then what this kind of event has.
#[derive(Serialize, Deserialize)]
struct Line {
    seq: u64,
    boot: String,
    /// For people and other programs; `at_unix_ms` is what is read back.
    time: String,
    at_unix_ms: u64,
    node: String,
    severity: Severity,
    event: String,
    /// The sentence, for people as well.
    #[serde(default)]
    text: String,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl Entry {
    /// The line, without its line feed.
    ///
    /// # Errors
    /// When a value cannot be JSON, which no event of ours has.
    pub(crate) fn to_line(&self) -> Result<String, LineError> {
        let (event, mut fields) = named_fields(&self.event.what)?;
        fields.remove("at_unix_ms");
        let line = Line {
            seq: self.seq,
            boot: self.boot.clone(),
            time: rfc3339(self.event.at_unix_ms),
            at_unix_ms: self.event.at_unix_ms,
            node: self.node.clone(),
            severity: self.event.severity,
            event,
            text: wording::sentence(&self.event.what),
            fields,
        };
        Ok(serde_json::to_string(&line)?)
    }

    /// Reads a line back.
    ///
    /// # Errors
    /// [`LineError`]; never panics, whatever the bytes are.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, LineError> {
        let line: Line = serde_json::from_slice(line)?;
        Ok(Self {
            seq: line.seq,
            boot: line.boot,
            node: line.node,
            event: Event {
                at_unix_ms: line.at_unix_ms,
                severity: line.severity,
                what: what_of(line.event, line.fields, line.at_unix_ms)?,
            },
        })
    }
}

/// RFC 3339 in UTC with milliseconds, as it sorts.
pub(crate) fn rfc3339(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX);
    format!("{time:.3}")
}

/// The event's name and its fields, side by side.
fn named_fields(what: &What) -> Result<(String, Map<String, Value>), serde_json::Error> {
    Ok(match serde_json::to_value(what)? {
        Value::Object(object) => match object.into_iter().next() {
            Some((name, Value::Object(fields))) => (name, fields),
            Some((name, _)) => (name, Map::new()),
            None => (String::new(), Map::new()),
        },
        Value::String(name) => (name, Map::new()),
        _ => (String::new(), Map::new()),
    })
}

/// The way back: events without fields are a word, those with fields an object in an object.
fn what_of(
    name: String,
    mut fields: Map<String, Value>,
    at_unix_ms: u64,
) -> Result<What, serde_json::Error> {
    if fields.is_empty() {
        return serde_json::from_value(Value::String(name));
    }
    if name == "transition" {
        fields.insert("at_unix_ms".into(), at_unix_ms.into());
    }
    let mut object = Map::new();
    object.insert(name, Value::Object(fields));
    serde_json::from_value(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::examples;

    #[test]
    fn lines_are_as_documented() {
        let cases = [
            (
                examples::master(),
                r#"{"seq":41,"boot":"b0","time":"2015-12-14T16:27:10.250Z","at_unix_ms":1450110430250,"node":"proxy101","severity":"warning","event":"transition","text":"virtual router YN_API_GATEWAY is MASTER with priority 202: master timed out","addresses":["192.168.0.105"],"cause":"master timed out","from":"BACKUP","planned":false,"priority":202,"router":"YN_API_GATEWAY","to":"MASTER"}"#,
            ),
            (
                examples::entry(42, What::Stopping),
                r#"{"seq":42,"boot":"b0","time":"2015-12-14T16:27:10.250Z","at_unix_ms":1450110430250,"node":"proxy101","severity":"warning","event":"stopping","text":"stopping"}"#,
            ),
            (
                examples::entry(43, What::EventsLost { count: 7 }),
                r#"{"seq":43,"boot":"b0","time":"2015-12-14T16:27:10.250Z","at_unix_ms":1450110430250,"node":"proxy101","severity":"warning","event":"events_lost","text":"7 events were lost before the journal","count":7}"#,
            ),
        ];
        for (entry, line) in cases {
            assert_eq!(entry.to_line().unwrap(), line);
        }
    }

    #[test]
    fn every_kind_of_event_is_read_back() {
        for what in examples::every_kind() {
            let entry = examples::entry(7, what);
            let line = entry.to_line().unwrap();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(Entry::parse(line.as_bytes()).unwrap(), entry, "{line}");
        }
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for line in [
            "",
            "\0\0\0",
            "{}",
            "7",
            r#"{"seq":1,"boot":"b","time":"","at_unix_ms":1,"node":"n","severity":"info","event":"no_such"}"#,
            r#"{"seq":1,"boot":"b","time":"","at_unix_ms":1,"node":"n","severity":"info","event":"server_up"}"#,
        ] {
            assert!(Entry::parse(line.as_bytes()).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_text_stays_on_its_line(reason in ".*", seq in any::<u64>()) {
            let entry = examples::entry(seq, What::ScriptChanged {
                script: "chk".into(),
                up: false,
                reason,
            });
            let line = entry.to_line().unwrap();
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(Entry::parse(line.as_bytes()).unwrap(), entry);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Entry::parse(&bytes);
        }
    }
}
