//! IPv6 beside keepalived 2.2.7, unicast and multicast: election, stop, preemption and death in both
//! roles, and addresses that a neighbour reaches at once.

use std::time::Duration;

use lab::{
    AddressWatch, Capture, Instance, Keepalived, KeepalivedSetup, Lan, Node, Protocol, Transport,
    paced_configuration, succeeds, wait_until,
};

const LONG: Duration = Duration::from_secs(40);

const INTERVAL: Duration = Duration::from_millis(200);

/// The link-local address comes first (RFC 9568 §5.2.9).
const ADDRESSES: [&str; 2] = ["fe80::105", "fd00::105"];

/// Ours is `proxy101`, theirs `proxy102`.
struct Mixed {
    ours: Node,
    theirs: Keepalived,
    watches: [AddressWatch; 2],
    capture: Capture,
    // Goes last.
    lan: Lan,
}

impl Mixed {
    fn start(transport: Transport, our_priority: u8, their_priority: u8) -> Self {
        let lan = Lan::new();
        for name in ["proxy101", "proxy102", "client"] {
            lan.host(name).wait_for_link_local();
        }
        lan.host("client")
            .run(&["ip", "address", "add", "fd00::50/64", "dev", "em1"]);
        let capture = Capture::start(&lan);
        let watches =
            ADDRESSES.map(|address| AddressWatch::start(&lan, address, &["proxy101", "proxy102"]));
        let configuration = configuration(&lan, transport, our_priority);
        let ours = Node::start(lan.host("proxy101"), &configuration);
        let mut setup = KeepalivedSetup::article("proxy102", transport);
        setup.protocol = Protocol::V3(INTERVAL);
        setup.priority = their_priority;
        setup.instances = vec![Instance {
            name: "SIX".to_owned(),
            vrid: 106,
            addresses: ADDRESSES.map(|address| format!("{address}/64")).to_vec(),
        }];
        let theirs = Keepalived::start(&lan, &setup);
        Self {
            ours,
            theirs,
            watches,
            capture,
            lan,
        }
    }

    fn wait_for_owner(&self, owner: &str) {
        for watch in &self.watches {
            watch.wait_for_owner(owner, LONG);
        }
    }

    fn wait_for_sole_owner(&self, owner: &str) {
        self.wait_for_owner(owner);
        let other = if owner == "proxy101" {
            "proxy102"
        } else {
            "proxy101"
        };
        for watch in &self.watches {
            watch.wait_for_loss(other, LONG);
        }
        wait_until("the client reaches the address", LONG, || {
            let ping = ["ping", "-6", "-c", "1", "-W", "1", ADDRESSES[1]];
            let client = self.lan.host("client");
            client.inside(|| succeeds(&ping)).then_some(())
        });
    }

    /// The wire, without a fault; how often each has said priority 0.
    fn farewells(self) -> [usize; 2] {
        let hosts = ["proxy101", "proxy102"].map(|name| self.lan.host(name).link_local());
        let recording = self.capture.stop();
        assert_eq!(recording.faults(), [""; 0]);
        let adverts = recording.adverts();
        hosts.map(|source| {
            let said = adverts.iter().filter(|advert| advert.source == source);
            said.filter(|advert| advert.vrid == 106 && advert.priority == 0)
                .count()
        })
    }
}

fn configuration(lan: &Lan, transport: Transport, priority: u8) -> String {
    let host = lan.host("proxy101");
    let mut configuration = paced_configuration(host, INTERVAL);
    for name in ["proxy101", "proxy102"] {
        let address = lan.host(name).address();
        let line = format!("address = \"{address}\"");
        let both = format!("{line}\naddress6 = \"{}\"", lan.host(name).link_local());
        configuration = configuration.replace(&line, &both);
    }
    let transport = match transport {
        // What keepalived 2.2.7 sends to an IPv6 peer has the hop limit of ordinary packets.
        Transport::Unicast => "\"unicast\"\nunicast_min_ttl = 64",
        Transport::Multicast => "\"multicast\"",
    };
    format!(
        "{configuration}
[virtual_routers.SIX]
interface = \"em1\"
vrid = 106
version = 3
advert_interval = \"{interval}ms\"
transport = {transport}
priority = {priority}
addresses = [\"{link_local}/64\", \"{global}/64\"]
",
        interval = INTERVAL.as_millis(),
        link_local = ADDRESSES[0],
        global = ADDRESSES[1],
    )
}

fn ours_leads(transport: Transport) {
    let mut mixed = Mixed::start(transport, 200, 100);
    mixed.wait_for_sole_owner("proxy101");
    mixed.ours.stop();
    mixed.wait_for_sole_owner("proxy102");
    mixed.ours.start_again();
    mixed.wait_for_sole_owner("proxy101");
    mixed.ours.kill_everything();
    // The kernel takes them off the dead node, by the lease.
    mixed.wait_for_sole_owner("proxy102");
    let [ours, theirs] = mixed.farewells();
    assert!(ours > 0, "{transport:?}: ours said nothing at its end");
    assert_eq!(theirs, 0, "{transport:?}");
}

fn theirs_leads(transport: Transport) {
    let mut mixed = Mixed::start(transport, 100, 200);
    mixed.wait_for_sole_owner("proxy102");
    mixed.theirs.stop();
    mixed.wait_for_sole_owner("proxy101");
    mixed.theirs.start_again();
    mixed.wait_for_sole_owner("proxy102");
    // Nothing takes them off a dead keepalived.
    mixed.theirs.kill();
    mixed.wait_for_owner("proxy101");
    let [_, theirs] = mixed.farewells();
    assert!(theirs > 0, "{transport:?}: theirs said nothing at its end");
}

#[test]
fn ours_leads_beside_keepalived() {
    ours_leads(Transport::Unicast);
    ours_leads(Transport::Multicast);
}

#[test]
fn keepalived_leads_beside_ours() {
    theirs_leads(Transport::Unicast);
    theirs_leads(Transport::Multicast);
}
