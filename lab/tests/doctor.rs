//! `evenkeel doctor` beside the real keepalived: a pair in health, and each way in which pairs are
//! ill in the field, told from outside.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use lab::{
    AddressWatch, Host, Instance, Keepalived, KeepalivedSetup, Lan, Node, Protocol, Running,
    Transport, VIP, pair_configuration, program, wait_until,
};

const LONG: Duration = Duration::from_secs(40);

/// Runs the doctor on a host with the article's configuration for it.
fn doctor(host: &Host, configuration: &str) -> Output {
    let file = host.files().join("doctor.toml");
    fs::write(&file, configuration).expect("a file can be written");
    let mut command = Command::new(program());
    command
        .arg("doctor")
        .arg("--config")
        .arg(file)
        .args(["--node", host.name()]);
    host.inside(|| command.output())
        .expect("evenkeel can be run")
}

/// What it found, by the words that stand in brackets.
fn findings(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once(" [")?;
        Some(rest.split_once("]: ")?.0.to_owned())
    });
    lines.collect()
}

fn assert_found(output: &Output, expected: &[&str]) {
    assert_eq!(findings(output), expected, "{output:?}");
    let status = i32::from(!expected.is_empty());
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    let says_well = String::from_utf8_lossy(&output.stdout).contains("  nothing wrong\n");
    assert_eq!(says_well, expected.is_empty(), "{output:?}");
}

/// A keepalived of proxy102 with what `change` makes of the article's configuration; it owns the
/// address, since nothing else runs.
struct Master {
    _keepalived: Running,
    // Goes last, and kills what keepalived has started.
    lan: Lan,
}

impl Master {
    fn start(on: &str, change: fn(String) -> String) -> Self {
        let lan = Lan::new();
        let host = lan.host(on);
        let keepalived = keepalived(host, "192.168.0.101", change);
        wait_until("keepalived owns the address", LONG, || {
            host.owns(VIP).then_some(())
        });
        Self {
            _keepalived: keepalived,
            lan,
        }
    }

    fn doctor(&self) -> Output {
        let host = self.lan.host("proxy101");
        doctor(host, &pair_configuration(host))
    }
}

fn keepalived(host: &Host, peer: &str, change: fn(String) -> String) -> Running {
    let own = host.address();
    let article = format!(
        "vrrp_instance YN_API_GATEWAY {{
    state BACKUP
    interface em1
    virtual_router_id 101
    priority 199
    advert_int 1
    unicast_src_ip {own}
    unicast_peer {{
        {peer}
    }}
    authentication {{
        auth_type PASS
        auth_pass testpass
    }}
    virtual_ipaddress {{
        {VIP}
    }}
}}
"
    );
    let file = host.files().join("keepalived.conf");
    let changed = change(article);
    fs::write(&file, changed).expect("a file can be written");
    let mut command = Command::new("keepalived");
    command
        .args(["--dont-fork", "--log-console", "--vrrp", "--use-file"])
        .arg(file)
        .arg("--pid")
        .arg(host.files().join("keepalived.pid"))
        .arg("--vrrp_pid")
        .arg(host.files().join("keepalived-vrrp.pid"));
    let log = host.files().join("keepalived.log");
    host.inside(|| Running::start(command, &log))
}

#[test]
fn a_pair_in_health_has_nothing_wrong_on_either_node() {
    let lan = Lan::new();
    let watch = AddressWatch::start(&lan, VIP, &["proxy101", "proxy102"]);
    let first = lan.host("proxy101");
    let _ours = Node::start(first, &pair_configuration(first));
    let setup = KeepalivedSetup::article("proxy102", Transport::Unicast);
    let _theirs = Keepalived::start(&lan, &setup);
    watch.wait_for_owner("proxy101", LONG);
    watch.wait_for_loss("proxy102", LONG);
    // Evenkeel runs on the first and owns the address; on the second it does not run.
    for name in ["proxy101", "proxy102"] {
        let host = lan.host(name);
        let output = doctor(host, &pair_configuration(host));
        assert_found(&output, &[]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("heard 192.168.0.101 (proxy101): "), "{text}");
        assert!(text.contains(" adverts, priority 202\n"), "{text}");
    }
    assert!(first.owns(VIP), "it was not disturbed");
}

