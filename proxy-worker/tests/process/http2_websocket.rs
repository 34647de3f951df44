//! WebSocket over HTTP/2 (RFC 8441), to a server that knows it in HTTP/1.1.

use std::io::BufRead as _;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request};
use sha1::{Digest as _, Sha1};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{COMBINED, PATIENCE, Worker, accept, back_end, hear, listen, snapshot};
use crate::http2::{connect, http2};

/// The 101 to a request for WebSocket (RFC 6455 §4.2.2).
fn switch(request: &str) -> String {
    let (_, rest) = request.split_once("sec-websocket-key: ").unwrap();
    let (key, _) = rest.split_once("\r\n").unwrap();
    let hashed = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = STANDARD.encode(Sha1::digest(hashed.as_bytes()));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

fn websocket() -> Request<()> {
    Request::builder()
        .method(Method::CONNECT)
        .uri("http://a/app/")
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static("websocket"))
        .body(())
        .unwrap()
}

/// A client that knows what the worker can do, which it does when the worker has answered something.
async fn able(address: SocketAddr) -> SendRequest<Bytes> {
    let mut client = connect(address).await;
    let asked = Request::get("http://a/nowhere").body(()).unwrap();
    let (answer, _) = client.send_request(asked, true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 404);
    assert!(client.is_extended_connect_protocol_enabled());
    client
}

/// A WebSocket; the client's two ways, and the server's end.
async fn upgraded(
    requests: &mut SendRequest<Bytes>,
    server: &TcpListener,
) -> (SendStream<Bytes>, RecvStream, TcpStream) {
    let (response, up) = requests.send_request(websocket(), false).unwrap();
    let mut end = accept(server).await;
    let head = hear(&mut end, "\r\n\r\n").await;
    end.write_all(switch(&head).as_bytes()).await.unwrap();
    let response = tokio::time::timeout(PATIENCE, response).await;
    let response = response.expect("no answer").unwrap();
    assert_eq!(response.status(), 200);
    (up, response.into_body(), end)
}

#[tokio::test]
async fn stream_carries_a_websocket_to_the_end_of_each_side() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let snapshot = http2(snapshot(&[(address, true)], server.local_addr().unwrap()));
    worker.configure(1, &snapshot, &[socket]).await;
    let mut client = able(address).await;
    let (mut up, mut down, end) = upgraded(&mut client, &server).await;
    const SIZE: usize = 1 << 20;
    let echo = tokio::spawn(async move {
        let (mut read, mut write) = end.into_split();
        let count = tokio::io::copy(&mut read, &mut write).await.unwrap();
        write.shutdown().await.unwrap();
        count
    });
    let sent: Vec<u8> = (0..=250).cycle().take(SIZE).collect();
    up.send_data(sent.clone().into(), true).unwrap();
    let mut heard = Vec::new();
    while let Some(piece) = down.data().await {
        let piece = piece.unwrap();
        down.flow_control().release_capacity(piece.len()).unwrap();
        heard.extend_from_slice(&piece);
    }
    assert!(heard == sent, "{} octets", heard.len());
    assert_eq!(echo.await.unwrap(), u64::try_from(SIZE).unwrap());
    // RFC 8441 §5: a reset of the connection is one of the stream, by this name.
    let (_up, mut down, end) = upgraded(&mut client, &server).await;
    end.set_zero_linger().unwrap();
    drop(end);
    let error = down.data().await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::CANCEL));
}

/// Neither a server that answers 200 nor a page of our own opens a tunnel.
#[tokio::test]
async fn log_says_what_the_client_was_told() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let mut snapshot = http2(snapshot(&[(address, true)], back_end().await));
    snapshot.listeners[0].access_log = Some(COMBINED);
    snapshot.log_files = vec!["access.log".into()];
    let (log, log_end) = std::io::pipe().unwrap();
    worker
        .configure(1, &snapshot, &[socket, log_end.into()])
        .await;
    let mut client = able(address).await;
    for path in ["/app/", "/server-status"] {
        let mut request = websocket();
        *request.uri_mut() = format!("http://a{path}").parse().unwrap();
        let (response, _) = client.send_request(request, false).unwrap();
        assert_eq!(response.await.unwrap().status(), 502, "{path}");
    }
    let lines = tokio::task::spawn_blocking(|| {
        let lines = std::io::BufReader::new(log).lines().take(3);
        lines.collect::<Result<Vec<_>, _>>().unwrap()
    });
    for (line, end) in lines
        .await
        .unwrap()
        .iter()
        .skip(1)
        .zip(["/app/", "/server-status"])
    {
        assert!(
            line.contains(&format!("\"GET {end} HTTP/2.0\" 502 0 ")),
            "{line}"
        );
    }
}
