//! Version 3 beside peers of other makers, keepalived 2.2.7 and FRR 8.4: election by priority and by
//! address, stop, preemption and death in both roles, an interval that changes.
//!
//! All at 400 ms: a keepalived that is not scheduled for a second is not to be taken for dead. What a
//! peer was told is known from the wire, not from how fast it was.

use std::time::Duration;

use lab::{
    AddressWatch, Capture, Frr, Instance, Keepalived, KeepalivedSetup, Lan, Moment, Node, Protocol,
    Signal, Transport, VIP, paced_configuration, wait_until,
};

const LONG: Duration = Duration::from_secs(40);

const INTERVAL: Duration = Duration::from_millis(400);

/// The other node of a pair.
enum Peer {
    Keepalived(Keepalived),
    Frr(Frr),
}

/// Which, and how it is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Maker {
    Keepalived(Transport),
    /// Multicast alone.
    Frr,
}

const MAKERS: [Maker; 3] = [
    Maker::Keepalived(Transport::Unicast),
    Maker::Keepalived(Transport::Multicast),
    Maker::Frr,
];

/// Ours is `proxy101`, theirs `proxy102`.
struct Mixed {
    ours: Node,
    theirs: Peer,
    capture: Capture,
    // Goes last.
    lan: Lan,
}

impl Peer {
    fn start(lan: &Lan, maker: Maker, priority: u8) -> Self {
        match maker {
            Maker::Keepalived(transport) => {
                let setup = setup(transport, priority);
                Self::Keepalived(Keepalived::start(lan, &setup))
            }
            Maker::Frr => Self::Frr(Frr::start(lan.host("proxy102"), priority, INTERVAL)),
        }
    }

    fn is_master(&self, lan: &Lan) -> bool {
        match self {
            Self::Keepalived(_) => lan.host("proxy102").owns(VIP),
            Self::Frr(frr) => frr.state().as_deref() == Some("Master"),
        }
    }

    fn stop(&mut self) {
        match self {
            Self::Keepalived(keepalived) => keepalived.stop(),
            Self::Frr(frr) => frr.stop(),
        }
    }

    fn kill(&mut self) {
        match self {
            Self::Keepalived(keepalived) => keepalived.kill(),
            Self::Frr(frr) => frr.kill(),
        }
    }

    fn start_again(&mut self) {
        match self {
            Self::Keepalived(keepalived) => keepalived.start_again(),
            Self::Frr(frr) => frr.start_again(),
        }
    }
}

fn setup(transport: Transport, priority: u8) -> KeepalivedSetup {
    let mut setup = KeepalivedSetup::article("proxy102", transport);
    setup.protocol = Protocol::V3(INTERVAL);
    setup.priority = priority;
    setup
}

/// Ours with a priority of its own; its check script adds 2.
fn configuration(lan: &Lan, transport: Transport, priority: u8) -> String {
    let article = paced_configuration(lan.host("proxy101"), INTERVAL);
    let transport = match transport {
        Transport::Unicast => "transport = \"unicast\"",
        Transport::Multicast => "transport = \"multicast\"",
    };
    article
        .replace("transport = \"unicast\"", transport)
        .replace("proxy101 = 200,", &format!("proxy101 = {priority},"))
}

impl Mixed {
    /// Starts ours, and theirs a little later.
    fn start(maker: Maker, our_priority: u8, their_priority: u8) -> Self {
        let lan = Lan::new();
        let capture = Capture::start(&lan);
        let transport = match maker {
            Maker::Keepalived(transport) => transport,
            Maker::Frr => Transport::Multicast,
        };
        let configuration = configuration(&lan, transport, our_priority);
        let ours = Node::start(lan.host("proxy101"), &configuration);
        ours.wait_for_state("MASTER");
        let theirs = Peer::start(&lan, maker, their_priority);
        Self {
            ours,
            theirs,
            capture,
            lan,
        }
    }

    fn wait_for_theirs(&self, master: bool) {
        wait_until(&format!("theirs is Master: {master}"), LONG, || {
            (self.theirs.is_master(&self.lan) == master).then_some(())
        });
    }

    fn wait_until_ours_leads(&self) {
        self.ours.wait_for_state("MASTER");
        self.wait_for_theirs(false);
    }

    fn wait_until_theirs_leads(&self) {
        self.wait_for_theirs(true);
        self.ours.wait_for_state("BACKUP");
    }

    /// The wire, without a fault; how often each has said priority 0.
    fn farewells(self) -> [usize; 2] {
        let recording = self.capture.stop();
        assert_eq!(recording.faults(), [""; 0]);
        let adverts = recording.adverts();
        ["192.168.0.101", "192.168.0.102"].map(|source| {
            let said = adverts.iter().filter(|advert| advert.source == source);
            said.filter(|advert| advert.priority == 0).count()
        })
    }
}

fn ours_leads(maker: Maker) {
    let mut mixed = Mixed::start(maker, 200, 100);
    mixed.wait_until_ours_leads();
    // Told to take over, and preempted.
    mixed.ours.stop();
    mixed.wait_for_theirs(true);
    mixed.ours.start_again();
    mixed.wait_until_ours_leads();
    // Not told.
    mixed.ours.kill_everything();
    mixed.wait_for_theirs(true);
    mixed.ours.start_again();
    mixed.wait_until_ours_leads();
    let [ours, theirs] = mixed.farewells();
    assert!(ours > 0, "{maker:?}: ours said nothing at its end");
    assert_eq!(theirs, 0, "{maker:?}");
}

