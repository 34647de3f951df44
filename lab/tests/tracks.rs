//! What moves an address beside the protocol: a proxy that answers no requests though its processes
//! are alive, and the number in a file.

use std::fs;
use std::time::Duration;

use lab::{Host, Lan, Node, Pair, pair_configuration, run, wait_until};

const LONG: Duration = Duration::from_secs(60);

/// Every request that a node makes to itself is lost, and nobody else's.
fn silence(host: &Host, silent: bool) {
    let rules = if silent {
        "add table ip silence\n\
         add chain ip silence in { type filter hook input priority 0; policy accept; }\n\
         add rule ip silence in iif lo tcp dport 80 drop"
    } else {
        "delete table ip silence"
    };
    run(&["ip", "netns", "exec", host.namespace(), "nft", rules]);
}

#[test]
fn a_proxy_that_answers_no_requests_gives_the_address_away_until_it_does() {
    let pair = Pair::start();
    let (first, workers) = (pair.lan.host("proxy101"), pair.first.pids_of("proxy"));
    assert!(!workers.is_empty());
    silence(first, true);
    pair.watch.wait_for_owner("proxy102", LONG);
    pair.first
        .wait_for_status("a proxy that does not serve", |status| {
            status["proxy_well"] == false
        });
    silence(first, false);
    // The virtual address cannot be asked while it is elsewhere: it is forgiven after a while.
    pair.watch.wait_for_owner("proxy101", LONG);
    let status = pair
        .first
        .wait_for_status("a proxy that serves", |status| status["proxy_well"] == true);
    assert_eq!(status["routers"][0]["state"], "MASTER");
    assert_eq!(pair.first.pids_of("proxy"), workers, "nobody was replaced");
}

#[test]
fn the_number_in_a_file_is_added_and_is_a_fault_when_it_is_low() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let path = host.files().join("maintenance");
    let configuration = pair_configuration(host).replace(
        "[virtual_routers.YN_API_GATEWAY]\n",
        "[virtual_routers.YN_API_GATEWAY]\ntrack_files = [\"maintenance\"]\n",
    ) + &format!(
        "\n[files.maintenance]\npath = \"{}\"\ninterval = \"50ms\"\nabsent = 0\n",
        path.display()
    );
    let node = Node::start(host, &configuration);
    node.wait_for_service();
    node.wait_for_state("MASTER");
    let status = node.status().expect("the node answers");
    let base = status["routers"][0]["priority"].as_u64().expect("a number");

    fs::write(&path, "-50 while the disk is replaced\n").expect("a file");
    node.wait_for_status("a lower priority", |status| {
        status["routers"][0]["priority"] == base - 50
    });
    fs::write(&path, "-254\n").expect("a file");
    node.wait_for_state("FAULT");
    fs::remove_file(&path).expect("a file");
    node.wait_for_state("MASTER");
    wait_until("the old priority", LONG, || {
        let status = node.status()?;
        (status["routers"][0]["priority"] == base).then_some(())
    });
}
