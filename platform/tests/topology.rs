//! Networks of namespaces, built for real. Needs root.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use platform::topology::{Bridge, Namespace, TopologyError, addresses};

const NEAR: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);

/// A bridge in a namespace of its own, so that its ports collide with nobody's.
fn bridge() -> Bridge {
    let namespace = Namespace::new().expect("this test needs root");
    Bridge::new(namespace, "switch").expect("this test needs a kernel with bridges")
}

#[test]
fn a_new_namespace_has_a_loopback_of_its_own() {
    let here = Namespace::of_this_thread().unwrap().number().unwrap();
    let namespace = Namespace::new().unwrap();
    assert_ne!(namespace.number().unwrap(), here);
    let inside = namespace.run(|| addresses("lo").unwrap()).unwrap();
    assert_eq!(inside, [Ipv4Addr::LOCALHOST]);
    let still = Namespace::of_this_thread().unwrap().number().unwrap();
    assert_eq!(still, here, "the caller has not moved");
}

#[test]
fn two_namespaces_talk_over_the_bridge() {
    let bridge = bridge();
    let (near, far) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    bridge.connect("port1", &near, "em1", NEAR, 24).unwrap();
    bridge.connect("port2", &far, "em1", FAR, 24).unwrap();
    assert_eq!(near.run(|| addresses("em1").unwrap()).unwrap(), [NEAR]);

    let listener = far
        .run(|| TcpListener::bind(SocketAddr::from((FAR, 0))).unwrap())
        .unwrap();
    let target = listener.local_addr().unwrap();
    let (mut asking, _) = near
        .run(|| {
            let asking = TcpStream::connect_timeout(&target, Duration::from_secs(5)).unwrap();
            let from = asking.local_addr().unwrap();
            assert_eq!(from.ip(), NEAR);
            (asking, from)
        })
        .unwrap();
    let (mut answering, peer) = listener.accept().unwrap();
    answering
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    assert_eq!(peer.ip(), NEAR);
    asking.write_all(b"over the bridge").unwrap();
    drop(asking);
    let mut heard = String::new();
    answering.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "over the bridge");
}

#[test]
fn the_host_sees_nothing_of_it() {
    let bridge = bridge();
    let inside = Namespace::new().unwrap();
    bridge.connect("port1", &inside, "em1", NEAR, 24).unwrap();
    for interface in ["switch", "port1"] {
        let host = Path::new("/sys/class/net").join(interface);
        assert!(!host.exists(), "{interface}");
    }
}

#[test]
fn a_command_runs_where_it_was_placed() {
    let namespace = Namespace::new().unwrap();
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped());
    namespace.place(&mut command).unwrap();
    let mut child = command.spawn().unwrap();
    let seen = std::fs::read_link(format!("/proc/{}/ns/net", child.id())).unwrap();
    drop(child.stdin.take());
    child.wait().unwrap();
    let expected = format!("net:[{}]", namespace.number().unwrap());
    assert_eq!(seen, Path::new(&expected));
}

#[test]
fn a_name_is_given_once() {
    let bridge = bridge();
    let namespace = Namespace::new().unwrap();
    bridge
        .connect("port1", &namespace, "em1", NEAR, 24)
        .unwrap();
    let error = bridge
        .connect("port1", &namespace, "em2", FAR, 24)
        .unwrap_err();
    let TopologyError::System { what, error } = error else {
        panic!("{error}");
    };
    assert_eq!(what, "lay the cable port1");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[test]
fn an_interface_that_is_not_there_has_no_address() {
    assert!(addresses("not-there").unwrap().is_empty());
}
