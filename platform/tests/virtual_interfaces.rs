//! Interfaces with MAC addresses of their own, against the real kernel. Needs root; each test has
//! networks of its own.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use platform::addresses::{Addresses, Assignment};
use platform::interface_settings::Setting;
use platform::topology::Namespace;
use platform::virtual_interfaces::VirtualInterfaces;
use platform::vrrp_socket::{Family, Inbox, Packet, VrrpSocket};
use tokio::runtime::Runtime;

mod lan;

use lan::{A, interface, ip, link};

const NAME: &str = "vrrp.101";
const MAC: [u8; 6] = [0, 0, 0x5e, 0, 1, 101];
const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 105);
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xa);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

#[test]
fn they_are_made_found_switched_and_removed() {
    let test = || -> io::Result<()> {
        let below = interface("em1");
        let mut all = VirtualInterfaces::open()?;
        assert_eq!(all.owned()?, []);
        let made = all.make(NAME, below.index, MAC)?;
        let again = all.make(NAME, below.index, MAC).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(all.owned()?, [], "it has no mark yet");
        all.mark(made, &"gateway".repeat(99))?;
        let owned = all.owned()?;
        assert_eq!(owned.len(), 1);
        assert!(owned[0].remark.starts_with("gatewaygateway"));
        assert_eq!((owned[0].index, owned[0].parent_index), (made, below.index));
        assert_eq!((owned[0].name.as_str(), owned[0].mac), (NAME, MAC));
        Setting::Ipv6AddressMode.write(NAME, 1)?;
        let shown = || ip(&format!("-d link show {NAME}"));
        assert!(shown().contains("macvlan mode private"), "{}", shown());
        assert!(shown().contains("state DOWN"), "{}", shown());
        all.switch(made, true)?;
        assert!(shown().contains("LOWER_UP"), "{}", shown());
        let addresses = Addresses::open()?.all()?;
        let mut there = addresses.iter();
        assert!(!there.any(|it| it.interface_index == made));
        all.switch(made, false)?;
        assert!(!shown().contains("LOWER_UP"), "{}", shown());
        let another = all.make("vrrp.102", below.index, MAC)?;
        all.mark(another, "another")?;
        let stays = all.make("vrrp.103", below.index, MAC)?;
        all.mark(stays, "stays")?;
        all.remove(&[made, another])?;
        let left = all.owned()?;
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].index, stays);
        assert!(all.remove(&[made, stays]).is_err(), "one of them is gone");
        assert_eq!(all.owned()?, [], "and the other one too");
        assert!(all.remove(&[]).is_err(), "nobody was meant");
        Ok(())
    };
    link().a.run(test).expect("the namespace").expect("netlink");
}

#[test]
fn settings_are_those_of_one_interface() {
    let test = || -> io::Result<()> {
        for (setting, value) in [(Setting::ArpIgnore, 1), (Setting::ReversePath, 2)] {
            let common = setting.read("all")?;
            setting.write("em1", value)?;
            assert_eq!(setting.read("em1")?, value);
            assert_eq!(setting.read("all")?, common);
            let nowhere = setting.read("em9").unwrap_err();
            assert_eq!(nowhere.kind(), io::ErrorKind::NotFound);
        }
        Ok(())
    };
    link().a.run(test).expect("the namespace").expect("written");
}

#[test]
fn neighbours_see_a_station_of_its_own() {
    let link = link();
    let hold = || -> io::Result<()> {
        let made = station()?;
        VirtualInterfaces::open()?.switch(made, true)?;
        for (interface, setting, value) in [
            ("em1", Setting::ArpIgnore, 1),
            ("em1", Setting::ArpAnnounce, 2),
            (NAME, Setting::ArpIgnore, 1),
            (NAME, Setting::ReversePath, 2),
        ] {
            setting.write(interface, value)?;
        }
        let vip = Assignment {
            interface_index: made,
            address: VIP.into(),
            prefix_len: 32,
            scope: 0,
            label: None,
        };
        Addresses::open()?.hold(&vip, None)
    };
    link.a.run(hold).expect("the namespace").expect("held");
    let ask = || {
        std::process::Command::new("ping")
            .args(["-c", "3", "-i", "0.2", "-W", "5", &VIP.to_string()])
            .output()
    };
    let asked = link.b.run(ask).expect("the namespace").expect("ping");
    assert!(asked.status.success(), "{asked:?}");
    let believed = || ip("neighbour show dev em1");
    let believed = link.b.run(believed).expect("the namespace");
    let line = believed
        .lines()
        .find(|line| line.contains("192.168.0.105"))
        .expect("a neighbour");
    assert!(line.contains("00:00:5e:00:01:65"), "{line}");
}

