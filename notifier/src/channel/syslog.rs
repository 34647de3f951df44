//! The local syslog: one datagram an entry, in the form of RFC 3164 that local daemons expect (no
//! host name), in keepalived's words.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process;

use ipc::event::{Severity, What};
use jiff::tz::TimeZone;

use super::retry;
use crate::journal::line::Entry;
use crate::sink::delivery::Outcome;
use crate::wording;

/// Where local daemons listen.
const SOCKET: &str = "/dev/log";

/// The longest datagram in octets: what RFC 3164 lets a receiver take.
const OCTETS_MAX: usize = 1024;

/// The local syslog.
#[derive(Debug)]
pub(crate) struct SyslogChannel {
    socket: PathBuf,
    facility: u8,
    tag: String,
    zone: TimeZone,
}

impl SyslogChannel {
    /// Speaks with `facility` (0 to 23) and `tag`.
    ///
    /// # Errors
    /// A sentence when the facility does not exist.
    pub(crate) fn new(facility: u8, tag: &str, zone: TimeZone) -> Result<Self, String> {
        if facility > 23 {
            return Err(format!("syslog facility {facility} does not exist"));
        }
        Ok(Self {
            socket: Path::new(SOCKET).into(),
            facility,
            tag: wording::one_line(tag),
            zone,
        })
    }

    /// Sends the entry. A daemon that is away or slow is waited for by the caller: the socket is made
    /// anew each time, since a restarted daemon has another one.
    pub(crate) fn send(&self, entry: &Entry) -> Outcome {
        let packet = self.packet(entry, process::id());
        let sent = self.send_packet(packet.as_bytes());
        match sent {
            Ok(()) => Outcome::Done,
            Err(error) => retry(format!("{}: {error}", self.socket.display())),
        }
    }

    fn send_packet(&self, packet: &[u8]) -> io::Result<()> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect(&self.socket)?;
        socket.send(packet).map(drop)
    }

    fn packet(&self, entry: &Entry, pid: u32) -> String {
        let priority = u32::from(self.facility) * 8 + level(entry.event.severity);
        let time = wording::syslog_time(entry.event.at_unix_ms, &self.zone);
        let text = text(&entry.event.what);
        let mut packet = format!("<{priority}>{time} {}[{pid}]: {text}", self.tag);
        packet.truncate(packet.floor_char_boundary(OCTETS_MAX));
        packet
    }
}

fn text(what: &What) -> String {
    match what {
        What::Transition(transition) => wording::one_line(&format!(
            "VRRP_Instance ({}) Entering {} STATE",
            transition.router, transition.to
        )),
        What::GroupTransition(group) => wording::one_line(&format!(
            "VRRP_Group({}) Entering {} STATE",
            group.group, group.to
        )),
        what => wording::sentence(what),
    }
}

/// RFC 3164 §4.1.1.
fn level(severity: Severity) -> u32 {
    match severity {
        Severity::Info => 6,
        Severity::Warning => 4,
        Severity::Error => 3,
        Severity::Critical => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    fn channel(socket: &Path) -> SyslogChannel {
        let mut channel = SyslogChannel::new(3, "evenkeel", TimeZone::UTC).unwrap();
        channel.socket = socket.into();
        channel
    }

    #[test]
    fn packets() {
        let down = What::ServerDown {
            upstream: "app".into(),
            address: ([192, 168, 0, 201], 80).into(),
            reason: "status 500".into(),
        };
        let cases = [
            (
                examples::master(),
                "<28>Dec 14 16:27:10 evenkeel[77]: VRRP_Instance (YN_API_GATEWAY) Entering MASTER STATE",
            ),
            (
                examples::entry(1, down),
                "<28>Dec 14 16:27:10 evenkeel[77]: server 192.168.0.201:80 of app is down: status 500",
            ),
        ];
        for (entry, expected) in cases {
            assert_eq!(channel(Path::new("/x")).packet(&entry, 77), expected);
        }
    }

    #[test]
    fn packets_have_a_limit() {
        let errors = vec!["\u{e9}".repeat(OCTETS_MAX)];
        let entry = examples::entry(1, What::ReloadRefused { errors });
        let packet = channel(Path::new("/x")).packet(&entry, 77);
        assert!(packet.len() <= OCTETS_MAX && packet.len() > OCTETS_MAX - 3);
    }

    #[test]
    fn facilities_end_at_23() {
        assert!(SyslogChannel::new(24, "x", TimeZone::UTC).is_err());
    }

    #[test]
    fn a_daemon_gets_it_and_its_absence_is_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        let outcome = channel(&path).send(&examples::master());
        assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");

        let daemon = UnixDatagram::bind(&path).unwrap();
        assert_eq!(channel(&path).send(&examples::master()), Outcome::Done);
        let mut buffer = [0; 2048];
        let length = daemon.recv(&mut buffer).unwrap();
        let packet = String::from_utf8_lossy(&buffer[..length]);
        assert!(packet.ends_with("Entering MASTER STATE"), "{packet}");
    }
}
