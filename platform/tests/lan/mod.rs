//! Two nodes on one switch, in namespaces of their own. Needs root.

use std::net::Ipv4Addr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use platform::interfaces::{Interface, Interfaces};
use platform::topology::{Bridge, Namespace};

pub(crate) const A: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 101);
pub(crate) const B: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 102);
const PATIENCE: Duration = Duration::from_secs(5);

/// Two nodes on one switch, each with an interface `em1`.
pub(crate) struct Link {
    pub(crate) a: Namespace,
    pub(crate) b: Namespace,
    _bridge: Bridge,
}

pub(crate) fn link() -> Link {
    let bridge = Bridge::new(Namespace::new().expect("root"), "br0").expect("a bridge");
    let a = Namespace::new().expect("a namespace");
    let b = Namespace::new().expect("a namespace");
    bridge.connect("a", &a, "em1", A, 24).expect("a cable");
    bridge.connect("b", &b, "em1", B, 24).expect("a cable");
    // Until the kernel has noticed a carrier, an interface swallows what is sent, and a port what is to go
    // through it; a moment after it says so the last of them still may.
    let is_heard = || eventually("an answer", || hears(B));
    a.run(is_heard).expect("the namespace");
    Link {
        a,
        b,
        _bridge: bridge,
    }
}

/// Whether somebody answers there.
fn hears(address: Ipv4Addr) -> bool {
    let mut ping = Command::new("ping");
    ping.args(["-q", "-c", "1", "-W", "1", &address.to_string()]);
    ping.output().expect("iputils-ping").status.success()
}

/// Runs `ip` in the namespace of the calling thread.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .expect("iproute2");
    assert!(output.status.success(), "ip {arguments}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

pub(crate) fn interface(name: &str) -> Interface {
    let list = Interfaces::open()
        .and_then(|mut all| all.list())
        .expect("netlink");
    list.into_iter()
        .find(|found| found.name == name)
        .expect("the interface")
}

/// Waits for something that is going to be true; how long it took.
pub(crate) fn eventually(what: &str, mut is_true: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_true() {
        assert!(
            begun.elapsed() < PATIENCE,
            "{what} did not happen within {PATIENCE:?}"
        );
        thread::sleep(Duration::from_millis(10));
    }
    begun.elapsed()
}
