//! Mail by SMTP: one message an entry, in keepalived's words with what they leave out. Each receiver
//! is a delivery of its own, so that one who is refused keeps it from nobody else; the message is the
//! same for all of them.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use ipc::event::What;
use ipc::notify::{MailSpec, MailTls};
use ipc::status::RouterState;
use jiff::tz::TimeZone;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::{Surroundings, refused, retry};
use crate::journal::line::Entry;
use crate::sink::delivery::Outcome;
use crate::wording;

/// A mail server and who gets mail through it.
pub(crate) struct MailChannel {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    timeout: Duration,
    cluster: String,
    zone: TimeZone,
}

impl MailChannel {
    /// The server and the people that `spec` describes.
    ///
    /// # Errors
    /// A sentence that names what is wrong.
    pub(crate) fn new(spec: &MailSpec, around: &Surroundings) -> Result<Self, String> {
        let to = spec.to.iter().map(|to| mailbox(to));
        Ok(Self {
            transport: transport(spec)?,
            from: mailbox(&spec.from)?,
            to: to.collect::<Result<_, _>>()?,
            timeout: spec.timeout,
            cluster: around.cluster.clone(),
            zone: around.zone.clone(),
        })
    }

    /// How many people get it.
    pub(crate) fn receivers(&self) -> usize {
        self.to.len()
    }

    /// Hands the mail for one receiver to the server.
    pub(crate) async fn send(&self, entry: &Entry, receiver: usize) -> Outcome {
        let Some(to) = self.to.get(receiver) else {
            return refused("the receiver is no longer configured");
        };
        let message = match self.message(entry) {
            Ok(message) => message.formatted(),
            Err(error) => return refused(error.to_string()),
        };
        let from = Some(self.from.email.clone());
        let envelope = match Envelope::new(from, vec![to.email.clone()]) {
            Ok(envelope) => envelope,
            Err(error) => return refused(error.to_string()),
        };
        let sent = self.transport.send_raw(&envelope, &message);
        match tokio::time::timeout(self.timeout, sent).await {
            Ok(Ok(_)) => Outcome::Done,
            Ok(Err(error)) if error.is_permanent() => refused(format!("{}: {error}", to.email)),
            Ok(Err(error)) => retry(format!("{}: {error}", to.email)),
            Err(_) => retry(format!("{}: not done within {:?}", to.email, self.timeout)),
        }
    }

    fn message(&self, entry: &Entry) -> Result<Message, lettre::error::Error> {
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(subject(entry))
            .date(UNIX_EPOCH + Duration::from_millis(entry.event.at_unix_ms))
            .message_id(Some(message_id(&self.cluster, entry)))
            .header(ContentType::TEXT_PLAIN)
            .raw_header(plain("Auto-Submitted", "auto-generated"))
            .raw_header(plain("X-Mailer", "Evenkeel"));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder.body(body(entry, &self.cluster, &self.zone))
    }
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse()
        .map_err(|error| format!("{text:?} is not a mail address: {error}"))
}

fn transport(spec: &MailSpec) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let parameters = || {
        TlsParameters::new(spec.host.clone())
            .map_err(|error| format!("TLS to {} is not usable: {error}", spec.host))
    };
    let tls = match spec.tls {
        MailTls::None => Tls::None,
        MailTls::StartTls => Tls::Required(parameters()?),
        MailTls::Implicit => Tls::Wrapper(parameters()?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&spec.host)
        .port(spec.port)
        .tls(tls)
        .timeout(Some(spec.timeout));
    if let Some(name) = &spec.helo {
        builder = builder.hello_name(ClientId::Domain(name.clone()));
    }
    if let Some((user, password)) = &spec.credentials {
        builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
    }
    Ok(builder.build())
}

fn plain(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// The same for every attempt at the same event, so that a mail that came twice is seen as one.
fn message_id(cluster: &str, entry: &Entry) -> String {
    let atom = |text: &str| -> String {
        let safe = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '-'
            }
        };
        text.chars().map(safe).collect()
    };
    format!(
        "<{}.{}.{}@{}.evenkeel>",
        entry.seq,
        entry.event.at_unix_ms,
        atom(&entry.node),
        atom(cluster)
    )
}

