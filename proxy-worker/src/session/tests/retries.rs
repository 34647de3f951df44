//! When a request is sent again, and when it must not be.

use std::time::Duration;

use ipc::proxy::{ProxySnapshot, RetryOn};
use ipc::status::UpstreamTraffic;

use super::lab::{Lab, RESET, Script, Then, run, snapshot, two_servers};

const GET: &str = "GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
const PUT: &str = "PUT /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
const CHUNKED: &str = "PUT /app/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
    4\r\nbody\r\n0\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno";
const EARLY: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

fn replies(list: &[(&'static str, Then)]) -> Script {
    Script::Replies(list.to_vec())
}

/// Two servers, and every reason to try again.
fn eager() -> ProxySnapshot {
    let mut snapshot = two_servers();
    snapshot.upstreams[0].retry_on = RetryOn {
        connect: true,
        stale: true,
        timeout: true,
        bad_gateway: true,
        unavailable: true,
        gateway_timeout: true,
    };
    snapshot
}

fn counts(lab: &Lab) -> UpstreamTraffic {
    lab.worker.counters.traffic().upstreams
}

/// A request that may be repeated is sent again whole, its body too; one that may not is not.
#[tokio::test(start_paused = true)]
async fn kept_connection_that_dies_costs_no_idempotent_request() {
    let cases = [
        (GET, true, ""),
        (PUT, true, "\r\n\r\nbody"),
        (CHUNKED, true, "\r\n\r\n4\r\nbody\r\n0\r\n\r\n"),
        (POST, false, ""),
    ];
    for (request, repeated, body) in cases {
        run(async {
            let lab = Lab::new([
                replies(&[(OK, Then::Stay), ("", Then::Close)]),
                replies(&[(OK, Then::Stay)]),
            ]);
            let mut client = lab.connect();
            client.send(GET).await;
            assert_eq!(client.hear().await, OK);
            client.send(request).await;
            let answer = client.hear().await;
            assert_eq!(answer == OK, repeated, "{request:?}: {answer}");
            assert_eq!(answer.starts_with("HTTP/1.1 502 "), !repeated, "{answer}");
            assert_eq!(lab.dials(), if repeated { 2 } else { 1 });
            if repeated {
                let again = &lab.received()[1];
                assert!(again.ends_with(body), "{again:?}");
            }
            let counted = UpstreamTraffic {
                reused: 1,
                stale: 1,
                retries_stale: u64::from(repeated),
                ..UpstreamTraffic::default()
            };
            assert_eq!(counts(&lab), counted);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn body_too_large_to_be_kept_is_not_sent_again() {
    for (length, dials) in [(60_000, 2), (70_000, 1)] {
        run(async {
            let lab = Lab::with([Script::After(length, ("", Then::Close))], &eager());
            let head = format!("PUT /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
            let mut client = lab.connect();
            client.send(&(head + &"x".repeat(length))).await;
            client.hear().await;
            assert_eq!(lab.dials(), dials, "{length}");
        })
        .await;
    }
}

/// Of whoever answers badly another is asked, where that is wanted and does no harm.
#[tokio::test(start_paused = true)]
async fn answers_that_are_no_use_are_replaced_where_that_is_harmless() {
    let hangs = replies(&[("", Then::Hang)]);
    let cases: [(Script, &str, &str); 9] = [
        (replies(&[(BUSY, Then::Stay)]), GET, "200"),
        (replies(&[(BUSY, Then::Stay)]), PUT, "200"),
        (replies(&[(BUSY, Then::Stay)]), POST, "503 Busy"),
        (replies(&[("", Then::Close)]), GET, "200"),
        (replies(&[("", Then::Close)]), POST, "502"),
        (replies(&[("nonsense\r\n\r\n", Then::Close)]), GET, "200"),
        (
            replies(&[("HTTP/1.1 200 OK\r\nX", Then::Close)]),
            GET,
            "200",
        ),
        (hangs.clone(), GET, "200"),
        (hangs, POST, "504"),
    ];
    for (script, request, status) in cases {
        run(async {
            let lab = Lab::with([script.clone(), replies(&[(OK, Then::Stay)])], &eager());
            let mut client = lab.connect();
            client.send(request).await;
            let answer = client.hear_for(Duration::from_secs(62)).await;
            let start = format!("HTTP/1.1 {status}");
            assert!(
                answer.starts_with(&start),
                "{script:?} {request:?}: {answer}"
            );
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
            assert_eq!(
                lab.dials(),
                if status == "200" { 2 } else { 1 },
                "{script:?}"
            );
        })
        .await;
    }
}

/// Also a new connection may end before its time: a listener that closes resets those in its queue.
#[tokio::test(start_paused = true)]
async fn connection_that_ends_without_a_word_sends_harmless_requests_elsewhere() {
    for (request, status, dials) in [(GET, "200", 2), (PUT, "200", 2), (POST, "502", 1)] {
        run(async {
            let lost = replies(&[("", Then::Close)]);
            let lab = Lab::with([lost, replies(&[(OK, Then::Stay)])], &two_servers());
            let answer = lab.ask(request).await;
            let start = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(&start), "{request:?}: {answer}");
            assert_eq!(lab.dials(), dials, "{request:?}");
        })
        .await;
    }
}

/// Without being asked for, a status is the server's business.
#[tokio::test(start_paused = true)]
async fn status_is_passed_on_by_default_and_when_there_is_nobody_else() {
    let mut alone = eager();
    alone.upstreams[0].servers.truncate(1);
    for snapshot in [two_servers(), alone] {
        run(async {
            let lab = Lab::with([replies(&[(BUSY, Then::Stay)])], &snapshot);
            assert!(lab.ask(GET).await.starts_with("HTTP/1.1 503 Busy"));
            assert_eq!(lab.dials(), 1);
        })
        .await;
    }
}

/// An interim response is something of a response: a client that has seen one gets no second story.
#[tokio::test(start_paused = true)]
async fn nothing_is_sent_again_after_an_interim_response() {
    let old = "GET /app/ HTTP/1.0\r\nHost: a\r\n\r\n";
    let early_busy: &str = Box::leak(format!("{EARLY}{BUSY}").into_boxed_str());
    let cases = [
        (GET, EARLY, "HTTP/1.1 502 ", 1),
        (GET, early_busy, "HTTP/1.1 503 Busy", 1),
        // HTTP/1.0 was told nothing.
        (old, early_busy, "HTTP/1.1 200 OK", 2),
        (old, EARLY, "HTTP/1.1 200 OK", 2),
    ];
    for (request, reply, end, dials) in cases {
        run(async {
            let lab = Lab::with(
                [
                    replies(&[(reply, Then::Close)]),
                    replies(&[(OK, Then::Stay)]),
                ],
                &eager(),
            );
            let answer = lab.ask(request).await;
            let of_http11 = request == GET;
            assert_eq!(answer.starts_with("HTTP/1.1 103"), of_http11, "{answer}");
            assert!(answer.contains(end), "{reply:?}: {answer}");
            assert_eq!(lab.dials(), dials, "{reply:?}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_servers_are_asked_than_there_are_tries() {
    run(async {
        let mut snapshot = eager();
        snapshot.upstreams[0].tries = 3;
        let busy = replies(&[(BUSY, Then::Stay)]);
        let lab = Lab::with(
            [busy.clone(), busy, replies(&[(OK, Then::Stay)])],
            &snapshot,
        );
        // There are only two: the second one's answer is the last.
        let answer = lab.ask(GET).await;
        assert!(answer.starts_with("HTTP/1.1 503 Busy"), "{answer}");
        assert_eq!(lab.dials(), 2);
    })
    .await;
}

/// Sixty requests at once, the first connections for which all end in `trouble`: answers how many
/// retries the budget did not allow.
async fn refused_in_a_crowd(trouble: &'static str, then: Then) -> u64 {
    let mut snapshot = eager();
    for server in &mut snapshot.upstreams[0].servers {
        server.max_fails = 0;
    }
    let lab = Lab::with(vec![replies(&[(trouble, then)]); 60], &snapshot);
    let mut clients = Vec::new();
    for _ in 0..60 {
        let mut client = lab.connect();
        client.send(GET).await;
        clients.push(client);
    }
    for client in &mut clients {
        client.hear_for(Duration::from_secs(62)).await;
    }
    counts(&lab).retries_refused
}

/// A group in trouble is not given more to do than it had: of many requests that fail at once, few
/// are sent again. What was not even read is no work done, and may all go elsewhere: a server that
/// is restarted costs nothing.
#[tokio::test(start_paused = true)]
async fn retries_are_within_their_budget() {
    let cases = [
        ("", Then::Hang, 48..=48),
        // One after another: each that is over makes room.
        ("", Then::Close, 24..=48),
        (RESET, Then::Close, 0..=0),
    ];
    for (trouble, then, expected) in cases {
        run(async {
            let refused = refused_in_a_crowd(trouble, then).await;
            assert!(expected.contains(&refused), "{trouble} {then:?}: {refused}");
        })
        .await;
    }
}

/// A response that is cut short counts as a failure of its server, as one that never came.
#[tokio::test(start_paused = true)]
async fn server_that_cuts_its_answers_is_left_out() {
    run(async {
        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi";
        let lab = Lab::with([replies(&[(cut, Then::Close)])], &two_servers());
        for _ in 0..5 {
            lab.ask(GET).await;
        }
        let dialled = lab.back_ends.dialled.borrow();
        let first = dialled.iter().filter(|&&server| server == dialled[0]);
        assert_eq!(first.count(), 1);
    })
    .await;
}

/// What a server says about how long it waits is believed, with a margin.
#[tokio::test(start_paused = true)]
async fn connection_is_given_up_before_the_server_does() {
    let kept = "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=9\r\nContent-Length: 2\r\n\r\nhi";
    let never = "HTTP/1.1 200 OK\r\nkeep-alive: Timeout=0\r\nContent-Length: 2\r\n\r\nhi";
    let cases = [
        (kept, 3_500, 1),
        (kept, 4_700, 2),
        (never, 10, 2),
        (OK, 49_000, 1),
    ];
    for (reply, pause, dials) in cases {
        run(async {
            let lab = Lab::new([replies(&[(reply, Then::Stay); 2])]);
            let mut client = lab.connect();
            client.send(GET).await;
            assert_eq!(client.hear_for(Duration::from_millis(1)).await, OK);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            client.send(GET).await;
            client.hear().await;
            assert_eq!(lab.dials(), dials, "{reply:?} {pause}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn connection_serves_as_many_requests_as_it_may() {
    run(async {
        let mut snapshot = snapshot();
        snapshot.upstreams[0].requests_max = 2;
        let lab = Lab::with(Vec::new(), &snapshot);
        let mut client = lab.connect();
        for _ in 0..5 {
            client.send(GET).await;
            client.hear().await;
        }
        assert_eq!(lab.dials(), 3);
        assert_eq!(counts(&lab).reused, 2);
    })
    .await;
}
