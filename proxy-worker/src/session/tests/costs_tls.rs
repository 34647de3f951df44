//! What a request costs over TLS: a record is a system call, as octets are without it. rustls allocates for
//! each record; how often is not to grow.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use super::costs::{Warm, Wire};
use crate::io::{Ciphertext, Tls};

/// The most allocations of a request.
const ALLOCATIONS_MAX: u64 = 3;

const REQUEST: &[u8] = b"GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n";
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi";

/// Two ends that know each other.
pub(super) fn ends() -> (ServerConnection, ClientConnection) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["a".into()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("a").unwrap();
    (
        ServerConnection::new(Arc::new(server)).unwrap(),
        ClientConnection::new(Arc::new(client), name).unwrap(),
    )
}

/// A client, and a connection that has made its handshake.
struct Client {
    tls: ClientConnection,
    wire: Wire,
}

impl Client {
    /// Sends what rustls wants to send.
    fn send(&mut self) {
        let mut octets = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut octets).unwrap();
        }
        self.wire.bring(&octets);
    }

    /// Takes what came.
    fn receive(&mut self) -> Vec<u8> {
        let octets = self.wire.take();
        let mut rest = octets.as_slice();
        while !rest.is_empty() {
            self.tls.read_tls(&mut rest).unwrap();
            self.tls.process_new_packets().unwrap();
        }
        let mut plain = Vec::new();
        let end = self.tls.reader().read_to_end(&mut plain);
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        plain
    }
}

#[test]
fn request_over_tls_costs_four_calls() {
    let (server, tls) = ends();
    let wire = Wire::new();
    let mut client = Client {
        tls,
        wire: wire.clone(),
    };
    let secured = Tls::new(wire.clone(), server.into(), Ciphertext::default());
    let mut warm = Warm::new(secured);
    let servers = warm.servers.clone();
    let mut allocated = 0;
    let mut before = 0;
    for round in 0..110 {
        // The handshake is made as it comes, and what a first request needs.
        let is_counted = round >= 10;
        if round == 10 {
            before = wire.calls() + servers.calls();
        }
        client.tls.writer().write_all(REQUEST).unwrap();
        client.send();
        let mut count = |warm: &mut Warm<_>| {
            let here = allocation_counter::measure(|| warm.drive()).count_total;
            allocated += if is_counted { here } else { 0 };
        };
        count(&mut warm);
        servers.bring(RESPONSE);
        count(&mut warm);
        servers.forget();
        let answer = client.receive();
        assert!(!is_counted || answer.ends_with(b"hi"), "round {round}");
    }
    assert_eq!(wire.calls() + servers.calls() - before, 400, "calls");
    let each = allocated / 100;
    assert!(each <= ALLOCATIONS_MAX, "{each} allocations each");
}
