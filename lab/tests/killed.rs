//! Processes of the master die or freeze, one, some or all of them: the address is where it can be
//! served, and on one node.
//!
//! The bounds are wide enough for a loaded machine, and far from what the fault would show. The
//! figures themselves are printed by `make bench-ha`.

use std::time::Duration;

use lab::{Connections, Load, Moment, Pair, Signal, VIP, signal, wait_until};

const LONG: Duration = Duration::from_secs(40);

/// A peer's master-down time is 3 s and its skew of 0.215 s; the rest is for a loaded machine.
const PROTOCOL_TIME: Duration = Duration::from_millis(3_215 + 1_500);

/// For how long two nodes may own the address.
const OVERLAP_MAX: Duration = Duration::from_millis(100);

fn load(pair: &Pair, connections: Connections) -> Load {
    let load = Load::start(
        pair.lan.host("client"),
        &format!("{VIP}:80"),
        "/app/",
        100,
        connections,
    );
    wait_until("a second of answers", LONG, || {
        (load.answered() > 100).then_some(())
    });
    load
}

/// Goes on until `count` more requests are answered.
fn more(load: &Load, count: usize) {
    let goal = load.answered() + count;
    wait_until("more answers", LONG, || {
        (load.answered() > goal).then_some(())
    });
}

#[test]
fn a_killed_worker_costs_what_it_had_in_hand_and_is_replaced() {
    for connections in [Connections::New, Connections::Kept] {
        let pair = Pair::start();
        let load = load(&pair, connections);
        let victim = pair.first.pids_of("proxy")[0];
        let killed = Moment::now();
        signal(Signal::Kill, &[victim]);
        wait_until("a new worker", LONG, || {
            let workers = pair.first.pids_of("proxy");
            (workers.len() == 2 && !workers.contains(&victim)).then_some(())
        });
        pair.first.wait_for_service();
        more(&load, 100);
        let report = load.stop();
        // In hand is what began before the kill and had not ended; the signal itself takes a while.
        let signalled = killed + Duration::from_millis(100);
        for failure in report.failures() {
            assert!(
                failure.start <= signalled && failure.end >= killed,
                "killed at {killed}: {failure:?}"
            );
        }
        assert_eq!(pair.watch.owner(), Some("proxy101"));
        assert_eq!(
            pair.watch.arrivals("proxy101"),
            1,
            "the address did not move"
        );
    }
}

#[test]
fn with_all_workers_killed_at_once_the_address_stays_and_serves_again() {
    let pair = Pair::start();
    let load = load(&pair, Connections::New);
    let since = pair.first.since();
    let victims = pair.first.pids_of("proxy");
    assert_eq!(victims.len(), 2);
    let killed = Moment::now();
    signal(Signal::Kill, &victims);
    pair.first
        .wait_for_status("two restarted workers", |status| {
            let processes = status["processes"].as_array();
            let restarted = processes.into_iter().flatten().filter(|process| {
                process["role"] == "proxy"
                    && process["restarts"] == 1
                    && process["in_service"] == true
            });
            restarted.count() == 2
        });
    more(&load, 100);
    let now = Moment::now();
    let report = load.stop();
    let silence = report.longest_silence(killed, now);
    // A lost address would be silent for a second at least, until clients send their SYN again.
    assert!(silence < Duration::from_millis(900), "{silence:?}");
    assert_eq!(
        pair.watch.arrivals("proxy101"),
        1,
        "the address did not move"
    );
    assert_eq!(
        pair.watch.arrivals("proxy102"),
        0,
        "the address did not move"
    );
    assert_eq!(pair.first.since(), since, "no transition");
}

/// Does `harm` to the master; within its protocol time the peer owns the address, and never both.
fn the_peer_takes_over(harm: impl FnOnce(&Pair)) -> Pair {
    let pair = Pair::start();
    let done = Moment::now();
    harm(&pair);
    let taken = pair.watch.wait_for_owner("proxy102", LONG);
    assert!(taken.since(done) < PROTOCOL_TIME, "{:?}", taken.since(done));
    pair.watch.wait_for_loss("proxy101", LONG);
    let overlap = pair.watch.longest_overlap();
    assert!(overlap < OVERLAP_MAX, "both owned it for {overlap:?}");
    pair
}

