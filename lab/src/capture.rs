//! What went over the wire: recorded by tcpdump on the bridge, judged and read by tshark.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::{Lan, Moment, Running, Signal, run, wait_until};

/// What no packet of ours or of a peer may be.
const BROKEN: &str = "_ws.malformed || vrrp.checksum.status == Bad || ip.checksum.status == Bad";

/// tshark verifies neither IP checksums nor VRRP's by default in every version: say so.
const VERIFY: [&str; 4] = [
    "-o",
    "ip.check_checksum:TRUE",
    "-o",
    "tcp.check_checksum:FALSE",
];

/// A recording that runs.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Running,
    file: PathBuf,
}

/// A recording that is done.
#[derive(Clone, Debug)]
pub struct Recording {
    file: PathBuf,
}

/// One VRRP advert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// When it passed the bridge.
    pub at: Moment,
    /// The sender's address.
    pub source: String,
    /// The virtual router.
    pub vrid: u8,
    /// The receiver's address, or the group.
    pub destination: String,
    /// The priority said.
    pub priority: u8,
}

impl Capture {
    /// Begins to record VRRP and ARP of the whole network.
    pub fn start(lan: &Lan) -> Self {
        // What has passed is in the file at once.
        Self::of(
            lan,
            &lan.bridge_namespace(),
            &["-i", "br0", "-U", "--immediate-mode"],
        )
    }

    /// Begins to record the VRRP and ARP that one host sees, with as little work as can be: what has
    /// passed is in the file at the end.
    pub fn at(lan: &Lan, host: &str) -> Self {
        Self::of(
            lan,
            lan.host(host).namespace(),
            &["-i", "em1", "-B", "16384"],
        )
    }

    fn of(lan: &Lan, namespace: &str, options: &[&str]) -> Self {
        let file = lan.files().join("wire.pcap");
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", namespace, "tcpdump", "-Z", "root"])
            .args(options)
            .arg("-w")
            .arg(&file)
            .arg("ip proto 112 or ip6 proto 112 or arp or icmp6");
        let tcpdump = Running::start(command, &lan.files().join("tcpdump.log"));
        wait_until("tcpdump listens", Duration::from_secs(20), || {
            tcpdump.log().contains("listening on").then_some(())
        });
        Self { tcpdump, file }
    }

    /// Ends the recording.
    pub fn stop(mut self) -> Recording {
        self.tcpdump.signal(Signal::Int);
        self.tcpdump.wait(Duration::from_secs(20));
        Recording { file: self.file }
    }

    /// The adverts so far, while the recording goes on.
    pub fn adverts(&self) -> Vec<Advert> {
        Recording {
            file: self.file.clone(),
        }
        .adverts()
    }
}

impl Recording {
    /// The packets that tshark finds fault with, a line each; a good recording has none.
    pub fn faults(&self) -> Vec<String> {
        self.tshark(&["-Y", BROKEN])
    }

    /// All adverts, in the order in which they passed.
    pub fn adverts(&self) -> Vec<Advert> {
        self.fields(
            "vrrp",
            &[
                "frame.time_epoch",
                "ip.src",
                "ip.dst",
                "ipv6.src",
                "ipv6.dst",
                "vrrp.virt_rtr_id",
                "vrrp.prio",
            ],
        )
        .iter()
        .map(|fields| advert(fields).unwrap_or_else(|| panic!("no advert: {fields:?}")))
        .collect()
    }

    /// The VRRP messages of one sender and priority, octets as hexadecimal digits, without
    /// repetition.
    pub fn messages(&self, source: &str, priority: u8) -> Vec<String> {
        let filter = format!("vrrp && ip.src == {source} && vrrp.prio == {priority}");
        let lines = self.tshark(&["-Y", &filter, "-x"]);
        let mut messages = frames(&lines)
            .iter()
            // The Ethernet header has 14 octets, the IP header 20: adverts carry no options.
            .filter_map(|frame| frame.get(2 * 34..).map(str::to_owned))
            .collect::<Vec<_>>();
        messages.sort();
        messages.dedup();
        messages
    }

    /// The hardware addresses that adverts came from, of those that this filter of tshark lets
    /// through, without repetition.
    pub fn advert_hardware(&self, filter: &str) -> Vec<String> {
        let fields = self.fields(&format!("vrrp && {filter}"), &["eth.src"]);
        let mut hardware: Vec<String> = fields.into_iter().flatten().collect();
        hardware.sort();
        hardware.dedup();
        hardware
    }

