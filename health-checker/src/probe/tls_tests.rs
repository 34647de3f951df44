//! Questions over TLS: whose certificate is taken, and what is said where none is.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use ipc::proxy::{
    CertificateSpec, ClientAuth, ListenerTls, SecretOctets, UpstreamProtocol, UpstreamTls,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::configuration::OWN_PROXY;

const LIMIT: Duration = Duration::from_secs(20);

/// A certificate for 127.0.0.1 and app.test, signed by itself.
pub(super) fn certificate() -> CertificateSpec {
    certificate_for(&["127.0.0.1", "app.test"])
}

fn certificate_for(names: &[&str]) -> CertificateSpec {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    CertificateSpec {
        chain: cert.pem().into_bytes(),
        key: SecretOctets(signing_key.serialize_pem().into_bytes()),
        ocsp: Vec::new(),
    }
}

/// Who trusts the first of the authorities.
pub(super) fn trusting(sni: Option<&str>) -> UpstreamTls {
    UpstreamTls {
        ca: Some(0),
        sni: sni.map(str::to_owned),
        client: None,
    }
}

pub(super) fn server(certificate: &CertificateSpec) -> Arc<ServerConfig> {
    let spec = ListenerTls {
        certificates: vec![certificate.clone()],
        client_auth: ClientAuth::Off,
        tls12: true,
        tickets: false,
    };
    let (authorities, tickets) = (tls::Authorities::default(), tls::TicketKeys::default());
    let server = tls::Server::new(&spec, "test", false, &authorities, &tickets);
    server.unwrap().config()
}

/// How a server treats the one connection that it gets.
enum Server {
    /// Makes the handshake and answers a request, where there is one.
    Secure(Arc<ServerConfig>),
    /// Speaks HTTP, and no TLS.
    Plain,
    /// Closes in the handshake.
    Closes,
}

/// Serves one connection, as a thread.
fn serve(listener: &std::net::TcpListener, server: Server) {
    let (mut stream, _) = listener.accept().unwrap();
    match server {
        Server::Closes => assert!(stream.read(&mut [0; 4096]).unwrap() > 0),
        Server::Plain => {
            let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(answer).unwrap();
        }
        Server::Secure(config) => {
            let tls = ServerConnection::new(config).unwrap();
            let mut stream = StreamOwned::new(tls, stream);
            // Whoever only makes the handshake, or finds it wanting, leaves here.
            if stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {
                stream
                    .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                    .unwrap();
            }
        }
    }
}

/// A thread that serves one connection, and where.
fn start(server: Server) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (
        address,
        std::thread::spawn(move || serve(&listener, server)),
    )
}

#[actix_rt::test]
async fn verdicts_on_servers() {
    let (theirs, other) = (certificate(), certificate());
    let secure = || Server::Secure(server(&theirs));
    let named = certificate_for(&["app.test"]);
    let http = || Probe::Http {
        path: "/".into(),
        host: None,
        statuses: vec![(200, 399)],
    };
    let chains = [&theirs, &other, &named].map(|one| one.chain.clone());
    let authorities = tls::Authorities::new(&chains);
    let trusting = |ca, sni| UpstreamTls {
        ca: Some(ca),
        ..trusting(sni)
    };
    // Certificates that are made like this have the same name.
    let forged =
        "down: no TLS: its certificate is signed with another key than that of its signer in `ca`";
    let misnamed = "down: no TLS: its certificate is for another name (`sni`)";
    let closed = "down: no TLS: the peer closes the connection in the handshake";
    let cases = [
        (
            Probe::Tcp,
            trusting(0, None),
            secure(),
            "up: TLS handshake done",
        ),
        (http(), trusting(0, None), secure(), "up: status 204"),
        (
            http(),
            trusting(0, Some("app.test")),
            secure(),
            "up: status 204",
        ),
        (
            http(),
            trusting(2, None),
            Server::Secure(server(&named)),
            misnamed,
        ),
        (Probe::Tcp, trusting(1, None), secure(), forged),
        (http(), OWN_PROXY, secure(), "up: status 204"),
        (http(), trusting(0, None), Server::Closes, closed),
        (
            http(),
            trusting(0, None),
            Server::Plain,
            "down: no TLS: the peer does not speak TLS",
        ),
    ];
    for (number, (kind, tls, server, expected)) in cases.into_iter().enumerate() {
        let (address, serving) = start(server);
        let check = UpstreamCheck {
            name: "app".into(),
            servers: vec![address],
            protocol: UpstreamProtocol::Http1,
            send_proxy: None,
            probe: kind,
            tls: None,
            interval: LIMIT,
            timeout: LIMIT,
            rise: 2,
            fall: 3,
        };
        let tls = tls::Client::new(&tls, &authorities, tls::HTTP_11).unwrap();
        let said = match probe(address, &check, Some(&tls)).await {
            Ok(answer) => format!("up: {answer}"),
            Err(failure) => format!("down: {failure}"),
        };
        assert_eq!(said, expected, "case {number}");
        serving.join().unwrap();
    }
}

/// Whose certificate it shows is not the question, only whether it makes a handshake, and answers.
#[actix_rt::test]
async fn our_own_proxy_is_asked_through_tls() {
    let own = tls::Client::new(&OWN_PROXY, &tls::Authorities::default(), tls::HTTP_11).unwrap();
    for (kind, expected) in [
        (ListenerProbe::Tls, "TLS handshake done"),
        (ListenerProbe::Https, "status 204"),
    ] {
        let (address, serving) = start(Server::Secure(server(&certificate())));
        let check = ListenerCheck {
            address,
            probe: kind,
            proxy_header: false,
        };
        let answer = probe_own(&check, Some(&own), LIMIT).await.unwrap();
        assert_eq!(answer.unwrap().to_string(), expected);
        serving.join().unwrap();
        let (address, serving) = start(Server::Closes);
        let check = ListenerCheck { address, ..check };
        let failure = probe_own(&check, Some(&own), LIMIT).await.unwrap_err();
        let closed = "no TLS: the peer closes the connection in the handshake";
        assert_eq!(failure.to_string(), closed);
        serving.join().unwrap();
    }
}
