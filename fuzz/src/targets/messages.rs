//! Messages between processes: what is read can be written, and is then the same.

use std::fmt::Debug;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::time::Duration;

use ipc::codec::{decode, encode_packet, encode_snapshot};
use ipc::control::{Answer, Request};
use ipc::vrrp::{ToVrrp, TrackSubject, TrackVerdict};
use ipc::{Child, FromChild, ToChild};
use link::IN_MEMFD;
use platform::memfd;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::leave;
use crate::Target;

/// Packets of every edge.
pub(crate) const PACKETS: Target = Target {
    name: "ipc-packets",
    seeds: || {
        let messages: [ToChild<()>; 5] = [
            ToChild::Ping { seq: 300 },
            ToChild::Prepare { generation: 7 },
            ToChild::LogReopened,
            ToChild::Stop {
                within: Duration::from_millis(30_500),
            },
            ToChild::Role(()),
        ];
        let to = messages.iter().map(encode_packet);
        to.flatten().collect()
    },
    repair: leave,
    check: |input| {
        packets::<ipc::vrrp::Vrrp>(input);
        packets::<ipc::proxy::Proxy>(input);
        packets::<ipc::check::Check>(input);
        packets::<ipc::notify::Notify>(input);
        packets::<ipc::admin::Admin>(input);
    },
};

/// What comes over a channel, itself or in a memfd: it means the same, and from a file that somebody
/// may still write to nothing is read.
pub(crate) const CHANNEL: Target = Target {
    name: "channel",
    seeds: || {
        let messages = [
            ToVrrp::MayLead,
            ToVrrp::ProxyHealth { well: true },
            ToVrrp::TrackChanged {
                subject: TrackSubject::Script("chk".into()),
                verdict: TrackVerdict::Value(-20),
            },
        ];
        messages.iter().flat_map(encode_packet).collect()
    },
    repair: leave,
    check: |input| {
        let direct: Option<ToVrrp> = decode(input).ok();
        assert_eq!(message(input, None), direct);
        let sealed = memfd::sealed("fuzz", input).expect("a memfd");
        assert_eq!(message(&[IN_MEMFD], Some(sealed)), direct);
        let mut open = tempfile::tempfile().expect("a file");
        open.write_all(input).expect("room");
        assert_eq!(message(&[IN_MEMFD], Some(open.into())), None);
    },
};

/// The control socket, and those who read its answers.
pub(crate) const CONTROL: Target = Target {
    name: "control",
    seeds: || {
        let lines = [
            r#"{"command":"status"}"#,
            r#"{"command":"stop","now":true}"#,
            r#"{"command":"journal"}"#,
            r#"{"answer":"stopping"}"#,
            r#"{"answer":"reloaded","changes":["route / changed"]}"#,
            r#"{"answer":"listening","addresses":["127.0.0.1:80","[::1]:80"]}"#,
            r#"{"answer":"journal","folder":"/var/lib/evenkeel"}"#,
        ];
        lines.map(|line| line.as_bytes().to_vec()).to_vec()
    },
    repair: leave,
    check: |input| {
        returns_as_json::<Request>(input);
        returns_as_json::<Answer>(input);
    },
};

/// Configurations of every role.
pub(crate) const SNAPSHOTS: Target = Target {
    name: "ipc-snapshots",
    seeds: || vec![vec![0; 64], (0..64).collect(), vec![1; 200]],
    repair: leave,
    check: |input| {
        returns::<ipc::vrrp::VrrpSnapshot>(input);
        returns::<ipc::proxy::ProxySnapshot>(input);
        returns::<ipc::check::CheckSnapshot>(input);
        returns::<ipc::notify::NotifySnapshot>(input);
        returns::<ipc::admin::AdminSnapshot>(input);
    },
};

fn packets<C: Child>(input: &[u8]) {
    returns::<ToChild<C::To>>(input);
    returns::<FromChild<C::From>>(input);
}

fn message(packet: &[u8], memfd: Option<OwnedFd>) -> Option<ToVrrp> {
    let received = link::read(packet, memfd.into_iter().collect()).ok()?;
    assert!(received.descriptors.is_empty(), "the memfd is used up");
    Some(received.message)
}

fn returns_as_json<T: Serialize + DeserializeOwned + PartialEq + Debug>(input: &[u8]) {
    let Ok(message) = serde_json::from_slice::<T>(input) else {
        return;
    };
    let line = serde_json::to_vec(&message).expect("what was read can be written");
    assert!(!line.contains(&b'\n'), "a line is a line");
    let again: T = serde_json::from_slice(&line).expect("and be read again");
    assert_eq!(again, message);
}

/// Written again it may be shorter: postcard reads numbers that are longer than they need to be.
fn returns<T: Serialize + DeserializeOwned>(input: &[u8]) {
    let Ok(message) = decode::<T>(input) else {
        return;
    };
    let bytes = encode_snapshot(&message).expect("what was read can be written");
    let again: T = decode(&bytes).expect("and be read again");
    let same = encode_snapshot(&again).expect("and be written again");
    assert_eq!(bytes, same);
}