fn client_is_answered(pair: &Pair) {
    let client = pair.lan.host("client");
    let url = format!("http://{VIP}/");
    wait_until("an answer of proxy102", LONG, || {
        client
            .inside(|| lab::succeeds(&["curl", "-sf", "-m", "2", &url]))
            .then_some(())
    });
    let page = client.run(&["curl", "-sf", "-m", "5", &url]);
    assert!(page.contains(" proxy102 INSTANCE "), "{page}");
}

#[test]
fn a_killed_supervisor_takes_the_address_off_in_good_order() {
    let mut pair = the_peer_takes_over(|pair| pair.first.signal(Signal::Kill));
    client_is_answered(&pair);
    pair.first.wait_for_end();
    wait_until("no process is left behind", LONG, || {
        pair.first.on_its_host().is_empty().then_some(())
    });
    pair.first.start_again();
    pair.wait_until_settled();
}

#[test]
fn a_killed_vrrp_actor_leaves_no_second_owner_and_comes_back() {
    let pair = the_peer_takes_over(|pair| signal(Signal::Kill, &pair.first.pids_of("vrrp")));
    pair.wait_until_settled();
    let overlap = pair.watch.longest_overlap();
    assert!(overlap < OVERLAP_MAX, "both owned it for {overlap:?}");
}

#[test]
fn a_killed_supervisor_and_vrrp_actor_leave_no_second_owner() {
    let mut pair = the_peer_takes_over(|pair| {
        let mut victims = pair.first.pids_of("vrrp");
        victims.push(pair.first.supervisor());
        signal(Signal::Kill, &victims);
    });
    client_is_answered(&pair);
    pair.first.wait_for_end();
    pair.first.start_again();
    pair.wait_until_settled();
}

#[test]
fn everything_killed_leaves_no_second_owner() {
    let mut pair = the_peer_takes_over(|pair| signal(Signal::Kill, &pair.first.all_pids()));
    client_is_answered(&pair);
    pair.first.wait_for_end();
    pair.first.start_again();
    pair.wait_until_settled();
}

#[test]
fn everything_frozen_leaves_no_second_owner_and_thaws_as_one() {
    let pair = the_peer_takes_over(|pair| signal(Signal::Stop, &pair.first.all_pids()));
    client_is_answered(&pair);
    let thawed = Moment::now();
    signal(Signal::Cont, &pair.first.all_pids());
    pair.watch.wait_for_owner("proxy101", LONG);
    pair.wait_until_settled();
    let overlap = pair.watch.longest_overlap();
    assert!(overlap < OVERLAP_MAX, "both owned it for {overlap:?}");
    let absence = pair.watch.longest_absence(thawed);
    assert!(
        absence < Duration::from_secs(2),
        "nobody owned it for {absence:?}"
    );
}

#[test]
fn frozen_workers_are_noticed_and_replaced_or_the_address_moves() {
    let pair = Pair::start();
    let load = load(&pair, Connections::New);
    let victims = pair.first.pids_of("proxy");
    assert_eq!(victims.len(), 2);
    let frozen = Moment::now();
    signal(Signal::Stop, &victims);
    wait_until("frozen workers are gone", LONG, || {
        let workers = pair.first.pids_of("proxy");
        victims
            .iter()
            .all(|victim| !workers.contains(victim))
            .then_some(())
    });
    let noticed = Moment::now();
    more(&load, 100);
    let report = load.stop();
    let again = report.first_answer_after(frozen + Duration::from_millis(100));
    let again = again.expect("it serves again");
    // The heartbeat's limit is 0.5 s; keepalived with a check of the process never notices.
    assert!(
        noticed.since(frozen) < Duration::from_secs(3),
        "{:?}",
        noticed.since(frozen)
    );
    assert!(
        again.since(frozen) < Duration::from_secs(4),
        "{:?}",
        again.since(frozen)
    );
    pair.first.wait_for_service();
}
