//! Certificates for tests, clients and servers, and a handshake between two of them in memory.

use std::sync::Arc;

use ipc::proxy::{CertificateSpec, ClientAuth, ListenerTls, SecretOctets, UpstreamTls};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, SanType, SignatureAlgorithm, date_time_ymd,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, Connection, DigitallySignedStruct, Error};
use rustls::{ServerConfig, ServerConnection, SignatureScheme, SupportedProtocolVersion};

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// Its own certificate, as that of a server.
    pub(crate) fn itself(&self) -> CertificateSpec {
        CertificateSpec {
            chain: self.pem(),
            key: SecretOctets(self.0.key().serialize_pem().into_bytes()),
            ocsp: Vec::new(),
        }
    }

    /// A certificate with an ECDSA key.
    pub(crate) fn sign(&self, names: &[&str]) -> CertificateSpec {
        self.sign_with(names, &PKCS_ECDSA_P256_SHA256, 2100)
    }

    /// A certificate that is valid until the year `until`. Names may be addresses.
    pub(crate) fn sign_with(
        &self,
        names: &[&str],
        algorithm: &'static SignatureAlgorithm,
        until: i32,
    ) -> CertificateSpec {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.not_before = date_time_ymd(1990, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        CertificateSpec {
            chain: certificate.pem().into_bytes(),
            key: SecretOctets(key.serialize_pem().into_bytes()),
            ocsp: Vec::new(),
        }
    }
}

/// The certificate itself.
pub(crate) fn der(spec: &CertificateSpec) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(&spec.chain).unwrap()
}

/// A listener with these certificates, and nothing else out of the ordinary.
pub(crate) fn listener(certificates: &[CertificateSpec]) -> ListenerTls {
    ListenerTls {
        certificates: certificates.to_vec(),
        client_auth: ClientAuth::Off,
        tls12: true,
        tickets: true,
    }
}

/// An upstream whose servers the first authority signs.
pub(crate) fn upstream(sni: Option<&str>) -> UpstreamTls {
    UpstreamTls {
        ca: Some(0),
        sni: sni.map(str::to_owned),
        client: None,
    }
}

/// A client that takes every certificate, and can check only signatures of some kinds.
pub(crate) fn client(
    versions: &[&'static SupportedProtocolVersion],
    schemes: &[SignatureScheme],
    shown: Option<&CertificateSpec>,
) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible(schemes.to_vec())));
    Arc::new(match shown {
        Some(spec) => {
            let key = PrivateKeyDer::from_pem_slice(&spec.key.0).unwrap();
            builder.with_client_auth_cert(vec![der(spec)], key).unwrap()
        }
        None => builder.with_no_client_auth(),
    })
}

/// A server that shows its certificate to everybody.
pub(crate) fn simple_server(spec: &CertificateSpec) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from_pem_slice(&spec.key.0).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![der(spec)], key);
    Arc::new(config.unwrap())
}

/// What clients can check that know only one kind of key.
pub(crate) const ECDSA: &[SignatureScheme] = &[SignatureScheme::ECDSA_NISTP256_SHA256];
pub(crate) const RSA: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA256,
];

#[derive(Debug)]
struct Gullible(Vec<SignatureScheme>);

impl ServerCertVerifier for Gullible {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

/// A connection of a client that asks for `name`; an address is no name.
pub(crate) fn ask(config: &Arc<ClientConfig>, name: &str) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    ClientConnection::new(Arc::clone(config), name).unwrap()
}

/// Both ends after their handshake, and after the tickets that follow it.
///
/// # Errors
/// Of whoever found something wrong.
pub(crate) fn shake(
    client: ClientConnection,
    server: Arc<ServerConfig>,
) -> Result<(Connection, Connection), Error> {
    let mut client = Connection::from(client);
    let mut server = Connection::from(ServerConnection::new(server).unwrap());
    loop {
        let sent = pass(&mut client, &mut server)? + pass(&mut server, &mut client)?;
        if sent == 0 {
            assert!(!client.is_handshaking() && !server.is_handshaking());
            return Ok((client, server));
        }
    }
}

fn pass(from: &mut Connection, to: &mut Connection) -> Result<usize, Error> {
    let mut octets = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut octets).unwrap();
    }
    let mut rest = octets.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(octets.len())
}
