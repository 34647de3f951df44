//! Sessions in memory and in virtual time: clients and back ends that do what a test tells them.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipc::proxy::{ProxySnapshot, RouteAction, ServerSpec};
use platform::counters::SharedCounters;
use platform::gauges::SharedGauges;
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::io::{ReadBuf, duplex};

use crate::counters::Counters;
use crate::deadline::TICK;
use crate::gauges::Gauges;
use crate::io::{Call, Connecting, Dial, Io};
use crate::session::Session;
use crate::worker::Worker;

use super::costs::peer;
use super::plain::{self, route};

/// Octets that a stream in memory takes before its reader has to read.
pub(super) const PIPE: usize = 16 * 1024;

/// A stream in memory. It cannot be reset: whether it was to be is noted beside it.
pub(super) struct Pair {
    stream: DuplexStream,
    is_reset: Rc<Cell<bool>>,
}

impl Pair {
    pub(super) fn new(stream: DuplexStream) -> Self {
        let is_reset = Rc::default();
        Self { stream, is_reset }
    }
}

/// What a client hears, and a back end sends, where a TCP connection would be reset.
pub(super) const RESET: &str = "[reset]";

/// What we read as the error that our own words could not be sent.
pub(super) const UNSENDABLE: &str = "[unsendable]";

impl Io for Pair {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut room))?;
        if room.filled() == RESET.as_bytes() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if room.filled() == UNSENDABLE.as_bytes() {
            return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
        }
        Poll::Ready(Ok(room.filled().len()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn shut_down(&mut self, cx: &mut Context<'_>) {
        drop(Pin::new(&mut self.stream).poll_shutdown(cx));
    }

    fn is_watched(&self) -> bool {
        true
    }

    fn make_close_a_reset(&mut self) {
        self.is_reset.set(true);
    }

    fn is_stale(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.poll_read(&mut cx, &mut [0]).is_ready()
    }
}

/// "Too many open files."
const EMFILE: i32 = 24;

/// What a back end does after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Waits for the next request.
    Stay,
    /// Closes.
    Close,
    /// Stays open and silent.
    Hang,
}

