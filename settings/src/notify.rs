//! `[notify.NAME]`: who is told what happened, and how.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::item::{Item, Table};
use crate::report::Spanned;
use crate::units;
use crate::upstream::Secret;

/// The longest tag that RFC 3164 §4.1.3 has room for.
const TAG_OCTETS_MAX: usize = 32;
/// RFC 5321 §4.5.3.1: a path, with its brackets.
const MAILBOX_OCTETS_MAX: usize = 254;

/// Somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// The name.
    pub name: String,
    /// How it is told.
    pub kind: SinkKind,
    /// What it is told of, each once. Default: transitions (of the virtual routers that name it).
    pub events: Vec<EventClass>,
    /// What is below is not told. Default: info.
    pub min_severity: Severity,
    /// What could not be told for so long is given up, 1 s to 30 d. Default: 1 h.
    pub max_age: Duration,
    /// Until a program or a server that does not answer has failed, 100 ms to 1 h. Default: 30 s.
    pub timeout: Duration,
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
    const WORDS: &[(&str, Self)] = &[
        ("transition", Self::Transition),
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

/// Mail, by a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The server: a name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The sender.
    pub from: String,
    /// The receivers, at least one.
    pub to: Vec<String>,
    /// User and password. Default: none.
    pub credentials: Option<(String, Secret)>,
    /// Default: none to this host, implicit on port 465, STARTTLS elsewhere.
    pub tls: MailTls,
    /// The name said in EHLO. Default: the host name, as `None`.
    pub helo: Option<String>,
}

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// Not.
    None,
    /// By STARTTLS, which must succeed.
    StartTls,
    /// From the beginning.
    Implicit,
}

/// Short messages, by an HTTP gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sms {
    /// The receivers in E.164 form, at least one.
    pub to: Vec<String>,
    /// With `{to}` and `{text}`, unless they are in the body.
    pub url: HttpUrl,
    /// Default: POST with a body, GET without.
    pub method: SmsMethod,
    /// With `{to}` and `{text}`. Default: none.
    pub body: Option<String>,
    /// More header fields. Default: none.
    pub headers: Vec<(String, Secret)>,
    /// What means that it was accepted. Default: 200 to 299.
    pub success_status: Vec<u16>,
}

/// How a gateway is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsMethod {
    /// Without a body.
    Get,
    /// With a body, if there is one.
    Post,
}

impl SmsMethod {
    /// The method as it is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// A POST with JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where to.
    pub url: HttpUrl,
    /// More header fields. Default: none.
    pub headers: Vec<(String, Secret)>,
    /// The key of the HMAC-SHA256 signature. Default: none.
    pub secret: Option<Secret>,
}

/// An `http` or `https` URL. What follows the host may hold passwords and is not shown in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl(String);

impl HttpUrl {
    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        write!(f, "HttpUrl({host}/..)")
    }
}

