//! Servers that misbehave, over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ipc::proxy::{ProxySnapshot, ServerSpec};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use crate::harness::{PATIENCE, Worker, connect_as_client, listen, snapshot};

/// Back ends are stopped and started so often.
const RESTARTS: usize = 40;

/// More than may be tried again however few there are.
const CLIENTS: usize = 16;

/// Does what the path says, once.
async fn misbehave(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let trouble = request.split(' ').nth(1).unwrap_or_default();
    match trouble.trim_start_matches("/app/") {
        "garbage" => stream.write_all(b"nonsense\r\n\r\n").await,
        "bare" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n")
                .await
        }
        "reset" => stream.set_zero_linger(),
        "cut" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi")
                .await
        }
        "long" => {
            let answer =
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 Forged\r\n\r\n";
            stream.write_all(answer).await?;
            std::future::pending().await
        }
        "early" => {
            let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
            stream.write_all(answer).await
        }
        "trickle" => {
            let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
            for octet in answer {
                stream.write_all(&[*octet]).await?;
                tokio::task::yield_now().await;
            }
            std::future::pending().await
        }
        "idle" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                .await
        }
        "head" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            loop {
                stream.write_all(b"X-More: and more\r\n").await?;
            }
        }
        _ => std::future::pending().await,
    }
}

async fn adversary() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Its peer may well have hung up.
            tokio::spawn(async move { drop(misbehave(stream).await) });
        }
    });
    address
}

/// All that comes back, until the proxy closes or a response is complete.
async fn answer_to(proxy: SocketAddr, request: &str) -> String {
    let mut stream = connect_as_client(proxy).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let read = tokio::time::timeout(PATIENCE, read).await;
    read.expect("an end of the answer").unwrap_or_default();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Rule 17 among others: whatever a server does, a client gets its octets, or a plain refusal, or an
/// unclean end; never more than was announced, and never another's answer.
#[tokio::test]
async fn adversary_gets_nothing_through() {
    let server = adversary().await;
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let mut configuration = snapshot(&[(address, true)], server);
    configuration.upstreams[0].read_timeout = Duration::from_millis(300);
    worker.configure(1, &configuration, &[socket]).await;
    let cases = [
        ("garbage", "502"),
        ("bare", "502"),
        ("reset", "502"),
        ("head", "502"),
        ("hang", "504"),
        ("cut", "200"),
        ("long", "200"),
        ("early", "403"),
        ("trickle", "200"),
        // It closes what it has promised to keep: the second request must not notice.
        ("idle", "200"),
        ("idle", "200"),
    ];
    for (trouble, status) in cases {
        let request =
            format!("GET /app/{trouble} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = answer_to(address, &request).await;
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{trouble}: {answer}");
        assert!(!answer.contains("Forged"), "{trouble}: {answer}");
        if matches!(status, "200" | "403") {
            let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
            assert!(matches!(body, Some("hi" | "no")), "{trouble}: {answer}");
        }
    }
}

/// An answer that comes before the request's body is there goes to the client at once.
#[tokio::test]
async fn early_answer_does_not_wait_for_a_body() {
    let server = adversary().await;
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let configuration = snapshot(&[(address, true)], server);
    worker.configure(1, &configuration, &[socket]).await;
    let head = "POST /app/early HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n";
    let answer = answer_to(address, head).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nno"), "{answer}");
}

/// Serves until it is told to stop: then it answers what it has read and closes what is idle.
async fn serve(listener: TcpListener, mut stop: watch::Receiver<bool>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.unwrap();
                connections.spawn(serve_one(stream, stop.clone()));
            }
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve_one(mut stream: TcpStream, mut stop: watch::Receiver<bool>) {
    let mut request = Vec::new();
    loop {
        tokio::select! {
            read = stream.read_buf(&mut request) => {
                if read.unwrap_or(0) == 0 {
                    return;
                }
            }
            _ = stop.changed() => return,
        }
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

/// The same port again, whatever is left of the connections before.
fn bind_again(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(128).unwrap()
}

/// How many requests each client has begun.
type Begun = Arc<[AtomicUsize; CLIENTS]>;

/// Asks again and again on one connection, until it hears what is no 200, and answers that.
async fn load(
    proxy: SocketAddr,
    stop: watch::Receiver<bool>,
    begun: Begun,
    client: usize,
) -> Option<String> {
    let mut stream = connect_as_client(proxy).await;
    let mut answer = Vec::new();
    while !*stop.borrow() {
        let request = b"GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n";
        stream.write_all(request).await.unwrap();
        begun[client].fetch_add(1, Ordering::Relaxed);
        answer.clear();
        while !answer.ends_with(b".") && !answer.ends_with(b"\n") {
            if stream.read_buf(&mut answer).await.unwrap_or(0) == 0 {
                break;
            }
        }
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Some(String::from_utf8_lossy(&answer).into_owned());
        }
    }
    None
}

/// Waits until every client has begun another request; the one before that is over then.
async fn next_requests(begun: &Begun) {
    for counter in &**begun {
        let before = counter.load(Ordering::Relaxed);
        while counter.load(Ordering::Relaxed) == before {
            tokio::task::yield_now().await;
        }
    }
}

/// Two servers, each of which is down for a moment now and then.
fn fragile(listener: SocketAddr, servers: &[SocketAddr]) -> ProxySnapshot {
    let mut configuration = snapshot(&[(listener, true)], servers[0]);
    configuration.listeners[0].limits.requests_per_connection = 0;
    let spec = configuration.upstreams[0].servers[0].clone();
    let server = |(index, &address): (usize, &SocketAddr)| ServerSpec {
        address,
        // That one fails is no reason to leave it out: that would leave too little to test.
        max_fails: 0,
        gauge: u16::try_from(index).unwrap(),
        ..spec.clone()
    };
    configuration.upstreams[0].servers = servers.iter().enumerate().map(server).collect();
    configuration
}

/// Two servers are restarted in turn under load: not one request that may be repeated is lost.
#[tokio::test]
async fn restarts_of_servers_cost_no_request() {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let listeners = [bind_again(any), bind_again(any)];
    let addresses = listeners.each_ref().map(|one| one.local_addr().unwrap());
    let worker = Worker::start().await;
    let (socket, address) = listen();
    let configuration = fragile(address, &addresses);
    worker.configure(1, &configuration, &[socket]).await;

    let start = |listener| {
        let (stop, stopped) = watch::channel(false);
        (stop, tokio::spawn(serve(listener, stopped)))
    };
    let mut running = listeners.map(start);
    let (end, ended) = watch::channel(false);
    let begun = Begun::default();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| tokio::spawn(load(address, ended.clone(), Arc::clone(&begun), client)))
        .collect();
    for restart in 0..RESTARTS {
        // What met the last restart is over: a request that meets two has nowhere to go.
        let over = tokio::time::timeout(PATIENCE, next_requests(&begun)).await;
        assert!(over.is_ok() || clients.iter().any(|one| one.is_finished()));
        let (stop, task) = &mut running[restart % 2];
        stop.send(true).unwrap();
        task.await.unwrap();
        running[restart % 2] = start(bind_again(addresses[restart % 2]));
    }
    end.send(true).unwrap();
    for client in clients {
        assert_eq!(client.await.unwrap(), None);
    }
}
