//! The PROXY protocol, accepted and sent.

use std::io::Read as _;
use std::time::Duration;

use ipc::ToChild;
use ipc::proxy::{Counter, ProxySnapshot, ProxyVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{
    COMBINED, GET, PATIENCE, Worker, accept, back_end, hear, listen, snapshot, soon,
};

/// Version 2: 192.0.2.9:16 to 192.0.2.1:80, and an element that nobody needs.
const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x12\xc0\0\x02\x09\xc0\0\x02\x01\0\x10\0\x50\x02\0\x03a.b";

const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// Behind a proxy at 127.0.0.1, with a log.
fn behind_proxy(mut snapshot: ProxySnapshot) -> ProxySnapshot {
    snapshot.listeners[0].proxy_protocol = vec!["127.0.0.1/32".parse().unwrap()];
    snapshot.listeners[0].access_log = Some(COMBINED);
    snapshot.log_files = vec!["access.log".into()];
    snapshot
}

#[tokio::test]
async fn client_is_who_the_header_says() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let snapshot = behind_proxy(snapshot(&[(address, true)], back_end().await));
    let (mut log, log_end) = std::io::pipe().unwrap();
    worker
        .configure(1, &snapshot, &[socket, log_end.into()])
        .await;
    let cases: [(&[u8], &str); 4] = [
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 80\r\n", "192.0.2.7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (BINARY, "192.0.2.9"),
        (LOCAL, "127.0.0.1"),
    ];
    for (header, _) in cases {
        let mut client = TcpStream::connect(address).await.unwrap();
        // In three pieces, the last of them with the request behind it.
        let (first, rest) = header.split_at(5);
        client.write_all(first).await.unwrap();
        tokio::task::yield_now().await;
        client.write_all(&rest[..2]).await.unwrap();
        let rest = [&rest[2..], GET.as_bytes()].concat();
        client.write_all(&rest).await.unwrap();
        hear(&mut client, "\r\n\r\n.").await;
        // The header is for the connection, not for each request.
        client.write_all(GET.as_bytes()).await.unwrap();
        hear(&mut client, "\r\n\r\n.").await;
    }
    worker.tell(&ToChild::Stop { within: PATIENCE });
    let mut lines = String::new();
    log.read_to_string(&mut lines).unwrap();
    let clients: Vec<_> = (lines.lines())
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    let expected: Vec<_> = (cases.iter())
        .flat_map(|(_, client)| [*client, *client])
        .collect();
    assert_eq!(clients, expected);
}

/// Rule 40: the header is mandatory, and comes in time.
#[tokio::test]
async fn connection_that_begins_otherwise_is_closed_without_a_word() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let mut snapshot = behind_proxy(snapshot(&[(address, true)], back_end().await));
    snapshot.listeners[0].access_log = None;
    snapshot.log_files.clear();
    worker.configure(1, &snapshot, &[socket]).await;
    let beginnings: [&[u8]; 4] = [
        GET.as_bytes(),
        b"PROXY TCP4 192.0.2.7\r\n",
        &[&BINARY[..13], b"\xff"].concat(),
        // Nothing more comes.
        b"PROXY TCP4 192.0.2.7 ",
    ];
    for beginning in beginnings {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(beginning).await.unwrap();
        assert_eq!(hear(&mut client, "").await, "");
    }
    let refused = worker.counters.sum(Counter::HeadersRefused.index());
    assert_eq!(refused, 4);
    assert_eq!(worker.counters.sum(Counter::Handled.index()), 0);
}

