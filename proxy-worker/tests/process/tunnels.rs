//! Octets both ways over real sockets: WebSockets (rule 24), TCP listeners, and how they end.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use ipc::proxy::{FromProxy, ListenerProtocol, ProxySnapshot};
use ipc::{FromChild, ToChild};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::harness::{GET, PATIENCE, Worker, accept, ask, hear, listen, snapshot, soon};

const UPGRADE: &str = "GET /app/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A listener that relays octets.
fn tcp(address: SocketAddr, server: SocketAddr) -> ProxySnapshot {
    let mut snapshot = snapshot(&[(address, true)], server);
    snapshot.listeners[0].protocol = ListenerProtocol::Tcp;
    snapshot.routes.truncate(1);
    snapshot.routes[0].path = "/".into();
    snapshot
}

/// A socket as the supervisor has it for such a listener.
fn listen_for_tcp() -> (OwnedFd, SocketAddr) {
    let (socket, address) = listen();
    platform::listen::await_first_octets(&socket, false).unwrap();
    (socket, address)
}

/// A WebSocket through `worker`; its two ends.
async fn upgraded(address: SocketAddr, server: &TcpListener) -> (TcpStream, TcpStream) {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    let mut end = accept(server).await;
    hear(
        &mut end,
        "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    )
    .await;
    end.write_all(SWITCH.as_bytes()).await.unwrap();
    let head = hear(&mut client, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    (client, end)
}

/// Sends `octets` each way at the same time, then ends each way; all of it arrives.
async fn exchange(one: &mut TcpStream, other: &mut TcpStream, octets: &[u8]) {
    let (mut read_one, mut write_one) = one.split();
    let (mut read_other, mut write_other) = other.split();
    let send = async |write: &mut tokio::net::tcp::WriteHalf<'_>| {
        write.write_all(octets).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let receive = async |read: &mut tokio::net::tcp::ReadHalf<'_>| {
        let mut received = Vec::new();
        soon(read.read_to_end(&mut received)).await.unwrap();
        assert!(received == octets, "{} octets", received.len());
    };
    let all = async {
        tokio::join!(
            send(&mut write_one),
            send(&mut write_other),
            receive(&mut read_one),
            receive(&mut read_other)
        )
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
}

#[tokio::test]
async fn tunnels_carry_everything_both_ways_to_the_end_of_each() {
    let octets: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
    let worker = Worker::start().await;
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (socket, address) = listen();
    let http = snapshot(&[(address, true)], server.local_addr().unwrap());
    worker.configure(1, &http, &[socket]).await;
    let (mut client, mut end) = upgraded(address, &server).await;
    exchange(&mut client, &mut end, &octets).await;
    let (socket, address) = listen_for_tcp();
    let tcp = tcp(address, server.local_addr().unwrap());
    worker.configure(2, &tcp, &[socket]).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    // The server is there before the client has said anything.
    let mut end = accept(&server).await;
    end.write_all(b"220 mail\r\n").await.unwrap();
    hear(&mut client, "220 mail\r\n").await;
    exchange(&mut client, &mut end, &octets).await;
}

#[tokio::test]
async fn side_that_breaks_breaks_the_other() {
    let worker = Worker::start().await;
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (socket, address) = listen_for_tcp();
    let snapshot = tcp(address, server.local_addr().unwrap());
    worker.configure(1, &snapshot, &[socket]).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let end = accept(&server).await;
    end.set_zero_linger().unwrap();
    drop(end);
    let heard = soon(client.read(&mut [0])).await;
    assert!(heard.is_err(), "{heard:?}");
    // Bound, so that nobody else gets the port, and not listening.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (socket, address) = listen_for_tcp();
    let snapshot = tcp(address, nobody.local_addr().unwrap());
    worker.configure(2, &snapshot, &[socket]).await;
    // The reset may come before this process has noticed that it is connected.
    let heard = soon(async { TcpStream::connect(address).await?.read(&mut [0]).await }).await;
    assert!(heard.is_err(), "nobody is there: {heard:?}");
}

#[tokio::test]
async fn orphan_cuts_requests_in_their_time_and_tunnels_in_theirs() {
    let worker = Worker::start().await;
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (socket, address) = listen();
    let mut snapshot = snapshot(&[(address, true)], server.local_addr().unwrap());
    snapshot.drain_timeout = Duration::from_millis(100);
    worker.configure(1, &snapshot, &[socket]).await;
    let (mut client, mut end) = upgraded(address, &server).await;
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(GET.as_bytes()).await.unwrap();
    let mut thinking = accept(&server).await;
    hear(&mut thinking, "\r\n\r\n").await;
    let Worker {
        link, mut process, ..
    } = worker;
    drop(link);
    assert_eq!(hear(&mut busy, "").await, "", "it is cut");
    end.write_all(b"still there").await.unwrap();
    hear(&mut client, "still there").await;
    drop(client);
    assert_eq!(hear(&mut end, "").await, "");
    drop(end);
    let ended = tokio::time::timeout(PATIENCE, process.0.wait()).await;
    assert!(ended.expect("the worker does not end").unwrap().success());
}

/// Its supervisor has become another image, which hears of it as long as it has a tunnel.
#[tokio::test]
async fn a_worker_that_is_left_shows_that_it_lives() {
    let (worker, end) = Worker::start_to_be_left().await;
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (socket, address) = listen();
    let snapshot = snapshot(&[(address, true)], server.local_addr().unwrap());
    worker.configure(1, &snapshot, &[socket]).await;
    let (client, far_end) = upgraded(address, &server).await;
    end.end_sending().unwrap();
    for _ in 0..3 {
        assert_eq!(worker.hear().await, FromChild::Role(FromProxy::Ending));
    }
    drop((client, far_end));
    let drained = FromChild::Role(FromProxy::Drained { cut: 0 });
    while worker.hear().await != drained {}
    assert!(worker.end().await.success());
}

#[tokio::test]
async fn stop_gives_tunnels_the_time_of_requests() {
    let worker = Worker::start().await;
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (socket, address) = listen();
    let snapshot = snapshot(&[(address, true)], server.local_addr().unwrap());
    worker.configure(1, &snapshot, &[socket]).await;
    let (mut client, _end) = upgraded(address, &server).await;
    let within = Duration::from_millis(100);
    worker.tell(&ToChild::Stop { within });
    let drained = FromChild::Role(FromProxy::Drained { cut: 1 });
    assert_eq!(worker.hear().await, drained);
    assert_eq!(hear(&mut client, "").await, "");
    assert!(worker.end().await.success());
}

/// Rule 27, as a client sees it that never waits.
#[tokio::test]
async fn answer_before_the_body_is_not_destroyed_by_it() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let snapshot = snapshot(&[(address, true)], server.local_addr().unwrap());
    worker.configure(1, &snapshot, &[socket]).await;
    let post = "POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 500000\r\n\r\n";
    let request = format!("{post}{}", "x".repeat(500_000));
    let (_, answer) = ask(address, &request, "").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(answer.ends_with("404 Not Found\n"), "{answer}");
}
