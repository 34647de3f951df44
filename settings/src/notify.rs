//! `[notify.NAME]`: who is told what happened, and how.

mod http;
mod mail;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::item::Table;
use crate::report::Spanned;

pub use http::{HttpUrl, Sms, SmsMethod, Webhook};
pub use mail::{Mail, MailTls};

/// The longest tag that RFC 3164 §4.1.3 has room for.
const TAG_OCTETS_MAX: usize = 32;

/// Somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// The name.
    pub name: String,
    /// How it is told.
    pub kind: SinkKind,
    /// What it is told of, each once. Default: transitions and contested addresses (of the virtual
    /// routers that name it).
    pub events: Vec<EventClass>,
    /// What is below is not told. Default: info.
    pub min_severity: Severity,
    /// What could not be told for so long is given up, 1 s to 30 d. Default: 1 h.
    pub max_age: Duration,
    /// Until a program or a server that does not answer has failed, 100 ms to 1 h. Default: 30 s.
    pub timeout: Duration,
}

/// A string that is not shown in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// How a sink is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkKind {
    /// A line at the end of a file.
    File(Spanned<PathBuf>),
    /// A datagram to the local syslog socket.
    Syslog(Syslog),
    /// A mail.
    Mail(Mail),
    /// A short message, by an HTTP gateway.
    Sms(Sms),
    /// A POST with JSON.
    Webhook(Webhook),
    /// A program, by its absolute path, with arguments; keepalived's follow them.
    Exec(Spanned<Vec<String>>),
}

/// A kind of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventClass {
    /// A virtual router changed its state.
    Transition,
    /// A virtual router's priority changed, and its state did not.
    Priority,
    /// Somebody else claims a virtual address.
    Contested,
    /// A process died or hung.
    Process,
    /// The node's proxy fell ill or recovered.
    Proxy,
    /// A back-end server went down or came up.
    Server,
    /// A track script's verdict changed.
    Script,
    /// A start, a stop, a reload.
    Config,
}

impl EventClass {
    const DEFAULT: [Self; 2] = [Self::Transition, Self::Contested];
    const WORDS: &[(&str, Self)] = &[
        ("transition", Self::Transition),
        ("priority", Self::Priority),
        ("contested", Self::Contested),
        ("process", Self::Process),
        ("proxy", Self::Proxy),
        ("server", Self::Server),
        ("script", Self::Script),
        ("config", Self::Config),
    ];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transition => "transition",
            Self::Priority => "priority",
            Self::Contested => "contested",
            Self::Process => "process",
            Self::Proxy => "proxy",
            Self::Server => "server",
            Self::Script => "script",
            Self::Config => "config",
        }
    }
}

/// How much a person should care, from little to much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As planned.
    Info,
    /// Worth a look.
    Warning,
    /// Something failed and was answered.
    Error,
    /// Something failed and needs a person.
    Critical,
}

impl Severity {
    const WORDS: &[(&str, Self)] = &[
        ("info", Self::Info),
        ("warning", Self::Warning),
        ("error", Self::Error),
        ("critical", Self::Critical),
    ];
}

/// The local syslog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syslog {
    /// 0 to 23, RFC 5424 §6.2.1. Default: daemon.
    pub facility: u8,
    /// 1 to 32 octets. Default: "evenkeel".
    pub tag: String,
}

/// The facilities, each at its number.
const FACILITIES: &[(&str, u8)] = &[
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

impl Sink {
    pub(crate) fn read(name: &str, mut table: Table<'_>) -> Option<Self> {
        let kind = SinkKind::read(&mut table);
        let events = table.or("events", EventClass::DEFAULT.to_vec(), |item| {
            let mut events = item.filled_list(|item| item.one_of(EventClass::WORDS))?;
            events.sort_unstable();
            events.dedup();
            Some(events)
        });
        let min_severity = table.or("min_severity", Severity::Info, |item| {
            item.one_of(Severity::WORDS)
        });
        let max_age = table.or("max_age", Duration::from_secs(3_600), |item| {
            item.duration(Duration::from_secs(1)..=Duration::from_secs(30 * 86_400))
        });
        let timeout = table.or("timeout", Duration::from_secs(30), |item| {
            item.duration(Duration::from_millis(100)..=Duration::from_secs(3_600))
        });
        table.finish();
        Some(Self {
            name: name.to_owned(),
            kind: kind?,
            events: events?,
            min_severity: min_severity?,
            max_age: max_age?,
            timeout: timeout?,
        })
    }
}

impl Sink {
    /// Whether it is told of more than the routers that name it.
    pub(crate) fn hears_more(&self) -> bool {
        let is_of_routers = |class: &EventClass| match class {
            EventClass::Transition | EventClass::Priority | EventClass::Contested => true,
            EventClass::Process
            | EventClass::Proxy
            | EventClass::Server
            | EventClass::Script
            | EventClass::Config => false,
        };
        !self.events.iter().all(is_of_routers)
    }
}

impl SinkKind {
    /// The one kind that a sink has.
    fn read(table: &mut Table<'_>) -> Option<Self> {
        let file = table.maybe("file", |item| item.absolute_path().map(Self::File));
        let syslog = table.or("syslog", None, |item| {
            if item.is_boolean() {
                return item
                    .boolean()
                    .map(|on| on.then(|| Self::Syslog(Syslog::default())));
            }
            item.table()
                .and_then(Syslog::read)
                .map(|syslog| Some(Self::Syslog(syslog)))
        });
        let mail = table.maybe("mail", |item| Mail::read(item).map(Self::Mail));
        let sms = table.maybe("sms", |item| {
            item.table().and_then(Sms::read).map(Self::Sms)
        });
        let webhook = table.maybe("webhook", |item| {
            item.table().and_then(Webhook::read).map(Self::Webhook)
        });
        let exec = table.maybe("exec", |item| item.command().map(Self::Exec));
        let mut kinds = [file?, syslog?, mail?, sms?, webhook?, exec?]
            .into_iter()
            .flatten();
        let expected = "give one of file, syslog, mail, sms, webhook and exec";
        match (kinds.next(), kinds.next()) {
            (Some(kind), None) => Some(kind),
            (None, _) => table.item().error("this tells nobody", expected),
            (Some(_), Some(_)) => table
                .item()
                .error("this tells in two ways", "make one [notify.NAME] for each"),
        }
    }
}

impl Default for Syslog {
    fn default() -> Self {
        Self {
            facility: 3,
            tag: "evenkeel".to_owned(),
        }
    }
}

impl Syslog {
    fn read(mut table: Table<'_>) -> Option<Self> {
        let defaults = Self::default();
        let facility = table.or("facility", defaults.facility, |item| {
            item.one_of(FACILITIES)
        });
        let tag = table.or("tag", defaults.tag, |item| {
            let tag = item.line()?;
            let plain = tag
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
            if tag.len() > TAG_OCTETS_MAX || !plain {
                return item.error(
                    format!("{tag:?} is no tag"),
                    "tags have up to 32 letters, digits, \"-\", \"_\", \".\" and \"/\"",
                );
            }
            Some(tag)
        });
        table.finish();
        Some(Self {
            facility: facility?,
            tag: tag?,
        })
    }
}
