//! Why credentials cannot be used.

use std::{fmt, io};

use rustls::{CertificateError, Error, InvalidMessage};

/// The part that is wrong, and why, for people: the operator's fault, always.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {why}")]
pub struct Fault {
    /// What is wrong.
    pub part: Part,
    /// A phrase without a full stop.
    pub why: String,
}

/// A part of credentials: a file, where they come from files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A certificate and those that sign it.
    Chain,
    /// A private key.
    Key,
    /// An OCSP response.
    Ocsp,
    /// The certificates of those who sign peers.
    Ca,
    /// The name that a server is asked for.
    Name,
    /// All of it together.
    Whole,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "certificate chain",
            Self::Key => "key",
            Self::Ocsp => "OCSP response",
            Self::Ca => "CA certificates",
            Self::Name => "server name",
            Self::Whole => "TLS",
        })
    }
}

impl Part {
    /// What is wrong with this part.
    pub(crate) fn fault(self, why: impl fmt::Display) -> Fault {
        Fault {
            part: self,
            why: why.to_string(),
        }
    }
}

/// Why a handshake failed, for people: what to look at comes first.
pub fn reason(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "the peer closes the connection in the handshake".into();
    }
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref()) else {
        return error.to_string();
    };
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is signed by nobody who is trusted (`ca`)".into()
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "its certificate is signed with another key than that of its signer in `ca`".into()
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name (`sni`)".into(),
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "its certificate has expired".into(),
        Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "its certificate is not valid yet; is the clock right?".into(),
        Error::InvalidCertificate(CertificateError::Other(other))
            if other.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) =>
        {
            "its certificate is that of a signer (CA:TRUE), and of no server".into()
        }
        Error::NoCertificatesPresented => "the peer shows no certificate".into(),
        Error::AlertReceived(alert) => format!("the peer refuses: {alert:?}"),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the peer does not speak TLS".into()
        }
        other => other.to_string(),
    }
}
