//! One node runs the real keepalived with the article's configuration, the other one ours: election
//! by priority, takeover, preemption back and priority 0 work in both directions, and the wire looks
//! the same.

use std::time::Duration;

use lab::{
    AddressWatch, Capture, Keepalived, KeepalivedSetup, Lan, Moment, Node, Recording, Transport,
    VIP, pair_configuration, wait_until,
};

const LONG: Duration = Duration::from_secs(40);

/// Well below the 3.2 s after which a Backup gives a silent Master up: whoever took over this fast
/// was told to.
const TOLD: Duration = Duration::from_secs(2);

/// Ours and theirs, side by side, and what they did.
struct Mixed {
    ours: Node,
    theirs: Keepalived,
    our_name: &'static str,
    their_name: &'static str,
    watch: AddressWatch,
    capture: Capture,
    // Goes last.
    lan: Lan,
}

impl Mixed {
    fn start(our_name: &'static str, transport: Transport) -> Self {
        let their_name = match our_name {
            "proxy101" => "proxy102",
            _ => "proxy101",
        };
        let lan = Lan::new();
        let capture = Capture::start(&lan);
        let watch = AddressWatch::start(&lan, VIP, &["proxy101", "proxy102"]);
        let host = lan.host(our_name);
        let ours = Node::start(host, &configuration(&lan, our_name, transport));
        let theirs = Keepalived::start(&lan, &KeepalivedSetup::article(their_name, transport));
        let mixed = Self {
            ours,
            theirs,
            our_name,
            their_name,
            watch,
            capture,
            lan,
        };
        mixed.wait_for("proxy101");
        mixed
    }

    /// Waits until `host` alone has the address.
    fn wait_for(&self, host: &str) -> Moment {
        let since = self.watch.wait_for_owner(host, LONG);
        let other = if host == "proxy101" {
            "proxy102"
        } else {
            "proxy101"
        };
        self.watch.wait_for_loss(other, LONG);
        since
    }

    /// The wire, without a fault. It is read from a file, which goes with the network.
    fn finish(self) -> (Recording, Lan) {
        let recording = self.capture.stop();
        assert_eq!(recording.faults(), [""; 0]);
        (recording, self.lan)
    }
}

/// The article's file, with the check script that the keepalived of the same host would have: whether
/// a file is there.
fn configuration(lan: &Lan, node: &str, transport: Transport) -> String {
    let host = lan.host(node);
    let mark = host.files().join("well");
    std::fs::write(&mark, "").expect("a file can be written");
    let check = format!("[\"/usr/bin/test\", \"-e\", \"{}\"]", mark.display());
    let configuration = pair_configuration(host).replace("[\"/bin/true\"]", &check);
    match transport {
        Transport::Unicast => configuration,
        Transport::Multicast => {
            let changed =
                configuration.replace("transport = \"unicast\"", "transport = \"multicast\"");
            assert_ne!(changed, configuration);
            changed
        }
    }
}

/// What keepalived 2.2.7 sends as proxy101 with priority 202, and with priority 0 at its end. The
/// checksum covers neither address, so multicast looks the same.
const MESSAGE_202: &str = "2165ca01010186d7c0a800697465737470617373";
const MESSAGE_0: &str = "21650001010150d8c0a800697465737470617373";

fn our_master_stops_and_comes_back(transport: Transport) {
    let mut mixed = Mixed::start("proxy101", transport);
    mixed.ours.wait_for_state("MASTER");

    let asked = Moment::now();
    mixed.ours.stop();
    let taken = mixed.wait_for(mixed.their_name);
    assert!(taken.since(asked) < TOLD, "{:?}", taken.since(asked));

    mixed.ours.start_again();
    mixed.wait_for(mixed.our_name);
    wait_until("their notice of the backup", LONG, || {
        let notices = mixed.theirs.notices();
        notices
            .last()
            .is_some_and(|line| line == "INSTANCE YN_API_GATEWAY BACKUP 201")
            .then_some(())
    });

    let (recording, _lan) = mixed.finish();
    assert_eq!(recording.messages("192.168.0.101", 202), [MESSAGE_202]);
    assert_eq!(recording.messages("192.168.0.101", 0), [MESSAGE_0]);
    assert!(recording.announcements(VIP, "02:00:00:00:00:01").len() >= 5);
}

