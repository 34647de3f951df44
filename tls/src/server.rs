//! TLS with clients.

use std::sync::Arc;

use ipc::proxy::{ClientAuth, ListenerTls};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier, danger,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use crate::names::Names;
use crate::{Fault, H2, HTTP_11, Identity, Part, TicketKeys, pem, provider};

/// How a listener speaks TLS.
#[derive(Debug)]
pub struct Server {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
}

impl Server {
    /// Makes it ready. HTTP/2 is offered only with `http2`.
    ///
    /// # Errors
    /// What of `spec` cannot be used.
    pub fn new(
        spec: &ListenerTls,
        listener: &str,
        http2: bool,
        tickets: &TicketKeys,
    ) -> Result<Self, Fault> {
        let identities: Result<Vec<_>, _> = spec.certificates.iter().map(Identity::new).collect();
        let certificates = Arc::new(Certificates::new(&identities?)?);
        let versions: &[&SupportedProtocolVersion] = if spec.tls12 {
            &[&TLS13, &TLS12]
        } else {
            &[&TLS13]
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(|error| Part::Whole.fault(error))?;
        let builder = match client_verifier(spec)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::<Certificates>::clone(&certificates));
        config.ignore_client_order = true;
        config.alpn_protocols = [H2, HTTP_11, b"http/1.0"]
            .into_iter()
            .filter(|name| http2 || *name != H2)
            .map(<[u8]>::to_vec)
            .collect();
        // Sessions that one worker remembers are of no use to another; tickets are.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if spec.tickets {
            let policy: &[&[u8]] = &[listener.as_bytes(), word(spec.client_auth), &spec.client_ca];
            config.ticketer = tickets.ticketer(policy);
        } else {
            config.send_tls13_tickets = 0;
        }
        Ok(Self {
            config: Arc::new(config),
            certificates,
        })
    }

    /// For a connection.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Whether there is a certificate for a client that asks for this name; for one that asks for none
    /// there always is.
    pub fn knows(&self, name: Option<&str>) -> bool {
        self.certificates.candidates(name).is_some()
    }
}

const fn word(client_auth: ClientAuth) -> &'static [u8] {
    match client_auth {
        ClientAuth::Off => b"off",
        ClientAuth::Optional => b"optional",
        ClientAuth::Required => b"required",
    }
}

/// Finds out whether the certificates of those who sign clients can be used.
///
/// # Errors
/// When there is none, or one of them is none: clients would be admitted or refused for no reason.
pub fn trusted_clients(client_ca: &[u8]) -> Result<(), Fault> {
    pem::roots(client_ca).map(drop)
}

fn client_verifier(
    spec: &ListenerTls,
) -> Result<Option<Arc<dyn danger::ClientCertVerifier>>, Fault> {
    if spec.client_auth == ClientAuth::Off {
        return Ok(None);
    }
    let roots = Arc::new(pem::roots(&spec.client_ca)?);
    let mut builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
    if spec.client_auth == ClientAuth::Optional {
        builder = builder.allow_unauthenticated();
    }
    let verifier = builder.build().map_err(|error| Part::Ca.fault(error))?;
    Ok(Some(verifier))
}

/// The certificates of a listener.
#[derive(Debug)]
struct Certificates {
    /// In the order of the configuration: for clients that say no name.
    all: Vec<Arc<CertifiedKey>>,
    by_name: Names<Arc<CertifiedKey>>,
}

impl Certificates {
    fn new(identities: &[Identity]) -> Result<Self, Fault> {
        if identities.is_empty() {
            return Err(Part::Whole.fault("there is no certificate"));
        }
        let mut by_name = Names::default();
        // The key that costs less comes first where the client can check its signatures.
        let (rsa, quick): (Vec<_>, Vec<_>) = identities.iter().partition(|one| one.is_rsa());
        for identity in quick.into_iter().chain(rsa) {
            for name in identity.names() {
                by_name.add(name, Arc::clone(&identity.certified));
            }
        }
        let all = identities.iter().map(|one| Arc::clone(&one.certified));
        Ok(Self {
            all: all.collect(),
            by_name,
        })
    }

    fn candidates(&self, name: Option<&str>) -> Option<&[Arc<CertifiedKey>]> {
        match name {
            Some(name) => self.by_name.find(name),
            None => Some(&self.all),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let candidates = self.candidates(hello.server_name())?;
        let schemes = hello.signature_schemes();
        let fitting = |one: &&Arc<CertifiedKey>| one.key.choose_scheme(schemes).is_some();
        let chosen = candidates.iter().find(fitting);
        chosen.or_else(|| candidates.first()).cloned()
    }
}
