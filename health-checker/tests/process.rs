//! The real program, driven as the supervisor drives it, against real servers on loopback.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use ipc::check::{
    CheckSnapshot, FileCheck, FromCheck, ListenerCheck, ListenerProbe, Probe, ProcessCheck,
    ScriptCheck, ScriptInit, ScriptOutcome, ServerCheck, ToCheck,
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
const PATIENCE: Duration = Duration::from_secs(20);

/// The checker, and the end of the link that the supervisor would hold.
struct Checker {
    link: Link<ToChild<ToCheck>, FromChild<FromCheck>>,
    process: tokio::process::Child,
}

impl Checker {
    async fn start() -> Self {
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

    fn tell(&self, message: ToChild<ToCheck>) {
        self.link.send(&message, &[]).unwrap();
    }

    async fn hear(&self) -> FromChild<FromCheck> {
        let received = tokio::time::timeout(PATIENCE, self.link.receive()).await;
        received.expect("the checker says nothing").unwrap().message
    }

    async fn hear_role(&self) -> FromCheck {
        match self.hear().await {
            FromChild::Role(message) => message,
            other => panic!("{other:?} where a report was due"),
        }
    }

    fn prepare(&self, generation: u64, snapshot: &CheckSnapshot) {
        let bytes = codec::encode_snapshot(snapshot).unwrap();
        let memfd = platform::memfd::sealed("snapshot", &bytes).unwrap();
        let prepare = ToChild::Prepare { generation };
        self.link.send(&prepare, &[memfd.as_fd()]).unwrap();
    }

    /// Puts a configuration in force; what was reported before that was acknowledged.
    async fn configure(&self, generation: u64, snapshot: &CheckSnapshot) -> Vec<FromCheck> {
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

    async fn end(mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        ended.expect("the checker does not end").unwrap()
    }
}

/// A server that answers `GET /status/NNN` with that status.
async fn server() -> SocketAddr {
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
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn check(address: SocketAddr, path: &str, interval: Duration) -> ServerCheck {
    ServerCheck {
        upstream: "app".into(),
        address,
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

fn script(name: &str, init: ScriptInit) -> ScriptCheck {
    ScriptCheck {
        name: name.into(),
        interval: Duration::from_millis(10),
        timeout: PATIENCE,
        rise: 1,
        fall: 2,
        init,
    }
}

fn server_changed(address: SocketAddr, up: bool, reason: &str, first: bool) -> FromCheck {
    FromCheck::ServerChanged {
        upstream: "app".into(),
        address,
        up,
        reason: reason.into(),
        first,
    }
}

fn track_changed(
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

fn script_changed(script: &str, verdict: TrackVerdict, reason: &str, first: bool) -> FromCheck {
    track_changed(TrackSubject::Script(script.into()), verdict, reason, first)
}

const EMPTY: CheckSnapshot = CheckSnapshot {
    servers: Vec::new(),
    scripts: Vec::new(),
    files: Vec::new(),
    processes: Vec::new(),
    listeners: Vec::new(),
};

const HOUR: Duration = Duration::from_secs(3600);

#[actix_rt::test]
async fn the_first_round_decides_on_everything_at_once() {
    let (well, ill) = (server().await, nobody().await);
    let checker = Checker::start().await;
    let snapshot = CheckSnapshot {
        servers: vec![
            check(well, "/status/204", HOUR),
            check(ill, "/status/204", HOUR),
        ],
        scripts: vec![script("probe", ScriptInit::Wait)],
        ..EMPTY
    };
    let mut reports = checker.configure(1, &snapshot).await;
    while reports.len() < 3 {
        reports.push(checker.hear_role().await);
    }
    for expected in [
        server_changed(well, true, "status 204", true),
        server_changed(ill, false, "connection refused", true),
        FromCheck::RunScript {
            script: "probe".into(),
        },
    ] {
        assert!(reports.contains(&expected), "{expected:?} in {reports:?}");
    }
    checker.tell(ToChild::Role(ToCheck::ScriptEnded {
        script: "probe".into(),
        outcome: ScriptOutcome::Exited(127),
    }));
    let reason = "exit status 127 (command not found)";
    let expected = script_changed("probe", TrackVerdict::Unrunnable, reason, true);
    assert_eq!(checker.hear_role().await, expected);
    assert_eq!(checker.hear_role().await, FromCheck::FirstRoundDone);
}

#[actix_rt::test]
async fn a_script_is_run_again_and_decides_by_its_thresholds() {
    let checker = Checker::start().await;
    let snapshot = CheckSnapshot {
        scripts: vec![script("probe", ScriptInit::Up)],
        ..EMPTY
    };
    let mut reports = checker.configure(1, &snapshot).await;
    // an exit status each time that it is asked for
    let mut statuses = [0, 1, 0, 1, 1].into_iter();
    loop {
        for report in &reports {
            if let FromCheck::RunScript { script } = report
                && let Some(status) = statuses.next()
            {
                checker.tell(ToChild::Role(ToCheck::ScriptEnded {
                    script: script.clone(),
                    outcome: ScriptOutcome::Exited(status),
                }));
            }
        }
        reports.retain(|report| !matches!(report, FromCheck::RunScript { .. }));
        if reports.len() == 3 {
            break;
        }
        reports.push(checker.hear_role().await);
    }
    let expected = [
        script_changed("probe", TrackVerdict::Up, "not run yet", true),
        FromCheck::FirstRoundDone,
        script_changed("probe", TrackVerdict::Down, "exit status 1", false),
    ];
    assert_eq!(reports, expected);
    assert_eq!(statuses.next(), None);
}

#[actix_rt::test]
async fn what_was_known_is_not_reported_again() {
    let (well, ill) = (server().await, nobody().await);
    let checker = Checker::start().await;
    checker.tell(ToChild::Role(ToCheck::Known {
        servers: vec![("app".into(), well, true), ("app".into(), ill, true)],
        tracks: vec![],
    }));
    let interval = Duration::from_millis(10);
    let snapshot = CheckSnapshot {
        servers: vec![
            check(well, "/status/200", interval),
            check(ill, "/status/200", interval),
        ],
        ..EMPTY
    };
    let mut reports = checker.configure(1, &snapshot).await;
    while reports.len() < 2 {
        reports.push(checker.hear_role().await);
    }
    let down = server_changed(ill, false, "connection refused", false);
    assert_eq!(
        reports,
        [FromCheck::FirstRoundDone, down],
        "one of three failures moves nothing"
    );
}

#[actix_rt::test]
async fn a_reload_keeps_verdicts_and_asks_the_new_question_at_once() {
    let (kept, changed, removed) = (server().await, server().await, server().await);
    let checker = Checker::start().await;
    let before = CheckSnapshot {
        servers: [kept, changed, removed]
            .map(|address| check(address, "/status/200", HOUR))
            .into(),
        ..EMPTY
    };
    let mut reports = checker.configure(1, &before).await;
    while reports.last() != Some(&FromCheck::FirstRoundDone) {
        reports.push(checker.hear_role().await);
    }
    assert_eq!(reports.len(), 4, "{reports:?}");

    let added = server().await;
    let after = CheckSnapshot {
        servers: vec![
            check(kept, "/status/200", HOUR),
            ServerCheck {
                fall: 1,
                ..check(changed, "/status/503", HOUR)
            },
            check(added, "/status/200", HOUR),
        ],
        ..EMPTY
    };
    let mut reports = checker.configure(2, &after).await;
    while reports.len() < 2 {
        reports.push(checker.hear_role().await);
    }
    for expected in [
        server_changed(changed, false, "status 503", false),
        server_changed(added, true, "status 200", true),
    ] {
        assert!(reports.contains(&expected), "{expected:?} in {reports:?}");
    }
}

#[actix_rt::test]
async fn an_unusable_configuration_is_refused_and_an_aborted_one_forgotten() {
    let checker = Checker::start().await;
    let mut bad = CheckSnapshot {
        servers: vec![check(nobody().await, "no path", HOUR)],
        ..EMPTY
    };
    checker.prepare(1, &bad);
    let why = "check of upstream \"app\": \"no path\" is no path".into();
    let refused = FromChild::Refused { generation: 1, why };
    assert_eq!(checker.hear().await, refused);

    bad.servers.clear();
    checker.prepare(2, &bad);
    assert_eq!(checker.hear().await, FromChild::Prepared { generation: 2 });
    checker.tell(ToChild::Abort { generation: 2 });
    checker.tell(ToChild::Commit { generation: 2 });
    checker.tell(ToChild::Ping { seq: 7 });
    assert_eq!(
        checker.hear().await,
        FromChild::Pong { seq: 7 },
        "nothing was committed"
    );
}

#[actix_rt::test]
async fn it_ends_at_once_when_told_to_and_when_it_is_left_alone() {
    let checker = Checker::start().await;
    checker.tell(ToChild::Stop { within: HOUR });
    assert!(checker.end().await.success());

    let mut checker = Checker::start().await;
    drop(checker.link);
    let ended = tokio::time::timeout(PATIENCE, checker.process.wait()).await;
    assert!(ended.expect("the checker does not end").unwrap().success());
}

/// The next report that is about a track; `RunScript` and the like are passed over.
async fn next_verdict(checker: &Checker) -> FromCheck {
    loop {
        let report = checker.hear_role().await;
        if matches!(report, FromCheck::TrackChanged { .. }) {
            return report;
        }
    }
}

#[actix_rt::test]
async fn a_script_that_can_no_longer_be_run_is_said_to_be_so() {
    let checker = Checker::start().await;
    let mut known = script("probe", ScriptInit::Wait);
    known.fall = 1;
    let snapshot = CheckSnapshot {
        scripts: vec![known],
        ..EMPTY
    };
    let outcomes = [
        ScriptOutcome::Exited(1),
        ScriptOutcome::Exited(1),
        ScriptOutcome::Unrunnable("No such file or directory".into()),
        ScriptOutcome::Exited(0),
    ];
    let mut outcomes = outcomes.into_iter();
    let mut verdicts = Vec::new();
    let mut reports = checker.configure(1, &snapshot).await;
    while verdicts.len() < 3 {
        let report = match reports.pop() {
            Some(report) => report,
            None => checker.hear_role().await,
        };
        match report {
            FromCheck::RunScript { script } => {
                if let Some(outcome) = outcomes.next() {
                    checker.tell(ToChild::Role(ToCheck::ScriptEnded { script, outcome }));
                }
            }
            FromCheck::TrackChanged { verdict, .. } => verdicts.push(verdict),
            _ => {}
        }
    }
    let expected = [
        TrackVerdict::Down,
        TrackVerdict::Unrunnable,
        TrackVerdict::Up,
    ];
    assert_eq!(verdicts, expected);
}

#[actix_rt::test]
async fn a_file_is_told_when_its_number_changes_and_when_it_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("number");
    // As an editor does it: there is never half of it.
    let write = |text: &str| {
        let draft = folder.path().join("draft");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(&draft, &path).unwrap();
    };
    write("10\n");
    let checker = Checker::start().await;
    let snapshot = CheckSnapshot {
        files: vec![FileCheck {
            name: "weight".into(),
            path: path.clone(),
            interval: Duration::from_millis(10),
            absent: Some(0),
        }],
        ..EMPTY
    };
    let said = |verdict, reason, first| {
        track_changed(TrackSubject::File("weight".into()), verdict, reason, first)
    };
    use TrackVerdict::{Unrunnable, Value};
    let mut reports = checker.configure(1, &snapshot).await;
    while reports.len() < 2 {
        reports.push(checker.hear_role().await);
    }
    let expected = [
        said(Value(10), "contains 10", true),
        FromCheck::FirstRoundDone,
    ];
    assert_eq!(reports, expected);

    write("-300");
    let expected = said(Value(-254), "contains -254", false);
    assert_eq!(next_verdict(&checker).await, expected);
    write("none");
    let expected = said(Unrunnable, "contains no number", false);
    assert_eq!(next_verdict(&checker).await, expected);
    std::fs::remove_file(&path).unwrap();
    let expected = said(Value(0), "there is no such file", false);
    assert_eq!(next_verdict(&checker).await, expected);
}

#[actix_rt::test]
async fn processes_are_counted() {
    let mark = format!("evenkeel-check-{}", std::process::id());
    let line = ["-c".to_owned(), "read line".to_owned(), mark];
    let snapshot = CheckSnapshot {
        processes: vec![ProcessCheck {
            name: "reader".into(),
            process: "sh".into(),
            params: line.to_vec(),
            quorum: 1,
            interval: Duration::from_millis(10),
            delay: Duration::ZERO,
        }],
        ..EMPTY
    };
    let said = |verdict, reason, first| {
        let subject = TrackSubject::Process("reader".into());
        track_changed(subject, verdict, reason, first)
    };
    let checker = Checker::start().await;
    let mut reports = checker.configure(1, &snapshot).await;
    while reports.is_empty() {
        reports.push(checker.hear_role().await);
    }
    let expected = said(TrackVerdict::Down, "0 run, 1 must", true);
    assert_eq!(reports.first(), Some(&expected));

    let mut process = std::process::Command::new("/bin/sh")
        .args(&line)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let expected = said(TrackVerdict::Up, "1 run, 1 must", false);
    assert_eq!(next_verdict(&checker).await, expected);
    // It ends and stays a zombie: nobody has waited for it yet.
    drop(process.stdin.take());
    let expected = said(TrackVerdict::Down, "0 run, 1 must", false);
    assert_eq!(next_verdict(&checker).await, expected);
    process.wait().unwrap();
}

#[actix_rt::test]
async fn our_own_proxy_is_asked_at_each_address_that_is_here() {
    // Nobody accepts here: the kernel does, and an answer never comes.
    let stuck = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = stuck.local_addr().unwrap();
    let answers = server().await;
    let elsewhere: SocketAddr = "192.0.2.105:80".parse().unwrap();
    let checker = Checker::start().await;
    let http = |address| ListenerCheck {
        address,
        probe: ListenerProbe::Http,
        proxy_header: false,
    };
    let snapshot = CheckSnapshot {
        listeners: [silent, answers, elsewhere].map(http).into(),
        ..EMPTY
    };
    let changed = |address, up, reason: &str| FromCheck::ListenerChanged {
        address,
        up,
        reason: reason.into(),
    };
    let mut expected = vec![
        changed(elsewhere, true, "is not on this node"),
        changed(answers, true, "status 400"),
        changed(silent, false, "timed out after 1s"),
        FromCheck::FirstRoundDone,
    ];
    let mut reports = checker.configure(1, &snapshot).await;
    while !expected.is_empty() {
        if reports.is_empty() {
            reports.push(checker.hear_role().await);
        }
        for report in reports.drain(..) {
            let place = expected.iter().position(|it| *it == report);
            expected.remove(place.unwrap_or_else(|| panic!("{report:?}, not {expected:?}")));
        }
    }
}