    /// When gratuitous ARP for `address` was sent by a host with this hardware address.
    pub fn announcements(&self, address: &str, hardware: &str) -> Vec<Moment> {
        let filter = format!(
            "arp.opcode == 1 && arp.src.proto_ipv4 == {address} \
             && arp.dst.proto_ipv4 == {address} && eth.src == {hardware}"
        );
        self.fields(&filter, &["frame.time_epoch"])
            .iter()
            .filter_map(|fields| Moment::from_epoch(fields.first()?))
            .collect()
    }

    /// The longest pause between two adverts of `source` from `from` to `to`.
    pub fn longest_pause(&self, source: &str, from: Moment, to: Moment) -> Duration {
        let times: Vec<Moment> = self
            .adverts()
            .into_iter()
            .filter(|advert| advert.source == source && (from..=to).contains(&advert.at))
            .map(|advert| advert.at)
            .collect();
        assert!(times.len() > 1, "{} adverts of {source}", times.len());
        times
            .windows(2)
            .map(|pair| match pair {
                [earlier, later] => later.since(*earlier),
                _ => Duration::ZERO,
            })
            .max()
            .unwrap_or(Duration::ZERO)
    }

    fn fields(&self, filter: &str, names: &[&str]) -> Vec<Vec<String>> {
        let mut arguments = vec!["-Y", filter, "-T", "fields"];
        for name in names {
            arguments.extend(["-e", name]);
        }
        self.tshark(&arguments)
            .iter()
            .map(|line| line.split('\t').map(str::to_owned).collect())
            .collect()
    }

    fn tshark(&self, arguments: &[&str]) -> Vec<String> {
        let file = self.file.to_str().expect("temporary paths are ASCII");
        let mut command = vec!["tshark", "-n", "-r", file];
        command.extend(VERIFY);
        command.extend(arguments);
        run(&command).lines().map(str::to_owned).collect()
    }
}

fn advert(fields: &[String]) -> Option<Advert> {
    let [
        time,
        v4_source,
        v4_destination,
        v6_source,
        v6_destination,
        rest @ ..,
    ] = fields
    else {
        return None;
    };
    let [vrid, priority] = rest else {
        return None;
    };
    // Those of the other family are empty.
    let source = format!("{v4_source}{v6_source}");
    let destination = format!("{v4_destination}{v6_destination}");
    Some(Advert {
        at: Moment::from_epoch(time)?,
        source,
        destination,
        vrid: vrid.parse().ok()?,
        priority: priority.parse().ok()?,
    })
}

/// The frames of a hexadecimal dump: lines of `0000  02 00 … 45 c0   ..E.`, a blank line between
/// frames.
fn frames(dump: &[String]) -> Vec<String> {
    let mut frames = vec![String::new()];
    for line in dump {
        let Some((offset, rest)) = line.split_once("  ") else {
            if line.is_empty() {
                frames.push(String::new());
            }
            continue;
        };
        if offset.len() != 4 || u16::from_str_radix(offset, 16).is_err() {
            continue;
        }
        let octets = rest.split("   ").next().unwrap_or("");
        if let Some(frame) = frames.last_mut() {
            frame.extend(octets.chars().filter(char::is_ascii_hexdigit));
        }
    }
    frames.retain(|frame| !frame.is_empty());
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_from_a_dump() {
        let dump: Vec<String> = "\
0000  ff ff ff ff ff ff 02 00 00 00 00 01 08 06 00 01   ................
0010  08 00                                             ..

0000  ab cd   ..
"
        .lines()
        .map(str::to_owned)
        .collect();
        assert_eq!(
            frames(&dump),
            ["ffffffffffff020000000001080600010800", "abcd"]
        );
    }

    #[test]
    fn adverts_are_read_from_fields() {
        let fields = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let read = advert(&fields(
            "1450110430.123456789 192.168.0.101 224.0.0.18   101 202",
        ))
        .unwrap();
        assert_eq!((read.vrid, read.priority), (101, 202));
        assert_eq!(read.source, "192.168.0.101");
        let read = advert(&fields("1450110430.123456789   fe80::1 ff02::12 101 202")).unwrap();
        assert_eq!(
            (read.source.as_str(), read.destination.as_str()),
            ("fe80::1", "ff02::12")
        );
        assert_eq!(
            advert(&fields(
                "1450110430.123456789 192.168.0.101 224.0.0.18   101"
            )),
            None
        );
    }
}
