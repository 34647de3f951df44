//! Serving, logging, counting, reloading, ending.

use std::io::{BufRead as _, Read as _};
use std::os::fd::AsFd as _;
use std::time::Duration;

use ipc::proxy::{AccessLogSpec, Counter, FromProxy, LogFormat, State, ToProxy};
use ipc::{FromChild, ToChild};
use platform::gauges::STATES_AT;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{
    COMBINED, GET, PATIENCE, Worker, accept, ask, back_end, hear, listen, snapshot, soon,
};

#[tokio::test]
async fn worker_serves_logs_counts_and_answers_its_heartbeat() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let mut snapshot = snapshot(&[(address, true)], back_end().await);
    snapshot.listeners[0].access_log = Some(COMBINED);
    snapshot.log_files = vec!["access.log".into()];
    let (mut log, log_end) = std::io::pipe().unwrap();
    worker
        .configure(1, &snapshot, &[socket, log_end.into()])
        .await;
    let (mut client, answer) = ask(address, GET, "\r\n\r\n.").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    client
        .write_all(b"GET /server-status HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let page = hear(&mut client, "Reading: 0 Writing: 1 Waiting: 0 \n").await;
    assert!(page.contains("Active connections: 1 \n"), "{page}");
    let ping = b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(ping).await.unwrap();
    let pong = hear(&mut client, "\r\n\r\n").await;
    assert!(pong.contains("Content-Length: 0\r\n"), "{pong}");
    assert_eq!(worker.counters.sum(Counter::Requests.index()), 3);
    worker.tell(&ToChild::Ping { seq: 7 });
    assert_eq!(worker.hear().await, FromChild::Pong { seq: 7 });
    worker.tell(&ToChild::Stop { within: PATIENCE });
    assert_eq!(
        worker.hear().await,
        FromChild::Role(FromProxy::Drained { cut: 0 })
    );
    assert!(worker.end().await.success());
    let mut lines = String::new();
    log.read_to_string(&mut lines).unwrap();
    let mut lines = lines.lines();
    for end in [
        "\"GET /app/ HTTP/1.1\" 200 1 \"-\" \"-\"",
        "\"GET /server-status HTTP/1.1\" 200 ",
    ] {
        let line = lines.next().unwrap();
        assert!(
            line.starts_with("127.0.0.1 - - [") && line.contains(end),
            "{line}"
        );
    }
    let ping = lines.next();
    assert_eq!(ping, None, "what a node asks itself is in no log");
}

#[tokio::test]
async fn client_that_leaves_a_thinking_server_is_499_at_once() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut snapshot = snapshot(&[(address, true)], server.local_addr().unwrap());
    snapshot.listeners[0].access_log = Some(COMBINED);
    snapshot.log_files = vec!["access.log".into()];
    let (log, log_end) = std::io::pipe().unwrap();
    worker
        .configure(1, &snapshot, &[socket, log_end.into()])
        .await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(GET.as_bytes()).await.unwrap();
    let mut connection = accept(&server).await;
    hear(&mut connection, "\r\n\r\n").await;
    drop(client);
    assert_eq!(hear(&mut connection, "").await, "");
    let line = tokio::task::spawn_blocking(|| std::io::BufReader::new(log).lines().next());
    let line = line.await.unwrap().unwrap().unwrap();
    assert!(line.contains("\" 499 0 "), "{line}");
    for state in [State::Active, State::Writing] {
        assert_eq!(worker.gauges.sum(STATES_AT + state.index()), 0);
    }
}

