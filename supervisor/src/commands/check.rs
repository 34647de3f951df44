//! `evenkeel check`: everything that a start and a reload would check.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::ExitCode;

use platform::interfaces::Interfaces;
use settings::{LogTarget, Position, Report, Settings};

use super::{FAILED, failover, source};
use crate::children::Images;
use crate::cli::{ConfigArgs, RunDir};
use crate::control::client::ask;
use crate::control::{Answer, Request};
use crate::credentials::Credentials;
use crate::holdings::{self, Orphans};
use crate::paths;

/// Prints what is wrong and who will own which address when, and ends with 1 if it cannot be used.
pub(super) fn perform(arguments: &ConfigArgs) -> ExitCode {
    let source = source(arguments);
    let settings = match settings::load(&source) {
        Ok(settings) => settings,
        Err(report) => {
            eprintln!("{report}");
            return ExitCode::from(FAILED);
        }
    };
    for warning in &settings.warnings {
        eprintln!("{warning}");
    }
    let (held, orphans) = listening(&arguments.run_dir);
    let mut report = against_system(&settings, &held, orphans);
    check_programs(&mut report);
    Credentials::read(&settings, &mut report);
    if !report.is_empty() {
        eprintln!("{report}");
    }
    if report.has_errors() {
        return ExitCode::from(FAILED);
    }
    print!("{}", failover::tables(&source, &settings));
    println!(
        "{}: the configuration can be used on node {}",
        source.file.display(),
        source.node
    );
    ExitCode::SUCCESS
}

/// What only the running system can tell, with its place in the configuration.
pub(super) fn against_system(
    settings: &Settings,
    held: &BTreeSet<SocketAddr>,
    orphans: Orphans,
) -> Report {
    let mut report = Report::new();
    holdings::check_ports(settings, held, orphans, &mut report);
    check_interfaces(settings, &mut report);
    check_commands(settings, &mut report);
    check_users(settings, &mut report);
    if let LogTarget::File(path) = &settings.global.log.target
        && path.value().parent().is_some_and(|folder| !folder.is_dir())
    {
        let message = format!("the folder of {} does not exist", path.value().display());
        report.warn(path.position(), message, "it will be made at the start");
    }
    report
}

/// An upgrade must not find out too late that half of it is installed.
fn check_programs(report: &mut Report) {
    if let Err(why) = Images::open() {
        let folder = paths::own().unwrap_or_default();
        let advice = "install the programs of one version together";
        report.push(&Position::of_file(&folder), why, advice);
    }
}

/// An interface may come later, as in keepalived: its routers are Fault until then.
fn check_interfaces(settings: &Settings, report: &mut Report) {
    let interfaces = match Interfaces::open().and_then(|mut interfaces| interfaces.list()) {
        Ok(interfaces) => interfaces,
        Err(error) => return tracing::warn!("cannot list the interfaces: {error}"),
    };
    for router in &settings.virtual_routers {
        let name = router.interface.value();
        if interfaces.iter().all(|interface| interface.name != *name) {
            let message = format!("there is no interface {name} on this node");
            let advice = "the virtual router is FAULT until it appears; `ip link` lists them";
            report.warn(router.interface.position(), message, advice);
        }
    }
}

fn check_commands(settings: &Settings, report: &mut Report) {
    let scripts = settings.scripts.iter().map(|script| &script.command);
    let sinks = settings.notify.iter().filter_map(|sink| match &sink.kind {
        settings::SinkKind::Exec(command) => Some(command),
        _ => None,
    });
    for command in scripts.chain(sinks) {
        let Some(program) = command.value().first() else {
            continue;
        };
        if let Err(error) = platform::process::executable(program.as_ref()) {
            let message = format!("{program} cannot be executed: {error}");
            report.warn(
                command.position(),
                message,
                "it counts as failed until it can",
            );
        }
    }
}

fn check_users(settings: &Settings, report: &mut Report) {
    for script in &settings.scripts {
        let user = script.user.value();
        if user != settings.global.user.value()
            && !matches!(platform::privilege::identity(user, None), Ok(Some(_)))
        {
            let message = format!("there is no user {user} on this node");
            report.push(script.user.position(), message, "make it, or name another");
        }
    }
}

/// What the running instance listens on itself, and whether one that died may be about.
fn listening(run_dir: &RunDir) -> (BTreeSet<SocketAddr>, Orphans) {
    match ask(&run_dir.run_dir, &Request::Listening).map(|asked| asked.answer) {
        Ok(Answer::Listening { addresses }) => (addresses.into_iter().collect(), Orphans::None),
        // A pid file without an instance is what a death leaves.
        _ if run_dir.run_dir.join(paths::PID_FILE).exists() => (BTreeSet::new(), Orphans::Possible),
        _ => (BTreeSet::new(), Orphans::None),
    }
}