/// The interface of one node, switched off.
fn station() -> io::Result<u32> {
    let below = interface("em1");
    let mut all = VirtualInterfaces::open()?;
    let made = all.make(NAME, below.index, MAC)?;
    Setting::Ipv6AddressMode.write(NAME, 1)?;
    // Without an address there, the kernel then takes nothing that comes in for its own.
    Setting::ReversePath.write(NAME, 2)?;
    Ok(made)
}

struct Node<'n> {
    namespace: &'n Namespace,
    above: u32,
    /// On the interface that is below, and on the one with the MAC address.
    sockets: [VrrpSocket; 2],
}

impl<'n> Node<'n> {
    fn new(runtime: &Runtime, namespace: &'n Namespace, family: Family) -> Self {
        let group = match family {
            Family::Ipv4 => IpAddr::from(GROUP),
            Family::Ipv6 => IpAddr::from(GROUP_V6),
        };
        let open = || -> io::Result<(u32, [VrrpSocket; 2])> {
            let _within = runtime.enter();
            let (below, made) = (interface("em1"), station()?);
            let mut sockets = [
                VrrpSocket::open("em1", below.index, family)?,
                VrrpSocket::open_virtual(NAME, made, family, MAC)?,
            ];
            for socket in &mut sockets {
                socket.join(group)?;
            }
            Ok((made, sockets))
        };
        let opened = namespace.run(open).expect("the namespace");
        let (above, sockets) = opened.expect("sockets");
        Self {
            namespace,
            above,
            sockets,
        }
    }

    fn switch(&self, is_on: bool) {
        let switch = || VirtualInterfaces::open()?.switch(self.above, is_on);
        let switched = self.namespace.run(switch).expect("the namespace");
        switched.expect("switched");
    }

    fn send(&mut self, by: usize, family: Family) {
        let mut message = vec![0x31, 101, 100, 1, 0, 100, 0, 0, 192, 168, 0, 105];
        let (source, destination) = match family {
            Family::Ipv4 => {
                let mut packet = vec![0x45, 0xc0, 0, 32, 0, 1, 0, 0, 255, 112, 0, 0];
                packet.extend(A.octets());
                packet.extend(GROUP.octets());
                packet.append(&mut message);
                message = packet;
                (IpAddr::from(A), IpAddr::from(GROUP))
            }
            Family::Ipv6 => (LINK_LOCAL.into(), GROUP_V6.into()),
        };
        let socket = &mut self.sockets[by];
        let write = |packet: &mut Vec<u8>| packet.clone_from(&message);
        socket.send(source, destination, write).expect("room");
        socket.flush().expect("sent");
    }

    /// Waits for a packet of the other node, and says at which of the sockets it came in.
    fn hear(&mut self, runtime: &Runtime) -> [bool; 2] {
        let [below, above] = &self.sockets;
        let arrival = poll_fn(|context| {
            let ready = [below, above].map(|socket| socket.poll_arrival(context).is_ready());
            match ready.contains(&true) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        });
        let within = async { tokio::time::timeout(Duration::from_secs(5), arrival).await };
        runtime.block_on(within).expect("a packet in time");
        let mut inbox = Inbox::new();
        self.sockets.each_mut().map(|socket| {
            let heard = socket.receive(&mut inbox);
            if let Some(Packet::Ipv6 { source, .. }) = heard {
                assert_eq!(source, LINK_LOCAL, "that of the interface below");
            }
            heard.is_some()
        })
    }
}

#[test]
fn adverts_from_the_same_mac_address_come_in_where_it_is_and_others_below() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for family in [Family::Ipv4, Family::Ipv6] {
        let link = link();
        let own = || ip("address add fe80::a/64 dev em1 nodad");
        link.a.run(own).expect("the namespace");
        let mut a = Node::new(&runtime, &link.a, family);
        let mut b = Node::new(&runtime, &link.b, family);
        a.switch(true);
        // Whether B has the MAC address too, by which socket A speaks, where B hears it.
        let cases = [
            (false, 1, [true, false]),
            (true, 1, [false, true]),
            (true, 0, [true, false]),
            (false, 1, [true, false]),
        ];
        for (is_on, by, heard) in cases {
            b.switch(is_on);
            a.send(by, family);
            assert_eq!(b.hear(&runtime), heard, "{family:?} {is_on} {by}");
        }
    }
}
