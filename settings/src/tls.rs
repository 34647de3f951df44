//! `tls` of a listener and of an upstream: which files, and what is asked of peers. What is in the
//! files is looked at where they are read.

use std::path::PathBuf;

use crate::item::{Item, Table};
use crate::report::Spanned;

/// How TLS is spoken with clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// At least one; the first is for clients that ask for no name.
    pub certificates: Vec<CertificateFiles>,
    /// PEM: who signs the certificates of clients. There is one unless clients are not asked.
    pub client_ca: Option<Spanned<PathBuf>>,
    /// Default: off.
    pub client_auth: ClientAuth,
    /// Whether TLS 1.2 is spoken beside 1.3. Default: it is.
    pub tls12: bool,
    /// Whether sessions are resumed. Default: true.
    pub tickets: bool,
}

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM: the certificate, then those that sign it.
    pub chain: Spanned<PathBuf>,
    /// PEM: its private key.
    pub key: Spanned<PathBuf>,
    /// DER: an OCSP response to go with it. Default: none.
    pub ocsp: Option<Spanned<PathBuf>>,
}

/// Whether clients show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked.
    Off,
    /// Those who show one show a valid one.
    Optional,
    /// All show a valid one.
    Required,
}

/// How TLS is spoken with servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// PEM: who signs the certificates of servers. Default: those whom the system trusts.
    pub ca: Option<Spanned<PathBuf>>,
    /// Whether certificates are checked; where stands where that is said, or the table. Default:
    /// true.
    pub verify: Spanned<bool>,
    /// The name that is asked for, and that certificates must have. Default: the server's address.
    pub sni: Option<String>,
    /// What is shown to servers that ask; without an OCSP response. Default: nothing.
    pub client: Option<CertificateFiles>,
}

impl ListenerTls {
    pub(crate) fn read(mut table: Table<'_>) -> Option<Self> {
        let certificates = table.required("certificates", |item| {
            item.filled_list(|entry| entry.table().and_then(CertificateFiles::read))
        });
        let client_ca = table.maybe("client_ca", Item::absolute_path);
        let client_auth = table.or("client_auth", ClientAuth::Off, |item| {
            item.one_of(&[
                ("off", ClientAuth::Off),
                ("optional", ClientAuth::Optional),
                ("required", ClientAuth::Required),
            ])
        });
        let tls12 = table.or("min_version", true, |item| {
            item.one_of(&[("1.2", true), ("1.3", false)])
        });
        let tickets = table.or("tickets", true, Item::boolean);
        let place = table.item().clone();
        table.finish();
        let (client_ca, client_auth) = (client_ca?, client_auth?);
        match (&client_ca, client_auth) {
            (None, ClientAuth::Optional | ClientAuth::Required) => {
                let message = "clients are asked, and nobody is trusted to sign them";
                return place.error(message, "add client_ca = \"/path\"");
            }
            (Some(_), ClientAuth::Off) => {
                let advice = "add client_auth = \"required\" (or \"optional\")";
                return place.error("there is a client_ca, and clients are not asked", advice);
            }
            _ => {}
        }
        Some(Self {
            certificates: certificates?,
            client_ca,
            client_auth,
            tls12: tls12?,
            tickets: tickets?,
        })
    }
}

impl CertificateFiles {
    fn read(mut table: Table<'_>) -> Option<Self> {
        let chain = table.required("chain", Item::absolute_path);
        let key = table.required("key", key_path);
        let ocsp = table.maybe("ocsp", Item::absolute_path);
        table.finish();
        Some(Self {
            chain: chain?,
            key: key?,
            ocsp: ocsp?,
        })
    }
}

impl UpstreamTls {
    pub(crate) fn read(mut table: Table<'_>) -> Option<Self> {
        let place = table.item().clone();
        let ca = table.maybe("ca", Item::absolute_path);
        let verify = table.or("verify", place.spanned(true), |item| {
            Some(item.spanned(item.boolean()?))
        });
        let sni = table.maybe("sni", host_name);
        let client_chain = table.maybe("client_chain", Item::absolute_path);
        let client_key = table.maybe("client_key", key_path);
        table.finish();
        let (ca, verify) = (ca?, verify?);
        if !*verify {
            if ca.is_some() {
                let message = "there is a ca, and servers are not checked";
                return place.error(message, "leave out verify = false");
            }
            let verify =
                "servers are not checked: anybody in between can read and change everything";
            place.warning(verify, "give their ca instead");
        }
        let client = match (client_chain?, client_key?) {
            (Some(chain), Some(key)) => Some(CertificateFiles {
                chain,
                key,
                ocsp: None,
            }),
            (None, None) => None,
            _ => return place.error("client_chain and client_key go together", "give both"),
        };
        Some(Self {
            ca,
            verify,
            sni: sni?,
            client,
        })
    }
}

/// The path of a file. A key that stands here itself is not shown.
fn key_path(item: &Item<'_>) -> Option<Spanned<PathBuf>> {
    if !item.string()?.starts_with('/') {
        let message = format!("{} must be the absolute path of a file", item.name());
        return item.error(message, "a key is in a file that only root can read");
    }
    item.absolute_path()
}

/// RFC 6066 §3: a name of the DNS, not an address.
fn host_name(item: &Item<'_>) -> Option<String> {
    let name = item.line()?;
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && (label.bytes()).all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
    };
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    if is_address || name.len() > 253 || !name.split('.').all(is_label) {
        return item.error(
            format!("{name:?} is no host name"),
            "write it as \"app.example.org\"; without it the server's address is asked for",
        );
    }
    Some(name.to_ascii_lowercase())
}
