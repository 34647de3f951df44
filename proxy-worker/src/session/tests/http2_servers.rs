//! Sessions in front of servers that speak HTTP/2, in memory: streams that we open, and connections that
//! they share.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderValue, Request, Response};
use ipc::proxy::{ProxySnapshot, UpstreamProtocol};
use platform::counters::SharedCounters;
use platform::gauges::SharedGauges;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::lab::{PIPE, Pair, TestClient, run, snapshot};
use crate::counters::Counters;
use crate::deadline::TICK;
use crate::gauges::Gauges;
use crate::http2::{BackStream, Connections};
use crate::io::{Call, Connecting, Dial, Io as _};
use crate::worker::Worker;

/// Serves one connection to its end.
pub(super) type Serve = fn(DuplexStream) -> Pin<Box<dyn Future<Output = ()>>>;

/// Servers that all do the same.
#[derive(Clone)]
pub(super) struct Servers {
    serve: Serve,
    /// Connections that were made, that there are, and that there were at once.
    pub(super) made: Rc<Cell<usize>>,
    pub(super) open: Rc<Cell<usize>>,
    most: Rc<Cell<usize>>,
}

impl Servers {
    fn new(serve: Serve) -> Self {
        Self {
            serve,
            made: Rc::default(),
            open: Rc::default(),
            most: Rc::default(),
        }
    }

    fn connect(&self) -> Pair {
        let (ours, theirs) = duplex(256 * 1024);
        self.made.set(self.made.get() + 1);
        self.open.set(self.open.get() + 1);
        self.most.set(self.most.get().max(self.open.get()));
        let (serving, open) = ((self.serve)(theirs), Rc::clone(&self.open));
        tokio::task::spawn_local(async move {
            serving.await;
            open.set(open.get() - 1);
        });
        Pair::new(ours)
    }
}

impl Dial for Servers {
    type Io = BackStream;

    fn dial(&self, call: Call) -> Connecting<BackStream> {
        let servers = self.clone();
        Box::pin(async move {
            let connect = async { Ok(servers.connect()) };
            let connections = &call.transport.connections;
            connections.open(call.server, false, connect).await
        })
    }
}

/// A worker in front of them.
pub(super) struct Lab {
    pub(super) worker: Rc<Worker<Servers>>,
    pub(super) servers: Servers,
}

impl Lab {
    pub(super) fn new(serve: Serve) -> Self {
        let mut snapshot = snapshot();
        snapshot.upstreams[0].protocol = UpstreamProtocol::Http2;
        Self::with(serve, &snapshot)
    }

    fn with(serve: Serve, snapshot: &ProxySnapshot) -> Self {
        let servers = Servers::new(serve);
        let gauges = Gauges::new(SharedGauges::create().unwrap(), 0);
        let counters = Counters::new(SharedCounters::create().unwrap(), Rc::clone(&gauges));
        let worker = Rc::new(Worker::new(servers.clone(), counters, gauges));
        worker.commit(worker.prepare(snapshot).unwrap(), Vec::new());
        let ticking = Rc::clone(&worker);
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(TICK).await;
                ticking.tick();
            }
        });
        Self { worker, servers }
    }

    /// A client that has asked for `path`.
    pub(super) async fn ask(&self, path: &str) -> TestClient {
        let mut client = TestClient::new(&self.worker);
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        client.send(&request).await;
        client
    }

    /// What is said to a client that asks for `path`.
    async fn answer_to(&self, path: &str) -> String {
        self.ask(path).await.hear().await
    }
}

/// Serves each request by what its path says.
fn by_path(stream: DuplexStream) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, response))) = connection.accept().await {
            tokio::task::spawn_local(answer(request, response));
        }
    })
}

