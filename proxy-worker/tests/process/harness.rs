//! What the supervisor would do: start the program, configure it, hold its sockets. And clients and
//! servers for it.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use ipc::proxy::{
    AccessLogSpec, BindSpec, FromProxy, LogFormat, ProxySnapshot, RouteAction, ToProxy,
};
use ipc::{FromChild, Role, ToChild, Welcome, codec};
use link::Link;
use platform::counters::SharedCounters;
use platform::gauges::SharedGauges;
use platform::process::Image;
use platform::seqpacket::SeqPacket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::plain;

/// Longer than any of this takes; not waited for unless something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const GET: &str = "GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n";

/// The first log file, as nginx has it.
pub(crate) const COMBINED: AccessLogSpec = AccessLogSpec {
    file: 0,
    format: LogFormat::Combined,
};

/// A worker, and what the supervisor would hold of it.
pub(crate) struct Worker {
    pub(crate) link: Link<ToChild<ToProxy>, FromChild<FromProxy>>,
    pub(crate) process: Process,
    pub(crate) counters: SharedCounters,
    pub(crate) gauges: SharedGauges,
}

/// Ends with its test; an orphan would serve a little longer.
pub(crate) struct Process(pub(crate) tokio::process::Child);

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is what was wanted.
        let _ = self.0.start_kill();
    }
}

impl Worker {
    pub(crate) async fn start() -> Self {
        let counters = SharedCounters::create().unwrap();
        let gauges = SharedGauges::create().unwrap();
        Self::start_with(0, counters, gauges).await.0
    }

    /// With our end of the link once more, as the supervisor leaves it to the image after it.
    pub(crate) async fn start_to_be_left() -> (Self, SeqPacket) {
        let counters = SharedCounters::create().unwrap();
        Self::start_with(0, counters, SharedGauges::create().unwrap()).await
    }

    /// Another worker of the same node.
    pub(crate) async fn start_beside(&self, slot: u16) -> Self {
        let copy = |shared: BorrowedFd<'_>| shared.try_clone_to_owned().unwrap();
        let counters = SharedCounters::open(copy(self.counters.as_fd())).unwrap();
        let gauges = SharedGauges::open(copy(self.gauges.as_fd())).unwrap();
        Self::start_with(slot, counters, gauges).await.0
    }

    async fn start_with(
        slot: u16,
        counters: SharedCounters,
        gauges: SharedGauges,
    ) -> (Self, SeqPacket) {
        let (ours, theirs) = SeqPacket::pair().unwrap();
        let again = ours.try_clone().unwrap();
        let image = Image::open(Path::new(env!("CARGO_BIN_EXE_evenkeel-proxy"))).unwrap();
        let process = image.start("evenkeel: proxy 0", theirs).unwrap();
        let worker = Self {
            link: Link::new(ours).unwrap(),
            process: Process(process),
            counters,
            gauges,
        };
        let myself = std::fs::metadata("/proc/self").unwrap();
        let welcome = ToChild::Welcome(Welcome {
            version: ipc::VERSION,
            role: Role::Proxy,
            slot,
            uid: myself.uid(),
            gid: myself.gid(),
            log_level: "info".into(),
            realtime: false,
        });
        let shared = [worker.counters.as_fd(), worker.gauges.as_fd()];
        worker.link.send(&welcome, &shared).unwrap();
        let version = ipc::VERSION;
        assert_eq!(worker.hear().await, FromChild::Hello { version });
        (worker, again)
    }

    pub(crate) fn tell(&self, message: &ToChild<ToProxy>) {
        self.link.send(message, &[]).unwrap();
    }

    pub(crate) async fn hear(&self) -> FromChild<FromProxy> {
        let received = tokio::time::timeout(PATIENCE, self.link.receive()).await;
        received.expect("the worker says nothing").unwrap().message
    }

