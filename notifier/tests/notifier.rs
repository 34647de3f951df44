//! The notifier as a whole: the real program, a real mail server, HTTP gateways that fail first,
//! scripts, crashes.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it must be"
)]

mod harness;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use harness::http::Stub;
use harness::smtp::Smtp;
use harness::{Notifier, lines, sink, transition};
use ipc::ToChild;
use ipc::event::What;
use ipc::notify::{MailSpec, MailTls, SinkKind, SmsSpec, ToNotify};
use ipc::status::RouterState;

const TIMEOUT: Duration = Duration::from_secs(10);

fn file(path: &Path) -> SinkKind {
    SinkKind::File {
        path: path.to_str().unwrap().into(),
    }
}

fn webhook(stub: &Stub) -> SinkKind {
    SinkKind::Webhook {
        url: format!("{}/hook", stub.base),
        headers: vec![("Authorization".into(), "Bearer x".into())],
        secret: Some("key".into()),
        timeout: TIMEOUT,
    }
}

fn mail(port: u16) -> SinkKind {
    SinkKind::Mail(MailSpec {
        host: "127.0.0.1".into(),
        port,
        tls: MailTls::None,
        credentials: None,
        helo: Some("proxy101.example.org".into()),
        from: "Evenkeel <evenkeel@example.org>".into(),
        to: vec!["ops@example.org".into(), "night@example.org".into()],
        timeout: TIMEOUT,
    })
}

#[tokio::test]
async fn mail_arrives_at_every_receiver() {
    let place = tempfile::tempdir().unwrap();
    let mut server = Smtp::start().await;
    let sinks = vec![sink("ops-mail", mail(server.address.port()))];
    let notifier = Notifier::start(place.path(), sinks).await;
    notifier.record(transition(RouterState::Master, 202)).await;
    let mails = [server.mail().await, server.mail().await];
    for expected in [
        "From: Evenkeel <evenkeel@example.org>",
        "To: ops@example.org, night@example.org",
        "Subject: [proxy101] VRRP Instance YN_API_GATEWAY - Entering MASTER state",
        "Auto-Submitted: auto-generated",
        "X-Mailer: Evenkeel",
        "Message-ID: <1.",
        "=> VRRP Instance is now owning VRRP VIPs <=",
        "Cause:      master timed out",
        "Addresses:  192.168.0.105",
    ] {
        assert!(
            mails[0].contains(expected),
            "{expected} is not in\n{}",
            mails[0]
        );
    }
    let without_peer = |mail: &String| -> Vec<String> {
        let rest = mail.lines().filter(|line| !line.starts_with("X-Peer"));
        rest.map(str::to_owned).collect()
    };
    assert_eq!(without_peer(&mails[0]), without_peer(&mails[1]));
    notifier.stop().await;
}

