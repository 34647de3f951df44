//! HTTP/2 over TLS, agreed upon by ALPN: with clients, and with servers.

use std::net::SocketAddr;
use std::sync::Arc;

use ipc::proxy::{CertificateSpec, ProxySnapshot, UpstreamProtocol, UpstreamTls};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::harness::{GET, Worker, ask, listen, snapshot, soon};
use crate::http2::{answer, fetch, http2, speak};
use crate::secure::{certificate, listener_tls, simple_server, trusting};

/// A server that agrees to `protocol` alone, and answers in HTTP/2.
async fn server(spec: &CertificateSpec, protocol: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut config = (*simple_server(spec)).clone();
    config.alpn_protocols = vec![protocol.into()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, response))) = connection.accept().await {
                    assert_eq!(request.uri().scheme_str(), Some("https"));
                    answer(response);
                }
            });
        }
    });
    address
}

/// Clients at `address` come by TLS, and servers are gone to by TLS; both in HTTP/2.
fn secure(address: SocketAddr, server: SocketAddr, spec: &CertificateSpec) -> ProxySnapshot {
    let mut snapshot = http2(snapshot(&[(address, true)], server));
    snapshot.listeners[0].tls = Some(listener_tls(&[spec]));
    snapshot.upstreams[0].protocol = UpstreamProtocol::Http2;
    snapshot.authorities = vec![spec.chain.clone()];
    snapshot.upstreams[0].tls = Some(UpstreamTls {
        ca: Some(0),
        sni: Some("a.test".into()),
        client: None,
    });
    snapshot
}

/// A connection of a client that speaks `protocols`.
async fn connect(
    address: SocketAddr,
    trusts: &Arc<ClientConfig>,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut config = (**trusts).clone();
    config.alpn_protocols = protocols
        .iter()
        .map(|one| one.as_bytes().to_vec())
        .collect();
    let name = ServerName::try_from("a.test").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

#[tokio::test]
async fn version_is_agreed_upon_by_alpn_on_both_sides() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let spec = certificate("a.test");
    let snapshot = secure(address, server(&spec, "h2").await, &spec);
    worker.configure(1, &snapshot, &[socket]).await;
    let trusts = trusting(&spec);
    let stream = connect(address, &trusts, &["h2", "http/1.1"])
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut client = speak(stream).await;
    let (status, body, trailers) = fetch(&mut client, "GET").await;
    assert_eq!((status, body.as_str()), (200, "hi"));
    assert_eq!(trailers.unwrap()["grpc-status"], "0");
    // Who does not offer it, or nothing at all, speaks HTTP/1.1.
    for protocols in [&["http/1.1"][..], &[]] {
        let mut stream = connect(address, &trusts, protocols).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        let mut status = [0; 13];
        soon(stream.read_exact(&mut status)).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200 ");
    }
    let refused = connect(address, &trusts, &["spdy/3"]).await.unwrap_err();
    assert!(
        refused.to_string().contains("NoApplicationProtocol"),
        "{refused}"
    );
}

#[tokio::test]
async fn server_that_does_not_agree_to_http2_is_none() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let spec = certificate("a.test");
    let mut snapshot = secure(address, server(&spec, "http/1.1").await, &spec);
    snapshot.listeners[0].tls = None;
    worker.configure(1, &snapshot, &[socket]).await;
    let (_, answer) = ask(address, GET, "502 Bad Gateway\n").await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
}