async fn answer(request: Request<RecvStream>, mut response: SendResponse<Bytes>) {
    let endless = |mut response: SendResponse<Bytes>, piece| {
        pour(
            response.send_response(Response::new(()), false).unwrap(),
            piece,
        )
    };
    match request.uri().path() {
        "/app/flood" => endless(response, 16 * 1024).await,
        "/app/numbers" => {
            let mut body = response.send_response(Response::new(()), false).unwrap();
            let mut numbers = numbers().into_bytes();
            let mut piece = 1;
            while !numbers.is_empty() {
                let rest = numbers.split_off(piece.min(numbers.len()));
                let ends = rest.is_empty();
                body.send_data(numbers.into(), ends).unwrap();
                numbers = rest;
                piece = piece * 7 % 10_007;
            }
        }
        "/app/crumbs" => endless(response, 20).await,
        "/app/silent" => {
            drop(poll_fn(|cx| response.poll_reset(cx)).await);
        }
        "/app/hint-and-nonsense" => {
            let mut hint = Response::new(());
            *hint.status_mut() = http::StatusCode::EARLY_HINTS;
            response.send_informational(hint).unwrap();
            let mut head = Response::new(());
            head.headers_mut()
                .insert("x", HeaderValue::from_static(" a"));
            let mut body = response.send_response(head, false).unwrap();
            drop(poll_fn(|cx| body.poll_reset(cx)).await);
        }
        _ => {
            response.send_response(Response::new(()), true).unwrap();
        }
    }
}

/// Text of which no two parts are the same.
fn numbers() -> String {
    (0..60_000).map(|number| format!("{number} ")).collect()
}

