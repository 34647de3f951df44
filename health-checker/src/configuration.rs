//! The snapshot as the checks use it: what is checked, keyed so that a reload knows it again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use core_health::check::{Initial, Thresholds, Timing};
use ipc::check::{
    CheckSnapshot, FileCheck, ListenerProbe, Probe, ProcessCheck, ScriptInit, UpstreamCheck,
};
use ipc::proxy::{UpstreamProtocol, UpstreamTls};
use ipc::vrrp::TrackSubject;
use tls::Authorities;

use crate::probe;
use crate::question::{Look, Question, ToServer};

/// How often our own proxy is asked at each of its addresses.
const LISTENER_INTERVAL: Duration = Duration::from_millis(500);
/// And how much apart at least, so that many addresses cost no more than some.
const LISTENER_SPACING: Duration = Duration::from_millis(20);
/// A machine that is busy for a moment may answer late, once or twice.
const LISTENER_THRESHOLDS: Thresholds = Thresholds { rise: 2, fall: 3 };

/// How TLS is spoken with our own proxy. Whose certificate it shows is not the question.
pub(crate) const OWN_PROXY: UpstreamTls = UpstreamTls {
    ca: None,
    sni: None,
    client: None,
};

/// A file that is being written may be empty when it is read: once is no failure.
const FILE_FALL: u16 = 2;

/// What is checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A server, by its upstream and its address.
    Server(String, SocketAddr),
    /// Our own proxy, by one of its addresses.
    Listener(SocketAddr),
    /// A track, by its kind and its name.
    Track(TrackSubject),
}

impl Subject {
    /// A track script.
    pub(crate) fn script(name: &str) -> Self {
        Self::Track(TrackSubject::Script(name.into()))
    }

    /// A track file.
    pub(crate) fn file(file: &FileCheck) -> Self {
        Self::Track(TrackSubject::File(file.name.clone()))
    }

    /// Track processes.
    pub(crate) fn process(process: &ProcessCheck) -> Self {
        Self::Track(TrackSubject::Process(process.name.clone()))
    }
}

/// The one reason why a snapshot could not be used, if there is one: what it says goes out on the
/// wire and into timers.
pub(crate) fn inspect(snapshot: &CheckSnapshot) -> Result<(), String> {
    for upstream in &snapshot.upstreams {
        inspect_upstream(upstream)
            .map_err(|why| format!("check of upstream {:?}: {why}", upstream.name))?;
    }
    questions(snapshot)?;
    let scripts = snapshot.scripts.iter().map(|it| (&it.name, it.interval));
    let files = snapshot.files.iter().map(|it| (&it.name, it.interval));
    let processes = snapshot.processes.iter().map(|it| (&it.name, it.interval));
    let mut tracks = scripts.chain(files).chain(processes);
    match tracks.find(|(_, interval)| interval.is_zero()) {
        Some((name, _)) => Err(format!("track {name:?}: interval must be above zero")),
        None => Ok(()),
    }
}

fn inspect_upstream(upstream: &UpstreamCheck) -> Result<(), String> {
    if upstream.interval.is_zero() || upstream.timeout.is_zero() {
        return Err("interval and timeout must be above zero".into());
    }
    let Probe::Http { path, host, .. } = &upstream.probe else {
        return Ok(());
    };
    if !path.starts_with('/') || !is_visible(path) {
        return Err(format!("{path:?} is no path"));
    }
    if let Some(host) = host.as_ref().filter(|host| !is_visible(host)) {
        return Err(format!("{host:?} is no host"));
    }
    if upstream.protocol == UpstreamProtocol::Http2 && !probe::fits_http2(path, host.as_deref()) {
        return Err("path or host has no form in HTTP/2".into());
    }
    Ok(())
}

fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// When everything in `snapshot` is due.
pub(crate) fn timings(snapshot: &CheckSnapshot) -> BTreeMap<Subject, Timing> {
    let servers = snapshot.upstreams.iter().flat_map(|upstream| {
        let timing = Timing {
            interval: upstream.interval,
            thresholds: Thresholds {
                rise: upstream.rise,
                fall: upstream.fall,
            },
            initial: Initial::Wait,
        };
        let subject = |address: &_| Subject::Server(upstream.name.clone(), *address);
        let servers = upstream.servers.iter();
        servers.map(move |address| (subject(address), timing))
    });
    let scripts = snapshot.scripts.iter().map(|script| {
        let timing = Timing {
            interval: script.interval,
            thresholds: Thresholds {
                rise: script.rise,
                fall: script.fall,
            },
            initial: match script.init {
                ScriptInit::Wait => Initial::Wait,
                ScriptInit::Up => Initial::Up,
                ScriptInit::Down => Initial::Down,
            },
        };
        (Subject::script(&script.name), timing)
    });
    let files = snapshot.files.iter().map(|file| {
        let timing = Timing {
            interval: file.interval,
            thresholds: Thresholds {
                rise: 1,
                fall: FILE_FALL,
            },
            initial: Initial::Wait,
        };
        (Subject::file(file), timing)
    });
    let processes = snapshot.processes.iter().map(|process| {
        let looks = looks_within(process.delay, process.interval);
        let timing = Timing {
            interval: process.interval,
            thresholds: Thresholds {
                rise: looks,
                fall: looks,
            },
            initial: Initial::Wait,
        };
        (Subject::process(process), timing)
    });
    let count = u32::try_from(snapshot.listeners.len()).unwrap_or(u32::MAX);
    let interval = LISTENER_INTERVAL.max(LISTENER_SPACING.saturating_mul(count));
    let listeners = snapshot.listeners.iter().map(|listener| {
        let timing = Timing {
            interval,
            thresholds: LISTENER_THRESHOLDS,
            // Its workers may be about to begin; whether they have is the supervisor's affair.
            initial: Initial::Up,
        };
        (Subject::Listener(listener.address), timing)
    });
    let tracks = scripts.chain(files).chain(processes);
    servers.chain(listeners).chain(tracks).collect()
}

