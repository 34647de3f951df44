//! Virtual MAC addresses: neighbours keep what they know when the addresses move, adverts show switches
//! where they have gone, nothing stays behind.

use std::time::Duration;

use lab::{
    AddressWatch, Capture, Instance, Keepalived, KeepalivedSetup, Lan, Node, Protocol, Signal,
    Transport, VIP, paced_configuration, succeeds, wait_until,
};

const LONG: Duration = Duration::from_secs(40);

const INTERVAL: Duration = Duration::from_millis(200);

const PROXIES: [&str; 2] = ["proxy101", "proxy102"];

/// The virtual address, its router's MAC address and interface, over IPv4 and over IPv6.
const FOUR: (&str, &str, &str) = (VIP, "00:00:5e:00:01:65", "vrrp.101");
const SIX: (&str, &str, &str) = ("fd00::105", "00:00:5e:00:02:6a", "vrrp6.106");
const LINK_LOCAL: &str = "fe80::105";

fn configuration(lan: &Lan, name: &str, vmac: bool) -> String {
    let host = lan.host(name);
    let article = paced_configuration(host, INTERVAL);
    let changed = article
        .replace("transport = \"unicast\"", "transport = \"multicast\"")
        .replace("vrid = 101", &format!("vrid = 101\nvmac = {vmac}"));
    format!(
        "{changed}
[virtual_routers.SIX]
interface = \"em1\"
vrid = 106
vmac = {vmac}
advert_interval = \"{interval}ms\"
transport = \"multicast\"
priority = {{ proxy101 = 200, proxy102 = 100 }}
addresses = [\"{LINK_LOCAL}/64\", \"{address}/64\"]
",
        interval = INTERVAL.as_millis(),
        address = SIX.0,
    )
}

fn network() -> Lan {
    let lan = Lan::new();
    let client = lan.host("client");
    client.run(&["ip", "address", "add", "fd00::50/64", "dev", "em1", "nodad"]);
    for (name, address) in PROXIES.into_iter().zip(["fd00::101/64", "fd00::102/64"]) {
        let host = lan.host(name);
        host.run(&["ip", "address", "add", address, "dev", "em1", "nodad"]);
    }
    lan
}

fn wait_for_owner(watches: &[AddressWatch; 2], owner: &str) {
    let other = if owner == PROXIES[0] {
        PROXIES[1]
    } else {
        PROXIES[0]
    };
    for watch in watches {
        watch.wait_for_owner(owner, LONG);
        watch.wait_for_loss(other, LONG);
    }
}

/// Three questions and an answer: whatever has to be learned first was learned. The last advert of an
/// owner that gives in may mislead the switch until the other one answers it.
fn reaches(lan: &Lan, address: &str) -> bool {
    let client = lan.host("client");
    client.inside(|| succeeds(&["ping", "-c", "3", "-i", "0.3", "-W", "5", address]))
}

/// What the client believes.
fn neighbour(lan: &Lan, address: &str) -> String {
    let client = lan.host("client");
    let shown = client.run(&["ip", "neighbour", "show", address, "dev", "em1"]);
    let words = shown.split_whitespace();
    let mac = words.skip_while(|word| *word != "lladdr").nth(1);
    mac.unwrap_or("nobody").to_owned()
}

/// The port of the switch behind which it believes the MAC address to be.
fn port(lan: &Lan, mac: &str) -> String {
    let bridge = lan.bridge_namespace();
    let table = lab::run(&["bridge", "-n", &bridge, "fdb", "show", "br", "br0"]);
    let line = table.lines().find(|line| line.starts_with(mac));
    let words = line.unwrap_or_default().split(' ');
    let port = words.skip_while(|word| *word != "dev").nth(1);
    port.unwrap_or("none").to_owned()
}

/// The names of the interfaces with virtual MAC addresses.
fn stations(lan: &Lan, name: &str) -> Vec<String> {
    let shown = lan
        .host(name)
        .run(&["ip", "-o", "link", "show", "type", "macvlan"]);
    let names = shown
        .lines()
        .filter_map(|line| line.split([' ', '@']).nth(1));
    names.map(str::to_owned).collect()
}

/// Their numbers, which say whether they were made anew.
fn numbers(lan: &Lan, name: &str) -> Vec<String> {
    let shown = lan
        .host(name)
        .run(&["ip", "-o", "link", "show", "type", "macvlan"]);
    let numbers = shown.lines().filter_map(|line| line.split(':').next());
    numbers.map(str::to_owned).collect()
}

/// `arp_ignore` and `arp_announce` of the interface below.
fn settings_below(lan: &Lan, name: &str) -> String {
    let folder = "/proc/sys/net/ipv4/conf/em1";
    let [ignore, announce] =
        ["arp_ignore", "arp_announce"].map(|setting| format!("{folder}/{setting}"));
    lan.host(name).run(&["cat", &ignore, &announce])
}

#[test]
fn neighbours_keep_what_they_know_when_the_addresses_move() {
    let lan = network();
    let capture = Capture::start(&lan);
    let watches = [FOUR, SIX].map(|(address, ..)| AddressWatch::start(&lan, address, &PROXIES));
    let mut nodes =
        PROXIES.map(|name| Node::start(lan.host(name), &configuration(&lan, name, true)));
    wait_for_owner(&watches, "proxy101");
    for name in PROXIES {
        wait_until("their interfaces", LONG, || {
            (stations(&lan, name) == [FOUR.2, SIX.2]).then_some(())
        });
        assert_eq!(settings_below(&lan, name), "1\n2\n", "{name}");
    }
    let check = |owner: &str| {
        for (address, mac, _) in [FOUR, SIX] {
            assert!(reaches(&lan, address), "{address} at {owner}");
            assert_eq!(neighbour(&lan, address), mac, "{address} at {owner}");
            wait_until("the switch knows the way", LONG, || {
                (port(&lan, mac) == owner).then_some(())
            });
        }
    };
    check("proxy101");
    nodes[0].stop();
    wait_for_owner(&watches, "proxy102");
    check("proxy102");
    assert_eq!(stations(&lan, "proxy101"), [""; 0]);
    assert_eq!(settings_below(&lan, "proxy101"), "0\n0\n");
    nodes[0].start_again();
    wait_for_owner(&watches, "proxy101");
    check("proxy101");
    // Of the other Master, too, an advert is heard that comes from the same MAC address.
    lan.part("proxy101", "proxy102");
    for watch in &watches {
        watch.wait_for_owner("proxy102", LONG);
    }
    lan.heal();
    wait_for_owner(&watches, "proxy101");
    check("proxy101");

    for node in &nodes {
        // What the other one announces is not a claim of somebody else.
        assert!(!node.log().contains("is claimed by"), "{}", node.log());
    }
    let recording = capture.stop();
    assert_eq!(recording.faults(), [""; 0]);
    for (source, mac) in [
        ("ip.src == 192.168.0.101".to_owned(), FOUR.1),
        ("ip.src == 192.168.0.102".to_owned(), FOUR.1),
        (
            format!("ipv6.src == {}", lan.host("proxy101").link_local()),
            SIX.1,
        ),
    ] {
        assert_eq!(recording.advert_hardware(&source), [mac], "{source}");
    }
}

#[test]
fn what_is_left_behind_is_found_again_and_goes_when_it_is_wanted_no_more() {
    let lan = network();
    let host = lan.host("proxy101");
    let watches = [FOUR, SIX].map(|(address, ..)| AddressWatch::start(&lan, address, &PROXIES));
    let mut node = Node::start(host, &configuration(&lan, "proxy101", true));
    wait_for_owner(&watches, "proxy101");
    let numbers = || numbers(&lan, "proxy101");
    let before = numbers();

    let old = node.pids_of("vrrp");
    node.signal(Signal::Usr2);
    wait_until("another process", LONG, || {
        let now = node.pids_of("vrrp");
        (now.len() == 1 && now != old).then_some(())
    });
    node.wait_for_service();
    node.wait_for_state("MASTER");
    assert_eq!(numbers(), before, "an upgrade");

    node.kill_everything();
    for watch in &watches {
        // The lease.
        watch.wait_for_loss("proxy101", LONG);
    }
    assert_eq!(numbers(), before, "a death");
    node.start_again();
    wait_for_owner(&watches, "proxy101");
    assert_eq!(numbers(), before, "a start");

    node.write_configuration(&configuration(&lan, "proxy101", false));
    assert!(node.control(&["reload"]).status.success());
    wait_until("no interface of ours", LONG, || {
        let is_undone = settings_below(&lan, "proxy101") == "0\n0\n";
        (stations(&lan, "proxy101").is_empty() && is_undone).then_some(())
    });
    wait_until("the address on the interface below", LONG, || {
        (host.owns(VIP) && host.owns(SIX.0)).then_some(())
    });
}

#[test]
fn keepalived_with_a_virtual_mac_takes_over_and_gives_back() {
    let lan = network();
    let capture = Capture::start(&lan);
    let watches = [FOUR, SIX].map(|(address, ..)| AddressWatch::start(&lan, address, &PROXIES));
    let mut ours = Node::start(lan.host("proxy101"), &configuration(&lan, "proxy101", true));
    let mut setup = KeepalivedSetup::article("proxy102", Transport::Multicast);
    setup.protocol = Protocol::V3(INTERVAL);
    setup.priority = 100;
    setup.virtual_mac = true;
    let six = Instance {
        name: "SIX".to_owned(),
        vrid: 106,
        addresses: [LINK_LOCAL, SIX.0].map(|it| format!("{it}/64")).to_vec(),
    };
    setup.instances.push(six);
    // Else it asks for neighbours in the name of the virtual address, with the MAC address of em1.
    let announce = "net.ipv4.conf.em1.arp_announce=2";
    lan.host("proxy102").run(&["sysctl", "-w", announce]);
    let _theirs = Keepalived::start(&lan, &setup);
    for owner in ["proxy101", "proxy102", "proxy101"] {
        wait_for_owner(&watches, owner);
        for (address, mac, _) in [FOUR, SIX] {
            assert!(reaches(&lan, address), "{address} at {owner}");
            assert_eq!(neighbour(&lan, address), mac, "{address} at {owner}");
        }
        match owner {
            "proxy101" => drop(ours.stop()),
            _ => ours.start_again(),
        }
    }
    let recording = capture.stop();
    for (source, mac) in [("ip", FOUR.1), ("ipv6", SIX.1)] {
        assert_eq!(recording.advert_hardware(source), [mac], "{source}");
    }
}
