//! What becomes of clients when there is too much of everything.

use ipc::proxy::Counter;
use tokio::io::AsyncWriteExt as _;

use crate::harness::{GET, Worker, ask, back_end, connect_as_client, hear, listen, snapshot};

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
