//! Supervisor and notifier.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::{Event, Severity};
use crate::lifecycle::{Child, Role};

/// The notifier's types.
#[derive(Debug)]
pub enum Notify {}

impl Child for Notify {
    const ROLE: Role = Role::Notify;
    type Snapshot = NotifySnapshot;
    type To = ToNotify;
    type From = FromNotify;
}

/// Everything that the notifier has to know. With its `Prepare` come, behind the memfd, the
/// directory of the journal (an open directory descriptor that the notifier may write in), then one
/// file opened for appending for each file sink, in the order of `sinks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifySnapshot {
    /// The cluster's name.
    pub cluster: String,
    /// This node's name.
    pub node: String,
    /// Who is told.
    pub sinks: Vec<SinkSpec>,
}

/// One sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkSpec {
    /// Its name.
    pub name: String,
    /// How it is told.
    pub kind: SinkKind,
    /// Virtual routers whose transitions it gets (those that name it in `notify`).
    pub routers: Vec<String>,
    /// Classes of events it gets ([`crate::event::What::class`]).
    pub classes: Vec<String>,
    /// What is below is not sent.
    pub severity_min: Severity,
    /// What is older when it could be sent is given up.
    pub age_max: Duration,
}

/// How a sink is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SinkKind {
    /// A line in a file, which the supervisor has opened.
    File {
        /// Its path, for messages.
        path: String,
    },
    /// A datagram to the local syslog socket.
    Syslog {
        /// 0 to 23.
        facility: u8,
        /// The tag.
        tag: String,
    },
    /// A mail.
    Mail(MailSpec),
    /// A short message by an HTTP gateway.
    Sms(SmsSpec),
    /// A POST with JSON.
    Webhook {
        /// Where to.
        url: String,
        /// More header fields.
        headers: Vec<(String, String)>,
        /// Key of the HMAC-SHA256 signature.
        secret: Option<String>,
        /// Until an answer counts as missing.
        timeout: Duration,
    },
    /// A program, called with keepalived's arguments behind its own.
    Exec {
        /// Program and arguments.
        command: Vec<String>,
        /// Until it is ended.
        timeout: Duration,
    },
}

/// How mail is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailSpec {
    /// Host name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// The name said in EHLO; `None`: the host name.
    pub helo: Option<String>,
    /// The sender.
    pub from: String,
    /// The receivers.
    pub to: Vec<String>,
    /// Until an answer counts as missing.
    pub timeout: Duration,
}

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MailTls {
    /// Not.
    None,
    /// By STARTTLS, which must succeed.
    StartTls,
    /// From the beginning.
    Implicit,
}

/// How a short message is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsSpec {
    /// Receivers in E.164 form.
    pub to: Vec<String>,
    /// URL with `{to}` and `{text}`, which are percent-encoded.
    pub url: String,
    /// GET or POST.
    pub method: String,
    /// Body with `{to}` and `{text}`; the encoding follows `Content-Type` (form or JSON).
    pub body: Option<String>,
    /// More header fields.
    pub headers: Vec<(String, String)>,
    /// Statuses that mean it was accepted.
    pub success_statuses: Vec<u16>,
    /// Until an answer counts as missing.
    pub timeout: Duration,
}

/// Supervisor to notifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToNotify {
    /// Something happened: the notifier writes it to the journal and tells the sinks.
    Event(Event),
    /// Sent after USR1: the file sinks were opened anew, their descriptors come along in order.
    LogsReopened,
    /// An operator wants a marked test message on one sink, or on all.
    Test {
        /// The sink's name.
        sink: Option<String>,
    },
}

/// Notifier to supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromNotify {
    /// Sent when an event is in the journal; the supervisor hands it to the admin process.
    Written {
        /// Its number.
        seq: u64,
        /// What it was.
        event: Event,
    },
    /// Sent when what waits in the queues changes, at most once a second: sink, messages waiting,
    /// last error.
    Queues(Vec<(String, u32, Option<String>)>),
}