    /// Offers a configuration and returns the answer.
    pub(crate) async fn prepare(
        &self,
        generation: u64,
        snapshot: &ProxySnapshot,
        along: &[OwnedFd],
    ) -> FromChild<FromProxy> {
        let bytes = codec::encode_snapshot(snapshot).unwrap();
        let memfd = platform::memfd::sealed("snapshot", &bytes).unwrap();
        let mut descriptors = vec![memfd.as_fd()];
        descriptors.extend(along.iter().map(AsFd::as_fd));
        let prepare = ToChild::Prepare { generation };
        self.link.send(&prepare, &descriptors).unwrap();
        self.hear().await
    }

    /// Puts a configuration in force.
    pub(crate) async fn configure(
        &self,
        generation: u64,
        snapshot: &ProxySnapshot,
        along: &[OwnedFd],
    ) {
        let answer = self.prepare(generation, snapshot, along).await;
        assert_eq!(answer, FromChild::Prepared { generation });
        self.tell(&ToChild::Commit { generation });
        assert_eq!(self.hear().await, FromChild::Committed { generation });
    }

    pub(crate) async fn end(mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.process.0.wait()).await;
        ended.expect("the worker does not end").unwrap()
    }
}

/// Waits for what comes soon or not at all.
pub(crate) async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let coming = tokio::time::timeout(PATIENCE, coming);
    coming.await.expect("nothing comes")
}

/// The next connection with a server.
pub(crate) async fn accept(server: &TcpListener) -> TcpStream {
    soon(server.accept()).await.unwrap().0
}

/// The next connection with a server, for somebody who blocks, but not for longer than [`PATIENCE`].
pub(crate) async fn accept_to_block(server: &TcpListener) -> std::net::TcpStream {
    let stream = accept(server).await.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Connects from an address of loopback that nobody listens on: not a question of the node to itself.
pub(crate) async fn connect_as_client(address: SocketAddr) -> TcpStream {
    connect_from([127, 0, 0, 2], address).await
}

pub(crate) async fn connect_from(ip: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((ip, 0).into()).unwrap();
    socket.connect(address).await.unwrap()
}

/// A listening socket as the supervisor makes it.
pub(crate) fn listen() -> (OwnedFd, SocketAddr) {
    let socket = platform::listen::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = StdListener::from(socket.try_clone().unwrap())
        .local_addr()
        .unwrap();
    (socket, address)
}

/// A server that answers each request with one octet; a POST has a body of four.
pub(crate) async fn back_end() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while stream.read_buf(&mut request).await.unwrap_or(0) > 0 {
                    let is_post = request.starts_with(b"POST");
                    let end: &[u8] = if is_post { b"body" } else { b"\r\n\r\n" };
                    if request.ends_with(end) {
                        request.clear();
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.";
                        stream.write_all(answer).await.unwrap();
                    }
                }
            });
        }
    });
    address
}

pub(crate) fn snapshot(binds: &[(SocketAddr, bool)], server: SocketAddr) -> ProxySnapshot {
    let routes = vec![
        plain::route("/app/", RouteAction::Upstream(0)),
        plain::route("/server-status", RouteAction::StubStatus),
    ];
    let mut snapshot = plain::snapshot(routes, vec![plain::server(server, 0)]);
    let bind = |&(address, new): &(SocketAddr, bool)| BindSpec { address, new };
    snapshot.listeners[0].binds = binds.iter().map(bind).collect();
    snapshot.drain_timeout = Duration::from_secs(5);
    snapshot
}

/// Reads until what was heard ends with `end`; an empty `end` is the end of the connection.
pub(crate) async fn hear(stream: &mut TcpStream, end: &str) -> String {
    let mut heard = Vec::new();
    let reading = async {
        while end.is_empty() || !heard.ends_with(end.as_bytes()) {
            if stream.read_buf(&mut heard).await.unwrap_or(0) == 0 {
                break;
            }
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, reading).await.is_ok();
    assert!(
        in_time,
        "{end:?} does not come: {}",
        String::from_utf8_lossy(&heard)
    );
    String::from_utf8(heard).unwrap()
}

pub(crate) async fn ask(address: SocketAddr, request: &str, end: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = hear(&mut stream, end).await;
    (stream, answer)
}