/// Sends pieces of a body for as long as somebody takes them.
async fn pour(mut body: SendStream<Bytes>, piece: usize) {
    let piece = Bytes::from(vec![b'x'; piece]);
    loop {
        body.reserve_capacity(piece.len());
        while body.capacity() < piece.len() {
            if !matches!(poll_fn(|cx| body.poll_capacity(cx)).await, Some(Ok(_))) {
                return;
            }
        }
        if body.send_data(piece.clone(), false).is_err() {
            return;
        }
    }
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Clients that do not read, and one that does, have nothing to do with each other.
#[tokio::test(start_paused = true)]
async fn slow_readers_are_nobody_elses_business() {
    for (path, readers) in [("/app/flood", 99), ("/app/crumbs", 20)] {
        run(async {
            let lab = Lab::new(by_path);
            let mut slow = Vec::new();
            for _ in 0..readers {
                slow.push(lab.ask(path).await);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            let mut quick = lab.ask("/app/flood").await;
            let mut room = vec![0; 1024 * 1024];
            let read =
                tokio::time::timeout(Duration::from_secs(1), quick.stream.read_exact(&mut room));
            assert!(read.await.is_ok(), "{path}");
            assert_eq!(lab.servers.made.get(), 1);
            drop(quick);
            // There is no room for another one now.
            slow.push(lab.ask("/app/flood").await);
            assert_eq!(lab.answer_to("/app/").await, ANSWER);
            assert_eq!(lab.servers.made.get(), 1 + readers / 99, "{path}");
        })
        .await;
    }
}

/// What waits for a slow reader is what it reads in the end, in whatever pieces it came.
#[tokio::test(start_paused = true)]
async fn slow_reader_gets_everything_in_order() {
    run(async {
        let lab = Lab::new(by_path);
        let mut client = TestClient::new(&lab.worker);
        client.send("GET /app/numbers HTTP/1.0\r\n\r\n").await;
        let mut heard = Vec::new();
        let mut room = [0; 9_000];
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            match client.stream.read(&mut room).await.unwrap() {
                0 => break,
                count => heard.extend_from_slice(&room[..count]),
            }
        }
        let heard = String::from_utf8(heard).unwrap();
        let (_, body) = heard.split_once("\r\n\r\n").unwrap();
        assert!(body == numbers(), "{} octets", body.len());
    })
    .await;
}

/// A request that is taken back says nothing about the connection; one that is not answered does.
#[tokio::test(start_paused = true)]
async fn connection_is_given_up_when_it_is_silent_not_when_a_client_leaves() {
    run(async {
        let lab = Lab::new(by_path);
        assert_eq!(lab.answer_to("/app/").await, ANSWER);
        let leaving = lab.ask("/app/silent").await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        drop(leaving);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(lab.answer_to("/app/").await, ANSWER);
        assert_eq!(lab.servers.made.get(), 1);
        let mut waiting = lab.ask("/app/silent").await;
        let answer = waiting.hear_for(Duration::from_secs(61)).await;
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        assert_eq!(lab.answer_to("/app/").await, ANSWER);
        assert_eq!(lab.servers.made.get(), 2);
    })
    .await;
}

/// An error behind other octets is told after them.
#[tokio::test(start_paused = true)]
async fn nonsense_behind_an_interim_response_is_an_error() {
    run(async {
        let lab = Lab::new(by_path);
        let answer = lab.answer_to("/app/hint-and-nonsense").await;
        assert!(answer.starts_with("HTTP/1.1 103 Early Hints\r\n"));
        assert!(answer.contains("\r\n\r\nHTTP/1.1 502 "), "{answer}");
    })
    .await;
}

/// One that takes no request is one that does not accept a connection.
#[tokio::test(start_paused = true)]
async fn server_that_takes_no_streams_is_not_flooded_with_connections() {
    run(async {
        let lab = Lab::new(|stream| {
            Box::pin(async move {
                let mut builder = h2::server::Builder::new();
                builder.max_concurrent_streams(0);
                let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
                while let Some(Ok(_)) = connection.accept().await {}
            })
        });
        let mut clients = Vec::new();
        for _ in 0..10 {
            clients.push(lab.ask("/app/").await);
        }
        for client in &mut clients {
            let answer = client.hear_for(Duration::from_secs(10)).await;
            assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        }
        assert_eq!((lab.servers.most.get(), lab.servers.open.get()), (1, 0));
    })
    .await;
}

/// Rule 36 is for servers too, and for each second by itself.
#[tokio::test(start_paused = true)]
async fn flood_of_pings_ends_a_connection_to_a_server() {
    run(async {
        let lab = Lab::new(|mut stream| {
            Box::pin(async move {
                let ping = b"\0\0\x08\x06\0\0\0\0\0evenkeel";
                stream.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
                for pings in [100, 100, 100, 101] {
                    stream.write_all(&ping.repeat(pings)).await.unwrap();
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                // It may be gone already.
                drop(stream.read_to_end(&mut Vec::new()).await);
            })
        });
        let mut client = lab.ask("/app/").await;
        assert_eq!(client.hear_for(Duration::from_millis(2_900)).await, "");
        let answer = client.hear_for(Duration::from_secs(2)).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert_eq!((lab.servers.made.get(), lab.servers.open.get()), (1, 0));
    })
    .await;
}

/// What cannot be sent ends its stream by itself.
#[tokio::test(start_paused = true)]
async fn request_without_a_form_in_http2_is_our_own_error() {
    for (said, reset) in [
        ("GET / HTTP/1.1\r\nHost: <>\r\n\r\n", None),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-\r\n",
            Some(Reason::CANCEL),
        ),
    ] {
        run(async {
            let (said_to_server, mut heard) = tokio::sync::mpsc::unbounded_channel();
            let (ours, theirs) = duplex(PIPE);
            tokio::task::spawn_local(async move {
                let mut connection = h2::server::handshake(theirs).await.unwrap();
                while let Some(Ok((_, response))) = connection.accept().await {
                    let said = said_to_server.clone();
                    let mut response: SendResponse<Bytes> = response;
                    tokio::task::spawn_local(async move {
                        let reset = poll_fn(|cx| response.poll_reset(cx)).await;
                        said.send(reset.unwrap()).unwrap();
                    });
                }
            });
            let connections = Connections::default();
            let connect = async { Ok(Pair::new(ours)) };
            let server = "192.0.2.1:80".parse().unwrap();
            let mut stream = connections.open(server, false, connect).await.unwrap();
            let parts = [IoSlice::new(said.as_bytes())];
            let written = poll_fn(|cx| stream.poll_write(cx, &parts)).await;
            assert_eq!(written.unwrap_err().kind(), io::ErrorKind::InvalidInput);
            let read = poll_fn(|cx| stream.poll_read(cx, &mut [0; 100])).await;
            assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidInput);
            if reset.is_some() {
                assert_eq!(heard.recv().await, reset);
            }
        })
        .await;
    }
}
