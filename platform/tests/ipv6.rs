//! Virtual addresses of IPv6 against the real kernel. Needs root; each test has networks of its own.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use platform::addresses::{Addresses, Assignment};
use platform::announce::Announcer;

mod lan;

use lan::{Link, eventually, interface, ip, link};

const VIP: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x105);
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x105);

/// Two nodes that have an address each in the network of `VIP`.
fn network() -> Link {
    let link = link();
    for (node, last) in [(&link.a, 101), (&link.b, 102)] {
        let add = || ip(&format!("address add fd00::{last}/64 dev em1 nodad"));
        node.run(add).expect("the namespace");
    }
    link
}

fn assignment(address: Ipv6Addr) -> Assignment {
    Assignment {
        interface_index: interface("em1").index,
        address: address.into(),
        prefix_len: 64,
        scope: 0,
        label: None,
    }
}

fn shown(address: Ipv6Addr) -> Option<String> {
    let all = ip("-6 address show dev em1");
    let line = all
        .lines()
        .find(|line| line.contains(&format!("{address}/")));
    line.map(str::to_owned)
}

#[test]
fn an_address_can_be_used_at_once_and_is_not_chosen_for_what_the_node_begins() {
    let network = network();
    let hold = || -> io::Result<TcpListener> {
        let mut addresses = Addresses::open()?;
        for address in [LINK_LOCAL, VIP] {
            addresses.hold(&assignment(address), Some(60))?;
            let line = shown(address).expect("it is there");
            assert!(!line.contains("tentative"), "{line}");
            assert!(
                line.contains("nodad") && line.contains("deprecated"),
                "{line}"
            );
        }
        addresses.hold(&assignment(VIP), Some(60))?;
        assert_eq!(addresses.owned()?.len(), 2, "renewed, not doubled");
        TcpListener::bind(SocketAddr::from((VIP, 0)))
    };
    let listener = network.a.run(hold).expect("the namespace").expect("held");
    let address = listener.local_addr().expect("bound");
    let connect = || TcpStream::connect_timeout(&address, Duration::from_secs(5));
    let client = network.b.run(connect).expect("the namespace");
    let client = client.expect("served at once");
    let from_node = || {
        let listener = TcpListener::bind("[fd00::102]:0").expect("bound");
        let to = listener.local_addr().expect("bound");
        (listener, to)
    };
    let (_listener, to) = network.b.run(from_node).expect("the namespace");
    let source = network
        .a
        .run(|| TcpStream::connect(to).and_then(|it| it.local_addr()));
    let source = source.expect("the namespace").expect("connected").ip();
    assert_eq!(source.to_string(), "fd00::101", "not the virtual address");
    drop(client);
}

#[test]
fn an_address_is_found_by_its_mark_and_is_no_source_of_adverts() {
    let network = network();
    let test = || -> io::Result<()> {
        let mut addresses = Addresses::open()?;
        let index = interface("em1").index;
        // Virtual first, so that only its mark can tell them apart; the own one needs a second.
        addresses.hold(&assignment(LINK_LOCAL), None)?;
        addresses.hold(&assignment(VIP), None)?;
        let mut own = None;
        eventually("a link-local address of its own", || {
            own = addresses.link_local(index).expect("netlink");
            own.is_some()
        });
        assert!(own.is_some_and(|own| own != LINK_LOCAL), "{own:?}");

        let owned = addresses.owned()?.into_iter();
        let mut owned: Vec<IpAddr> = owned.map(|it| it.address).collect();
        owned.sort_unstable();
        assert_eq!(owned, [IpAddr::from(VIP), IpAddr::from(LINK_LOCAL)]);

        assert!(addresses.release(&assignment(VIP))?);
        assert!(!addresses.release(&assignment(VIP))?, "it was gone");
        assert!(addresses.release(&assignment(LINK_LOCAL))?);
        assert_eq!(addresses.owned()?, []);
        assert!(
            ip("-6 address show dev em1").contains("fd00::101/64"),
            "not ours"
        );
        Ok(())
    };
    network.a.run(test).expect("the namespace").expect("done");
}

#[test]
fn the_kernel_ends_a_lease_that_is_not_renewed() {
    let network = network();
    let test = || -> io::Result<()> {
        let mut addresses = Addresses::open()?;
        addresses.hold(&assignment(VIP), Some(1))?;
        addresses.hold(&assignment(LINK_LOCAL), Some(60))?;
        assert!(shown(VIP).is_some());
        eventually("the end of the lease", || shown(VIP).is_none());
        assert!(shown(LINK_LOCAL).is_some(), "its lease is longer");
        Ok(())
    };
    network.a.run(test).expect("the namespace").expect("done");
}

#[test]
fn a_neighbour_advertisement_changes_what_a_neighbour_believes() {
    let network = network();
    let believed = || ip(&format!("-6 neighbour show {VIP} dev em1"));
    network
        .b
        .run(|| {
            ip(&format!(
                "-6 neighbour add {VIP} lladdr 02:00:00:00:00:99 dev em1 nud stale"
            ))
        })
        .expect("the namespace");
    let announce = || {
        let interface = interface("em1");
        Announcer::open(&interface)
            .and_then(|mut announcer| announcer.announce(VIP.into()))
            .expect("sent");
        interface.mac.expect("a MAC address")
    };
    let mac = network.a.run(announce).expect("the namespace");
    let mac: Vec<String> = mac.iter().map(|octet| format!("{octet:02x}")).collect();
    let mac = mac.join(":");
    network
        .b
        .run(|| eventually("the neighbour's change", || believed().contains(&mac)))
        .expect("the namespace");
}
