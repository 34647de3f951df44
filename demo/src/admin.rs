//! Asks a node's admin socket what the node says of itself.

use std::io;
use std::path::Path;
use std::time::Duration;

use ipc::event::{Event, Severity};
use ipc::status::NodeStatus;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::answer;

/// A node that is well answers in a few milliseconds; one that is frozen, never.
const PATIENCE: Duration = Duration::from_millis(200);

/// What a node says of itself.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) status: NodeStatus,
    /// In the order of their numbers.
    pub(crate) events: Vec<Numbered>,
}

/// An entry of a node's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Numbered {
    /// Counts up, over restarts too.
    pub(crate) seq: u64,
    pub(crate) event: Event,
}

/// An entry as the node writes it: on one level, with the kind of the event by name and its fields
/// beside it.
#[derive(Debug, Deserialize)]
struct Flat {
    seq: u64,
    at_unix_ms: u64,
    severity: Severity,
    event: String,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl Flat {
    /// `None` for a kind of event that is not known here.
    fn rebuild(self) -> Option<Numbered> {
        let mut fields = self.fields;
        fields.insert("at_unix_ms".to_owned(), self.at_unix_ms.into());
        let tagged = Map::from_iter([(self.event.clone(), Value::Object(fields))]);
        let what = serde_json::from_value(Value::Object(tagged))
            // A kind without fields is its name alone.
            .or_else(|_| serde_json::from_value(Value::String(self.event)))
            .ok()?;
        Some(Numbered {
            seq: self.seq,
            event: Event {
                at_unix_ms: self.at_unix_ms,
                severity: self.severity,
                what,
            },
        })
    }
}

/// Asks for status and events.
///
/// # Errors
/// `TimedOut` when there is no answer in time; those of the socket; `InvalidData`.
pub(crate) async fn report(socket: &Path) -> io::Result<Report> {
    let asking = async {
        Ok(Report {
            status: get(socket, "/api/v1/status").await?,
            events: get::<Vec<Flat>>(socket, "/api/v1/events")
                .await?
                .into_iter()
                .filter_map(Flat::rebuild)
                .collect(),
        })
    };
    timeout(PATIENCE, asking)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn get<T: DeserializeOwned>(socket: &Path, path: &str) -> io::Result<T> {
    let mut stream = UnixStream::connect(socket).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let answer = answer::ask(&mut stream, request.as_bytes(), &mut false).await?;
    if answer.status != 200 {
        return Err(io::Error::other(format!("status {}", answer.status)));
    }
    Ok(serde_json::from_slice(&answer.body)?)
}

#[cfg(test)]
mod tests {
    use ipc::event::What;
    use ipc::lifecycle::Role;
    use ipc::status::RouterState;

    use super::*;

    fn event(json: &str) -> Option<What> {
        let flat: Flat = serde_json::from_str(json).unwrap();
        flat.rebuild().map(|numbered| numbered.event.what)
    }

    #[test]
    fn events_are_rebuilt() {
        let died = r#"{"seq":7,"at_unix_ms":5,"severity":"error","event":"process_died",
            "role":"proxy","slot":1,"how":"signal 9"}"#;
        assert_eq!(
            event(died),
            Some(What::ProcessDied {
                role: Role::Proxy,
                slot: 1,
                how: "signal 9".into()
            })
        );
        let ill = r#"{"seq":8,"at_unix_ms":5,"severity":"error","event":"proxy_ill"}"#;
        assert_eq!(event(ill), Some(What::ProxyIll));
        let transition = r#"{"seq":9,"at_unix_ms":5,"severity":"warning","event":"transition",
            "router":"gateway-a","from":"BACKUP","to":"MASTER","priority":100,
            "cause":"master timed out","addresses":["192.168.0.105"],"planned":false}"#;
        let Some(What::Transition(transition)) = event(transition) else {
            panic!("not a transition");
        };
        assert_eq!(
            (transition.to, transition.at_unix_ms),
            (RouterState::Master, 5)
        );
    }

    #[test]
    fn an_unknown_event_is_passed_over() {
        let unknown = r#"{"seq":9,"at_unix_ms":5,"severity":"info","event":"eclipse","of":"sun"}"#;
        assert_eq!(event(unknown), None);
    }
}
