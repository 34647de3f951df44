//! The real program, driven as the supervisor drives it, asked over its real sockets.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipc::admin::{AdminSnapshot, FromAdmin, ToAdmin};
use ipc::event::{Event, Severity, What};
use ipc::status::{NodeStatus, TimerStatus, Traffic};
use ipc::{FromChild, Role, ToChild, Welcome, codec};
use link::Link;
use platform::process::Image;
use platform::seqpacket::SeqPacket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// Longer than any of this takes; not waited for unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

struct Admin {
    link: Link<ToChild<ToAdmin>, FromChild<FromAdmin>>,
    process: tokio::process::Child,
    /// Where it serves.
    tcp: SocketAddr,
    path: PathBuf,
    directory: PathBuf,
    /// The supervisor keeps the sockets that it hands over.
    sockets: (UnixListener, TcpListener),
}

impl Drop for Admin {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Admin {
    /// Started and serving, `name` apart from the other tests.
    async fn start(name: &str) -> Self {
        let admin = Self::greeted(name).await;
        let (unix, tcp) = &admin.sockets;
        admin.prepare(1, Some(admin.tcp), &[unix.as_fd(), tcp.as_fd()]);
        assert_eq!(admin.hear().await, FromChild::Prepared { generation: 1 });
        admin.tell(ToChild::Commit { generation: 1 });
        assert_eq!(admin.hear().await, FromChild::Committed { generation: 1 });
        admin
    }

    async fn greeted(name: &str) -> Self {
        let (ours, theirs) = SeqPacket::pair().unwrap();
        let image = Image::open(Path::new(env!("CARGO_BIN_EXE_evenkeel-admin"))).unwrap();
        let process = image.start("evenkeel: admin", theirs).unwrap();
        let unique = format!("evenkeel-admin-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("admin.sock");
        let unix = UnixListener::bind(&path).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = Self {
            link: Link::new(ours).unwrap(),
            process,
            tcp: tcp.local_addr().unwrap(),
            path,
            directory,
            sockets: (unix, tcp),
        };
        let myself = std::fs::metadata("/proc/self").unwrap();
        admin.tell(ToChild::Welcome(Welcome {
            version: ipc::VERSION,
            role: Role::Admin,
            slot: 0,
            uid: myself.uid(),
            gid: myself.gid(),
            log_level: "info".into(),
            realtime: false,
        }));
        let version = ipc::VERSION;
        assert_eq!(admin.hear().await, FromChild::Hello { version });
        admin
    }

    fn tell(&self, message: ToChild<ToAdmin>) {
        self.link.send(&message, &[]).unwrap();
    }

    async fn hear(&self) -> FromChild<FromAdmin> {
        let received = tokio::time::timeout(PATIENCE, self.link.receive()).await;
        received.expect("the process says nothing").unwrap().message
    }

    fn prepare(&self, generation: u64, bind: Option<SocketAddr>, sockets: &[BorrowedFd<'_>]) {
        let node = "proxy101".into();
        let bytes = codec::encode_snapshot(&AdminSnapshot { node, bind }).unwrap();
        let memfd = platform::memfd::sealed("snapshot", &bytes).unwrap();
        let descriptors: Vec<_> = std::iter::once(memfd.as_fd())
            .chain(sockets.iter().copied())
            .collect();
        self.link
            .send(&ToChild::Prepare { generation }, &descriptors)
            .unwrap();
    }

    /// Everything that was said before has been taken.
    async fn settle(&self) {
        self.tell(ToChild::Ping { seq: 1 });
        assert_eq!(self.hear().await, FromChild::Pong { seq: 1 });
    }

    fn event(&self, seq: u64) {
        let event = Event {
            at_unix_ms: 1_000,
            severity: Severity::Info,
            what: What::ProxyWell,
        };
        self.tell(ToChild::Role(ToAdmin::Event { seq, event }));
    }

    /// The answer to one request on a connection of its own.
    async fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.tcp).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        Answer::read(stream).await
    }

    async fn get(&self, path: &str) -> Answer {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.tcp
        );
        self.ask(&request).await
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    async fn read(mut stream: impl AsyncReadExt + Unpin) -> Self {
        let mut text = String::new();
        let read = stream.read_to_string(&mut text);
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("an answer that ends")
            .unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: body.into(),
        }
    }
}

fn node() -> NodeStatus {
    NodeStatus {
        cluster: "api-gateway".into(),
        node: "proxy101".into(),
        version: "0.1.0".into(),
        generation: 7,
        started_unix_ms: 0,
        proxy_well: true,
        routers: vec![],
        timers: TimerStatus::default(),
        servers: vec![],
        tracks: Vec::new(),
        processes: vec![],
        traffic: Traffic::default(),
    }
}