fn their_master_stops_and_comes_back(transport: Transport) {
    let mut mixed = Mixed::start("proxy102", transport);
    mixed.ours.wait_for_state("BACKUP");

    let asked = Moment::now();
    mixed.theirs.stop();
    let taken = mixed.wait_for(mixed.our_name);
    assert!(taken.since(asked) < TOLD, "{:?}", taken.since(asked));
    mixed.ours.wait_for_state("MASTER");

    mixed.theirs.start_again();
    mixed.wait_for(mixed.their_name);
    mixed.ours.wait_for_state("BACKUP");

    let (recording, _lan) = mixed.finish();
    // Theirs, so that the golden octets above are known to be keepalived's own.
    assert_eq!(recording.messages("192.168.0.101", 202), [MESSAGE_202]);
    assert_eq!(recording.messages("192.168.0.102", 201).len(), 1);
}

#[test]
fn our_unicast_master_hands_over_and_preempts() {
    our_master_stops_and_comes_back(Transport::Unicast);
}

#[test]
fn our_multicast_master_hands_over_and_preempts() {
    our_master_stops_and_comes_back(Transport::Multicast);
}

#[test]
fn their_unicast_master_hands_over_and_preempts() {
    their_master_stops_and_comes_back(Transport::Unicast);
}

#[test]
fn their_multicast_master_hands_over_and_preempts() {
    their_master_stops_and_comes_back(Transport::Multicast);
}

#[test]
fn our_killed_master_leaves_the_address_to_them() {
    let mut mixed = Mixed::start("proxy101", Transport::Unicast);
    mixed.ours.wait_for_state("MASTER");
    mixed.ours.kill_everything();
    mixed.wait_for(mixed.their_name);
    // Theirs stays the only owner: the kernel took ours away before, by the lease.
    assert!(mixed.watch.longest_overlap() < Duration::from_millis(100));
    mixed.ours.start_again();
    mixed.wait_for(mixed.our_name);
    mixed.finish();
}

#[test]
fn we_take_over_from_their_killed_master_and_yield_when_it_is_back() {
    let mut mixed = Mixed::start("proxy102", Transport::Unicast);
    mixed.ours.wait_for_state("BACKUP");
    // Nothing takes the address off the host of a dead keepalived: two have it, until it is back.
    mixed.theirs.kill();
    mixed.watch.wait_for_owner(mixed.our_name, LONG);
    mixed.ours.wait_for_state("MASTER");
    mixed.theirs.start_again();
    mixed.watch.wait_for_loss(mixed.our_name, LONG);
    mixed.wait_for(mixed.their_name);
    mixed.ours.wait_for_state("BACKUP");
    mixed.finish();
}

#[test]
fn a_failed_check_on_our_master_moves_the_address_by_weight() {
    let mixed = Mixed::start("proxy101", Transport::Unicast);
    mixed.ours.wait_for_state("MASTER");
    let mark = mixed.ours.host().files().join("well");
    std::fs::remove_file(&mark).expect("it was there");
    mixed.wait_for(mixed.their_name);
    mixed.ours.wait_for_status("priority 200", |status| {
        status["routers"][0]["state"] == "BACKUP" && status["routers"][0]["priority"] == 200
    });
    std::fs::write(&mark, "").expect("a file can be written");
    mixed.wait_for(mixed.our_name);
    mixed.finish();
}

#[test]
fn a_failed_check_on_their_master_moves_the_address_to_us() {
    let mixed = Mixed::start("proxy102", Transport::Unicast);
    mixed.ours.wait_for_state("BACKUP");
    mixed.theirs.set_well(false);
    mixed.wait_for(mixed.our_name);
    mixed.ours.wait_for_state("MASTER");
    mixed.theirs.set_well(true);
    mixed.wait_for(mixed.their_name);
    mixed.finish();
}