#[tokio::test]
async fn line_of_json_says_who_answered() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let server = back_end().await;
    let mut snapshot = snapshot(&[(address, true)], server);
    let format = LogFormat::Json;
    snapshot.listeners[0].access_log = Some(AccessLogSpec { format, ..COMBINED });
    snapshot.log_files = vec!["access.log".into()];
    let (log, log_end) = std::io::pipe().unwrap();
    worker
        .configure(1, &snapshot, &[socket, log_end.into()])
        .await;
    ask(address, GET, ".").await;
    let line = tokio::task::spawn_blocking(|| std::io::BufReader::new(log).lines().next());
    let line = line.await.unwrap().unwrap().unwrap();
    let server = format!(r#","upstream":"app","server":"{server}","tries":1,"status":200,"#);
    assert!(line.contains(&server), "{line}");
}

/// Rule 21.
#[tokio::test]
async fn octets_behind_the_last_request_do_not_reset_its_answer() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let snapshot = snapshot(&[(address, true)], back_end().await);
    worker.configure(1, &snapshot, &[socket]).await;
    let last = "Host: a\r\nConnection: close\r\n\r\n";
    for path in ["/app/", "/server-status", "/nowhere"] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\n{last}");
        client
            .write_all(request.repeat(3).as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        let end = soon(client.read_to_string(&mut answer)).await;
        assert!(end.is_ok(), "{path}: {end:?}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }
}

#[tokio::test]
async fn response_cut_short_resets_who_would_take_the_close_for_its_end() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let snapshot = snapshot(&[(address, true)], server.local_addr().unwrap());
    worker.configure(1, &snapshot, &[socket]).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    // The second request finds a connection that the event loop knows already.
    let kept = "GET /nowhere HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    client.write_all(kept.as_bytes()).await.unwrap();
    hear(&mut client, "404 Not Found\n").await;
    client
        .write_all(b"GET /app/ HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut connection = accept(&server).await;
    hear(&mut connection, "\r\n\r\n").await;
    let begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";
    connection.write_all(begun).await.unwrap();
    hear(&mut client, "hi").await;
    drop(connection);
    let end = soon(client.read_to_end(&mut Vec::new())).await;
    assert!(end.is_err(), "{end:?}");
}

#[tokio::test]
async fn access_log_that_is_opened_anew_gets_what_comes_then() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let mut snapshot = snapshot(&[(address, true)], back_end().await);
    snapshot.listeners[0].access_log = Some(COMBINED);
    snapshot.log_files = vec!["access.log".into()];
    let (mut first, first_end) = std::io::pipe().unwrap();
    worker
        .configure(1, &snapshot, &[socket, first_end.into()])
        .await;
    ask(address, GET, "\r\n\r\n.").await;
    let (mut second, second_end) = std::io::pipe().unwrap();
    let reopened = ToChild::Role(ToProxy::LogsReopened);
    worker.link.send(&reopened, &[second_end.as_fd()]).unwrap();
    drop(second_end);
    let mut lines = String::new();
    // The end of the old file is there once the worker has let go of it.
    first.read_to_string(&mut lines).unwrap();
    assert_eq!(lines.lines().count(), 1, "{lines}");
    ask(address, GET, "\r\n\r\n.").await;
    worker.tell(&ToChild::Stop { within: PATIENCE });
    lines.clear();
    second.read_to_string(&mut lines).unwrap();
    assert_eq!(lines.lines().count(), 1, "{lines}");
}

