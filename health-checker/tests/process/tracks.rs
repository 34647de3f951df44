//! Scripts, files and processes.

use std::time::Duration;

use ipc::ToChild;
use ipc::check::{
    CheckSnapshot, FileCheck, FromCheck, ProcessCheck, ScriptInit, ScriptOutcome, ToCheck,
};
use ipc::vrrp::{TrackSubject, TrackVerdict};

use crate::harness::{Checker, EMPTY, script, script_changed, track_changed};

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