fn subject(entry: &Entry) -> String {
    let subject = match &entry.event.what {
        What::Transition(transition) => format!(
            "[{}] VRRP Instance {} - Entering {} state",
            entry.node, transition.router, transition.to
        ),
        What::GroupTransition(group) => format!(
            "[{}] VRRP Group {} - Entering {} state",
            entry.node, group.group, group.to
        ),
        what => format!("[{}] Evenkeel: {}", entry.node, wording::sentence(what)),
    };
    wording::one_line(&subject)
}

fn body(entry: &Entry, cluster: &str, zone: &TimeZone) -> String {
    let mut body = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(body, "{name:<12}{}", wording::one_line(value));
    };
    let headline = match &entry.event.what {
        What::Transition(transition) => headline(transition.to).to_owned(),
        what => format!("=> {} <=", wording::sentence(what)),
    };
    line("Time:", &wording::date(entry.event.at_unix_ms, zone));
    line("Node:", &entry.node);
    line("Cluster:", cluster);
    line("Severity:", &entry.event.severity.to_string());
    if let What::Transition(transition) = &entry.event.what {
        line("Instance:", &transition.router);
        line(
            "State:",
            &format!("{} -> {}", transition.from, transition.to),
        );
        line("Cause:", &transition.cause);
        line("Priority:", &transition.priority.to_string());
        line("Addresses:", &wording::addresses(&transition.addresses));
    }
    line("Event:", &entry.seq.to_string());
    format!("{headline}\n\n{body}")
}

/// Keepalived's sentence.
fn headline(state: RouterState) -> &'static str {
    match state {
        RouterState::Master => "=> VRRP Instance is now owning VRRP VIPs <=",
        RouterState::Backup | RouterState::Fault => {
            "=> VRRP Instance is no longer owning VRRP VIPs <="
        }
        RouterState::Stop => "=> VRRP Instance stopping <=",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    #[test]
    fn subjects() {
        let cases = [
            (
                examples::master(),
                "[proxy101] VRRP Instance YN_API_GATEWAY - Entering MASTER state",
            ),
            (
                examples::entry(1, What::ProxyWell),
                "[proxy101] Evenkeel: the proxy serves again",
            ),
        ];
        for (entry, expected) in cases {
            assert_eq!(subject(&entry), expected);
        }
    }

    #[test]
    fn a_body() {
        let expected = "\
=> VRRP Instance is now owning VRRP VIPs <=

Time:       Mon Dec 14 16:27:10 UTC 2015
Node:       proxy101
Cluster:    api-gateway
Severity:   warning
Instance:   YN_API_GATEWAY
State:      BACKUP -> MASTER
Cause:      master timed out
Priority:   202
Addresses:  192.168.0.105
Event:      41
";
        assert_eq!(
            body(&examples::master(), "api-gateway", &TimeZone::UTC),
            expected
        );
    }

    #[test]
    fn the_identifier_is_the_events_own() {
        assert_eq!(
            message_id("api gateway", &examples::master()),
            "<41.1450110430250.proxy101@api-gateway.evenkeel>"
        );
    }

    #[test]
    fn wrong_addresses_are_named() {
        assert!(mailbox("ops@example.org").is_ok());
        assert!(mailbox("Ops <ops@example.org>").is_ok());
        assert!(mailbox("ops\n@example.org").unwrap_err().contains("ops"));
    }

    #[test]
    fn every_protection_can_be_had() {
        for tls in [MailTls::None, MailTls::StartTls, MailTls::Implicit] {
            let spec = MailSpec {
                host: "mail.example.org".into(),
                port: 25,
                tls,
                credentials: Some(("ek".into(), "secret".into())),
                helo: None,
                from: "evenkeel@example.org".into(),
                to: vec![],
                timeout: Duration::from_secs(1),
            };
            assert!(transport(&spec).is_ok(), "{tls:?}");
        }
    }
}
