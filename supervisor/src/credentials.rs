//! Certificates and keys: read from their files and checked, since nobody but the supervisor may read
//! them.

mod check;
mod stamps;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ipc::proxy::{CertificateSpec, ClientAuth, ListenerTls, SecretOctets, UpstreamTls};
use settings::{CertificateFiles, Report, Settings, Spanned};

pub(crate) use stamps::Stamps;

/// Octets of a file: more than all certificates that a system trusts have together.
const FILE_OCTETS_MAX: u64 = 1024 * 1024;

/// The contents of all files that a configuration names for TLS.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// Whom the system trusts, in PEM; empty where nobody asks.
    system: Vec<u8>,
    /// Those who sign peers, in the order in which a snapshot has them: files, and `None` for the system's.
    authorities: Vec<Option<PathBuf>>,
    stamps: Stamps,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<_> = self.files.keys().collect();
        f.debug_tuple("Credentials").field(&paths).finish()
    }
}

impl Credentials {
    /// Reads and checks everything that `settings` names. What is wrong is in the report; with an
    /// error in it, the result is of no use.
    pub(crate) fn read(settings: &Settings, report: &mut Report) -> Self {
        let mut credentials = Self {
            // Before the contents: what changes meanwhile is read again.
            stamps: Stamps::of(settings),
            authorities: authorities(settings).into_iter().collect(),
            ..Self::default()
        };
        let errors = report.findings().len();
        for file in files(settings) {
            if credentials.files.contains_key(file.value()) {
                continue;
            }
            match read(file.value()) {
                Ok(content) => drop(credentials.files.insert(file.value().clone(), content)),
                Err(error) => {
                    let message = format!("cannot read {}: {error}", file.value().display());
                    report.push(file.position(), message, "");
                }
            }
        }
        if credentials.authorities.contains(&None) {
            credentials.system = tls::usable_pem(&rustls_native_certs::load_native_certs().certs);
        }
        if report.findings().len() == errors {
            check::everything(settings, &credentials, report);
        }
        credentials
    }

    /// What the files looked like when they were read.
    pub(crate) const fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// The changes against `old`, a phrase each. Files that only one of them has are changes of
    /// whatever names them.
    pub(crate) fn changes(&self, old: &Self) -> Vec<String> {
        let is_new = |(path, content): &(&PathBuf, &Vec<u8>)| {
            (old.files.get(*path)).is_some_and(|known| known != *content)
        };
        let files = self.files.iter().filter(is_new);
        let mut changes: Vec<_> = files
            .map(|(path, _)| format!("{} changed", path.display()))
            .collect();
        if !old.system.is_empty() && !self.system.is_empty() && old.system != self.system {
            changes.push("those whom the system trusts changed".into());
        }
        changes
    }

    /// As a worker gets it.
    pub(crate) fn listener(&self, tls: &settings::ListenerTls) -> ListenerTls {
        let certificates = tls.certificates.iter();
        ListenerTls {
            certificates: certificates.map(|files| self.certificate(files)).collect(),
            client_auth: match tls.client_auth {
                settings::ClientAuth::Off => ClientAuth::Off,
                settings::ClientAuth::Optional => ClientAuth::Optional(self.place(&tls.client_ca)),
                settings::ClientAuth::Required => ClientAuth::Required(self.place(&tls.client_ca)),
            },
            tls12: tls.tls12,
            tickets: tls.tickets,
        }
    }

    /// As workers and the health-checker get it.
    pub(crate) fn upstream(&self, tls: &settings::UpstreamTls) -> UpstreamTls {
        UpstreamTls {
            ca: tls.verify.value().then(|| self.place(&tls.ca)),
            sni: tls.sni.clone(),
            client: (tls.client.as_ref()).map(|files| self.certificate(files)),
        }
    }

    /// Those who sign peers, in PEM, each bundle once: what the indices of listeners and upstreams stand
    /// for.
    pub(crate) fn authorities(&self) -> Vec<Vec<u8>> {
        let content = |from: &Option<PathBuf>| match from {
            Some(file) => self.files.get(file).cloned().unwrap_or_default(),
            None => self.system.clone(),
        };
        self.authorities.iter().map(content).collect()
    }

    /// Where the authorities from this file, or those of the system, are.
    fn place(&self, file: &Option<Spanned<PathBuf>>) -> u16 {
        let file = file.as_ref().map(Spanned::value);
        let mut known = self.authorities.iter();
        let place = known.position(|one| one.as_ref() == file);
        place
            .and_then(|place| u16::try_from(place).ok())
            .unwrap_or(u16::MAX)
    }

    fn certificate(&self, files: &CertificateFiles) -> CertificateSpec {
        CertificateSpec {
            chain: self.content(&files.chain),
            key: SecretOctets(self.content(&files.key)),
            ocsp: (files.ocsp.as_ref()).map_or_else(Vec::new, |ocsp| self.content(ocsp)),
        }
    }

    fn content(&self, path: &Spanned<PathBuf>) -> Vec<u8> {
        self.files.get(path.value()).cloned().unwrap_or_default()
    }
}

/// Where those who sign peers come from: files, and `None` for the system's.
fn authorities(settings: &Settings) -> BTreeSet<Option<PathBuf>> {
    let listeners = settings.listeners.iter().filter_map(|it| it.tls.as_ref());
    let of_clients = listeners.filter_map(|tls| tls.client_ca.as_ref().map(Some));
    let upstreams = settings.upstreams.iter().filter_map(|it| it.tls.as_ref());
    let checked = upstreams.filter(|tls| *tls.verify.value());
    let of_servers = checked.map(|tls| tls.ca.as_ref());
    let all = of_clients.chain(of_servers);
    all.map(|file| file.map(|file| file.value().clone()))
        .collect()
}

/// Every file, in the order of the configuration.
fn files(settings: &Settings) -> impl Iterator<Item = &Spanned<PathBuf>> {
    let of_listeners = settings.listeners.iter().filter_map(|it| it.tls.as_ref());
    let of_upstreams = settings.upstreams.iter().filter_map(|it| it.tls.as_ref());
    let of_listeners =
        of_listeners.flat_map(|tls| (tls.certificates.iter().flat_map(of)).chain(&tls.client_ca));
    let of_upstreams =
        of_upstreams.flat_map(|tls| (tls.ca.iter()).chain(tls.client.iter().flat_map(of)));
    of_listeners.chain(of_upstreams)
}

fn of(files: &CertificateFiles) -> impl Iterator<Item = &Spanned<PathBuf>> {
    [&files.chain, &files.key].into_iter().chain(&files.ocsp)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // To open a pipe would be to wait for somebody who writes to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut content = Vec::new();
    let file = File::open(path)?;
    file.take(FILE_OCTETS_MAX + 1).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|octets| octets > FILE_OCTETS_MAX) {
        let why = format!("it has more than {FILE_OCTETS_MAX} octets");
        return Err(io::Error::other(why));
    }
    Ok(content)
}

#[cfg(test)]
mod tests;
