//! HTTP/2 over real sockets: with clients, and with servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use ipc::proxy::{ListenerProtocol, ProxySnapshot, UpstreamProtocol};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

use crate::harness::{GET, PATIENCE, Worker, ask, back_end, hear, listen, snapshot};

pub(crate) fn http2(mut snapshot: ProxySnapshot) -> ProxySnapshot {
    snapshot.listeners[0].protocol = ListenerProtocol::Http { http2: true };
    snapshot
}

pub(crate) async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    speak(TcpStream::connect(address).await.unwrap()).await
}

/// Speaks HTTP/2 over what is connected.
pub(crate) async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> SendRequest<Bytes> {
    let (requests, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    requests
}

/// Asks, and returns status, body and trailers.
pub(crate) async fn fetch(
    requests: &mut SendRequest<Bytes>,
    method: &str,
) -> (u16, String, Option<HeaderMap>) {
    let request = Request::builder()
        .method(method)
        .uri("http://a/app/")
        .header("te", "trailers")
        .body(())
        .unwrap();
    let (response, _) = requests.send_request(request, true).unwrap();
    let response = tokio::time::timeout(PATIENCE, response).await;
    let (head, mut octets) = response.expect("no answer").unwrap().into_parts();
    let mut body = String::new();
    while let Some(piece) = octets.data().await {
        body.push_str(str::from_utf8(&piece.unwrap()).unwrap());
    }
    let trailers = octets.trailers().await.unwrap();
    (head.status.as_u16(), body, trailers)
}

/// A server that takes two streams on each connection; counts connections, and lets `answer` have
/// each request with its number.
async fn server<A, F>(answer: A) -> (SocketAddr, Arc<AtomicUsize>)
where
    A: Fn(usize, Request<RecvStream>, SendResponse<Bytes>) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let requests = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let (answer, requests) = (answer.clone(), Arc::clone(&requests));
            tokio::spawn(async move {
                let mut builder = h2::server::Builder::new();
                builder.max_concurrent_streams(2);
                let mut connection = builder.handshake(stream).await.unwrap();
                while let Some(Ok((request, response))) = connection.accept().await {
                    let number = requests.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(answer(number, request, response));
                }
            });
        }
    });
    (address, connections)
}

pub(crate) fn answer(mut response: SendResponse<Bytes>) {
    let mut body = response.send_response(Response::new(()), false).unwrap();
    body.send_data("hi".into(), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    body.send_trailers(trailers).unwrap();
}

#[tokio::test]
async fn both_versions_are_served_on_one_port() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let snapshot = http2(snapshot(&[(address, true)], back_end().await));
    worker.configure(1, &snapshot, &[socket]).await;
    let (_, answer) = ask(address, GET, "\r\n\r\n.").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (status, body, _) = fetch(&mut connect(address).await, "GET").await;
    assert_eq!((status, body.as_str()), (200, "."));
    // What begins like the preface and is another method is a request all the same.
    let mut client = TcpStream::connect(address).await.unwrap();
    for piece in ["PRI", " * HTTP/1.1\r\n", "Host: a\r\n\r\n"] {
        client.write_all(piece.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let answer = hear(&mut client, "").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

/// Requests share connections, and another one is made when those there are full.
#[tokio::test]
async fn servers_are_spoken_to_in_http2() {
    let together = Arc::new(Barrier::new(4));
    let (back_end, connections) = server(move |number, request, response| {
        let together = Arc::clone(&together);
        async move {
            if number == 0 {
                assert_eq!(request.headers()["te"], "trailers");
            } else if number <= 4 {
                together.wait().await;
            }
            answer(response);
        }
    })
    .await;
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let mut snapshot = http2(snapshot(&[(address, true)], back_end));
    snapshot.upstreams[0].protocol = UpstreamProtocol::Http2;
    worker.configure(1, &snapshot, &[socket]).await;
    let mut client = connect(address).await;
    let (status, body, trailers) = fetch(&mut client, "GET").await;
    assert_eq!((status, body.as_str()), (200, "hi"));
    assert_eq!(trailers.unwrap()["grpc-status"], "0");
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    let four: Vec<_> = (0..4)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { fetch(&mut client, "POST").await.0 })
        })
        .collect();
    for one in four {
        assert_eq!(one.await.unwrap(), 200);
    }
    assert_eq!(connections.load(Ordering::Relaxed), 2);
    // HTTP/1 in front, chunks and all.
    let (_, answer) = ask(address, GET, "0\r\n\r\n").await;
    assert!(answer.ends_with("\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), "{answer}");
    // What has no form in HTTP/2 is nobody's fault but the client's.
    for no_uri in [
        GET.replace("GET /app/", "GET /app/<"),
        GET.replace("Host: a", "Host: a%41"),
    ] {
        assert_ne!(no_uri, GET);
        let last = no_uri.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        let (_, answer) = ask(address, &last, "").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

/// Rule 33: what a server refused unseen is sent once more, whatever its method.
#[tokio::test]
async fn refused_stream_is_repeated() {
    let (back_end, connections) = server(|number, _, mut response| async move {
        if number == 0 {
            response.send_reset(Reason::REFUSED_STREAM);
        } else {
            answer(response);
        }
    })
    .await;
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let mut snapshot = http2(snapshot(&[(address, true)], back_end));
    snapshot.upstreams[0].protocol = UpstreamProtocol::Http2;
    worker.configure(1, &snapshot, &[socket]).await;
    let (status, body, _) = fetch(&mut connect(address).await, "POST").await;
    assert_eq!((status, body.as_str()), (200, "hi"));
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}