#[test]
fn another_password_is_named() {
    let master = Master::start("proxy102", |it| it.replace("testpass", "password"));
    assert_found(&master.doctor(), &["auth_password"]);
}

#[test]
fn no_password_is_named() {
    let master = Master::start("proxy102", |it| {
        it.replace("auth_type PASS", "")
            .replace("auth_pass testpass", "")
    });
    assert_found(&master.doctor(), &["auth_type"]);
}

#[test]
fn another_interval_is_named() {
    let master = Master::start("proxy102", |it| it.replace("advert_int 1", "advert_int 2"));
    let output = master.doctor();
    assert_found(&output, &["interval"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("their interval is 2s, here 1s"), "{text}");
}

#[test]
fn another_version_is_named() {
    let master = Master::start("proxy102", |it| {
        let it = it
            .replace("auth_type PASS", "")
            .replace("auth_pass testpass", "");
        it.replace("advert_int 1", "advert_int 1\n    version 3")
    });
    assert_found(&master.doctor(), &["version"]);
}

#[test]
fn another_list_of_addresses_is_named() {
    let master = Master::start("proxy102", |it| {
        it.replace(VIP, "192.168.0.105\n        192.168.0.106")
    });
    let output = master.doctor();
    assert_found(&output, &["address-list"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("also with 192.168.0.106"), "{text}");
}

#[test]
fn multicast_to_a_node_that_speaks_unicast_is_named() {
    let master = Master::start("proxy102", |it| {
        let it = it.replace("unicast_peer {\n        192.168.0.101\n    }", "");
        it.replace("unicast_src_ip", "mcast_src_ip")
    });
    assert_found(&master.doctor(), &["transport"]);
}

#[test]
fn a_foreign_user_of_the_vrid_is_named() {
    let master = Master::start("client", |it| it);
    let output = master.doctor();
    assert_found(&output, &["foreign"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("192.168.0.50 speaks for this virtual router"),
        "{text}"
    );
}

#[test]
fn nobody_is_said_to_be_nobody() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    assert_found(&doctor(host, &pair_configuration(host)), &["no-master"]);
}

#[test]
fn a_missing_interface_is_named() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let elsewhere = pair_configuration(host).replace("\"em1\"", "\"em7\"");
    assert_found(&doctor(host, &elsewhere), &["interface-missing"]);
}

#[test]
fn two_owners_behind_a_firewall_are_explained_on_both_nodes() {
    let lan = Lan::new();
    let [first, second] = ["proxy101", "proxy102"].map(|name| lan.host(name));
    first.run(&[
        "nft",
        "table ip filter { chain input { type filter hook input priority 0; ip protocol 112 drop; }; }",
    ]);
    let _one = keepalived(second, first.address(), |it| it);
    let _other = keepalived(first, second.address(), |it| it.replace("199", "100"));
    wait_until("both own the address", LONG, || {
        (first.owns(VIP) && second.owns(VIP)).then_some(())
    });
    let output = doctor(first, &pair_configuration(first));
    assert_found(&output, &["swallowed", "several-masters", "several-owners"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Rules that look like it: "), "{text}");
    assert!(
        text.contains("105 has 2 owners: this node, 02:00:00:00:00:02"),
        "{text}"
    );
    let output = doctor(second, &pair_configuration(second));
    assert_found(&output, &["several-masters", "several-owners"]);
}

#[test]
fn a_password_that_makes_two_owners_is_named_while_evenkeel_runs() {
    let master = Master::start("proxy102", |it| it.replace("testpass", "password"));
    let host = master.lan.host("proxy101");
    let ours = Node::start(host, &pair_configuration(host));
    ours.wait_for_state("MASTER");
    // Keepalived rejects ours each second, and falls silent over it, sooner or later: as long as it
    // still speaks, it is heard with its password.
    let output = wait_until("keepalived to fall silent", LONG, || {
        let output = master.doctor();
        let still_speaks = findings(&output).contains(&"auth_password".to_owned());
        (!still_speaks).then_some(output)
    });
    assert_found(&output, &["several-owners"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("One of them sends no adverts"), "{text}");
    let host = master.lan.host("proxy102");
    let output = doctor(host, &pair_configuration(host));
    assert_found(&output, &["held-silently", "several-owners"]);
    ours.wait_for_state("MASTER");
}

#[test]
fn adverts_that_came_through_a_router_are_named() {
    let master = Master::start("proxy102", |it| it);
    master.lan.host("proxy102").run(&[
        "nft",
        "table ip filter { chain output { type filter hook output priority 0; \
         ip protocol 112 ip ttl set 254; }; }",
    ]);
    let output = master.doctor();
    assert_found(&output, &["ttl"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("their TTL is 254"), "{text}");
}

#[test]
fn a_firewall_that_will_swallow_the_segments_of_a_dead_node_is_named() {
    let master = Master::start("proxy102", |it| it);
    let host = master.lan.host("proxy101");
    host.run(&[
        "nft",
        "table ip filter { chain input { type filter hook input priority 0; ct state invalid drop; }; }",
    ]);
    host.run(&["sysctl", "-w", "net.netfilter.nf_conntrack_tcp_loose=0"]);
    assert_found(&master.doctor(), &["unknown-segments"]);
}

#[test]
fn an_owner_whose_adverts_do_not_leave_is_explained_there() {
    let lan = Lan::new();
    let [first, second] = ["proxy101", "proxy102"].map(|name| lan.host(name));
    first.run(&[
        "nft",
        "table ip filter { chain output { type filter hook output priority 0; ip protocol 112 drop; }; }",
    ]);
    let _keepalived = keepalived(first, second.address(), |it| it);
    wait_until("it owns the address", LONG, || {
        first.owns(VIP).then_some(())
    });
    assert_found(
        &doctor(first, &pair_configuration(first)),
        &["held-silently"],
    );
}

/// The link-local address comes first (RFC 9568 §5.2.9).
const ADDRESSES_6: [&str; 2] = ["fe80::105", "fd00::105"];

/// With a virtual router of IPv6, and `more` in it. The nodes have no IPv6 addresses there, or those
/// that the kernel gave them.
fn configuration_6(lan: &Lan, has_address6: bool, more: &str) -> String {
    let nodes = ["proxy101", "proxy102"].map(|name| {
        let host = lan.host(name);
        let address6 = match has_address6 {
            true => format!("address6 = {:?}\n", host.link_local()),
            false => String::new(),
        };
        let address = host.address();
        format!("[nodes.{name}]\naddress = {address:?}\n{address6}")
    });
    let [link_local, global] = ADDRESSES_6;
    format!(
        "{nodes}
[virtual_routers.SIX]
interface = \"em1\"
vrid = 106
addresses = [\"{link_local}/64\", \"{global}/64\"]
{more}
",
        nodes = nodes.concat(),
    )
}

/// A keepalived of proxy102 that owns the addresses.
fn master_6(lan: &Lan, transport: Transport) -> Keepalived {
    for name in ["proxy101", "proxy102"] {
        lan.host(name).wait_for_link_local();
    }
    let mut setup = KeepalivedSetup::article("proxy102", transport);
    setup.protocol = Protocol::V3(Duration::from_secs(1));
    setup.instances = vec![Instance {
        name: "SIX".to_owned(),
        vrid: 106,
        addresses: ADDRESSES_6.map(|address| format!("{address}/64")).to_vec(),
    }];
    let keepalived = Keepalived::start(lan, &setup);
    wait_until("keepalived owns the addresses", LONG, || {
        let host = lan.host("proxy102");
        ADDRESSES_6.iter().all(|it| host.owns(it)).then_some(())
    });
    keepalived
}

#[test]
fn over_ipv6_multicast_a_node_is_known_and_two_owners_are_named() {
    let lan = Lan::new();
    let _keepalived = master_6(&lan, Transport::Multicast);
    let host = lan.host("proxy101");
    let multicast = configuration_6(&lan, false, "transport = \"multicast\"");
    let output = doctor(host, &multicast);
    assert_found(&output, &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    let heard = format!("heard {} (proxy102): ", lan.host("proxy102").link_local());
    assert!(text.contains(&heard), "{text}");

    let stranger = lan.host("client");
    stranger.run(&[
        "ip",
        "address",
        "add",
        "fd00::105/64",
        "dev",
        "em1",
        "nodad",
    ]);
    let output = doctor(host, &multicast);
    assert_found(&output, &["several-owners"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let owners = "fd00::105 has 2 owners: 02:00:00:00:00:02, 02:00:00:00:00:05";
    assert!(text.contains(owners), "{text}");
    stranger.run(&["ip", "address", "del", "fd00::105/64", "dev", "em1"]);

    // What lets VRRP over IPv4 in does not let it in over IPv6.
    host.run(&[
        "nft",
        "table inet filter { chain input { type filter hook input priority 0; policy drop; \
         ip protocol 112 accept; meta l4proto { icmp, icmpv6 } accept; }; }",
    ]);
    let output = doctor(host, &multicast);
    assert_found(&output, &["swallowed"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("policy drop;"), "{text}");

    let other_family = multicast.replace(
        "[\"fe80::105/64\", \"fd00::105/64\"]",
        "[\"192.168.0.105/32\"]",
    );
    assert_found(&doctor(host, &other_family), &["family", "no-master"]);
}

#[test]
fn the_hop_limit_of_keepalived_is_named_with_what_helps() {
    let lan = Lan::new();
    let _keepalived = master_6(&lan, Transport::Unicast);
    let host = lan.host("proxy101");
    let output = doctor(host, &configuration_6(&lan, true, ""));
    assert_found(&output, &["ttl"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let remedy = "unicast_min_ttl = 64";
    assert!(text.contains("their hop limit is 64"), "{text}");
    assert!(text.contains(remedy), "{text}");
    assert_found(&doctor(host, &configuration_6(&lan, true, remedy)), &[]);
}

#[test]
fn a_signed_pair_of_both_families_has_nothing_wrong() {
    let lan = Lan::new();
    let six = configuration_6(
        &lan,
        false,
        "transport = \"multicast\"
priority = { proxy101 = 200, proxy102 = 199 }
auth = { hmac = { keys = { 1 = \"hex:b3a9f2c47e1d5860997d4c6a0f3e2b18d1c5a7e9f04b6382dd10ce57aa94b6f1\" } } }",
    );
    // Of both families by the same identifier, which means two virtual routers.
    let (_, six) = six
        .split_once("[virtual_routers.SIX]")
        .expect("it is there");
    let six = six.replace("vrid = 106", "vrid = 101");
    let configuration = |host: &Host| {
        let article = pair_configuration(host);
        format!("{article}\n[virtual_routers.SIX]{six}")
    };
    let hosts = ["proxy101", "proxy102"].map(|name| lan.host(name));
    let nodes = hosts.map(|host| {
        host.wait_for_link_local();
        Node::start(host, &configuration(host))
    });
    let wait_for = |node: &Node, state: &str| {
        node.wait_for_status(state, |status| {
            let routers = status["routers"].as_array();
            routers.is_some_and(|routers| {
                routers.len() == 2 && routers.iter().all(|router| router["state"] == state)
            })
        });
    };
    let [first, second] = &nodes;
    wait_for(first, "MASTER");
    wait_for(second, "BACKUP");
    for host in hosts {
        let output = doctor(host, &configuration(host));
        assert_found(&output, &[]);
        let text = String::from_utf8_lossy(&output.stdout);
        for source in [hosts[0].address(), &hosts[0].link_local()] {
            let heard = format!("heard {source} (proxy101): ");
            assert!(text.contains(&heard), "{text}");
        }
    }
    wait_for(first, "MASTER");
    let events = first.control(&["events"]);
    let events = String::from_utf8_lossy(&events.stdout);
    assert!(events.contains("MASTER"), "{events}");
    assert!(
        !events.contains("contested"),
        "a question claims nothing: {events}"
    );
}