#[actix_rt::test]
async fn it_shows_what_the_supervisor_says() {
    let admin = Admin::start("shows").await;
    let silent = admin.get("/api/v1/status").await;
    assert_eq!((silent.status, silent.body.contains("error")), (503, true));

    admin.tell(ToChild::Role(ToAdmin::Status(Box::new(node()))));
    (1..=5).for_each(|seq| admin.event(seq));
    admin.settle().await;
    let status = admin.get("/api/v1/status").await;
    let expected = serde_json::to_string(&node()).unwrap();
    assert_eq!((status.status, status.body), (200, expected));

    let one = |seq: u64| {
        format!(r#"{{"at_unix_ms":1000,"event":"proxy_well","seq":{seq},"severity":"info"}}"#)
    };
    let cases = [
        (
            "/api/v1/events?limit=2",
            200,
            format!("[{},{}]", one(4), one(5)),
        ),
        (
            "/api/v1/events?after=1&limit=2",
            200,
            format!("[{},{}]", one(2), one(3)),
        ),
        ("/api/v1/events?after=5", 200, "[]".into()),
        (
            "/api/v1/events?limit=many",
            400,
            r#"{"error":"use after=NUMBER, limit=NUMBER, stream=1"}"#.into(),
        ),
    ];
    for (path, status, body) in cases {
        let answer = admin.get(path).await;
        assert_eq!((answer.status, answer.body), (status, body), "{path}");
    }

    let page = admin.get("/").await;
    assert_eq!(page.status, 200);
    for field in [
        "content-security-policy: default-src 'none';",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
    ] {
        assert!(page.head.contains(field), "{field} in {}", page.head);
    }
    assert!(page.body.ends_with("</html>\n"));
    let metrics = admin.get("/metrics").await;
    assert!(
        metrics.head.contains("text/plain; version=0.0.4"),
        "{}",
        metrics.head
    );
    assert!(
        metrics.body.contains("\nevenkeel_config_generation 7\n"),
        "{}",
        metrics.body
    );
}

#[actix_rt::test]
async fn it_only_shows_and_only_to_whom_it_may() {
    let admin = Admin::start("access").await;
    let cases = [
        ("GET /nothing HTTP/1.1\r\nHost: localhost\r\n", 404),
        ("HEAD / HTTP/1.1\r\nHost: localhost\r\n", 200),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n",
            405,
        ),
        ("DELETE /api/v1/status HTTP/1.1\r\nHost: localhost\r\n", 405),
        (
            "OPTIONS /api/v1/events HTTP/1.1\r\nHost: localhost\r\n",
            405,
        ),
        ("GET / HTTP/1.1\r\nHost: proxy101:9100\r\n", 200),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n", 421),
        (
            "GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\n",
            421,
        ),
        (
            "GET http://localhost/ HTTP/1.1\r\nHost: evil.example\r\n",
            421,
        ),
    ];
    for (request, status) in cases {
        let answer = admin
            .ask(&format!("{request}Connection: close\r\n\r\n"))
            .await;
        assert_eq!(answer.status, status, "{request}");
        assert!(answer.head.contains("nosniff"), "{}", answer.head);
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
        assert!(!request.starts_with("HEAD") || answer.body.is_empty());
    }

    let mut stream = UnixStream::connect(&admin.path).await.unwrap();
    let request = "GET / HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(
        Answer::read(stream).await.status,
        200,
        "the Unix socket asks for users, not names"
    );
}

/// Reads from a stream until it has said `wanted`.
async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut text = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&text).contains(wanted) {
            assert_ne!(
                stream.read_buf(&mut text).await.unwrap(),
                0,
                "it ended before {wanted:?}"
            );
        }
    };
    tokio::time::timeout(PATIENCE, read)
        .await
        .expect("the stream says nothing");
    String::from_utf8(text).unwrap()
}

#[actix_rt::test]
async fn events_are_streamed_as_they_happen() {
    let admin = Admin::start("stream").await;
    (1..=3).for_each(|seq| admin.event(seq));
    admin.settle().await;
    let cases = [
        "GET /api/v1/events?stream=1&after=2 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /api/v1/events?after=0 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\
         Last-Event-ID: 2\r\n\r\n",
    ];
    let mut streams = Vec::new();
    for request in cases {
        let mut stream = TcpStream::connect(admin.tcp).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let text = read_until(&mut stream, "\"seq\":3").await;
        assert!(text.contains("content-type: text/event-stream"), "{text}");
        assert!(text.contains("retry: 1000\n\nid: 3\ndata: {"), "{text}");
        streams.push(stream);
    }
    admin.event(4);
    for stream in &mut streams {
        let text = read_until(stream, "\"seq\":4").await;
        assert!(text.contains("id: 4\ndata: {"), "{text}");
    }
}

#[actix_rt::test]
async fn a_reload_cannot_move_it_and_the_sockets_must_fit() {
    let admin = Admin::greeted("reload").await;
    let refused = |generation, why: &str| FromChild::Refused {
        generation,
        why: why.into(),
    };
    let (unix, tcp) = &admin.sockets;
    admin.prepare(1, None, &[unix.as_fd(), tcp.as_fd()]);
    let why = "2 sockets came for the admin process";
    assert_eq!(admin.hear().await, refused(1, why));

    admin.prepare(2, None, &[unix.as_fd()]);
    assert_eq!(admin.hear().await, FromChild::Prepared { generation: 2 });
    admin.tell(ToChild::Commit { generation: 2 });
    assert_eq!(admin.hear().await, FromChild::Committed { generation: 2 });

    admin.prepare(3, Some(admin.tcp), &[]);
    let why = "admin.bind cannot be changed by a reload, only by a restart";
    assert_eq!(admin.hear().await, refused(3, why));

    admin.prepare(4, None, &[]);
    assert_eq!(admin.hear().await, FromChild::Prepared { generation: 4 });
    admin.tell(ToChild::Commit { generation: 4 });
    assert_eq!(admin.hear().await, FromChild::Committed { generation: 4 });
    assert!(UnixStream::connect(&admin.path).await.is_ok());
}

#[actix_rt::test]
async fn it_ends_at_once_even_with_followers() {
    let mut admin = Admin::start("ends").await;
    let mut stream = TcpStream::connect(admin.tcp).await.unwrap();
    let request = b"GET /api/v1/events?stream=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    read_until(&mut stream, "retry").await;
    admin.tell(ToChild::Stop { within: PATIENCE });
    let ended = tokio::time::timeout(PATIENCE, admin.process.wait()).await;
    assert!(ended.expect("it does not end").unwrap().success());
}
