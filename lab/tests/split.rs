//! The network between the two nodes breaks while clients still see both, or a cable is pulled: what
//! VRRP alone cannot prevent must at least end at once when it is over.

use std::time::Duration;

use lab::{Pair, VIP, wait_until};

const LONG: Duration = Duration::from_secs(40);

/// Waits until the client's requests to the address reach `node`, and its neighbour table says so.
fn wait_until_client_reaches(pair: &Pair, node: &str, hardware: &str, within: Duration) {
    let client = pair.lan.host("client");
    let url = format!("http://{VIP}/");
    wait_until(&format!("the client reaches {node}"), within, || {
        let shown = client.inside(|| lab::answer(&["curl", "-s", "-m", "1", &url]));
        let neighbours = client.run(&["ip", "neighbour", "show", "to", VIP]);
        (shown.contains(&format!(" {node} INSTANCE ")) && neighbours.contains(hardware))
            .then_some(())
    });
}

#[test]
fn a_split_has_one_owner_again_when_it_heals_and_clients_reach_it() {
    let pair = Pair::start();
    pair.lan.part("proxy101", "proxy102");
    // Each believes the other dead: that is VRRP. The client heard the newcomer last.
    pair.watch.wait_for_owner("proxy102", LONG);
    pair.second.wait_for_state("MASTER");
    wait_until_client_reaches(&pair, "proxy102", "02:00:00:00:00:02", LONG);
    pair.lan.heal();
    pair.watch.wait_for_loss("proxy102", LONG);
    pair.first.wait_for_state("MASTER");
    pair.second.wait_for_state("BACKUP");
    assert_eq!(
        pair.watch.arrivals("proxy101"),
        1,
        "the better one never let go"
    );
    // A client with a stale neighbour would need tens of seconds to try another.
    wait_until_client_reaches(
        &pair,
        "proxy101",
        "02:00:00:00:00:01",
        Duration::from_secs(8),
    );
}

#[test]
fn a_pulled_cable_moves_the_address_and_it_comes_back() {
    let pair = Pair::start();
    pair.lan.unplug("proxy101");
    pair.watch.wait_for_owner("proxy102", LONG);
    pair.watch.wait_for_loss("proxy101", LONG);
    pair.first.wait_for_state("FAULT");
    wait_until_client_reaches(&pair, "proxy102", "02:00:00:00:00:02", LONG);
    assert!(pair.watch.longest_overlap() < Duration::from_millis(100));
    pair.lan.plug("proxy101");
    pair.watch.wait_for_owner("proxy101", LONG);
    pair.watch.wait_for_loss("proxy102", LONG);
    wait_until_client_reaches(
        &pair,
        "proxy101",
        "02:00:00:00:00:01",
        Duration::from_secs(8),
    );
    pair.second.wait_for_state("BACKUP");
}