/// What this process asks by itself.
///
/// # Errors
/// A sentence, when certificates or keys cannot be used.
pub(crate) fn questions(snapshot: &CheckSnapshot) -> Result<Vec<Question>, String> {
    let authorities = Authorities::new(&snapshot.authorities);
    let client = |tls: &UpstreamTls, protocol| {
        let alpn = match protocol {
            UpstreamProtocol::Http1 => tls::HTTP_11,
            UpstreamProtocol::Http2 => tls::H2,
        };
        tls::Client::new(tls, &authorities, alpn).map(Arc::new)
    };
    let mut questions = Vec::new();
    for upstream in &snapshot.upstreams {
        let tls = upstream.tls.as_ref();
        let tls = tls.map(|tls| client(tls, upstream.protocol)).transpose();
        let tls = tls.map_err(|fault| format!("upstream {}: {fault}", upstream.name))?;
        let check = Arc::new(upstream.clone());
        let question = |address: &_| {
            Question::Server(ToServer {
                address: *address,
                check: Arc::clone(&check),
                tls: tls.clone(),
            })
        };
        questions.extend(upstream.servers.iter().map(question));
    }
    let own = client(&OWN_PROXY, UpstreamProtocol::Http1).map_err(|fault| fault.to_string())?;
    for listener in &snapshot.listeners {
        let tls = match listener.probe {
            ListenerProbe::Http => None,
            ListenerProbe::Tls | ListenerProbe::Https => Some(Arc::clone(&own)),
        };
        questions.push(Question::Listener(listener.clone(), tls));
    }
    let files = snapshot.files.iter().cloned();
    let processes = snapshot.processes.iter().cloned();
    let looks = files
        .map(|file| Question::File(file, Look::default()))
        .chain(processes.map(|process| Question::Process(process, Look::default())));
    questions.extend(looks);
    Ok(questions)
}

/// How many looks in a row take at least `delay`: the first, and one for each interval begun.
fn looks_within(delay: Duration, interval: Duration) -> u16 {
    let intervals = delay.as_nanos().div_ceil(interval.as_nanos().max(1));
    u16::try_from(intervals.saturating_add(1)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_that_would_do_harm_are_refused() {
        let usable = UpstreamCheck {
            name: "app".into(),
            servers: vec!["192.0.2.1:80".parse().unwrap()],
            protocol: UpstreamProtocol::Http1,
            send_proxy: None,
            probe: Probe::Http {
                path: "/healthz?full=1".into(),
                host: Some("app.example.org".into()),
                statuses: vec![(200, 399)],
            },
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(2),
            rise: 2,
            fall: 3,
            tls: None,
        };
        let http = |path: &str, host: &str| Probe::Http {
            path: path.into(),
            host: Some(host.into()),
            statuses: vec![],
        };
        let with = |probe| UpstreamCheck {
            probe,
            ..usable.clone()
        };
        let over_http2 = |probe| UpstreamCheck {
            protocol: UpstreamProtocol::Http2,
            ..with(probe)
        };
        let cases = [
            (usable.clone(), true),
            (with(Probe::Tcp), true),
            (with(http("healthz", "a")), false),
            (with(http("/a b", "a")), false),
            (with(http("/a\r\nX: y", "a")), false),
            (with(http("/", "a\r\nX: y")), false),
            (with(http("/", "")), false),
            (with(http("/<b>", "a")), true),
            (over_http2(http("/<b>", "a")), false),
            (over_http2(http("/b?c=[d]", "a:80")), true),
            (over_http2(http("/", "a:b:c")), false),
            (
                UpstreamCheck {
                    interval: Duration::ZERO,
                    ..usable.clone()
                },
                false,
            ),
        ];
        for (upstream, expected) in cases {
            let snapshot = CheckSnapshot {
                upstreams: vec![upstream],
                authorities: vec![],
                scripts: vec![],
                files: vec![],
                processes: vec![],
                listeners: vec![],
            };
            assert_eq!(inspect(&snapshot).is_ok(), expected, "{snapshot:?}");
        }
    }

    #[test]
    fn a_delay_is_as_many_looks() {
        let cases = [
            (0, 1_000, 1),
            (1, 1_000, 2),
            (1_000, 1_000, 2),
            (1_001, 1_000, 3),
            (3_600_000, 10, u16::MAX),
        ];
        for (delay, interval, looks) in cases {
            let (delay, interval) = (
                Duration::from_millis(delay),
                Duration::from_millis(interval),
            );
            assert_eq!(
                looks_within(delay, interval),
                looks,
                "{delay:?} {interval:?}"
            );
        }
    }
}