#[tokio::test]
async fn a_gateway_that_fails_is_asked_again_and_delays_nobody() {
    let place = tempfile::tempdir().unwrap();
    let (mut sms, mut hook) = (Stub::start(&[503, 202]), Stub::start(&[500, 429, 200]));
    let log = place.path().join("ha.log");
    let gateway = SinkKind::Sms(SmsSpec {
        to: vec!["+491721234567".into()],
        url: format!("{}/sendsms?to={{to}}&text={{text}}", sms.base),
        method: "GET".into(),
        body: None,
        headers: vec![],
        success_statuses: vec![200, 202],
        timeout: TIMEOUT,
    });
    let sinks = vec![
        sink("hook", webhook(&hook)),
        sink("log", file(&log)),
        sink("ops-sms", gateway),
    ];
    let notifier = Notifier::start(place.path(), sinks).await;
    notifier.record(transition(RouterState::Master, 202)).await;

    let logged = lines(&log, 1).await;
    assert!(
        logged[0].ends_with(
            "[proxy101] evenkeel HA role state transition: INSTANCE YN_API_GATEWAY MASTER 202"
        ),
        "{logged:?}"
    );
    for _ in 0..2 {
        let target = sms.request().await.target;
        let expected = "/sendsms?to=%2B491721234567&text=proxy101%20MASTER%20YN_API_GATEWAY%20prio%20202%20master%20timed%20out%20";
        assert!(target.starts_with(expected), "{target}");
    }
    let first = hook.request().await;
    assert_eq!(first.header("authorization"), Some("Bearer x"));
    assert!(
        first
            .header("x-evenkeel-signature")
            .unwrap()
            .starts_with("t=")
    );
    assert!(
        first.body.contains(r#""event":"transition""#),
        "{}",
        first.body
    );
    for _ in 0..2 {
        let again = hook.request().await;
        assert_eq!(
            again.header("idempotency-key"),
            first.header("idempotency-key")
        );
        assert_eq!(again.body, first.body);
    }
    notifier
        .queues(|queues| {
            queues
                .iter()
                .all(|(_, waiting, error)| *waiting == 0 && error.is_none())
        })
        .await;
    assert!(sms.is_idle() && hook.is_idle());
    notifier.stop().await;
}

#[tokio::test]
async fn what_was_not_sent_is_sent_after_a_crash() {
    let place = tempfile::tempdir().unwrap();
    let mut hook = Stub::start(&[200, 503]);
    let sinks = vec![sink("hook", webhook(&hook))];
    let notifier = Notifier::start(place.path(), sinks).await;
    assert_eq!(notifier.record(What::ProxyIll).await, 1);
    assert!(hook.request().await.body.contains("proxy_ill"));
    notifier.queues(|queues| queues[0].1 == 0).await;
    assert_eq!(notifier.record(What::ProxyWell).await, 2);
    let before = hook.request().await;
    lines(&place.path().join("cursor-hook"), 1).await;
    notifier.kill().await;
    // As if the power had gone in the middle of a write.
    let journal = place.path().join("events.jsonl");
    let mut torn = OpenOptions::new().append(true).open(&journal).unwrap();
    torn.write_all(br#"{"seq":3,"boo"#).unwrap();

    let mut recovered = Stub::start(&[200]);
    let sinks = vec![sink("hook", webhook(&recovered))];
    let notifier = Notifier::start(place.path(), sinks).await;
    let after = recovered.request().await;
    assert_eq!(
        after.header("idempotency-key"),
        before.header("idempotency-key")
    );
    assert_eq!(notifier.record(What::ProxyIll).await, 3);
    assert!(recovered.request().await.body.contains(r#""seq":3"#));
    notifier.stop().await;
    assert_eq!(
        std::fs::read_to_string(place.path().join("cursor-hook")).unwrap(),
        "3\n"
    );
    let content = std::fs::read_to_string(journal).unwrap();
    assert_eq!(content.lines().count(), 3, "{content}");
    assert!(recovered.is_idle());
}

#[tokio::test]
async fn scripts_are_called_in_order_and_see_the_end() {
    let place = tempfile::tempdir().unwrap();
    let (script, out) = (place.path().join("policy.sh"), place.path().join("out"));
    let text = format!(
        "#!/bin/sh\nsleep 0.1\necho \"$@\" \"$EVENKEEL_CAUSE\" >> {}\n",
        out.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let kind = SinkKind::Exec {
        command: vec![script.to_str().unwrap().into()],
        timeout: TIMEOUT,
    };
    let notifier = Notifier::start(place.path(), vec![sink("policy", kind)]).await;
    for (state, priority) in [(RouterState::Master, 202), (RouterState::Backup, 200)] {
        notifier.record(transition(state, priority)).await;
    }
    notifier.record(What::Stopping).await;
    notifier.record(transition(RouterState::Stop, 0)).await;
    notifier.stop().await;
    let called = lines(&out, 3).await;
    assert_eq!(
        called,
        [
            "INSTANCE YN_API_GATEWAY MASTER 202 master timed out",
            "INSTANCE YN_API_GATEWAY BACKUP 200 master timed out",
            "INSTANCE YN_API_GATEWAY STOP 0 master timed out",
        ]
    );
}

#[tokio::test]
async fn a_reload_keeps_what_stays() {
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (
        place.path().join("first.log"),
        place.path().join("second.log"),
    );
    let old = vec![sink("first", file(&first))];
    let both = vec![sink("first", file(&first)), sink("second", file(&second))];
    let mut notifier = Notifier::start(place.path(), old.clone()).await;
    notifier.record(What::ProxyIll).await;

    let mut wrong = both.clone();
    wrong[1].kind = SinkKind::Exec {
        command: vec!["relative".into()],
        timeout: TIMEOUT,
    };
    let why = notifier.configure(wrong).await.unwrap_err();
    assert!(
        why.contains("[notify.second]") && why.contains("relative"),
        "{why}"
    );

    notifier.configure(both).await.unwrap();
    notifier.record(What::ProxyWell).await;
    assert!(
        lines(&second, 1).await[0].contains("serves again"),
        "no history for a new sink"
    );
    assert_eq!(lines(&first, 2).await.len(), 2);
    notifier.configure(old).await.unwrap();
    notifier.record(What::ProxyIll).await;
    assert_eq!(lines(&first, 3).await.len(), 3);
    notifier.stop().await;
    assert_eq!(lines(&second, 1).await.len(), 1);
    assert!(!place.path().join("cursor-second").exists());
}

#[tokio::test]
async fn log_files_are_changed_and_a_test_is_marked() {
    let place = tempfile::tempdir().unwrap();
    let (log, aside) = (place.path().join("ha.log"), place.path().join("ha.log.1"));
    let sinks = vec![sink("log", file(&log))];
    let mut notifier = Notifier::start(place.path(), sinks.clone()).await;
    notifier.record(What::ProxyIll).await;
    lines(&log, 1).await;
    std::fs::rename(&log, &aside).unwrap();
    let files = harness::open_files(&sinks);
    let message = ToChild::Role(ToNotify::LogsReopened);
    notifier.link.send(&message, &[files[0].as_fd()]).unwrap();
    notifier.say(&ToChild::Role(ToNotify::Test { sink: None }));
    assert!(
        lines(&log, 1).await[0].contains("test message"),
        "in the new file"
    );
    assert_eq!(lines(&aside, 1).await.len(), 1);

    // The supervisor's end: it ends by itself, well.
    let (other_end, _) = platform::seqpacket::SeqPacket::pair().unwrap();
    notifier.link = link::Link::new(other_end).unwrap();
    harness::soon("the notifier's end", notifier.child.wait())
        .await
        .unwrap();
}