/// What a back end answers to one request.
pub(super) type Reply = (&'static str, Then);

/// What a back end does with one connection.
#[derive(Clone, Debug)]
pub(super) enum Script {
    /// Refuses it.
    Refuse,
    /// There is no descriptor left for it.
    Shortage,
    /// Never completes it.
    Ignore,
    /// Answers one request after another, each when its head is there.
    Replies(Vec<Reply>),
    /// Waits for so many octets of a body, then answers.
    After(usize, Reply),
    /// Answers `Content-Length: 1` again and again.
    Endless,
    /// Sends as much as the stream takes.
    Flood,
    /// Says something at once, and then listens.
    Speak(&'static str),
    /// Switches to WebSocket, whatever the key is, and says again what it hears.
    Echo,
}

/// The back ends: connection after connection, whatever its address.
#[derive(Clone)]
pub(super) struct BackEnds {
    scripts: Rc<Vec<Script>>,
    /// Who was connected to.
    pub(super) dialled: Rc<RefCell<Vec<SocketAddr>>>,
    /// Connections that the back ends have not seen the end of.
    pub(super) open: Rc<Cell<usize>>,
    /// What was received, by connection.
    pub(super) received: Rc<RefCell<Vec<String>>>,
    /// Octets that a flood has got rid of.
    pub(super) flooded: Rc<Cell<usize>>,
}

impl Dial for BackEnds {
    type Io = Pair;

    fn dial(&self, call: Call) -> Connecting<Pair> {
        let back_ends = self.clone();
        Box::pin(async move {
            let number = back_ends.dialled.borrow().len();
            back_ends.dialled.borrow_mut().push(call.server);
            back_ends.received.borrow_mut().push(String::new());
            let script = back_ends
                .scripts
                .get(number)
                .cloned()
                .unwrap_or(Script::Endless);
            match script {
                Script::Refuse => return Err(io::ErrorKind::ConnectionRefused.into()),
                Script::Shortage => return Err(io::Error::from_raw_os_error(EMFILE)),
                Script::Ignore => std::future::pending().await,
                _ => {}
            }
            let (ours, theirs) = duplex(PIPE);
            back_ends.open.set(back_ends.open.get() + 1);
            tokio::task::spawn_local(async move {
                // A back end whose peer went away is done.
                drop(back_ends.play(theirs, number, script).await);
                back_ends.open.set(back_ends.open.get() - 1);
            });
            Ok(Pair::new(ours))
        })
    }
}

impl BackEnds {
    async fn play(
        &self,
        mut stream: DuplexStream,
        number: usize,
        script: Script,
    ) -> io::Result<()> {
        match script {
            Script::Refuse | Script::Shortage | Script::Ignore => {}
            Script::Replies(replies) => {
                for reply in replies {
                    self.read_until(&mut stream, number, |text| text.contains("\r\n\r\n"))
                        .await?;
                    if !answer(&mut stream, reply).await? {
                        return Ok(());
                    }
                }
                // Nothing more is expected; what comes all the same is noted.
                self.read_until(&mut stream, number, |_| false).await?;
            }
            Script::After(octets, reply) => {
                let enough = |text: &str| {
                    let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
                    body.is_some_and(|body| body.len() >= octets)
                };
                self.read_until(&mut stream, number, enough).await?;
                answer(&mut stream, reply).await?;
            }
            Script::Endless => loop {
                self.read_until(&mut stream, number, |text| text.contains("\r\n\r\n"))
                    .await?;
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.")
                    .await?;
            },
            Script::Speak(text) => {
                stream.write_all(text.as_bytes()).await?;
                self.read_until(&mut stream, number, |_| false).await?;
            }
            Script::Echo => {
                self.read_until(&mut stream, number, |text| text.contains("\r\n\r\n"))
                    .await?;
                let switch = switch(&self.received.borrow()[number]);
                stream.write_all(switch.as_bytes()).await?;
                let mut room = [0; 4096];
                loop {
                    let count = stream.read(&mut room).await?;
                    if count == 0 {
                        return stream.shutdown().await;
                    }
                    stream.write_all(&room[..count]).await?;
                }
            }
            Script::Flood => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                loop {
                    self.flooded
                        .set(self.flooded.get() + stream.write(&[b'x'; 1024]).await?);
                }
            }
        }
        Ok(())
    }

    /// Reads on until what came since the last call satisfies `enough`.
    async fn read_until(
        &self,
        stream: &mut DuplexStream,
        number: usize,
        enough: impl Fn(&str) -> bool,
    ) -> io::Result<()> {
        let start = self.received.borrow()[number].len();
        let mut room = [0; 4096];
        while !enough(&self.received.borrow()[number][start..]) {
            let count = stream.read(&mut room).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = String::from_utf8_lossy(&room[..count]);
            self.received.borrow_mut()[number].push_str(&text);
        }
        Ok(())
    }
}

async fn answer(stream: &mut DuplexStream, (text, then): Reply) -> io::Result<bool> {
    stream.write_all(text.as_bytes()).await?;
    match then {
        Then::Stay => Ok(true),
        Then::Close => Ok(false),
        Then::Hang => std::future::pending().await,
    }
}

/// The 101 to a request for WebSocket (RFC 6455 §4.2.2).
fn switch(request: &str) -> String {
    let lines = request.lines();
    let key = lines
        .filter_map(|line| line.split_once(": "))
        .find_map(|(name, key)| {
            name.eq_ignore_ascii_case("sec-websocket-key")
                .then_some(key)
        });
    let hashed = format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key.unwrap());
    let accept = STANDARD.encode(Sha1::digest(hashed.as_bytes()));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    )
}

/// A worker and its back ends.
pub(super) struct Lab {
    pub(super) worker: Rc<Worker<BackEnds>>,
    pub(super) back_ends: BackEnds,
}

impl Lab {
    pub(super) fn new(scripts: impl Into<Vec<Script>>) -> Self {
        Self::with(scripts, &snapshot())
    }

