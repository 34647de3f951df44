//! What an operator does to a running pair under load: reload, stop, reopen logs.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use lab::{
    Capture, Connections, Lan, Load, Moment, Node, Pair, Signal, VIP, pair_configuration,
    wait_until,
};

const LONG: Duration = Duration::from_secs(40);

/// The new owner says so and adds the address, the old one hears it and takes its own off, both at
/// the same time, and two watchers may write it down in either order. An address that is taken off
/// before the peer has been asked is away for the peer's skew time, 215 ms.
const ABSENCE_MAX: Duration = Duration::from_millis(100);

fn load(pair: &Pair, rate: u32, connections: Connections) -> Load {
    let load = Load::start(
        pair.lan.host("client"),
        &format!("{VIP}:80"),
        "/app/",
        rate,
        connections,
    );
    wait_until("a second of answers", LONG, || {
        (load.answered() > rate as usize).then_some(())
    });
    load
}

/// A route more than the article has.
fn with_another_route(pair: &Pair) -> String {
    let old = pair_configuration(pair.first.host());
    format!("{old}\n[[routes]]\nlistener = \"public\"\npath = \"/more/\"\nupstream = \"app\"\n")
}

#[test]
fn hup_under_load_changes_routes_and_nothing_else() {
    let pair = Pair::start();
    let capture = Capture::start(&pair.lan);
    let loads = [Connections::New, Connections::Kept].map(|kind| load(&pair, 100, kind));
    let since = pair.first.since();
    let workers = pair.first.children();
    let begun = Moment::now();

    let client = pair.lan.host("client");
    let url = format!("http://{VIP}/more/");
    pair.first.write_configuration(&with_another_route(&pair));
    pair.first.signal(Signal::Hup);
    wait_until("the new route", LONG, || {
        let answer = client.run(&["curl", "-sS", "-m", "5", &url]);
        answer.ends_with("/more/\n").then_some(())
    });
    // One worker may have it a little before all have: until then another reload is refused.
    wait_until("the end of the reload", LONG, || {
        pair.first.log().contains("reloaded: ").then_some(())
    });
    // And back again, several times.
    let old = pair_configuration(pair.first.host());
    for round in 0..6 {
        let configuration = if round % 2 == 0 {
            old.clone()
        } else {
            with_another_route(&pair)
        };
        pair.first.write_configuration(&configuration);
        let answer = pair.first.control(&["reload"]);
        assert!(answer.status.success(), "{answer:?}");
    }
    // Adverts after the last of them, too.
    wait_until("three adverts more", LONG, || {
        let adverts = capture.adverts();
        let last = adverts.last()?.at;
        (last.since(begun) > Duration::from_secs(5)).then_some(())
    });

    for load in loads {
        let report = load.stop();
        let failures = report.failures();
        assert!(
            failures.is_empty(),
            "{} failed: {:?}",
            failures.len(),
            failures.first()
        );
    }
    assert_eq!(pair.first.since(), since, "no transition");
    assert_eq!(pair.first.children(), workers, "no process was restarted");
    assert_eq!(
        pair.watch.arrivals("proxy101"),
        1,
        "the address did not move"
    );
    let recording = capture.stop();
    let pause = recording.longest_pause("192.168.0.101", begun, Moment::now());
    assert!(
        pause < Duration::from_millis(1_500),
        "no advert for {pause:?}"
    );
    assert_eq!(recording.faults(), [""; 0]);
}

#[test]
fn term_under_load_hands_over_before_it_stops() {
    let mut pair = Pair::start();
    let load = load(&pair, 500, Connections::New);
    let asked = Moment::now();
    pair.first.signal(Signal::Term);
    let taken = pair.watch.wait_for_owner("proxy102", LONG);
    // Its skew time is 0.215 s; without priority 0 it would be 3.2 s.
    assert!(
        taken.since(asked) < Duration::from_secs(2),
        "{:?}",
        taken.since(asked)
    );
    assert!(pair.first.wait_for_end().success());
    let goal = load.answered() + 500;
    wait_until("answers of proxy102", LONG, || {
        (load.answered() > goal).then_some(())
    });
    let report = load.stop();
    let failures = report.failures_in_worst_second();
    assert!(
        failures <= 2,
        "{failures} failed: {:?}",
        report.failures().first()
    );
    // Make before break; the other order leaves nobody for a skew time.
    let absence = pair.watch.longest_absence(asked);
    assert!(absence < ABSENCE_MAX, "nobody owned it for {absence:?}");

    pair.first.start_again();
    pair.wait_until_settled();
}

#[test]
fn term_under_load_ends_kept_connections_without_a_failure() {
    let mut pair = Pair::start();
    let load = load(&pair, 200, Connections::Kept);
    pair.first.signal(Signal::Term);
    assert!(pair.first.wait_for_end().success());
    let goal = load.answered() + 200;
    wait_until("answers of proxy102", LONG, || {
        (load.answered() > goal).then_some(())
    });
    let report = load.stop();
    let failures = report.failures_in_worst_second();
    assert!(
        failures <= 2,
        "{failures} failed: {:?}",
        report.failures().first()
    );
}

#[test]
fn int_hands_over_too() {
    let mut pair = Pair::start();
    let asked = Moment::now();
    pair.first.signal(Signal::Int);
    let taken = pair.watch.wait_for_owner("proxy102", LONG);
    assert!(
        taken.since(asked) < Duration::from_secs(2),
        "{:?}",
        taken.since(asked)
    );
    assert!(pair.first.wait_for_end().success());
    pair.watch.wait_for_loss("proxy101", LONG);
    let absence = pair.watch.longest_absence(asked);
    assert!(absence < ABSENCE_MAX, "nobody owned it for {absence:?}");
}

/// The node asks itself whether it serves; that it does not while it waits for its last clients is
/// no news. An idle client of HTTP/2 has 5 s to notice.
#[test]
fn a_stop_that_waits_for_a_client_is_no_failure_of_the_proxy() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let configuration =
        pair_configuration(host).replace("[listeners.public]", "[listeners.public]\nhttp2 = true");
    let mut node = Node::start(host, &configuration);
    node.wait_for_service();
    let mut client = host.connect(80);
    let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    client.write_all(hello).expect("it is open");
    let mut heard = [0];
    client
        .read_exact(&mut heard)
        .expect("the server's settings");
    node.signal(Signal::Term);
    assert!(node.wait_for_end().success());
    client.read_to_end(&mut Vec::new()).expect("a clean end");
    let log = node.log();
    assert!(!log.contains("does not answer"), "{log}");
}

#[test]
fn commands_say_what_they_find_by_their_exit_status() {
    let mut pair = Pair::start();
    let code = |arguments: &[&str]| pair.first.control(arguments).status.code();
    assert_eq!(code(&["status"]), Some(0));
    assert_eq!(code(&["status", "--json"]), Some(0));
    assert_eq!(code(&["reload"]), Some(0));
    assert_eq!(code(&["status", "--nonsense"]), Some(2));
    assert_eq!(code(&["nonsense"]), Some(2));
    assert_eq!(pair.first.check().status.code(), Some(0));
    assert_eq!(code(&["stop"]), Some(0));
    assert!(pair.first.wait_for_end().success());
    for command in ["status", "reload", "stop"] {
        let answer = pair.first.control(&[command]);
        assert_eq!(answer.status.code(), Some(3), "{command}");
        assert!(!answer.stderr.is_empty(), "{command} says why");
    }
}
