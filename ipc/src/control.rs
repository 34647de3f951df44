//! Command line and supervisor: one request a connection, as a line of JSON; one answer, as a line of
//! JSON.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::status::NodeStatus;

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Request {
    /// How things are.
    Status,
    /// Read the configuration again.
    Reload,
    /// Stop; the connection stays open until the end.
    Stop {
        /// Without waiting for connections to end.
        now: bool,
    },
    /// Where the journal is.
    Journal,
    /// What is listened on, so that a check does not find our own ports in use.
    Listening,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To [`Request::Status`].
    Status {
        /// How things are.
        status: Box<NodeStatus>,
    },
    /// To [`Request::Reload`]: it is in force.
    Reloaded {
        /// What changed, a phrase each.
        changes: Vec<String>,
    },
    /// To [`Request::Reload`]: nothing has changed.
    Refused {
        /// Why, as text for the terminal.
        errors: Vec<String>,
    },
    /// To [`Request::Stop`]: it has begun.
    Stopping,
    /// To [`Request::Journal`].
    Journal {
        /// The folder.
        folder: PathBuf,
    },
    /// To [`Request::Listening`].
    Listening {
        /// The addresses.
        addresses: Vec<SocketAddr>,
    },
    /// The request was not understood.
    Misunderstood {
        /// Why.
        error: String,
    },
}
