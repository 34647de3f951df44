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
use crate::{Authorities, Fault, H2, HTTP_11, Identity, Mark, Part, TicketKeys, provider};

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
        authorities: &Authorities,
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
        let (clients, admitted) = client_verifier(spec.client_auth, authorities)?;
        let builder = match clients {
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
            let policy = Mark::of(&[listener.as_bytes(), admitted.octets()]);
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

/// Who judges clients, where they are asked, and a mark that says which of them get in.
fn client_verifier(
    client_auth: ClientAuth,
    authorities: &Authorities,
) -> Result<(Option<Arc<dyn danger::ClientCertVerifier>>, Mark), Fault> {
    let (index, word): (_, &[u8]) = match client_auth {
        ClientAuth::Off => return Ok((None, Mark::of(&[b"off"]))),
        ClientAuth::Optional(index) => (index, b"optional"),
        ClientAuth::Required(index) => (index, b"required"),
    };
    let authority = authorities.get(index)?;
    let roots = Arc::clone(&authority.roots);
    let mut builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
    if matches!(client_auth, ClientAuth::Optional(_)) {
        builder = builder.allow_unauthenticated();
    }
    let verifier = builder.build().map_err(|error| Part::Ca.fault(error))?;
    Ok((Some(verifier), Mark::of(&[word, authority.mark.octets()])))
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
