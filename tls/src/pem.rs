//! PEM (RFC 7468): what is between the lines with dashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use webpki::anchor_from_trusted_cert;

use crate::{Fault, Part};

/// All certificates, in their order; at least one.
pub(crate) fn certificates(text: &[u8], part: Part) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|error| part.fault(describe(&error)))?;
    if certificates.is_empty() {
        return Err(part.fault("there is no certificate in it (PEM)"));
    }
    Ok(certificates)
}

/// The first private key: PKCS #8, or in the older forms of RSA and EC keys.
pub(crate) fn key(text: &[u8]) -> Result<PrivateKeyDer<'static>, Fault> {
    if contains(text, b"ENCRYPTED") {
        return Err(Part::Key.fault("it is encrypted, and nobody is there to give the passphrase"));
    }
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound => Part::Key.fault("there is no private key in it (PEM)"),
        other => Part::Key.fault(describe(&other)),
    })
}

/// Those who are trusted: each certificate must be one, since a file of which a part was left out would
/// let nobody know.
pub(crate) fn roots(text: &[u8]) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    for (number, certificate) in (1..).zip(certificates(text, Part::Ca)?) {
        roots
            .add(certificate)
            .map_err(|error| Part::Ca.fault(format!("certificate {number}: {error}")))?;
    }
    Ok(roots)
}

/// As PEM those of the certificates that can be trusted in: a system's may have some of a kind that
/// nobody here understands.
pub fn usable_pem(certificates: &[CertificateDer<'_>]) -> Vec<u8> {
    let mut text = Vec::new();
    let is_usable = |one: &&CertificateDer<'_>| anchor_from_trusted_cert(one).is_ok();
    for certificate in certificates.iter().filter(is_usable) {
        text.extend_from_slice(b"-----BEGIN CERTIFICATE-----\n");
        for line in STANDARD.encode(certificate).as_bytes().chunks(64) {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        text.extend_from_slice(b"-----END CERTIFICATE-----\n");
    }
    text
}

fn describe(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section of it does not end (PEM)".into(),
        pem::Error::Base64Decode(_) => "a section of it is broken (PEM)".into(),
        other => other.to_string(),
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
