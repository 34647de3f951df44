//! The ways out: one kind of channel per kind of sink. A channel sends one entry to one receiver and
//! says how it went; when to try again is not its business.

pub(crate) mod exec;
pub(crate) mod file;
pub(crate) mod http;
pub(crate) mod mail;
pub(crate) mod sms;
pub(crate) mod syslog;
pub(crate) mod webhook;

use std::fs::File;
use std::sync::Arc;

use ipc::notify::{SinkKind, SinkSpec};
use jiff::tz::TimeZone;
use rustls::ClientConfig;

use crate::journal::line::Entry;
use crate::sink::delivery::Outcome;

/// What all channels of a configuration share.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// The cluster's name.
    pub(crate) cluster: String,
    /// The local time zone.
    pub(crate) zone: TimeZone,
    /// For HTTPS.
    pub(crate) tls: Arc<ClientConfig>,
}

/// One way out, ready to be used.
pub(crate) enum Channel {
    /// Lines in a file.
    File(file::FileChannel),
    /// The local syslog.
    Syslog(syslog::SyslogChannel),
    /// Mail.
    Mail(mail::MailChannel),
    /// Short messages.
    Sms(sms::SmsChannel),
    /// A POST.
    Webhook(webhook::WebhookChannel),
    /// A program.
    Exec(exec::ExecChannel),
}

impl Channel {
    /// Makes the channel that `spec` describes; `file` is the one that came for a file sink.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(crate) fn open(
        spec: &SinkSpec,
        file: Option<File>,
        around: &Surroundings,
    ) -> Result<Self, String> {
        Ok(match &spec.kind {
            SinkKind::File { path } => {
                let file = file.ok_or_else(|| format!("{path} came without its descriptor"))?;
                Self::File(file::FileChannel::new(file, around.zone.clone()))
            }
            SinkKind::Syslog { facility, tag } => {
                let zone = around.zone.clone();
                Self::Syslog(syslog::SyslogChannel::new(*facility, tag, zone)?)
            }
            SinkKind::Mail(mail) => Self::Mail(mail::MailChannel::new(mail, around)?),
            SinkKind::Sms(sms) => Self::Sms(sms::SmsChannel::new(sms, around)?),
            SinkKind::Webhook {
                url,
                headers,
                secret,
                timeout,
            } => Self::Webhook(webhook::WebhookChannel::new(
                http::Target::new("POST", url, headers, *timeout, &around.tls)?,
                secret.clone(),
                &around.cluster,
            )),
            SinkKind::Exec { command, timeout } => {
                Self::Exec(exec::ExecChannel::new(command, *timeout, &around.cluster)?)
            }
        })
    }

    /// How many receivers each entry has.
    pub(crate) fn receivers(&self) -> usize {
        match self {
            Self::Mail(mail) => mail.receivers(),
            Self::Sms(sms) => sms.receivers(),
            Self::File(_) | Self::Syslog(_) | Self::Webhook(_) | Self::Exec(_) => 1,
        }
    }

    /// Sends `entry` to the receiver of that number. `now_unix_ms` is when.
    pub(crate) async fn send(&self, entry: &Entry, receiver: usize, now_unix_ms: u64) -> Outcome {
        match self {
            Self::File(file) => file.send(entry).await,
            Self::Syslog(syslog) => syslog.send(entry),
            Self::Mail(mail) => mail.send(entry, receiver).await,
            Self::Sms(sms) => sms.send(entry, receiver).await,
            Self::Webhook(webhook) => webhook.send(entry, now_unix_ms).await,
            Self::Exec(exec) => exec.send(entry).await,
        }
    }
}

/// A failure that may pass.
pub(crate) fn retry(why: impl Into<String>) -> Outcome {
    Outcome::Retry {
        why: why.into(),
        after: None,
    }
}

/// A failure that will not pass.
pub(crate) fn refused(why: impl Into<String>) -> Outcome {
    Outcome::Refused { why: why.into() }
}
