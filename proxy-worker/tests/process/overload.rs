//! What becomes of clients when there is too much of everything.

use std::net::SocketAddr;

use ipc::proxy::Counter;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::{
    GET, PATIENCE, Worker, ask, back_end, connect_as_client, connect_from, hear, listen, snapshot,
};

/// Descriptors that the worker may have: enough to begin, and soon used up.
const DESCRIPTORS: &str = "--nofile=64";

#[tokio::test]
async fn clients_are_told_before_descriptors_run_out_and_served_when_there_are_some_again() {
    let worker = Worker::start().await;
    let pid = worker.process.0.id().unwrap().to_string();
    let limited = tokio::process::Command::new("prlimit")
        .args(["--pid", &pid, DESCRIPTORS])
        .status();
    assert!(limited.await.unwrap().success());
    let (socket, address) = listen();
    let snapshot = snapshot(&[(address, true)], back_end().await);
    worker.configure(1, &snapshot, &[socket]).await;
    let mut served = Vec::new();
    let refusal = loop {
        let mut client = connect_as_client(address).await;
        client.write_all(GET.as_bytes()).await.unwrap();
        let answer = hear(&mut client, ".").await;
        if answer.starts_with("HTTP/1.1 503 ") {
            break answer;
        }
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        served.push(client);
        assert!(served.len() < 64, "more than there are descriptors");
    };
    assert!(refusal.contains("\r\nRetry-After: "), "{refusal}");
    assert!(refusal.contains("\r\nConnection: close\r\n"), "{refusal}");
    assert!(worker.counters.sum(Counter::Shed.index()) > 0);
    // The node may still ask itself.
    let (_, own) = ask(address, GET, "\r\n\r\n.").await;
    assert!(own.starts_with("HTTP/1.1 200 OK\r\n"), "{own}");
    // Idle connections are closed, and so there is room again.
    assert!(served.len() > 16, "{}", served.len());
    for mut client in served {
        assert_eq!(hear(&mut client, "").await, "");
    }
    loop {
        let mut client = connect_as_client(address).await;
        client.write_all(GET.as_bytes()).await.unwrap();
        // The end of either answer.
        let answer = hear(&mut client, ".").await;
        if answer.starts_with("HTTP/1.1 200 OK\r\n") {
            break;
        }
    }
}

/// Asks, and says whether it was served; the connection stays open then.
async fn try_from(ip: [u8; 4], address: SocketAddr) -> Option<TcpStream> {
    let mut client = connect_from(ip, address).await;
    client.write_all(GET.as_bytes()).await.unwrap();
    let answer = hear(&mut client, "\r\n\r\n.").await;
    if answer.starts_with("HTTP/1.1 200 OK\r\n") {
        return Some(client);
    }
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nRetry-After: "), "{answer}");
    None
}

/// The end of a connection is seen a moment later.
async fn served_in_the_end(ip: [u8; 4], address: SocketAddr) -> TcpStream {
    let trying = async {
        loop {
            if let Some(client) = try_from(ip, address).await {
                return client;
            }
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.unwrap()
}

/// Rule 37: limits hold for the node, whichever worker takes a connection.
#[tokio::test]
async fn limits_hold_for_all_workers_together_and_a_dead_one_holds_no_places() {
    const ONE: [u8; 4] = [127, 0, 0, 2];
    const OTHER: [u8; 4] = [127, 0, 0, 3];
    let server = back_end().await;
    let first = Worker::start().await;
    let second = first.start_beside(1).await;
    let mut places = Vec::new();
    let mut sockets = Vec::new();
    for worker in [&first, &second] {
        let (socket, address) = listen();
        let mut snapshot = snapshot(&[(address, true)], server);
        snapshot.listeners[0].limits.connections = 3;
        snapshot.listeners[0].limits.connections_per_address = 2;
        sockets.push((snapshot.clone(), socket.try_clone().unwrap()));
        worker.configure(1, &snapshot, &[socket]).await;
        places.push(address);
    }
    let mine = try_from(ONE, places[0]).await.expect("the first");
    let _also_mine = try_from(ONE, places[1]).await.expect("the second");
    assert!(
        try_from(ONE, places[0]).await.is_none(),
        "two for one address"
    );
    let _other = try_from(OTHER, places[1]).await.expect("the third of all");
    assert!(try_from(OTHER, places[0]).await.is_none(), "three for all");
    // The node's own question is not counted.
    let (own, answer) = ask(places[0], GET, "\r\n\r\n.").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let limited = first.counters.sum(Counter::Crowded.index());
    assert_eq!(limited, 2);
    drop((mine, own));
    let _again = served_in_the_end(ONE, places[1]).await;
    // What a worker held that was killed is free for its successor.
    let third = {
        let mut second = second;
        second.process.0.kill().await.unwrap();
        first.start_beside(1).await
    };
    let (snapshot, socket) = sockets.pop().unwrap();
    third.configure(1, &snapshot, &[socket]).await;
    let _mine = try_from(ONE, places[1]).await.expect("a free place");
    let _also_mine = try_from(ONE, places[0]).await.expect("another");
}
