//! The snapshot as the checks use it: what is checked, keyed so that a reload knows it again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use core_health::check::{Initial, Thresholds, Timing};
use ipc::check::{CheckSnapshot, Probe, ScriptInit, ServerCheck};

/// What is checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A server, by its upstream and its address.
    Server(String, SocketAddr),
    /// A track script, by its name.
    Script(String),
}

/// The one reason why a snapshot could not be used, if there is one: what it says goes out on the
/// wire and into timers.
pub(crate) fn inspect(snapshot: &CheckSnapshot) -> Result<(), String> {
    for server in &snapshot.servers {
        let of = || format!("check of upstream {:?}", server.upstream);
        if server.interval.is_zero() || server.timeout.is_zero() {
            return Err(format!("{}: interval and timeout must be above zero", of()));
        }
        if let Probe::Http { path, host, .. } = &server.probe {
            if !path.starts_with('/') || !is_visible(path) {
                return Err(format!("{}: {path:?} is no path", of()));
            }
            if let Some(host) = host.as_ref().filter(|host| !is_visible(host)) {
                return Err(format!("{}: {host:?} is no host", of()));
            }
        }
    }
    let idle = |interval: &Duration| interval.is_zero();
    match snapshot
        .scripts
        .iter()
        .find(|script| idle(&script.interval))
    {
        Some(script) => Err(format!(
            "script {:?}: interval must be above zero",
            script.name
        )),
        None => Ok(()),
    }
}

fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// When everything in `snapshot` is due.
pub(crate) fn timings(snapshot: &CheckSnapshot) -> BTreeMap<Subject, Timing> {
    let servers = snapshot.servers.iter().map(|server| {
        let timing = Timing {
            interval: server.interval,
            thresholds: Thresholds {
                rise: server.rise,
                fall: server.fall,
            },
            initial: Initial::Wait,
        };
        (subject(server), timing)
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
        (Subject::Script(script.name.clone()), timing)
    });
    servers.chain(scripts).collect()
}

/// How a server is known over reloads.
pub(crate) fn subject(server: &ServerCheck) -> Subject {
    Subject::Server(server.upstream.clone(), server.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_that_would_do_harm_are_refused() {
        let usable = ServerCheck {
            upstream: "app".into(),
            address: "192.0.2.1:80".parse().unwrap(),
            probe: Probe::Http {
                path: "/healthz?full=1".into(),
                host: Some("app.example.org".into()),
                statuses: vec![(200, 399)],
            },
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(2),
            rise: 2,
            fall: 3,
        };
        let http = |path: &str, host: &str| Probe::Http {
            path: path.into(),
            host: Some(host.into()),
            statuses: vec![],
        };
        let with = |probe| ServerCheck {
            probe,
            ..usable.clone()
        };
        let cases = [
            (usable.clone(), true),
            (with(Probe::Tcp), true),
            (with(http("healthz", "a")), false),
            (with(http("/a b", "a")), false),
            (with(http("/a\r\nX: y", "a")), false),
            (with(http("/", "a\r\nX: y")), false),
            (with(http("/", "")), false),
            (
                ServerCheck {
                    interval: Duration::ZERO,
                    ..usable.clone()
                },
                false,
            ),
        ];
        for (server, expected) in cases {
            let snapshot = CheckSnapshot {
                servers: vec![server],
                scripts: vec![],
            };
            assert_eq!(inspect(&snapshot).is_ok(), expected, "{snapshot:?}");
        }
    }
}