/// Rule 47: descriptors are counted.
#[tokio::test]
async fn configuration_with_other_descriptors_than_it_needs_is_refused_and_nothing_changes() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let server = back_end().await;
    worker
        .configure(1, &snapshot(&[(address, true)], server), &[socket])
        .await;
    let (_, other) = listen();
    let counted = |came, needed| format!("{came} descriptors came along instead of {needed}");
    let missing = format!("the socket of {other} is missing");
    let cases = [
        ((other, true), 0, counted(0, 1)),
        ((other, true), 2, counted(2, 1)),
        ((other, false), 1, counted(1, 0)),
        ((other, false), 0, missing),
    ];
    for (more, count, why) in cases {
        let along: Vec<_> = (0..count).map(|_| listen().0).collect();
        let answer = worker
            .prepare(2, &snapshot(&[(address, false), more], server), &along)
            .await;
        let generation = 2;
        assert_eq!(answer, FromChild::Refused { generation, why });
        let (_, answer) = ask(address, GET, "\r\n\r\n.").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn reload_brings_and_takes_listeners_and_leaves_connections() {
    let worker = Worker::start().await;
    let server = back_end().await;
    let (first_socket, first) = listen();
    worker
        .configure(1, &snapshot(&[(first, true)], server), &[first_socket])
        .await;
    let (mut client, _) = ask(first, GET, "\r\n\r\n.").await;
    let (second_socket, second) = listen();
    worker
        .configure(2, &snapshot(&[(second, true)], server), &[second_socket])
        .await;
    client.write_all(GET.as_bytes()).await.unwrap();
    assert!(
        hear(&mut client, "\r\n\r\n.")
            .await
            .starts_with("HTTP/1.1 200 OK\r\n")
    );
    let (_, answer) = ask(second, GET, "\r\n\r\n.").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        TcpStream::connect(first).await.is_err(),
        "the old socket is closed"
    );
}

#[tokio::test]
async fn stop_finishes_what_is_in_flight_and_cuts_it_in_the_end() {
    let post = "POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";
    for (within, finishes) in [(PATIENCE, true), (Duration::from_millis(100), false)] {
        let worker = Worker::start().await;
        let (socket, address) = listen();
        let server = back_end().await;
        worker
            .configure(1, &snapshot(&[(address, true)], server), &[socket])
            .await;
        let (mut idle, _) = ask(address, GET, "\r\n\r\n.").await;
        let mut busy = TcpStream::connect(address).await.unwrap();
        busy.write_all(post.as_bytes()).await.unwrap();
        while worker.counters.sum(Counter::Requests.index()) < 2 {
            tokio::task::yield_now().await;
        }
        worker.tell(&ToChild::Stop { within });
        assert_eq!(hear(&mut idle, "").await, "");
        if finishes {
            busy.write_all(b"body").await.unwrap();
            let answer = hear(&mut busy, "").await;
            assert!(
                answer.contains("Connection: close") && answer.ends_with('.'),
                "{answer}"
            );
        }
        let cut = u32::from(!finishes);
        let drained = FromChild::Role(FromProxy::Drained { cut });
        assert_eq!(worker.hear().await, drained);
        assert!(worker.end().await.success());
    }
}

#[tokio::test]
async fn orphan_serves_who_already_waits_and_ends() {
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let server = back_end().await;
    worker
        .configure(1, &snapshot(&[(address, true)], server), &[socket])
        .await;
    let mut client = TcpStream::connect(address).await.unwrap();
    // The supervisor dies before the worker has looked at the connection, or right after.
    let Worker {
        link, mut process, ..
    } = worker;
    drop(link);
    client.write_all(GET.as_bytes()).await.unwrap();
    let answer = hear(&mut client, "").await;
    assert!(answer.contains("Connection: close"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n."), "{answer}");
    let ended = tokio::time::timeout(PATIENCE, process.0.wait()).await;
    assert!(ended.expect("the worker does not end").unwrap().success());
}

#[tokio::test]
async fn successor_serves_the_connections_that_waited_in_the_socket() {
    let mut first = Worker::start().await;
    let (socket, address) = listen();
    let server = back_end().await;
    let kept = socket.try_clone().unwrap();
    first
        .configure(1, &snapshot(&[(address, true)], server), &[socket])
        .await;
    first.process.0.kill().await.unwrap();
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(GET.as_bytes()).await.unwrap();
    let second = Worker::start().await;
    second
        .configure(1, &snapshot(&[(address, true)], server), &[kept])
        .await;
    assert!(
        hear(&mut client, "\r\n\r\n.")
            .await
            .starts_with("HTTP/1.1 200 OK\r\n")
    );
}
