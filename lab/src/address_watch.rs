//! Who owned an address, and when: the kernel's own events on every host, as `ip monitor` prints
//! them with the time at which they came.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::{Host, Lan, Moment, run, wait_until};

/// An address that means nothing; put on `lo` and taken away to see that events flow.
const MARKER: &str = "127.86.82.82";

/// Watches one address on some hosts from before anything is started until it goes.
#[derive(Debug)]
pub struct AddressWatch {
    hosts: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    host: Host,
    monitor: Child,
    seen: Arc<Mutex<Seen>>,
}

/// What one host's kernel has said.
#[derive(Debug, Default)]
struct Seen {
    /// When the address came and went; the last may be open.
    spans: Vec<(Moment, Option<Moment>)>,
    markers: u32,
}

impl AddressWatch {
    /// Begins to watch `address` on the hosts named. None of them may have it yet.
    pub fn start(lan: &Lan, address: &str, hosts: &[&str]) -> Self {
        let hosts: Vec<Watched> = hosts
            .iter()
            .map(|name| Watched::start(lan.host(name), address))
            .collect();
        Self { hosts }
    }

    /// Returns when everything that has happened before the call has been recorded.
    fn catch_up(&self) {
        for host in &self.hosts {
            host.catch_up();
        }
    }

    /// Who owns the address now; panics when several do.
    pub fn owner(&self) -> Option<&'static str> {
        self.catch_up();
        let mut owners = self.hosts.iter().filter(|host| host.owns());
        let owner = owners.next().map(|host| host.host.name());
        let second = owners.next().map(|host| host.host.name());
        assert_eq!(second, None, "a second owner beside {owner:?}");
        owner
    }

    /// Waits until `host` has the address, and returns the time at which it last got it.
    pub fn wait_for_owner(&self, host: &str, within: Duration) -> Moment {
        let watched = self.watched(host);
        wait_until(&format!("address on {host}"), within, || {
            match watched.spans().last() {
                Some((since, None)) => Some(*since),
                _ => None,
            }
        })
    }

    /// Waits until `host` does not have the address.
    pub fn wait_for_loss(&self, host: &str, within: Duration) {
        let watched = self.watched(host);
        wait_until(&format!("address gone from {host}"), within, || {
            (!watched.owns()).then_some(())
        });
    }

    /// How often the address came to `host`.
    pub fn arrivals(&self, host: &str) -> usize {
        self.catch_up();
        self.watched(host).spans().len()
    }

    /// For how long, at the longest, two hosts owned the address at once.
    pub fn longest_overlap(&self) -> Duration {
        self.catch_up();
        let now = Moment::now();
        let mut longest = Duration::ZERO;
        for (index, one) in self.hosts.iter().enumerate() {
            for other in self.hosts.iter().skip(index + 1) {
                longest = longest.max(longest_common(&one.spans(), &other.spans(), now));
            }
        }
        longest
    }

    /// Since when two hosts own the address, or the last time that they did; `None` when they never
    /// have.
    pub fn overlap_begun(&self) -> Option<Moment> {
        self.catch_up();
        let now = Moment::now();
        let pairs = self.hosts.iter().enumerate().flat_map(|(index, one)| {
            let others = self.hosts.iter().skip(index + 1);
            others.map(move |other| (one.spans(), other.spans()))
        });
        pairs
            .flat_map(|(one, other)| common(&one, &other, now))
            .map(|(from, _)| from)
            .max()
    }

    /// For how long, at the longest, nobody owned the address between `from` and the present.
    pub fn longest_absence(&self, from: Moment) -> Duration {
        self.catch_up();
        let mut spans: Vec<_> = self.hosts.iter().flat_map(Watched::spans).collect();
        spans.sort();
        longest_gap(&spans, from, Moment::now())
    }

    fn watched(&self, host: &str) -> &Watched {
        self.hosts
            .iter()
            .find(|watched| watched.host.name() == host)
            .unwrap_or_else(|| panic!("{host} is not watched"))
    }
}

impl Drop for AddressWatch {
    fn drop(&mut self) {
        for host in &mut self.hosts {
            // Errors mean that it has ended already.
            let _ = host.monitor.kill();
            let _ = host.monitor.wait();
        }
    }
}

