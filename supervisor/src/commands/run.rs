//! `evenkeel run`: from the command line to a running supervisor.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use actix::prelude::*;
use platform::daemon::{self, PidFile, Ready, Side};
use platform::privilege::{self, Identity};
use platform::{folders, listen, process};
use settings::{LogTarget, Settings, Source, Workers};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

use super::{FAILED, USAGE, check, fail, source};
use crate::children::Images;
use crate::cli::Run;
use crate::control::Control;
use crate::holdings::{Holdings, Left, Orphans, Places};
use crate::legacy::{Knowledge, Legacy};
use crate::paths;
use crate::retired::Retired;
use crate::signals::Signals;
use crate::supervisor::{Beginning, Rebirth, Started, Supervisor, notify_systemd};

/// How long the children may take to be in service at the start.
const START_MAX: Duration = Duration::from_secs(30);

/// The user of the children where the configured one does not exist.
const FALLBACK_USER: &str = "nobody";

/// Runs until it is told to stop.
pub(super) fn perform(arguments: &Run) -> ExitCode {
    let source = source(&arguments.config);
    let settings = match settings::load(&source) {
        Ok(settings) => settings,
        Err(report) => {
            eprintln!("{report}");
            return ExitCode::from(FAILED);
        }
    };
    if !privilege::is_root() {
        return fail(
            USAGE,
            "run needs root: it opens raw sockets and puts addresses on interfaces",
        );
    }
    let legacy = match Legacy::take() {
        Ok(legacy) => legacy,
        Err(error) => return fail(FAILED, format!("cannot take over what was left: {error}")),
    };
    if let Err(error) = process::close_foreign() {
        return fail(FAILED, format!("cannot close what is not ours: {error}"));
    }
    let reborn = legacy.is_some();
    let start = Start {
        arguments,
        source,
        settings,
        legacy,
    };
    // After an upgrade this process is where it should be already.
    if !arguments.daemon || reborn {
        return start
            .run(None)
            .map_or_else(|why| fail(FAILED, why), ExitCode::from);
    }
    match daemon::background() {
        Err(error) => fail(FAILED, format!("cannot go to the background: {error}")),
        Ok(Side::Caller(Ok(()))) => ExitCode::SUCCESS,
        Ok(Side::Caller(Err(why))) => fail(FAILED, why.trim_end()),
        Ok(Side::Background(ready)) => {
            let mut ready = Some(ready);
            let result = start.run(Some(&mut ready));
            match (result, ready) {
                (Ok(status), None) => ExitCode::from(status),
                (Ok(_), Some(ready)) => {
                    ready.failed("it was told to stop before everything was in service");
                    ExitCode::from(FAILED)
                }
                (Err(why), Some(ready)) => {
                    ready.failed(&why);
                    ExitCode::from(FAILED)
                }
                (Err(why), None) => fail(FAILED, why),
            }
        }
    }
}

struct Start<'a> {
    arguments: &'a Run,
    source: Source,
    settings: Settings,
    legacy: Option<Legacy>,
}

impl Start<'_> {
    /// Does everything that may fail before children run, then runs.
    fn run(mut self, daemon: Option<&mut Option<Ready>>) -> Result<u8, String> {
        process::hold_signals().map_err(|error| format!("cannot hold signals: {error}"))?;
        daemon::restrict_umask();
        let run_dir = absolute(&self.arguments.config.run_dir.run_dir)?;
        folders::run(&run_dir)
            .map_err(|error| format!("cannot use {}: {error}", run_dir.display()))?;
        let program = paths::own().map_err(|error| error.to_string())?;
        let pid_path = run_dir.join(paths::PID_FILE);
        let control_path = run_dir.join(paths::CONTROL_SOCKET);
        let inherited = self.legacy.is_some();
        let Taken {
            pid_file,
            control,
            mut left,
            retired,
            knowledge,
        } = Taken::take(self.legacy.take(), &pid_path, &control_path)?;
        let identity = identity(&self.settings)?;
        if !inherited {
            direct_log(&self.settings, identity, daemon.is_some())?;
        }
        start_logging(&self.settings);
        self.warn();
        process::raise_descriptor_limit()
            .map_err(|error| format!("cannot raise the descriptor limit: {error}"))?;
        let places = Places {
            run_dir: run_dir.clone(),
            admin_socket: run_dir.join(paths::ADMIN_SOCKET),
            journal: absolute(&self.arguments.state_dir)?,
        };
        let slots = slots(&self.settings);
        let images = Images::open()?;
        left.fit(slots)
            .map_err(|error| format!("cannot listen for more workers: {error}"))?;
        let holdings = Holdings::open(&self.settings, &places, identity, left)
            .map_err(|report| report.to_string())?;
        let copy = |descriptor: io::Result<OwnedFd>| descriptor.map_err(|error| error.to_string());
        let rebirth = Rebirth {
            program,
            arguments: arguments_again(&self.source, &places),
            control: copy(control.try_clone())?,
            pid_file: copy(pid_file.descriptor())?,
        };
        let admin_socket = places.admin_socket.clone();
        let (ready, started) = oneshot::channel();
        let beginning = Beginning {
            source: self.source,
            settings: self.settings,
            places,
            identity,
            images,
            holdings,
            slots,
            rebirth,
            retired,
            knowledge,
            ready,
        };
        let result = run_system(beginning, control, started, daemon);
        for socket in [&control_path, &admin_socket] {
            // What is gone already is what was wanted.
            let _ = std::fs::remove_file(socket);
        }
        result
    }

    fn warn(&self) {
        for warning in &self.settings.warnings {
            tracing::warn!("{warning}");
        }
        // Ports are bound in a moment, with the same messages as errors.
        let held: BTreeSet<_> = self
            .settings
            .listeners
            .iter()
            .flat_map(|listener| &listener.bind)
            .chain(&self.settings.admin.bind)
            .map(|bind| *bind.value())
            .collect();
        let report = check::against_system(&self.settings, &held, Orphans::None);
        for finding in report.findings() {
            tracing::warn!("{finding}");
        }
    }
}

