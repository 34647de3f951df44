//! TLS with clients and with servers, over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use ipc::proxy::{
    CertificateSpec, ClientAuth, Counter, ListenerTls, ProxySnapshot, SecretOctets, ToProxy,
    UpstreamTls,
};
use ipc::{FromChild, ToChild};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use crate::harness::{GET, PATIENCE, Worker, accept_to_block, back_end, listen, snapshot};

type Secure = StreamOwned<ClientConnection, TcpStream>;

const ANSWER: &str = "\r\n\r\n.";

pub(crate) fn certificate(name: &str) -> CertificateSpec {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let signing_key: KeyPair = signing_key;
    CertificateSpec {
        chain: cert.pem().into_bytes(),
        key: SecretOctets(signing_key.serialize_pem().into_bytes()),
        ocsp: Vec::new(),
    }
}

pub(crate) fn listener_tls(certificates: &[&CertificateSpec]) -> ListenerTls {
    ListenerTls {
        certificates: certificates.iter().map(|one| (*one).clone()).collect(),
        client_auth: ClientAuth::Off,
        tls12: true,
        tickets: true,
    }
}

pub(crate) fn secured(
    address: SocketAddr,
    new: bool,
    server: SocketAddr,
    tls: ListenerTls,
) -> ProxySnapshot {
    let mut snapshot = snapshot(&[(address, new)], server);
    snapshot.listeners[0].tls = Some(tls);
    snapshot
}

/// A client that trusts one certificate.
pub(crate) fn trusting(spec: &CertificateSpec) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&spec.chain).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn connect(config: &Arc<ClientConfig>, name: &str, address: SocketAddr) -> Secure {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    StreamOwned::new(
        ClientConnection::new(Arc::clone(config), name).unwrap(),
        connect_plain(address),
    )
}

/// Its reads and writes do not block for ever.
fn connect_plain(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a request; what comes up to `end`, or to the end of the connection where that is empty.
fn ask(stream: &mut (impl Read + Write), request: &str, end: &str) -> std::io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut heard = Vec::new();
    let mut octet = [0];
    while end.is_empty() || !heard.ends_with(end.as_bytes()) {
        if stream.read(&mut octet)? == 0 {
            break;
        }
        heard.push(octet[0]);
    }
    Ok(String::from_utf8(heard).unwrap())
}

