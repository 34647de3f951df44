//! `evenkeel status`: how things are, for people and as JSON.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use ipc::status::NodeStatus;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::ask::asked;
use super::{FAILED, fail};
use crate::cli::Status;
use crate::control::{Answer, Request};

/// Between two looks with `--watch`.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Prints it once, or again and again.
pub(super) fn perform(arguments: &Status) -> ExitCode {
    loop {
        let status = match asked(&arguments.run_dir, &Request::Status) {
            Ok(asked) => match asked.answer {
                Answer::Status { status } => status,
                other => return fail(FAILED, format!("unexpected answer: {other:?}")),
            },
            Err(status) => return status,
        };
        if arguments.json {
            match serde_json::to_string(&status) {
                Ok(line) => println!("{line}"),
                Err(error) => return fail(FAILED, error),
            }
        } else {
            if arguments.watch {
                // Home, and clear to the end of the screen.
                print!("\x1b[H\x1b[J");
            }
            print!("{}", text(&status));
        }
        if !arguments.watch {
            return ExitCode::SUCCESS;
        }
        std::thread::sleep(WATCH_INTERVAL);
    }
}

/// Microseconds as milliseconds with one digit.
fn ms(us: u32) -> String {
    format!("{:.1}", f64::from(us) / 1000.0)
}

fn text(status: &NodeStatus) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut text, status);
    text
}

fn write_text(out: &mut String, status: &NodeStatus) -> std::fmt::Result {
    let started = time(status.started_unix_ms);
    writeln!(
        out,
        "{} of {}, evenkeel {}",
        status.node, status.cluster, status.version
    )?;
    writeln!(
        out,
        "running since {started}, configuration {}",
        status.generation
    )?;
    for router in &status.routers {
        let addresses = router
            .addresses
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        writeln!(
            out,
            "\n{}  {}  priority {}  since {}",
            router.name,
            router.state,
            router.priority,
            time(router.since_unix_ms)
        )?;
        writeln!(
            out,
            "    {} on {}: {}",
            addresses.join(", "),
            router.interface,
            router.cause
        )?;
        if let Some((master, priority)) = router.master {
            writeln!(out, "    last heard {master} with priority {priority}")?;
        }
        writeln!(
            out,
            "    adverts: {} sent, {} received, {} discarded",
            router.adverts_sent,
            router.adverts_received,
            router.discarded.iter().map(|(_, count)| count).sum::<u64>()
        )?;
    }
    let timers = &status.timers;
    if timers.count > 0 {
        writeln!(
            out,
            "\nvrrp timers: 99 of 100 within {} ms, the latest {} ms late; {}",
            ms(timers.recent_p99_us),
            ms(timers.recent_max_us),
            timers.scheduling
        )?;
    }
    let well = if status.proxy_well {
        "serves"
    } else {
        "DOES NOT SERVE"
    };
    let traffic = &status.traffic;
    writeln!(
        out,
        "\nproxy {well}  {} requests on {} connections, {} open",
        traffic.requests, traffic.accepted, traffic.active
    )?;
    for server in &status.servers {
        let state = if server.up { "up" } else { "DOWN" };
        let (upstream, address) = (&server.upstream, server.address);
        writeln!(out, "    {upstream} {address}  {state}  {}", server.reason)?;
    }
    if !status.tracks.is_empty() {
        writeln!(out, "\ntracks")?;
    }
    for track in &status.tracks {
        let (subject, verdict, reason) = (&track.subject, track.verdict, &track.reason);
        writeln!(out, "    {subject}  {verdict}  {reason}")?;
    }
    writeln!(out, "\nprocesses")?;
    for process in &status.processes {
        let pid = process
            .pid
            .map_or_else(|| "not running".into(), |pid| format!("process {pid}"));
        let service = if process.in_service {
            ""
        } else {
            "  not in service"
        };
        let restarts = match process.restarts {
            0 => String::new(),
            restarts => format!("  restarted {restarts} times"),
        };
        writeln!(
            out,
            "    {} {}  {pid}{restarts}{service}",
            process.role, process.slot
        )?;
    }
    Ok(())
}

/// A time for people, in the local zone.
pub(super) fn time(unix_ms: u64) -> String {
    let timestamp = i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    match timestamp {
        Some(timestamp) => timestamp
            .to_zoned(TimeZone::system())
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string(),
        None => "?".into(),
    }
}
