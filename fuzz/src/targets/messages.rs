//! Messages between processes: what is read can be written, and is then the same.

use std::time::Duration;

use ipc::codec::{decode, encode_packet, encode_snapshot};
use ipc::{Child, FromChild, ToChild};
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
