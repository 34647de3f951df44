//! `evenkeel status`: how things are, for people and as JSON.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use ipc::status::{Band, NodeStatus, RouterStatus, TrackShare};
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
        write_router(out, router, status)?;
    }
    write_rest(out, status)
}

fn write_router(out: &mut String, router: &RouterStatus, node: &NodeStatus) -> std::fmt::Result {
    let addresses = router.addresses.iter().map(ToString::to_string);
    let addresses: Vec<_> = addresses.collect();
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
    write_priority(out, router, node)?;
    if let Some((master, priority)) = router.master {
        writeln!(out, "    last heard {master} with priority {priority}")?;
    }
    writeln!(
        out,
        "    adverts: {} sent, {} received, {} discarded; with priority 0: {} sent, {} received",
        router.adverts_sent,
        router.adverts_received,
        router.discarded.iter().map(|(_, count)| count).sum::<u64>(),
        router.releases_sent,
        router.releases_received
    )?;
    writeln!(
        out,
        "    became master {} times; {} announcements sent, {} claims of others heard",
        router.became_master, router.announcements_sent, router.contested
    )
}

/// Why the priority is what it is.
fn write_priority(out: &mut String, router: &RouterStatus, node: &NodeStatus) -> std::fmt::Result {
    writeln!(out, "    priority {} configured", router.base_priority)?;
    for track in &router.tracks {
        let known = node.tracks.iter().find(|it| it.subject == track.subject);
        let verdict = known.map(|known| known.verdict).or(track.verdict);
        let verdict = verdict.map_or_else(|| "not known yet".into(), |it| it.to_string());
        let (subject, share) = (&track.subject, track.share);
        writeln!(out, "        {subject}  {verdict}: {share}")?;
    }
    let is_proxy_ill = router.track_proxy && !node.proxy_well;
    if is_proxy_ill {
        let share = TrackShare::Unhealthy;
        writeln!(out, "        proxy  does not serve: {share}")?;
    }
    let is_explained = match router.band {
        Band::Healthy => true,
        Band::Degraded => router.has_share(TrackShare::Degraded),
        Band::Unhealthy => is_proxy_ill || router.has_share(TrackShare::Unhealthy),
    };
    if !is_explained {
        let band = router.band;
        writeln!(out, "        its sync group  makes it {band}")?;
    }
    Ok(())
}

fn write_rest(out: &mut String, status: &NodeStatus) -> std::fmt::Result {
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

#[cfg(test)]
mod tests {
    use ipc::status::{RouterState, RouterTrack, TimerStatus, TrackStatus, Traffic};
    use ipc::vrrp::{TrackSubject, TrackVerdict};

    use super::*;

    fn track(
        subject: &TrackSubject,
        verdict: Option<TrackVerdict>,
        share: TrackShare,
    ) -> RouterTrack {
        RouterTrack {
            subject: subject.clone(),
            verdict,
            share,
        }
    }

    fn router() -> RouterStatus {
        RouterStatus {
            name: "gateway".into(),
            vrid: 101,
            interface: "em1".into(),
            state: RouterState::Backup,
            priority: 200,
            base_priority: 200,
            band: Band::Healthy,
            track_proxy: true,
            tracks: Vec::new(),
            since_unix_ms: 0,
            cause: "started".into(),
            addresses: vec![[192, 168, 0, 105].into()],
            master: None,
            adverts_sent: 0,
            adverts_received: 0,
            discarded: Vec::new(),
            address_list_differs: 0,
            message_only_checksums: 0,
            became_master: 0,
            ceased_master: 0,
            releases_sent: 0,
            releases_received: 0,
            announcements_sent: 0,
            contested: 0,
        }
    }

    fn node(proxy_well: bool) -> NodeStatus {
        NodeStatus {
            cluster: "edge".into(),
            node: "proxy101".into(),
            version: "1".into(),
            generation: 1,
            started_unix_ms: 0,
            proxy_well,
            routers: Vec::new(),
            timers: TimerStatus::default(),
            servers: Vec::new(),
            tracks: vec![TrackStatus {
                subject: TrackSubject::Script("chk".into()),
                verdict: TrackVerdict::Unrunnable,
                reason: "no such file".into(),
                since_unix_ms: 0,
            }],
            processes: Vec::new(),
            traffic: Traffic::default(),
        }
    }

    #[test]
    fn people_see_why_a_priority_is_what_it_is() {
        let script = TrackSubject::Script("chk".into());
        let interface = TrackSubject::Interface("em2".into());
        let file = TrackSubject::File("load".into());
        let down = Some(TrackVerdict::Down);
        let number = Some(TrackVerdict::Value(-20));
        // tracks, band, whether the proxy serves, what is said of it
        let cases = [
            (vec![], Band::Healthy, true, ""),
            (
                vec![
                    track(&script, down, TrackShare::Adds(-10)),
                    track(&interface, None, TrackShare::Adds(0)),
                    track(&file, number, TrackShare::Adds(-40)),
                ],
                Band::Healthy,
                true,
                "script chk  unrunnable: -10\ninterface em2  not known yet: changes nothing\n\
                 file load  value -20: -40\n",
            ),
            (
                vec![track(&interface, down, TrackShare::Degraded)],
                Band::Degraded,
                true,
                "interface em2  down: makes it degraded\n",
            ),
            (
                vec![track(&interface, down, TrackShare::Fault)],
                Band::Unhealthy,
                false,
                "interface em2  down: makes it FAULT\n\
                 proxy  does not serve: makes it unhealthy\n",
            ),
            (
                vec![track(&interface, down, TrackShare::Degraded)],
                Band::Unhealthy,
                true,
                "interface em2  down: makes it degraded\nits sync group  makes it unhealthy\n",
            ),
        ];
        for (tracks, band, proxy_well, expected) in cases {
            let router = RouterStatus {
                tracks,
                band,
                ..router()
            };
            let mut out = String::new();
            write_priority(&mut out, &router, &node(proxy_well)).expect("a string");
            let expected = format!("priority 200 configured\n{expected}");
            let lines: Vec<_> = out.lines().map(str::trim_start).collect();
            assert_eq!(lines, expected.lines().collect::<Vec<_>>());
        }
    }
}