#[tokio::test]
async fn certificates_are_replaced_and_no_connection_is_closed() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let server = back_end().await;
    let (old, new) = (certificate("a.test"), certificate("a.test"));
    let first = secured(address, true, server, listener_tls(&[&old]));
    worker.configure(1, &first, &[socket]).await;
    let (trusts_old, trusts_new) = (trusting(&old), trusting(&new));
    let mut kept = connect(&trusts_old, "a.test", address);
    let (mut kept, answer) = spawn_blocking(move || {
        let answer = ask(&mut kept, GET, ANSWER);
        (kept, answer)
    })
    .await
    .unwrap();
    assert!(answer.unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    // What cannot be used is refused, and nothing changes.
    let mut broken = new.clone();
    broken.key = old.key.clone();
    let refused = secured(address, false, server, listener_tls(&[&broken]));
    let answer = worker.prepare(2, &refused, &[]).await;
    assert!(
        matches!(answer, FromChild::Refused { generation: 2, .. }),
        "{answer:?}"
    );
    let second = secured(address, false, server, listener_tls(&[&new]));
    worker.configure(3, &second, &[]).await;
    spawn_blocking(move || {
        let answer = ask(&mut kept, GET, ANSWER).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let mut fresh = connect(&trusts_new, "a.test", address);
        assert!(ask(&mut fresh, GET, ANSWER).is_ok());
        let mut outdated = connect(&trusts_old, "a.test", address);
        assert!(ask(&mut outdated, GET, ANSWER).is_err());
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn rule_45_a_session_is_resumed_at_another_worker() {
    let keys = [
        tls::fresh_ticket_key().unwrap(),
        tls::fresh_ticket_key().unwrap(),
    ];
    let spec = certificate("a.test");
    let server = back_end().await;
    let mut addresses = Vec::new();
    let mut workers = Vec::new();
    // The second knows the key of the first, and makes its tickets with another.
    for keys in [keys.to_vec(), keys.iter().rev().cloned().collect()] {
        let worker = Worker::start().await;
        let (socket, address) = listen();
        let snapshot = secured(address, true, server, listener_tls(&[&spec]));
        worker.configure(1, &snapshot, &[socket]).await;
        worker.tell(&ToChild::Role(ToProxy::TicketKeys(keys)));
        // Its answer comes when it has read the keys.
        worker.tell(&ToChild::Ping { seq: 1 });
        assert_eq!(worker.hear().await, FromChild::Pong { seq: 1 });
        addresses.push(address);
        workers.push(worker);
    }
    let mut config = (*trusting(&spec)).clone();
    config.resumption = Resumption::in_memory_sessions(4);
    let config = Arc::new(config);
    let kinds = spawn_blocking(move || {
        let kind = |address: &SocketAddr| {
            let mut stream = connect(&config, "a.test", *address);
            ask(&mut stream, GET, ANSWER).unwrap();
            stream.conn.handshake_kind()
        };
        addresses.iter().map(kind).collect::<Vec<_>>()
    });
    let expected = [HandshakeKind::Full, HandshakeKind::Resumed].map(Some);
    assert_eq!(kinds.await.unwrap(), expected);
}

#[tokio::test]
async fn large_bodies_go_through_both_ways() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let spec = certificate("a.test");
    let tls = listener_tls(&[&spec]);
    let snapshot = secured(address, true, server.local_addr().unwrap(), tls);
    worker.configure(1, &snapshot, &[socket]).await;
    const SIZE: usize = 3 << 20;
    let mut stream = connect(&trusting(&spec), "a.test", address);
    let asking = spawn_blocking(move || {
        let body: Vec<u8> = (0..=250).cycle().take(SIZE).collect();
        let head = format!("POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n");
        stream
            .write_all(&[head.as_bytes(), &body].concat())
            .unwrap();
        let answer = ask(&mut stream, "", "\r\n\r\n").unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let mut echoed = vec![0; SIZE];
        stream.read_exact(&mut echoed).unwrap();
        assert!(echoed == body);
    });
    let mut stream = accept_to_block(&server).await;
    let echo = spawn_blocking(move || {
        let mut octets = Vec::new();
        let mut room = vec![0; 1 << 16];
        let mut head = None;
        while head.is_none_or(|head| octets.len() < head + SIZE) {
            let count = stream.read(&mut room).unwrap();
            assert!(count > 0, "the request was cut off");
            octets.extend_from_slice(&room[..count]);
            let end = octets.windows(4).position(|four| four == b"\r\n\r\n");
            head = head.or(end.map(|end| end + 4));
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
        stream.write_all(&octets[head.unwrap()..]).unwrap();
    });
    asking.await.unwrap();
    echo.await.unwrap();
}

#[tokio::test]
async fn who_is_refused_is_told_why() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let spec = certificate("a.test");
    let mut snapshot = secured(address, true, back_end().await, listener_tls(&[&spec]));
    snapshot.listeners[0].timeouts.tls_handshake = Duration::from_millis(100);
    worker.configure(1, &snapshot, &[socket]).await;
    spawn_blocking(move || {
        let mut unknown = connect(&trusting(&spec), "b.test", address);
        let error = ask(&mut unknown, GET, ANSWER).unwrap_err();
        assert!(error.to_string().contains("UnrecognisedName"), "{error}");
        let mut plain = connect_plain(address);
        let answer = ask(&mut plain, GET, "").unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{answer}"
        );
        let (_, page) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            answer.contains(&format!("Content-Length: {}\r\n", page.len())),
            "{answer}"
        );
        // Who says nothing is not waited for.
        let mut silent = connect_plain(address);
        assert_eq!(silent.read(&mut [0]).unwrap(), 0);
        // Who leaves without a word wanted to know whether somebody listens.
        let mut leaving = connect_plain(address);
        leaving.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(leaving.read(&mut [0]).unwrap(), 0);
    })
    .await
    .unwrap();
    // What was done with the last one is done when this is answered.
    worker.tell(&ToChild::Ping { seq: 1 });
    assert_eq!(worker.hear().await, FromChild::Pong { seq: 1 });
    let sum = |counter: Counter| worker.counters.sum(counter.index());
    assert_eq!(sum(Counter::HandshakesFailed), 3);
    assert_eq!((sum(Counter::Accepted), sum(Counter::Handled)), (4, 4));
}

#[tokio::test]
async fn end_of_a_response_is_announced_only_where_it_is_one() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let spec = certificate("a.test");
    let tls = listener_tls(&[&spec]);
    let mut snapshot = secured(address, true, server.local_addr().unwrap(), tls.clone());
    snapshot.authorities = vec![spec.chain.clone()];
    snapshot.upstreams[0].tls = Some(UpstreamTls {
        ca: Some(0),
        sni: Some("a.test".into()),
        client: None,
    });
    worker.configure(1, &snapshot, &[socket]).await;
    for announced in [true, false] {
        let config = simple_server(&spec);
        let mut client = connect(&trusting(&spec), "a.test", address);
        let asking = spawn_blocking(move || ask(&mut client, GET, ""));
        let stream = accept_to_block(&server).await;
        let serving = spawn_blocking(move || {
            let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
            ask(&mut stream, "", "\r\n\r\n").unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nsome").unwrap();
            if announced {
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
        });
        serving.await.unwrap();
        let heard = asking.await.unwrap();
        assert_eq!(heard.is_ok(), announced, "{heard:?}");
    }
}

pub(crate) fn simple_server(spec: &CertificateSpec) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from_pem_slice(&spec.key.0).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(&spec.chain).unwrap()];
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key);
    Arc::new(config.unwrap())
}

#[tokio::test]
async fn rule_42_what_a_server_says_before_the_handshake_is_no_answer() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut snapshot = snapshot(&[(address, true)], server.local_addr().unwrap());
    snapshot.upstreams[0].tls = Some(UpstreamTls {
        ca: None,
        sni: None,
        client: None,
    });
    worker.configure(1, &snapshot, &[socket]).await;
    let mut client = connect_plain(address);
    let answer = spawn_blocking(move || ask(&mut client, GET, "502 Bad Gateway\n"));
    let mut stream = accept_to_block(&server).await;
    let serving = spawn_blocking(move || {
        let early = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.";
        stream.write_all(early).unwrap();
        // Until the worker has had enough of it.
        drop(stream.read_to_end(&mut Vec::new()));
    });
    let answer = answer.await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    serving.await.unwrap();
}
