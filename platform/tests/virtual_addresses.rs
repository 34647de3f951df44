//! What the VRRP process does to the network, against the real kernel: addresses with a lease and a
//! mark, gratuitous ARP, interface states. Needs root; each test has
//! networks of its own.

use std::io;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use platform::addresses::{Addresses, Assignment, Renewals};
use platform::announce::Announcer;
use platform::interfaces::Changes;

mod lan;

use lan::{A, eventually, interface, ip, link};

const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 105);
const PATIENCE: Duration = Duration::from_secs(5);

fn assignment(address: Ipv4Addr, prefix_len: u8) -> Assignment {
    Assignment {
        interface_index: interface("em1").index,
        address: address.into(),
        prefix_len,
        scope: 0,
        label: Some("em1:vip".into()),
    }
}

#[test]
fn an_address_is_held_found_by_its_mark_and_released() {
    let link = link();
    let test = || -> io::Result<()> {
        let mut addresses = Addresses::open()?;
        let (vip, other) = (
            assignment(VIP, 32),
            assignment(Ipv4Addr::new(10, 1, 2, 3), 24),
        );
        ip("address add 192.168.0.107/32 dev em1");

        addresses.hold(&vip, None)?;
        addresses.hold(&vip, Some(60))?;
        addresses.hold(&other, Some(60))?;
        let mut owned = addresses.owned()?;
        owned.sort_by_key(|found| found.prefix_len);
        assert_eq!(owned, [other.clone(), vip.clone()]);
        assert_eq!(addresses.primary(vip.interface_index)?, Some(A));

        assert!(addresses.release(&vip)?);
        assert!(!addresses.release(&vip)?, "it was gone");
        assert!(addresses.release(&other)?);
        assert_eq!(addresses.owned()?, []);
        assert!(
            ip("address show dev em1").contains("192.168.0.107/32"),
            "not ours, not touched"
        );

        let elsewhere = Assignment {
            interface_index: 4711,
            ..vip
        };
        assert!(!addresses.release(&elsewhere)?, "no such interface");
        assert!(
            addresses.hold(&elsewhere, None).is_err(),
            "no such interface"
        );
        Ok(())
    };
    link.a.run(test).expect("the namespace").expect("netlink");
}

#[test]
fn the_kernel_ends_a_lease_that_is_not_renewed() {
    let link = link();
    let test = || -> io::Result<()> {
        let mut addresses = Addresses::open()?;
        let vip = assignment(VIP, 32);
        addresses.hold(&vip, Some(1))?;
        let mut renewals = Renewals::default();
        renewals.add(&vip, Some(1));
        let renewed_until = Instant::now() + Duration::from_millis(2500);
        let last_renewal = loop {
            let now = Instant::now();
            addresses.renew(&renewals)?;
            assert_eq!(addresses.owned()?, std::slice::from_ref(&vip));
            if now >= renewed_until {
                break now;
            }
            thread::sleep(Duration::from_millis(100));
        };
        eventually("the end of the lease", || {
            addresses.owned().is_ok_and(|owned| owned.is_empty())
        });
        let lasted = last_renewal.elapsed();
        let bounds = Duration::from_millis(800)..Duration::from_millis(3000);
        assert!(bounds.contains(&lasted), "a lease of 1 s lasted {lasted:?}");
        Ok(())
    };
    link.a.run(test).expect("the namespace").expect("netlink");
}

#[test]
fn many_leases_are_renewed_at_once_and_one_that_fails_is_told() {
    let link = link();
    let test = || -> io::Result<()> {
        let mut addresses = Addresses::open()?;
        let many: Vec<_> = (1..=250)
            .map(|number| assignment(Ipv4Addr::new(192, 168, 1, number), 32))
            .collect();
        let mut one = Renewals::default();
        let mut renewals = Renewals::default();
        for assignment in &many {
            one.clear();
            one.add(assignment, Some(60));
            renewals.append(&one);
        }
        addresses.renew(&renewals)?;
        assert_eq!(addresses.owned()?.len(), many.len());
        let elsewhere = Assignment {
            interface_index: 4711,
            ..assignment(VIP, 32)
        };
        renewals.clear();
        renewals.add(&elsewhere, None);
        renewals.add(&assignment(VIP, 32), None);
        assert!(addresses.renew(&renewals).is_err(), "no such interface");
        assert_eq!(
            addresses.owned()?.len(),
            many.len() + 1,
            "the other is done"
        );
        Ok(())
    };
    link.a.run(test).expect("the namespace").expect("netlink");
}

#[test]
fn a_gratuitous_arp_changes_what_a_neighbour_believes() {
    let link = link();
    let believed = || ip("neighbour show 192.168.0.105");
    link.b
        .run(|| ip("neighbour add 192.168.0.105 lladdr 02:00:00:00:00:99 dev em1 nud stale"))
        .expect("the namespace");
    let announce = || {
        let interface = interface("em1");
        Announcer::open(&interface)
            .and_then(|mut arp| arp.announce(VIP.into()))
            .expect("sent");
        interface.mac.expect("a MAC address")
    };
    let mac = link.a.run(announce).expect("the namespace");
    let mac: Vec<String> = mac.iter().map(|octet| format!("{octet:02x}")).collect();
    let mac = mac.join(":");
    link.b
        .run(|| eventually("the neighbour's change", || believed().contains(&mac)))
        .expect("the namespace");
}

#[test]
fn interfaces_are_seen_going_down_and_coming_up() {
    let link = link();
    let test = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut changes = Changes::watch().expect("netlink");
            assert!(interface("em1").is_up);
            for (command, is_up) in [("link set em1 down", false), ("link set em1 up", true)] {
                ip(command);
                while interface("em1").is_up != is_up {
                    let change = tokio::time::timeout(PATIENCE, changes.next()).await;
                    change.expect("a notice in time").expect("netlink");
                }
            }
        });
    };
    link.a.run(test).expect("the namespace");
}
