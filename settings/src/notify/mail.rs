//! `mail = { ... }`: mail, by a server.

use std::net::IpAddr;

use super::Secret;
use crate::item::Item;
use crate::units;

/// RFC 5321 §4.5.3.1: a path, with its brackets.
const MAILBOX_OCTETS_MAX: usize = 254;

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

impl Mail {
    pub(super) fn read(item: &Item<'_>) -> Option<Self> {
        let mut table = item.table()?;
        let server = table.required("server", host_and_port);
        let from = table.required("from", mailbox);
        let to = table.required("to", |item| item.filled_list(mailbox));
        let username = table.maybe("username", Item::line);
        let password = table.maybe("password", Item::secret_string);
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
