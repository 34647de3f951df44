//! Servers, the node's own proxy, and what becomes of a process and its configurations.

use std::net::SocketAddr;
use std::time::Duration;

use ipc::check::{
    CheckSnapshot, FromCheck, ListenerCheck, ListenerProbe, ScriptInit, ScriptOutcome, ToCheck,
    UpstreamCheck,
};
use ipc::vrrp::TrackVerdict;
use ipc::{FromChild, ToChild};
use tokio::net::TcpListener;

use crate::harness::{
    Checker, EMPTY, HOUR, PATIENCE, check, nobody, script, script_changed, server, server_changed,
};

#[actix_rt::test]
async fn the_first_round_decides_on_everything_at_once() {
    let (well, ill) = (server().await, nobody().await);
    let checker = Checker::start().await;
    let snapshot = CheckSnapshot {
        upstreams: vec![
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
async fn what_was_known_is_not_reported_again() {
    let (well, ill) = (server().await, nobody().await);
    let checker = Checker::start().await;
    checker.tell(ToChild::Role(ToCheck::Known {
        servers: vec![("app".into(), well, true), ("app".into(), ill, true)],
        tracks: vec![],
    }));
    let interval = Duration::from_millis(10);
    let snapshot = CheckSnapshot {
        upstreams: vec![
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
        upstreams: [kept, changed, removed]
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
        upstreams: vec![
            check(kept, "/status/200", HOUR),
            UpstreamCheck {
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
        upstreams: vec![check(nobody().await, "no path", HOUR)],
        ..EMPTY
    };
    checker.prepare(1, &bad);
    let why = "check of upstream \"app\": \"no path\" is no path".into();
    let refused = FromChild::Refused { generation: 1, why };
    assert_eq!(checker.hear().await, refused);

    bad.upstreams.clear();
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