    pub(super) fn with(scripts: impl Into<Vec<Script>>, snapshot: &ProxySnapshot) -> Self {
        let back_ends = BackEnds {
            scripts: Rc::new(scripts.into()),
            dialled: Rc::default(),
            open: Rc::default(),
            received: Rc::default(),
            flooded: Rc::default(),
        };
        let gauges = Gauges::new(SharedGauges::create().unwrap(), 0);
        let counters = Counters::new(SharedCounters::create().unwrap(), Rc::clone(&gauges));
        let worker = Rc::new(Worker::new(back_ends.clone(), counters, gauges));
        let lab = Self { worker, back_ends };
        lab.load(snapshot);
        let worker = Rc::clone(&lab.worker);
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(TICK).await;
                worker.tick();
            }
        });
        lab
    }

    /// Switches to another configuration.
    pub(super) fn load(&self, snapshot: &ProxySnapshot) {
        let plan = self.worker.prepare(snapshot).unwrap();
        self.worker.commit(plan, Vec::new());
    }

    /// A connection from 192.0.2.7.
    pub(super) fn connect(&self) -> TestClient {
        TestClient::new(&self.worker)
    }

    /// Sends a request and returns all that comes back.
    pub(super) async fn ask(&self, request: &str) -> String {
        let mut client = self.connect();
        client.send(request).await;
        client.hear().await
    }

    pub(super) fn dials(&self) -> usize {
        self.back_ends.dialled.borrow().len()
    }

    pub(super) fn received(&self) -> Vec<String> {
        self.back_ends.received.borrow().clone()
    }
}

/// The client's end of a connection.
pub(super) struct TestClient {
    pub(super) stream: DuplexStream,
    is_reset: Rc<Cell<bool>>,
}

impl TestClient {
    /// One from 192.0.2.7 with a session of its own.
    pub(super) fn new<D: Dial>(worker: &Rc<Worker<D>>) -> Self {
        let (stream, theirs) = duplex(PIPE);
        let id = worker.listener_id("public");
        let theirs = Pair::new(theirs);
        let is_reset = Rc::clone(&theirs.is_reset);
        tokio::task::spawn_local(Session::new(Rc::clone(worker), theirs, peer(), id));
        Self { stream, is_reset }
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// What comes until nothing more does for a (virtual) second, without `Date` lines. `[closed]`
    /// at its end means that the connection was closed, [`RESET`] before it how.
    pub(super) async fn hear(&mut self) -> String {
        self.hear_for(Duration::from_secs(1)).await
    }

    pub(super) async fn hear_for(&mut self, quiet: Duration) -> String {
        let mut heard = Vec::new();
        let mut room = [0; 4096];
        let closed = loop {
            match tokio::time::timeout(quiet, self.stream.read(&mut room)).await {
                Ok(Ok(count)) if count > 0 => heard.extend_from_slice(&room[..count]),
                Ok(_) => break true,
                Err(_) => break false,
            }
        };
        let text = String::from_utf8_lossy(&heard);
        let mut text: String = text
            .split_inclusive("\r\n")
            .filter(|line| !line.starts_with("Date: "))
            .collect();
        if closed {
            if self.is_reset.get() {
                text.push_str(RESET);
            }
            text.push_str("[closed]");
        }
        text
    }
}

/// Runs a test with tasks of its own.
pub(super) async fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::task::LocalSet::new().run_until(test).await
}

/// As [`snapshot`], with two servers.
pub(super) fn two_servers() -> ProxySnapshot {
    let mut snapshot = snapshot();
    snapshot.upstreams[0].servers.push(server("10.0.0.2:80"));
    snapshot
}

fn server(address: &str) -> ServerSpec {
    let address: SocketAddr = address.parse().unwrap();
    let gauge = match address.ip() {
        IpAddr::V4(ip) => u16::from(ip.octets()[3]),
        IpAddr::V6(_) => 0,
    };
    plain::server(address, gauge)
}

/// One listener with the default times and limits, one upstream of one server.
pub(super) fn snapshot() -> ProxySnapshot {
    let mut secret = route("/server-status/secret", RouteAction::StubStatus);
    secret.allow = vec!["10.0.0.0/8".parse().unwrap()];
    let routes = vec![
        route("/app/", RouteAction::Upstream(0)),
        route("/status", RouteAction::StatusPage),
        route("/server-status", RouteAction::StubStatus),
        secret,
    ];
    plain::snapshot(routes, vec![server("10.0.0.1:80")])
}