impl Watched {
    fn start(host: &Host, address: &str) -> Self {
        let mut monitor = Command::new("ip")
            .args(["-n", host.namespace(), "-o", "-ts", "monitor", "address"])
            .env("TZ", "UTC")
            .stdout(Stdio::piped())
            .spawn()
            .expect("ip can be run");
        let lines = BufReader::new(monitor.stdout.take().expect("it is piped")).lines();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let recorded = Arc::clone(&seen);
        let watched_for = address.to_owned();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                lock(&recorded).record(&line, &watched_for);
            }
        });
        let watched = Self {
            host: host.clone(),
            monitor,
            seen,
        };
        watched.catch_up();
        assert!(
            !host.owns(address),
            "{address} is on {} already",
            host.name()
        );
        watched
    }

    fn catch_up(&self) {
        let before = lock(&self.seen).markers;
        let namespace = self.host.namespace();
        wait_until("events of addresses", Duration::from_secs(20), || {
            run(&["ip", "-n", namespace, "address", "add", MARKER, "dev", "lo"]);
            run(&["ip", "-n", namespace, "address", "del", MARKER, "dev", "lo"]);
            (lock(&self.seen).markers > before).then_some(())
        });
    }

    fn owns(&self) -> bool {
        matches!(self.spans().last(), Some((_, None)))
    }

    fn spans(&self) -> Vec<(Moment, Option<Moment>)> {
        lock(&self.seen).spans.clone()
    }
}

impl Seen {
    /// One line such as `[2026-11-22T19:52:03.481277] 2: em1    inet 192.168.0.105/32 scope global …`,
    /// with `Deleted` behind the time when the address went.
    fn record(&mut self, line: &str, address: &str) {
        let Some((time, rest)) = line
            .strip_prefix('[')
            .and_then(|line| line.split_once("] "))
        else {
            return;
        };
        if rest.contains(MARKER) {
            self.markers += 1;
        }
        let Some(at) = Moment::from_utc(time) else {
            return;
        };
        if !rest.contains(&format!(" {address}/")) {
            return;
        }
        match (rest.starts_with("Deleted "), self.spans.last_mut()) {
            (true, Some((_, end @ None))) => *end = Some(at),
            // A renewed lease is announced like a new address, and is none.
            (true, _) | (false, Some((_, None))) => {}
            (false, _) => self.spans.push((at, None)),
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn longest_common(
    one: &[(Moment, Option<Moment>)],
    other: &[(Moment, Option<Moment>)],
    now: Moment,
) -> Duration {
    common(one, other, now)
        .into_iter()
        .map(|(from, to)| to.since(from))
        .max()
        .unwrap_or(Duration::ZERO)
}

/// When both owned it.
fn common(
    one: &[(Moment, Option<Moment>)],
    other: &[(Moment, Option<Moment>)],
    now: Moment,
) -> Vec<(Moment, Moment)> {
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a, b)));
    pairs
        .map(|((a_from, a_to), (b_from, b_to))| {
            let to = a_to.unwrap_or(now).min(b_to.unwrap_or(now));
            (*a_from.max(b_from), to)
        })
        .filter(|(from, to)| from < to)
        .collect()
}

/// `spans` in the order of their beginnings.
fn longest_gap(spans: &[(Moment, Option<Moment>)], from: Moment, now: Moment) -> Duration {
    let mut covered_to = from;
    let mut longest = Duration::ZERO;
    for (begin, end) in spans {
        longest = longest.max(begin.since(covered_to));
        covered_to = covered_to.max(end.unwrap_or(now));
    }
    longest.max(now.since(covered_to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Moment {
        Moment::from_epoch(&format!("{second}.000000")).unwrap()
    }

    const ADDED: &str = "2: em1    inet 192.168.0.105/32 scope global em1\\       valid_lft 2sec";

    #[test]
    fn events_become_spans() {
        let mut seen = Seen::default();
        let line = |second: u32, rest: &str| format!("[1970-01-01T00:00:0{second}.000000] {rest}");
        for line in [
            line(1, ADDED),
            line(2, ADDED),
            line(3, "1: lo    inet 127.86.82.82/32 scope host lo"),
            line(4, &format!("Deleted {ADDED}")),
            line(5, "2: em1    inet 192.168.0.10/24 scope global em1"),
            line(6, ADDED),
            "no event".to_owned(),
        ] {
            seen.record(&line, "192.168.0.105");
        }
        assert_eq!(seen.spans, [(at(1), Some(at(4))), (at(6), None)]);
        assert_eq!(seen.markers, 1);
    }

    #[test]
    fn the_longest_overlap_counts() {
        let one = [(at(0), Some(at(10))), (at(20), None)];
        let other = [(at(9), Some(at(12))), (at(25), Some(at(28)))];
        let seconds = |duration: Duration| duration.as_secs();
        assert_eq!(seconds(longest_common(&one, &other, at(40))), 3);
        assert_eq!(seconds(longest_common(&one, &other[..1], at(40))), 1);
        assert_eq!(seconds(longest_common(&one, &[], at(40))), 0);
    }

    #[test]
    fn the_longest_gap_counts() {
        let spans = [
            (at(2), Some(at(10))),
            (at(4), Some(at(5))),
            (at(13), Some(at(14))),
        ];
        let seconds = |from, now| longest_gap(&spans, at(from), at(now)).as_secs();
        assert_eq!(seconds(0, 15), 3);
        assert_eq!(seconds(0, 20), 6);
        assert_eq!(seconds(12, 14), 1);
    }
}
