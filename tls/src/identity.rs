//! A certificate with its key: who we are to a peer.

use std::sync::Arc;
use std::time::Duration;

use ipc::proxy::CertificateSpec;
use rustls::pki_types::UnixTime;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, SignatureAlgorithm};
use webpki::{EndEntityCert, KeyUsage};

use crate::{Fault, Part, pem, provider};

/// A certificate that fits its key.
#[derive(Debug)]
pub struct Identity {
    pub(crate) certified: Arc<CertifiedKey>,
    names: Vec<String>,
}

/// Whether a certificate is valid at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It is.
    Valid,
    /// Not any more.
    Expired {
        /// Since then, from 1970.
        since: Duration,
    },
    /// Not yet.
    NotYet {
        /// From then on, from 1970.
        from: Duration,
    },
}

impl Identity {
    /// Makes it ready.
    ///
    /// # Errors
    /// What cannot be read, or a key that is not the certificate's.
    pub fn new(spec: &CertificateSpec) -> Result<Self, Fault> {
        let chain = pem::certificates(&spec.chain, Part::Chain)?;
        let key = pem::key(&spec.key.0)?;
        let certified = CertifiedKey::from_der(chain, key, &provider());
        let mut certified = certified.map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                Part::Key.fault("it is not the key of the certificate")
            }
            Error::InvalidCertificate(error) => Part::Chain.fault(describe(&error)),
            other => Part::Key.fault(format!("it cannot be used: {other}")),
        })?;
        if !spec.ocsp.is_empty() {
            check_der(&spec.ocsp)?;
            certified.ocsp = Some(spec.ocsp.clone());
        }
        Ok(Self {
            names: names(&certified)?,
            certified: Arc::new(certified),
        })
    }

    /// The DNS names that it is for, in lower case; with `*.` in front for all names one label below.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether it is valid at `now`, which counts from 1970.
    pub fn validity(&self, now: Duration) -> Validity {
        let Ok(certificate) = parse(&self.certified) else {
            return Validity::Valid;
        };
        // Its dates are looked at first, and nobody is trusted to have signed it: so this says either
        // what is wrong with the dates, or something that is of no interest here.
        let (now, usage) = (UnixTime::since_unix_epoch(now), KeyUsage::server_auth());
        let since_1970 = |time: UnixTime| Duration::from_secs(time.as_secs());
        match certificate.verify_for_usage(&[], &[], &[], now, usage, None, None) {
            Err(webpki::Error::CertExpired { not_after, .. }) => Validity::Expired {
                since: since_1970(not_after),
            },
            Err(webpki::Error::CertNotValidYet { not_before, .. }) => Validity::NotYet {
                from: since_1970(not_before),
            },
            _ => Validity::Valid,
        }
    }

    /// Whether clients that know nothing newer can check it.
    pub(crate) fn is_rsa(&self) -> bool {
        self.certified.key.algorithm() == SignatureAlgorithm::RSA
    }
}

fn parse(certified: &CertifiedKey) -> Result<EndEntityCert<'_>, Fault> {
    let certificate = certified.end_entity_cert();
    let certificate = certificate.map_err(|error| Part::Chain.fault(error))?;
    EndEntityCert::try_from(certificate).map_err(|error| Part::Chain.fault(error))
}

fn names(certified: &CertifiedKey) -> Result<Vec<String>, Fault> {
    let certificate = parse(certified)?;
    let names = certificate.valid_dns_names();
    Ok(names.map(str::to_ascii_lowercase).collect())
}

fn describe(error: &CertificateError) -> String {
    match error {
        CertificateError::BadEncoding => "it is no certificate".into(),
        other => format!("it cannot be used: {other}"),
    }
}

/// RFC 6960 §4.2.1: a sequence, and nothing behind it. What it says is the client's affair; a file in
/// PEM instead would break every handshake.
fn check_der(response: &[u8]) -> Result<(), Fault> {
    let length = match response {
        [0x30, length @ 0..=0x7f, ..] => 2 + usize::from(*length),
        [0x30, 0x81, a, ..] => 3 + usize::from(*a),
        [0x30, 0x82, a, b, ..] => 4 + usize::from(u16::from_be_bytes([*a, *b])),
        _ => 0,
    };
    if length == response.len() {
        Ok(())
    } else {
        Err(Part::Ocsp.fault("it is no OCSP response in DER"))
    }
}