impl Sink {
    pub(crate) fn read(name: &str, mut table: Table<'_>) -> Option<Self> {
        let kind = SinkKind::read(&mut table);
        let events = table.or("events", vec![EventClass::Transition], |item| {
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
    /// Whether it is told of more than the transitions of the routers that name it.
    pub(crate) fn hears_more(&self) -> bool {
        self.events
            .iter()
            .any(|class| *class != EventClass::Transition)
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

impl Mail {
    fn read(item: &Item<'_>) -> Option<Self> {
        let mut table = item.table()?;
        let server = table.required("server", host_and_port);
        let from = table.required("from", mailbox);
        let to = table.required("to", |item| item.filled_list(mailbox));
        let username = table.maybe("username", Item::line);
        let password = table.maybe("password", Item::filled_string);
        let tls = table.maybe("tls", |item| {
            item.one_of(&[
                ("none", MailTls::None),
                ("starttls", MailTls::StartTls),
                ("implicit", MailTls::Implicit),
            ])
        });
        let helo = table.maybe("helo", |item| {
            let name = item.line()?;
            if units::is_host(&name) {
                return Some(name);
            }
            item.error(format!("{name:?} is no host name"), "")
        });
        table.finish();
        let credentials = match (username?, password?) {
            (Some(username), Some(password)) => Some((username, Secret(password))),
            (None, None) => None,
            _ => {
                return item.error(
                    "\"username\" and \"password\" go together",
                    "give both, or none",
                );
            }
        };
        let (host, port) = server?;
        let tls = tls?.unwrap_or_else(|| default_tls(&host, port));
        if tls == MailTls::None && credentials.is_some() && !is_this_host(&host) {
            item.warning(
                "the password is sent in the clear",
                "set tls = \"starttls\"",
            );
        }
        Some(Self {
            host,
            port,
            from: from?,
            to: to?,
            credentials,
            tls,
            helo: helo?,
        })
    }
}

/// RFC 8314 §3.3 for port 465; nothing to hide on the way to this host itself.
fn default_tls(host: &str, port: u16) -> MailTls {
    match port {
        _ if is_this_host(host) => MailTls::None,
        465 => MailTls::Implicit,
        _ => MailTls::StartTls,
    }
}

fn is_this_host(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn host_and_port(item: &Item<'_>) -> Option<(String, u16)> {
    let text = item.string()?;
    match units::parse_host_port(&text) {
        Some(pair) => Some(pair),
        None => item.error(
            format!("{text:?} is no server with a port"),
            "write it as \"mail.example.org:25\"",
        ),
    }
}

/// An address without a name and brackets. What servers accept is theirs to say; this keeps what
/// cannot be one out of SMTP commands.
fn mailbox(item: &Item<'_>) -> Option<String> {
    let text = item.string()?;
    let plain = !text
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || "<>,;\"".contains(c));
    match text.rsplit_once('@') {
        Some((local, domain))
            if plain
                && !local.is_empty()
                && !local.contains('@')
                && units::is_host(domain)
                && text.len() <= MAILBOX_OCTETS_MAX =>
        {
            Some(text)
        }
        _ => item.error(
            format!("{text:?} is no mail address"),
            "write it as \"ops@example.org\", without a name",
        ),
    }
}

impl Sms {
    fn read(mut table: Table<'_>) -> Option<Self> {
        let to = table.required("to", |item| item.filled_list(phone_number));
        let http = table.required("http", Gateway::read);
        table.finish();
        let Gateway {
            url,
            method,
            body,
            headers,
            success_status,
        } = http?;
        Some(Self {
            to: to?,
            url,
            method,
            body,
            headers,
            success_status,
        })
    }
}

/// `sms.http`.
struct Gateway {
    url: HttpUrl,
    method: SmsMethod,
    body: Option<String>,
    headers: Vec<(String, Secret)>,
    success_status: Vec<u16>,
}

impl Gateway {
    fn read(item: &Item<'_>) -> Option<Self> {
        let mut table = item.table()?;
        let url = table.required("url", |item| http_url(item, &["{to}", "{text}"]));
        let body = table.maybe("body", Item::filled_string);
        let method = table.maybe("method", |item| {
            item.one_of(&[("GET", SmsMethod::Get), ("POST", SmsMethod::Post)])
        });
        let headers = table.or("headers", Vec::new(), headers);
        let success_status = table.or("success_status", (200..=299).collect(), |item| {
            item.filled_list(|item| item.number(100..=599))
        });
        table.finish();
        let (url, body) = (url?, body?);
        for place in ["{to}", "{text}"] {
            if !url.as_str().contains(place) && !body.as_deref().unwrap_or("").contains(place) {
                return item.error(
                    format!("{place} is neither in \"url\" nor in \"body\""),
                    "it stands where the gateway expects the receiver or the text",
                );
            }
        }
        let default = if body.is_some() {
            SmsMethod::Post
        } else {
            SmsMethod::Get
        };
        let method = method?.unwrap_or(default);
        if method == SmsMethod::Get && body.is_some() {
            return item.error(
                "a GET has no body",
                "set method = \"POST\", or remove \"body\"",
            );
        }
        Some(Self {
            url,
            method,
            body,
            headers: headers?,
            success_status: success_status?,
        })
    }
}

/// ITU-T E.164 §6.2.1: at most 15 digits, the first of the country code not zero.
fn phone_number(item: &Item<'_>) -> Option<String> {
    let text = item.string()?;
    let digits = text.strip_prefix('+').unwrap_or("");
    let good = (7..=15).contains(&digits.len())
        && digits.bytes().all(|octet| octet.is_ascii_digit())
        && !digits.starts_with('0');
    if !good {
        return item.error(
            format!("{text:?} is no telephone number in E.164 form"),
            "write \"+\", country code and number without blanks: \"+491721234567\"",
        );
    }
    Some(text)
}

impl Webhook {
    fn read(mut table: Table<'_>) -> Option<Self> {
        let url = table.required("url", |item| http_url(item, &[]));
        let headers = table.or("headers", Vec::new(), headers);
        let secret = table.maybe("secret", |item| item.filled_string().map(Secret));
        table.finish();
        Some(Self {
            url: url?,
            headers: headers?,
            secret: secret?,
        })
    }
}

/// `http://host[:port][/path]`, with the places that may stand in it.
fn http_url(item: &Item<'_>, places: &[&str]) -> Option<HttpUrl> {
    let text = item.string()?;
    let plain = places
        .iter()
        .fold(text.clone(), |text, place| text.replace(place, ""));
    let scheme_end = ["http://", "https://"]
        .into_iter()
        .find(|scheme| plain.starts_with(scheme));
    let Some(rest) = scheme_end.and_then(|scheme| plain.strip_prefix(scheme)) else {
        return item.error(
            format!(
                "{:?} must begin with \"http://\" or \"https://\"",
                item.key()
            ),
            "",
        );
    };
    let authority = rest.split(['/', '?']).next().unwrap_or("");
    if authority.contains('@') {
        return item.error(
            "a URL with user and password is not sent as such",
            "give headers = { Authorization = \"Basic ...\" }",
        );
    }
    let with_port = units::parse_host_port(authority).is_some();
    let without_port = units::is_host(authority)
        || authority
            .strip_prefix('[')
            .and_then(|ip| ip.strip_suffix(']'))
            .is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
    if !with_port && !without_port {
        return item.error(
            format!("the URL has no host that could be asked: {authority:?}"),
            "",
        );
    }
    if let Some(bad) = rest
        .chars()
        .find(|&c| !c.is_ascii_graphic() || "\"<>\\^`{|}#".contains(c))
    {
        return item.error(
            format!("a URL cannot have {bad:?}"),
            "write it percent-encoded",
        );
    }
    Some(HttpUrl(text))
}

/// Names and values of header fields, in the order of the file.
fn headers(item: &Item<'_>) -> Option<Vec<(String, Secret)>> {
    let mut headers = Vec::new();
    for (name, value) in item.entries()? {
        let is_token = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
        let good_name = if is_token {
            Some(())
        } else {
            let message = format!("{name:?} is no name of a header field");
            item.context().error(&value.key_position(), message, "");
            None
        };
        headers.push(
            good_name
                .and(value.line())
                .map(|value| (name, Secret(value))),
        );
    }
    headers.into_iter().collect()
}
