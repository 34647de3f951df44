//! What people read: events as sentences, times as `date` prints them. No I/O; the time zone comes
//! in.

use std::net::IpAddr;

use ipc::event::What;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The local time as `date` prints it: `Mon Dec 14 16:27:10 UTC 2015`.
pub(crate) fn date(unix_ms: u64, zone: &TimeZone) -> String {
    formatted(unix_ms, zone, "%a %b %e %H:%M:%S %Z %Y")
}

/// The local time of RFC 3164: `Dec 14 16:27:10`.
pub(crate) fn syslog_time(unix_ms: u64, zone: &TimeZone) -> String {
    formatted(unix_ms, zone, "%b %e %H:%M:%S")
}

/// The local time of day: `16:27:10`.
pub(crate) fn time_of_day(unix_ms: u64, zone: &TimeZone) -> String {
    formatted(unix_ms, zone, "%H:%M:%S")
}

fn formatted(unix_ms: u64, zone: &TimeZone, format: &str) -> String {
    let time = i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX);
    time.to_zoned(zone.clone()).strftime(format).to_string()
}

/// The event as one sentence on one line.
pub(crate) fn sentence(what: &What) -> String {
    let text = match what {
        What::Transition(transition) => format!(
            "virtual router {} is {} with priority {}: {}",
            transition.router, transition.to, transition.priority, transition.cause
        ),
        What::GroupTransition(group) => format!("sync group {} is {}", group.group, group.to),
        What::PriorityChanged(change) => format!(
            "virtual router {} stays {} with priority {} instead of {}",
            change.router, change.state, change.to, change.from
        ),
        What::Contested(contest) => format!(
            "virtual address {} of {} is claimed by {}",
            contest.address, contest.router, contest.mac
        ),
        What::ProcessDied { role, slot, how } => {
            format!("process {role} {slot} died ({how}) and is restarted")
        }
        What::ProcessHung {
            role,
            slot,
            silent_ms,
        } => format!("process {role} {slot} was silent for {silent_ms} ms and is replaced"),
        What::ProxyIll => "the proxy no longer serves".into(),
        What::ProxyWell => "the proxy serves again".into(),
        What::ServerDown {
            upstream,
            address,
            reason,
        } => format!("server {address} of {upstream} is down: {reason}"),
        What::ServerUp { upstream, address } => format!("server {address} of {upstream} is up"),
        What::ScriptChanged {
            script,
            up: true,
            reason,
        } => format!("script {script} succeeds: {reason}"),
        What::ScriptChanged { script, reason, .. } => format!("script {script} fails: {reason}"),
        What::FileChanged {
            file,
            value: Some(value),
            ..
        } => format!("file {file} has the value {value}"),
        What::FileChanged { file, reason, .. } => format!("file {file} cannot be used: {reason}"),
        What::ProcessChanged {
            process, reason, ..
        } => format!("process {process}: {reason}"),
        What::Started { version } => format!("version {version} started"),
        What::Stopping => "stopping".into(),
        What::Reloaded {
            generation,
            changes,
        } => format!(
            "configuration {generation} is in force: {}",
            listed(changes, "nothing changed")
        ),
        What::ReloadRefused { errors } => format!(
            "a new configuration was refused: {}",
            listed(errors, "no reason given")
        ),
        What::EventsLost { count } => format!("{count} events were lost before the journal"),
        What::Test => "test message, nothing has happened".into(),
    };
    one_line(&text)
}

/// Text from outside, fit for a line: no control character ends it or reaches a terminal.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Addresses between single spaces.
pub(crate) fn addresses(addresses: &[IpAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    texts.join(" ")
}

fn listed(phrases: &[String], none: &str) -> String {
    if phrases.is_empty() {
        return none.into();
    }
    phrases.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    #[test]
    fn times_are_as_date_prints_them() {
        let utc = TimeZone::UTC;
        let shanghai = TimeZone::posix("CST-8").unwrap();
        assert_eq!(date(examples::AT, &utc), "Mon Dec 14 16:27:10 UTC 2015");
        assert_eq!(
            date(examples::AT, &shanghai),
            "Tue Dec 15 00:27:10 CST 2015"
        );
        assert_eq!(date(0, &utc), "Thu Jan  1 00:00:00 UTC 1970");
        assert_eq!(syslog_time(0, &utc), "Jan  1 00:00:00");
        assert_eq!(time_of_day(examples::AT, &utc), "16:27:10");
        assert!(date(u64::MAX, &utc).ends_with("9999"));
    }

    #[test]
    fn sentences() {
        let expected = [
            "virtual router YN_API_GATEWAY is MASTER with priority 202: master timed out",
            "sync group edge is MASTER",
            "virtual router YN_API_GATEWAY stays MASTER with priority 2 instead of 202",
            "virtual address 192.168.0.105 of YN_API_GATEWAY is claimed by 02:00:00:00:00:0a",
            "process proxy 1 died (signal 9) and is restarted",
            "process vrrp 0 was silent for 512 ms and is replaced",
            "the proxy no longer serves",
            "the proxy serves again",
            "server 192.168.0.201:80 of app is down: connection refused",
            "server 192.168.0.201:80 of app is up",
            "script chk_gateway fails: exit status 1",
            "file maintenance has the value -20",
            "process nginx: 0 run, 1 must",
            "version 0.1.0 started",
            "stopping",
            "configuration 2 is in force: route / changed",
            "a new configuration was refused: unknown key",
            "3 events were lost before the journal",
            "test message, nothing has happened",
        ];
        let sentences: Vec<String> = examples::every_kind().iter().map(sentence).collect();
        assert_eq!(sentences, expected);
    }

    #[test]
    fn nothing_from_outside_starts_a_line() {
        let what = What::ReloadRefused {
            errors: vec!["a\r\nBcc: x\u{1b}[31m".into()],
        };
        assert_eq!(
            sentence(&what),
            "a new configuration was refused: a  Bcc: x [31m"
        );
    }
}