fn theirs_leads(maker: Maker) {
    let mut mixed = Mixed::start(maker, 100, 200);
    mixed.wait_until_theirs_leads();
    mixed.theirs.stop();
    mixed.ours.wait_for_state("MASTER");
    mixed.theirs.start_again();
    mixed.wait_until_theirs_leads();
    mixed.theirs.kill();
    mixed.ours.wait_for_state("MASTER");
    mixed.theirs.start_again();
    mixed.wait_until_theirs_leads();
    let [ours, theirs] = mixed.farewells();
    assert_eq!(ours, 0, "{maker:?}");
    assert!(theirs > 0, "{maker:?}: theirs said nothing at its end");
}

/// Who is Master stays it; of two Masters, the one of the higher address does (RFC 9568 §6.4.3).
fn equals(maker: Maker) {
    // The check script of either adds 2; FRR has none.
    let theirs = if maker == Maker::Frr { 152 } else { 150 };
    let mixed = Mixed::start(maker, 150, theirs);
    let since = mixed.ours.since();
    let adverts = || mixed.capture.adverts().len();
    let before = adverts();
    wait_until("ten more adverts", LONG, || {
        (adverts() > before + 10).then_some(())
    });
    assert_eq!(mixed.ours.since(), since, "{maker:?}: ours stayed Master");
    assert!(!mixed.theirs.is_master(&mixed.lan), "{maker:?}");
    mixed.lan.part("proxy101", "proxy102");
    mixed.wait_for_theirs(true);
    mixed.lan.heal();
    mixed.wait_until_theirs_leads();
    mixed.farewells();
}

#[test]
fn ours_leads_beside_every_peer() {
    MAKERS.into_iter().for_each(ours_leads);
}

#[test]
fn every_peer_leads_beside_ours() {
    MAKERS.into_iter().for_each(theirs_leads);
}

#[test]
fn of_equals_the_first_leads_and_after_a_split_the_higher_address() {
    [Maker::Keepalived(Transport::Unicast), Maker::Frr]
        .into_iter()
        .for_each(equals);
}

#[test]
fn a_backup_learns_an_interval_that_changes() {
    const SLOWER: Duration = Duration::from_secs(1);
    let transport = Transport::Unicast;
    let mut mixed = Mixed::start(Maker::Keepalived(transport), 100, 200);
    mixed.wait_until_theirs_leads();
    let since = mixed.ours.since();
    let Peer::Keepalived(keepalived) = &mixed.theirs else {
        unreachable!("it was started above");
    };
    let mut slower = setup(transport, 200);
    slower.protocol = Protocol::V3(SLOWER);
    keepalived.configure(&mixed.lan, &slower);
    keepalived.signal(Signal::Hup);
    // A Backup that had not learned would lead after three intervals of 400 ms, soon or late.
    wait_until("a pause of 0.8 s between adverts", LONG, || {
        let adverts = mixed.capture.adverts();
        let [.., earlier, later] = adverts.as_slice() else {
            return None;
        };
        (later.at.since(earlier.at) > 2 * INTERVAL).then_some(())
    });
    let from = Moment::now();
    wait_until("five more adverts", LONG, || {
        let adverts = mixed.capture.adverts();
        let later = adverts.iter().filter(|advert| advert.at > from);
        (later.count() >= 5).then_some(())
    });
    assert_eq!(mixed.ours.since(), since, "ours stayed Backup");
    mixed.theirs.kill();
    mixed.ours.wait_for_state("MASTER");
    assert_eq!(mixed.farewells()[0], 0);
}

/// Two virtual routers that stand and fall together.
#[test]
fn groups_move_together_to_and_from_keepalived() {
    const SECOND: &str = "192.168.0.106";
    let lan = Lan::new();
    let capture = Capture::start(&lan);
    let watches =
        [VIP, SECOND].map(|address| AddressWatch::start(&lan, address, &["proxy101", "proxy102"]));
    let host = lan.host("proxy101");
    // On the second router alone: what makes it Fault must move the first one too.
    let mark = host.files().join("well");
    std::fs::write(&mark, "").expect("a file can be written");
    let article = paced_configuration(host, INTERVAL).replace(
        "[virtual_routers.YN_API_GATEWAY]",
        "[virtual_routers.YN_API_GATEWAY]\nsync_group = \"both\"",
    );
    let configuration = format!(
        "{article}
[virtual_routers.SECOND]
sync_group = \"both\"
interface = \"em1\"
vrid = 102
version = 3
advert_interval = \"{}ms\"
priority = {{ proxy101 = 200, proxy102 = 199 }}
addresses = [\"{SECOND}/32\"]
track_scripts = [\"chk_gateway\", \"chk_second\"]

[scripts.chk_second]
command = [\"/usr/bin/test\", \"-e\", \"{}\"]
interval = \"200ms\"
",
        INTERVAL.as_millis(),
        mark.display()
    );
    let ours = Node::start(host, &configuration);
    let mut theirs = setup(Transport::Unicast, 100);
    theirs.in_one_group = true;
    theirs.instances.push(Instance {
        name: "SECOND".to_owned(),
        vrid: 102,
        addresses: vec![SECOND.to_owned()],
    });
    let both_on = |owner: &str, other: &str| {
        for watch in &watches {
            watch.wait_for_owner(owner, LONG);
            watch.wait_for_loss(other, LONG);
        }
    };
    both_on("proxy101", "proxy102");
    let mut theirs = Keepalived::start(&lan, &theirs);
    std::fs::remove_file(&mark).expect("it was there");
    both_on("proxy102", "proxy101");
    std::fs::write(&mark, "").expect("a file can be written");
    both_on("proxy101", "proxy102");
    theirs.stop();
    ours.wait_for_state("MASTER");
    assert_eq!(capture.stop().faults(), [""; 0]);
}