#[tokio::test]
async fn who_is_not_listed_may_not_speak_and_this_node_only_for_itself() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let mut snapshot = snapshot(&[(address, true)], back_end().await);
    snapshot.listeners[0].proxy_protocol = vec!["192.0.2.0/24".parse().unwrap()];
    worker.configure(1, &snapshot, &[socket]).await;
    // Loopback is this node, whatever is listed.
    let mut own = TcpStream::connect(address).await.unwrap();
    let question = [LOCAL, GET.as_bytes()].concat();
    own.write_all(&question).await.unwrap();
    hear(&mut own, "\r\n\r\n.").await;
    for beginning in [GET.as_bytes(), BINARY] {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(beginning).await.unwrap();
        let mut answer = Vec::new();
        // Closed with octets unread, which is a reset.
        let _ = soon(client.read_to_end(&mut answer)).await;
        assert!(answer.is_empty(), "{answer:?}");
    }
    let refused = worker.counters.sum(Counter::HeadersRefused.index());
    assert_eq!(refused, 2);
}

#[tokio::test]
async fn server_is_told_whose_connection_it_is_and_keeps_it_for_that_client() {
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let worker = Worker::start().await;
        let (socket, address) = listen();
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut snapshot = snapshot(&[(address, true)], server.local_addr().unwrap());
        snapshot.upstreams[0].send_proxy = Some(version);
        snapshot.upstreams[0].read_timeout = Duration::from_secs(20);
        worker.configure(1, &snapshot, &[socket]).await;
        for _ in 0..2 {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(GET.as_bytes()).await.unwrap();
            let mut connection = accept(&server).await;
            let mut heard = vec![0; 512];
            let mut count = 0;
            while count < 64 || !heard[..count].ends_with(b"\r\n\r\n") {
                let read = soon(connection.read(&mut heard[count..])).await.unwrap();
                assert!(read > 0, "it ends too early");
                count += read;
            }
            let port = client.local_addr().unwrap().port();
            let expected = match version {
                ProxyVersion::V1 => {
                    let (ip, to) = (address.ip(), address.port());
                    format!("PROXY TCP4 127.0.0.1 {ip} {port} {to}\r\n").into_bytes()
                }
                ProxyVersion::V2 => {
                    let ends = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01";
                    let ports = [port.to_be_bytes(), address.port().to_be_bytes()];
                    [&ends[..], &ports.concat()].concat()
                }
            };
            assert!(heard.starts_with(&expected), "{heard:?}");
            let request = &heard[expected.len()..count];
            assert!(request.starts_with(b"GET /app/ HTTP/1.1\r\n"), "{heard:?}");
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.";
            connection.write_all(answer).await.unwrap();
            hear(&mut client, "\r\n\r\n.").await;
            // Kept for the same client, without another header, and ended with it.
            client.write_all(GET.as_bytes()).await.unwrap();
            let again = hear(&mut connection, "\r\n\r\n").await;
            assert!(again.starts_with("GET /app/ HTTP/1.1\r\n"), "{again}");
            connection.write_all(answer).await.unwrap();
            hear(&mut client, "\r\n\r\n.").await;
            drop(client);
            assert_eq!(hear(&mut connection, "").await, "");
        }
    }
}

/// Who is turned away behind a proxy reads why, and then the end: what it has sent must not make the
/// close a reset.
#[tokio::test]
async fn one_too_many_behind_a_proxy_is_told() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let mut snapshot = behind_proxy(snapshot(&[(address, true)], back_end().await));
    snapshot.listeners[0].access_log = None;
    snapshot.log_files.clear();
    snapshot.listeners[0].limits.connections = 1;
    worker.configure(1, &snapshot, &[socket]).await;
    let header = "PROXY TCP4 192.0.2.7 192.0.2.1 40000 80\r\n";
    let mut served = TcpStream::connect(address).await.unwrap();
    let request = format!("{header}{GET}");
    served.write_all(request.as_bytes()).await.unwrap();
    let answer = hear(&mut served, "\r\n\r\n.").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let mut client = TcpStream::connect(address).await.unwrap();
    // More than is read to find the header.
    let long = GET.replacen("\r\n", &format!("\r\nCookie: {}\r\n", "c".repeat(4096)), 1);
    let request = format!("{header}{long}");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(client.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    // By then the worker has long closed the other.
    served.write_all(GET.as_bytes()).await.unwrap();
    hear(&mut served, "\r\n\r\n.").await;
    assert!(client.take_error().unwrap().is_none(), "it was reset");
}
