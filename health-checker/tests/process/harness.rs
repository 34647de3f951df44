//! The checker as a process, the servers that it asks, and what it is told and says.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use ipc::check::{
    CheckSnapshot, FromCheck, Probe, ScriptCheck, ScriptInit, ToCheck, UpstreamCheck,
};
use ipc::proxy::UpstreamProtocol;
use ipc::vrrp::{TrackSubject, TrackVerdict};
use ipc::{FromChild, Role, ToChild, Welcome, codec};
use link::Link;
use platform::process::Image;
use platform::seqpacket::SeqPacket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Longer than any of this takes; not waited for unless something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The checker, and the end of the link that the supervisor would hold.
pub(crate) struct Checker {
    pub(crate) link: Link<ToChild<ToCheck>, FromChild<FromCheck>>,
    pub(crate) process: tokio::process::Child,
}

impl Checker {
    pub(crate) async fn start() -> Self {
        let (ours, theirs) = SeqPacket::pair().unwrap();
        let image = Image::open(Path::new(env!("CARGO_BIN_EXE_evenkeel-check"))).unwrap();
        let process = image.start("evenkeel: check", theirs).unwrap();
        let checker = Self {
            link: Link::new(ours).unwrap(),
            process,
        };
        let myself = std::fs::metadata("/proc/self").unwrap();
        checker.tell(ToChild::Welcome(Welcome {
            version: ipc::VERSION,
            role: Role::Check,
            slot: 0,
            uid: myself.uid(),
            gid: myself.gid(),
            log_level: "info".into(),
            realtime: false,
        }));
        let version = ipc::VERSION;
        assert_eq!(checker.hear().await, FromChild::Hello { version });
        checker
    }

    pub(crate) fn tell(&self, message: ToChild<ToCheck>) {
        self.link.send(&message, &[]).unwrap();
    }

    pub(crate) async fn hear(&self) -> FromChild<FromCheck> {
        let received = tokio::time::timeout(PATIENCE, self.link.receive()).await;
        received.expect("the checker says nothing").unwrap().message
    }

    pub(crate) async fn hear_role(&self) -> FromCheck {
        match self.hear().await {
            FromChild::Role(message) => message,
            other => panic!("{other:?} where a report was due"),
        }
    }

    pub(crate) fn prepare(&self, generation: u64, snapshot: &CheckSnapshot) {
        let bytes = codec::encode_snapshot(snapshot).unwrap();
        let memfd = platform::memfd::sealed("snapshot", &bytes).unwrap();
        let prepare = ToChild::Prepare { generation };
        self.link.send(&prepare, &[memfd.as_fd()]).unwrap();
    }

    /// Puts a configuration in force; what was reported before that was acknowledged.
    pub(crate) async fn configure(
        &self,
        generation: u64,
        snapshot: &CheckSnapshot,
    ) -> Vec<FromCheck> {
        let mut reports = Vec::new();
        self.prepare(generation, snapshot);
        loop {
            match self.hear().await {
                FromChild::Prepared { generation } => self.tell(ToChild::Commit { generation }),
                FromChild::Committed { .. } => return reports,
                FromChild::Role(report) => reports.push(report),
                other => panic!("{other:?} during a configuration"),
            }
        }
    }

    pub(crate) async fn end(mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        ended.expect("the checker does not end").unwrap()
    }
}

/// A server that answers `GET /status/NNN` with that status.
pub(crate) async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    actix_rt::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let request = String::from_utf8(request).unwrap();
            let status = request.split([' ', '/']).nth(3);
            let status = status.filter(|it| it.len() == 3).unwrap_or("400");
            let answer = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

/// Where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

pub(crate) fn check(address: SocketAddr, path: &str, interval: Duration) -> UpstreamCheck {
    UpstreamCheck {
        name: "app".into(),
        servers: vec![address],
        protocol: UpstreamProtocol::Http1,
        send_proxy: None,
        probe: Probe::Http {
            path: path.into(),
            host: None,
            statuses: vec![(200, 399)],
        },
        tls: None,
        interval,
        timeout: PATIENCE,
        rise: 2,
        fall: 3,
    }
}

pub(crate) fn script(name: &str, init: ScriptInit) -> ScriptCheck {
    ScriptCheck {
        name: name.into(),
        interval: Duration::from_millis(10),
        timeout: PATIENCE,
        rise: 1,
        fall: 2,
        init,
    }
}

pub(crate) fn server_changed(
    address: SocketAddr,
    up: bool,
    reason: &str,
    first: bool,
) -> FromCheck {
    FromCheck::ServerChanged {
        upstream: "app".into(),
        address,
        up,
        reason: reason.into(),
        first,
    }
}

pub(crate) fn track_changed(
    subject: TrackSubject,
    verdict: TrackVerdict,
    reason: &str,
    first: bool,
) -> FromCheck {
    FromCheck::TrackChanged {
        subject,
        verdict,
        reason: reason.into(),
        first,
    }
}

pub(crate) fn script_changed(
    script: &str,
    verdict: TrackVerdict,
    reason: &str,
    first: bool,
) -> FromCheck {
    track_changed(TrackSubject::Script(script.into()), verdict, reason, first)
}

pub(crate) const EMPTY: CheckSnapshot = CheckSnapshot {
    upstreams: Vec::new(),
    authorities: Vec::new(),
    scripts: Vec::new(),
    files: Vec::new(),
    processes: Vec::new(),
    listeners: Vec::new(),
};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