/// What is taken at the start, anew or from the image before this one.
struct Taken {
    pid_file: PidFile,
    control: OwnedFd,
    left: Left,
    retired: Retired,
    knowledge: Option<Knowledge>,
}

impl Taken {
    fn take(legacy: Option<Legacy>, pid_path: &Path, control_path: &Path) -> Result<Self, String> {
        let Some(legacy) = legacy else {
            let pid_file = PidFile::take(pid_path).map_err(|error| error.to_string())?;
            let control = listen::unix(control_path, 0o600)
                .map_err(|error| format!("cannot listen on {}: {error}", control_path.display()))?;
            let orphans = if pid_file.was_left() {
                Orphans::Possible
            } else {
                Orphans::None
            };
            let left = Left {
                orphans,
                ..Left::default()
            };
            return Ok(Self {
                pid_file,
                control,
                left,
                retired: Retired::take(Vec::new(), Instant::now()),
                knowledge: None,
            });
        };
        let pid_file =
            PidFile::adopt(pid_path, legacy.pid_file).map_err(|error| error.to_string())?;
        let left = Left {
            listening: legacy.listening,
            admin: legacy.admin,
            counters: Some(legacy.counters),
            orphans: Orphans::None,
        };
        Ok(Self {
            pid_file,
            control: legacy.control,
            left,
            retired: legacy.retired,
            knowledge: Some(legacy.knowledge),
        })
    }
}

/// The command line that starts this instance again, wherever the working directory is.
fn arguments_again(source: &Source, places: &Places) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["run".into(), "--config".into()];
    arguments.push(source.file.clone().into());
    arguments.extend([
        "--node".into(),
        source.node.clone().into(),
        "--run-dir".into(),
    ]);
    arguments.push(places.run_dir.clone().into());
    arguments.extend(["--state-dir".into(), places.journal.clone().into()]);
    arguments
}

fn run_system(
    beginning: Beginning,
    control: OwnedFd,
    started: oneshot::Receiver<Result<Started, String>>,
    daemon: Option<&mut Option<Ready>>,
) -> Result<u8, String> {
    let system = System::new();
    let started = system.block_on(async {
        let supervisor = Supervisor::new(beginning).start();
        Signals::new(supervisor.clone().recipient())
            .map_err(|error| error.to_string())?
            .start();
        process::release_signals().map_err(|error| error.to_string())?;
        Control::new(control, supervisor.recipient())
            .map_err(|error| error.to_string())?
            .start();
        match tokio::time::timeout(START_MAX, started).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err("the start was given up".into()),
            Err(_) => Err(format!(
                "the processes are not in service after {START_MAX:?}"
            )),
        }
    })?;
    if started == Started::Stopped {
        return Ok(0);
    }
    tracing::info!("everything is in service");
    notify_systemd(sd_notify::NotifyState::Ready);
    if let Some(ready) = daemon.and_then(Option::take) {
        ready.done();
    }
    system.block_on(async {
        actix_rt::spawn(feed_watchdog());
    });
    match system.run_with_code() {
        Ok(code) => Ok(u8::try_from(code).unwrap_or(FAILED)),
        Err(error) => Err(error.to_string()),
    }
}

/// systemd kills and restarts what stops saying that it is alive.
async fn feed_watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut interval = tokio::time::interval(limit / 2);
    loop {
        interval.tick().await;
        notify_systemd(sd_notify::NotifyState::Watchdog);
    }
}

fn identity(settings: &Settings) -> Result<Identity, String> {
    let (user, group) = (settings.global.user.value(), settings.global.group.value());
    let look_up = |user: &str, group| {
        privilege::identity(user, group).map_err(|error| format!("cannot look up {user}: {error}"))
    };
    if let Some(identity) = look_up(user, Some(group))? {
        return Ok(identity);
    }
    eprintln!(
        "evenkeel: there is no user {user} with group {group}; the processes run as {FALLBACK_USER}"
    );
    look_up(FALLBACK_USER, None)?.ok_or_else(|| format!("there is no user {FALLBACK_USER} either"))
}

/// In the background there is nobody to read standard error, and a caller that reads it to its end
/// would wait for ours: syslog takes its place.
fn direct_log(settings: &Settings, identity: Identity, in_background: bool) -> Result<(), String> {
    let log = match &settings.global.log.target {
        LogTarget::File(path) => daemon::open_log(path.value(), identity)
            .map_err(|error| format!("cannot open {}: {error}", path.value().display()))?,
        LogTarget::Stderr if in_background => match daemon::syslog_stream() {
            Ok(log) => log,
            Err(error) => {
                eprintln!("evenkeel: no syslog ({error}) and no [global] log.target: no log");
                daemon::null().map_err(|error| error.to_string())?
            }
        },
        LogTarget::Stderr => return Ok(()),
    };
    process::replace_stderr(&log).map_err(|error: io::Error| error.to_string())
}

fn start_logging(settings: &Settings) {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(settings.global.log.level.as_str()))
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .init();
}

fn slots(settings: &Settings) -> u16 {
    match settings.proxy.workers {
        Workers::Exactly(count) => count.get(),
        Workers::Auto => available_parallelism()
            .ok()
            .and_then(|cores| u16::try_from(cores.get()).ok())
            .unwrap_or(1),
    }
}

fn absolute(path: &Path) -> Result<std::path::PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}
