//! What is wrong with certificates and keys, each at its place in the configuration.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use settings::{CertificateFiles, Position, Report, Settings, Spanned};
use tls::{Authorities, Fault, Identity, Part, TicketKeys, Validity};

use super::Credentials;

/// Checks all of it, by making of it what workers make of it.
pub(super) fn everything(settings: &Settings, credentials: &Credentials, report: &mut Report) {
    let authorities = Authorities::new(&credentials.authorities());
    for listener in &settings.listeners {
        if let Some(tls) = &listener.tls {
            check_listener(&listener.name, tls, credentials, &authorities, report);
        }
    }
    for upstream in &settings.upstreams {
        if let Some(tls) = &upstream.tls {
            check_upstream(tls, credentials, &authorities, report);
        }
    }
}

fn check_listener(
    name: &str,
    tls: &settings::ListenerTls,
    credentials: &Credentials,
    authorities: &Authorities,
    report: &mut Report,
) {
    let mut is_well = true;
    for files in &tls.certificates {
        is_well &= check_certificate(files, credentials, true, report);
    }
    let spec = credentials.listener(tls);
    if let (Some(index), Some(ca)) = (spec.client_auth.authority(), &tls.client_ca)
        && let Err(fault) = authorities.usable(index)
    {
        // Not "anybody may come", which others made of it.
        push(report, ca, &fault);
        is_well = false;
    }
    let tickets = TicketKeys::default();
    if is_well
        && let Some(first) = tls.certificates.first()
        && let Err(fault) = tls::Server::new(&spec, name, false, authorities, &tickets)
    {
        push(report, &first.chain, &fault);
    }
}

fn check_upstream(
    tls: &settings::UpstreamTls,
    credentials: &Credentials,
    authorities: &Authorities,
    report: &mut Report,
) {
    if let Some(client) = &tls.client
        && !check_certificate(client, credentials, false, report)
    {
        return;
    }
    let spec = credentials.upstream(tls);
    if spec.ca.is_some() && tls.ca.is_none() && credentials.system.is_empty() {
        let message = "this system trusts nobody to sign certificates";
        let advice = "install ca-certificates, or give their ca";
        return report.push(tls.verify.position(), message, advice);
    }
    if let Err(fault) = tls::Client::new(&spec, authorities, tls::HTTP_11) {
        match (fault.part, &tls.ca) {
            (Part::Ca, Some(ca)) => push(report, ca, &fault),
            _ => report.push(tls.verify.position(), fault.to_string(), ""),
        }
    }
}

/// Whether it can be used. What is only doubtful is a warning.
fn check_certificate(
    files: &CertificateFiles,
    credentials: &Credentials,
    is_servers: bool,
    report: &mut Report,
) -> bool {
    warn_of_rights(&files.key, report);
    let identity = match Identity::new(&credentials.certificate(files)) {
        Ok(identity) => identity,
        Err(fault) => {
            let file = match (fault.part, &files.ocsp) {
                (Part::Key, _) => &files.key,
                (Part::Ocsp, Some(ocsp)) => ocsp,
                _ => &files.chain,
            };
            push(report, file, &fault);
            return false;
        }
    };
    let (chain, position) = (files.chain.value().display(), files.chain.position());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    match identity.validity(now.unwrap_or_default()) {
        Validity::Valid => {}
        Validity::Expired { since } => {
            let message = format!("the certificate in {chain} expired on {}", date(since));
            report.warn(position, message, "renew it: peers will refuse it");
        }
        Validity::NotYet { from } => {
            let message = format!("the certificate in {chain} is valid from {}", date(from));
            report.warn(position, message, "peers will refuse it until then");
        }
    }
    if is_servers && identity.names().is_empty() {
        let message = format!("the certificate in {chain} has no DNS name (subjectAltName)");
        let advice = "only clients that ask for no name get it";
        report.warn(position, message, advice);
    }
    true
}

fn push(report: &mut Report, file: &Spanned<PathBuf>, fault: &Fault) {
    let message = format!("{} cannot be used: {}", file.value().display(), fault.why);
    report.push(file.position(), message, "");
}

fn warn_of_rights(key: &Spanned<PathBuf>, report: &mut Report) {
    let path = key.value();
    let mode = std::fs::metadata(path).map(|meta| meta.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o004 != 0) {
        let position: &Position = key.position();
        let path = path.display();
        let message = format!("everyone on this machine can read the key in {path}");
        report.warn(
            position,
            message,
            format!("`chmod 600 {path}`, and replace the key"),
        );
    }
}

fn date(since_1970: Duration) -> String {
    let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(
        |_| "a date that is none".into(),
        |time| time.strftime("%F").to_string(),
    )
}
