//! Asks a node's admin socket what the node says of itself.

use std::io;
use std::path::Path;
use std::time::Duration;

use ipc::event::Event;
use ipc::status::NodeStatus;
use serde::Deserialize;
use serde::de::DeserializeOwned;
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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Numbered {
    /// Counts up, over restarts too.
    pub(crate) seq: u64,
    #[serde(flatten)]
    pub(crate) event: Event,
}

/// Asks for status and events.
///
/// # Errors
/// `TimedOut` when there is no answer in time; those of the socket; `InvalidData`.
pub(crate) async fn report(socket: &Path) -> io::Result<Report> {
    let asking = async {
        Ok(Report {
            status: get(socket, "/api/v1/status").await?,
            events: get(socket, "/api/v1/events").await?,
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
