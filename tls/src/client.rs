//! TLS with servers.

use std::net::IpAddr;
use std::sync::Arc;

use ipc::proxy::UpstreamTls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use crate::authorities::Authority;
use crate::{Authorities, Fault, Identity, Mark, Part, pem, provider};

/// How TLS is spoken with the servers of an upstream.
#[derive(Debug)]
pub struct Client {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
    /// Of all that it was made of.
    mark: Mark,
}

/// Whether connections are made in the same way.
impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        self.mark == other.mark
    }
}

impl Eq for Client {}

impl Client {
    /// Makes it ready to speak `protocol`, a name of ALPN.
    ///
    /// # Errors
    /// What of `spec` cannot be used.
    pub fn new(
        spec: &UpstreamTls,
        authorities: &Authorities,
        protocol: &[u8],
    ) -> Result<Self, Fault> {
        let authority = spec.ca.map(|index| authorities.get(index)).transpose()?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| Part::Whole.fault(error))?;
        let builder = match authority {
            Some(authority) => builder.with_root_certificates(Arc::clone(&authority.roots)),
            None => {
                let verifier = Arc::new(AnyServer(provider()));
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(verifier)
            }
        };
        let mut config = match &spec.client {
            Some(client) => {
                let certified = Identity::new(client)?.certified;
                let (chain, key) = (certified.cert.clone(), pem::key(&client.key.0)?);
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(|error| Part::Key.fault(error))?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = spec.sni.as_ref().map(|name| {
            let parsed = ServerName::try_from(name.clone());
            parsed.map_err(|_| Part::Name.fault(format!("{name:?} is no name")))
        });
        Ok(Self {
            config: Arc::new(config),
            name: name.transpose()?,
            mark: mark(spec, authority, protocol),
        })
    }

    /// A connection to the server at `address`, whose name is [`Client::name`].
    ///
    /// # Errors
    /// Those of rustls.
    pub fn connection(&self, address: IpAddr) -> Result<ClientConnection, Error> {
        ClientConnection::new(self.config(), self.name(address))
    }

    /// For connections.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// The name that the server at `address` is asked for, and that is checked: its address where no
    /// other is configured.
    pub fn name(&self, address: IpAddr) -> ServerName<'static> {
        let name = self.name.clone();
        name.unwrap_or_else(|| ServerName::IpAddress(address.into()))
    }
}

fn mark(spec: &UpstreamTls, authority: Option<&Authority>, protocol: &[u8]) -> Mark {
    let sni = spec.sni.as_deref().unwrap_or_default();
    let trusted = authority.map_or(&[][..], |authority| authority.mark.octets());
    let (chain, key) = (spec.client.as_ref()).map_or((&[][..], &[][..]), |client| {
        (&client.chain[..], &client.key.0[..])
    });
    Mark::of(&[sni.as_bytes(), trusted, chain, key, protocol])
}

/// Takes any certificate, as `verify = false` says; the server must have its key all the same.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
