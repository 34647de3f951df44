//! Sinks, as the notifier gets them.

use std::path::Path;

use ipc::notify::{MailSpec, MailTls, NotifySnapshot, SinkKind, SinkSpec, SmsSpec};
use settings::Settings;

/// The notifier's part.
pub(crate) fn notify(settings: &Settings) -> NotifySnapshot {
    NotifySnapshot {
        cluster: settings.cluster.name.clone(),
        node: settings.node.name.clone(),
        sinks: settings
            .notify
            .iter()
            .map(|sink| sink_spec(settings, sink))
            .collect(),
    }
}

fn sink_spec(settings: &Settings, sink: &settings::Sink) -> SinkSpec {
    let names_it = |router: &&settings::VirtualRouter| {
        router.notify.iter().any(|name| name.value() == &sink.name)
    };
    SinkSpec {
        name: sink.name.clone(),
        kind: sink_kind(sink),
        routers: settings
            .virtual_routers
            .iter()
            .filter(names_it)
            .map(|router| router.name.clone())
            .collect(),
        classes: sink
            .events
            .iter()
            .map(|class| class.as_str().to_owned())
            .collect(),
        severity_min: match sink.min_severity {
            settings::Severity::Info => ipc::event::Severity::Info,
            settings::Severity::Warning => ipc::event::Severity::Warning,
            settings::Severity::Error => ipc::event::Severity::Error,
            settings::Severity::Critical => ipc::event::Severity::Critical,
        },
        age_max: sink.max_age,
    }
}

fn sink_kind(sink: &settings::Sink) -> SinkKind {
    let timeout = sink.timeout;
    match &sink.kind {
        settings::SinkKind::File(path) => SinkKind::File {
            path: path.value().display().to_string(),
        },
        settings::SinkKind::Syslog(syslog) => SinkKind::Syslog {
            facility: syslog.facility,
            tag: syslog.tag.clone(),
        },
        settings::SinkKind::Mail(mail) => SinkKind::Mail(MailSpec {
            host: mail.host.clone(),
            port: mail.port,
            tls: match mail.tls {
                settings::MailTls::None => MailTls::None,
                settings::MailTls::StartTls => MailTls::StartTls,
                settings::MailTls::Implicit => MailTls::Implicit,
            },
            credentials: mail
                .credentials
                .as_ref()
                .map(|(user, password)| (user.clone(), password.0.clone())),
            helo: mail.helo.clone(),
            from: mail.from.clone(),
            to: mail.to.clone(),
            timeout,
        }),
        settings::SinkKind::Sms(sms) => SinkKind::Sms(SmsSpec {
            to: sms.to.clone(),
            url: sms.url.as_str().to_owned(),
            method: sms.method.as_str().to_owned(),
            body: sms.body.clone(),
            headers: plain(&sms.headers),
            success_statuses: sms.success_status.clone(),
            timeout,
        }),
        settings::SinkKind::Webhook(webhook) => SinkKind::Webhook {
            url: webhook.url.as_str().to_owned(),
            headers: plain(&webhook.headers),
            secret: webhook.secret.as_ref().map(|secret| secret.0.clone()),
            timeout,
        },
        settings::SinkKind::Exec(command) => SinkKind::Exec {
            command: command.value().clone(),
            timeout,
        },
    }
}

fn plain(headers: &[(String, settings::Secret)]) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.clone(), value.0.clone()))
        .collect()
}

/// The files of the notifier's file sinks, in the order in which they go along.
pub(crate) fn notify_files(settings: &Settings) -> Vec<&Path> {
    let files = settings.notify.iter().filter_map(|sink| match &sink.kind {
        settings::SinkKind::File(path) => Some(path.value().as_path()),
        _ => None,
    });
    files.collect()
}
