//! Claims of addresses, heard on a link of its own. Needs root.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use platform::announce::Announcer;
use platform::claims::{Claim, ClaimWatch};
use platform::interfaces::{Interface, Interfaces};
use platform::topology::{Bridge, Namespace};

const PATIENCE: Duration = Duration::from_secs(20);

fn interface(name: &str) -> Interface {
    let list = Interfaces::open()
        .and_then(|mut all| all.list())
        .expect("netlink");
    let found = list.into_iter().find(|found| found.name == name);
    found.expect("the interface")
}

/// Until the kernel has noticed the carrier, an interface swallows what is sent, and a port what is to
/// go through it.
fn interface_that_is_up(name: &str) -> Interface {
    loop {
        let found = interface(name);
        if found.is_up {
            return found;
        }
        std::thread::yield_now();
    }
}

fn addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
    texts
        .iter()
        .map(|text| text.parse().expect("an address"))
        .collect()
}

#[test]
fn claims_of_the_watched_addresses_are_heard_and_no_others() {
    let bridge = Bridge::new(Namespace::new().expect("root"), "br0").expect("a bridge");
    let [ours, theirs] = [101, 102].map(|host| {
        let namespace = Namespace::new().expect("a namespace");
        let address = Ipv4Addr::new(192, 168, 0, host);
        let port = format!("p{host}");
        bridge
            .connect(&port, &namespace, "em1", address, 24)
            .expect("a cable");
        let noticed = bridge.namespace().run(|| interface_that_is_up(&port));
        noticed.expect("the namespace");
        namespace
    });
    let heard = ours.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let own = interface_that_is_up("em1");
        let claimed = |claims: &[&str]| {
            let claims = addresses(claims);
            theirs
                .run(move || {
                    let interface = interface_that_is_up("em1");
                    let mut announcer = Announcer::open(&interface).expect("a packet socket");
                    for claim in claims {
                        announcer.announce(claim).expect("sent");
                    }
                    interface.mac.expect("a MAC address")
                })
                .expect("the namespace")
        };
        runtime.block_on(async {
            let mut watch = ClaimWatch::open().expect("sockets");
            let next = async |watch: &mut ClaimWatch| loop {
                if let Some(claim) = watch.next_claim() {
                    return claim;
                }
                let arrival = poll_fn(|context| watch.poll_arrival(context));
                tokio::time::timeout(PATIENCE, arrival)
                    .await
                    .expect("a claim is heard");
            };
            let watched = ["192.168.0.105", "192.168.0.106", "fd00::105", "fd00::106"];
            watch.set_addresses(addresses(&watched)).expect("a filter");
            // What we say ourselves is no claim.
            let mut announcer = Announcer::open(&own).expect("a packet socket");
            announcer
                .announce(watched[0].parse().unwrap())
                .expect("sent");
            let mac = claimed(&["192.168.0.104", "192.168.0.106", "192.168.0.107"]);
            let of_four = next(&mut watch).await;
            claimed(&["fd00::107", "fd01::106", "fd00::106"]);
            let of_six = next(&mut watch).await;
            assert_eq!(watch.next_claim(), None);
            watch
                .set_addresses(addresses(&["192.168.0.104"]))
                .expect("a filter");
            claimed(&["192.168.0.106", "192.168.0.104"]);
            let of_another = next(&mut watch).await;
            let claim = |text: &str| Claim {
                interface_index: own.index,
                address: text.parse().unwrap(),
                mac,
            };
            assert_eq!(of_four, claim("192.168.0.106"));
            assert_eq!(of_six, claim("fd00::106"));
            assert_eq!(of_another, claim("192.168.0.104"));
        });
    });
    heard.expect("the namespace");
}
