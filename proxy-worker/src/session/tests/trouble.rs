//! Servers that refuse, hang, lie, or go away.

use std::time::Duration;

use super::lab::{Lab, Script, Then, UNSENDABLE, run, two_servers};
use crate::pages;

const GET: &str = "GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn replies(list: &[(&'static str, Then)]) -> Script {
    Script::Replies(list.to_vec())
}

#[tokio::test(start_paused = true)]
async fn server_that_cannot_be_reached_is_replaced_by_another() {
    for trouble in [Script::Refuse, Script::Ignore] {
        for request in [GET, POST] {
            run(async {
                let lab = Lab::with(
                    [trouble.clone(), replies(&[(OK, Then::Stay)])],
                    &two_servers(),
                );
                let mut client = lab.connect();
                client.send(request).await;
                assert_eq!(client.hear_for(Duration::from_secs(4)).await, OK);
                let dialled = lab.back_ends.dialled.borrow();
                assert_eq!(dialled.len(), 2);
                assert_ne!(dialled[0], dialled[1]);
                assert_eq!(lab.received()[1].ends_with("body"), request == POST);
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_server_that_can_be_reached_is_502_or_504() {
    let cases = [
        ([Script::Refuse, Script::Refuse], "502 Bad Gateway"),
        ([Script::Ignore, Script::Ignore], "504 Gateway Timeout"),
    ];
    for (scripts, status) in cases {
        run(async {
            let lab = Lab::with(scripts, &two_servers());
            let mut client = lab.connect();
            client.send(GET).await;
            let answer = client.hear_for(Duration::from_secs(7)).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
            assert!(
                !answer.contains("close"),
                "the client may ask again: {answer}"
            );
            assert_eq!(lab.dials(), 2);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn group_without_a_server_that_is_up_is_503() {
    run(async {
        let lab = Lab::with(Vec::new(), &two_servers());
        let mut status = pages::tests::status();
        let down = status.servers.remove(0);
        for address in ["10.0.0.1:80", "10.0.0.2:80"] {
            let address = address.parse().unwrap();
            status.servers.push(ipc::status::ServerStatus {
                address,
                ..down.clone()
            });
        }
        lab.worker.handle_status(status);
        let answer = lab.ask(GET).await;
        assert!(
            answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
            "{answer}"
        );
        assert_eq!(lab.dials(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn server_that_failed_is_left_out_for_a_while() {
    run(async {
        let lab = Lab::with([Script::Refuse], &two_servers());
        for _ in 0..5 {
            lab.ask(GET).await;
        }
        let dialled = lab.back_ends.dialled.borrow();
        assert_eq!(
            dialled
                .iter()
                .filter(|&&server| server == dialled[0])
                .count(),
            1
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn shortage_of_our_own_is_503_and_no_fault_of_the_server() {
    run(async {
        let lab = Lab::with([Script::Shortage, Script::Shortage], &two_servers());
        for _ in 0..2 {
            let answer = lab.ask(GET).await;
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        }
        let dialled = lab.back_ends.dialled.borrow().clone();
        assert_ne!(dialled[0], dialled[1], "a server was left out");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn server_that_does_not_answer_is_504() {
    run(async {
        let lab = Lab::new([replies(&[("", Then::Hang)])]);
        let mut client = lab.connect();
        client.send(GET).await;
        assert_eq!(client.hear_for(Duration::from_secs(59)).await, "");
        let answer = client.hear_for(Duration::from_secs(2)).await;
        assert!(
            answer.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"),
            "{answer}"
        );
    })
    .await;
}

/// Rules 4, 10, 12, 14 and 25, as they are for servers.
#[tokio::test(start_paused = true)]
async fn bad_answers_are_502() {
    for reply in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\n",
        "",
    ] {
        run(async {
            let lab = Lab::new([replies(&[(reply, Then::Close)])]);
            let answer = lab.ask(GET).await;
            assert!(
                answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"),
                "{reply:?}: {answer}"
            );
            assert_eq!(lab.dials(), 1, "{reply:?}");
        })
        .await;
    }
}

/// Rule 17.
#[tokio::test(start_paused = true)]
async fn response_cut_short_is_never_a_clean_end() {
    let cases = [
        (
            GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
            "\r\n\r\nhi[closed]",
        ),
        (
            GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
            "2\r\nhi\r\n[closed]",
        ),
        // Where the end of the connection would be the end of the response, it is a reset.
        (
            "GET /app/ HTTP/1.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
            "\r\n\r\nhi[reset][closed]",
        ),
    ];
    for (request, reply, end) in cases {
        run(async {
            let lab = Lab::new([replies(&[(reply, Then::Close)])]);
            let answer = lab.ask(request).await;
            assert!(answer.ends_with(end), "{reply:?}: {answer:?}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer:?}");
        })
        .await;
    }
}

/// Rule 17.
#[tokio::test(start_paused = true)]
async fn more_than_was_announced_is_cut_off_and_the_connection_not_used_again() {
    run(async {
        let lab = Lab::new([replies(&[(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 Forged\r\n",
            Then::Stay,
        )])]);
        let mut client = lab.connect();
        client.send(GET).await;
        assert_eq!(client.hear().await, OK);
        client.send(GET).await;
        assert!(client.hear().await.ends_with("\r\n\r\n."));
        assert_eq!(lab.dials(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn idle_connection_that_the_server_closed_is_not_used() {
    for request in [GET, POST] {
        run(async {
            let lab = Lab::new([replies(&[(OK, Then::Close)]), replies(&[(OK, Then::Stay)])]);
            let mut client = lab.connect();
            client.send(GET).await;
            assert_eq!(client.hear().await, OK);
            client.send(request).await;
            assert_eq!(client.hear().await, OK);
            assert_eq!(lab.dials(), 2);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn reused_connection_that_dies_under_a_request_is_replaced_when_that_is_harmless() {
    let cases = [(GET, 2, "200 OK"), (POST, 1, "502 Bad Gateway")];
    for (request, dials, status) in cases {
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
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
            assert_eq!(lab.dials(), dials, "{request:?}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn request_is_repeated_once_and_no_more() {
    run(async {
        let lab = Lab::new([
            replies(&[(OK, Then::Stay), ("", Then::Close)]),
            replies(&[("", Then::Close)]),
        ]);
        let mut client = lab.connect();
        client.send(GET).await;
        assert_eq!(client.hear().await, OK);
        client.send(GET).await;
        assert!(client.hear().await.starts_with("HTTP/1.1 502"));
        assert_eq!(lab.dials(), 2);
    })
    .await;
}

/// Rule 18.
#[tokio::test(start_paused = true)]
async fn answer_before_the_body_is_passed_on_and_ends_the_connection() {
    run(async {
        let lab = Lab::new([replies(&[(
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
            Then::Close,
        )])]);
        let answer = lab
            .ask("POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\nbody")
            .await;
        assert_eq!(
            answer,
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno[closed]"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn client_that_leaves_while_the_server_thinks_is_seen_at_once() {
    let begun = "HTTP/1.1 200 OK\r\n\r\nfirst event";
    let cases = [
        ("connecting", Script::Ignore),
        ("silent", replies(&[("", Then::Stay)])),
        ("between events", replies(&[(begun, Then::Stay)])),
    ];
    for (name, script) in cases {
        run(async {
            let lab = Lab::new([script]);
            let mut client = lab.connect();
            // A pipelined request is no sign of life.
            client.send(&GET.repeat(2)).await;
            client.hear().await;
            assert_eq!(lab.worker.open(), 1, "{name}");
            drop(client);
            let instant = Duration::from_millis(1);
            tokio::time::sleep(instant).await;
            assert_eq!(lab.worker.open(), 0, "{name}");
            assert_eq!(lab.back_ends.open.get(), 0, "{name}");
            let traffic = lab.worker.counters.traffic();
            assert_eq!((traffic.active, traffic.writing), (0, 0), "{name}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn client_that_leaves_in_its_body_costs_the_server_connection_only() {
    run(async {
        let lab = Lab::new([Script::After(1000, (OK, Then::Stay))]);
        let mut client = lab.connect();
        client
            .send("POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\nbody")
            .await;
        client.hear().await;
        drop(client);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(lab.worker.open(), 0);
        assert_eq!(lab.dials(), 1);
    })
    .await;
}

/// What we could not say is our own error, and no server is left out for it.
#[tokio::test(start_paused = true)]
async fn request_that_cannot_be_sent_is_nobody_elses_fault() {
    run(async {
        let lab = Lab::with([Script::Speak(UNSENDABLE)], &two_servers());
        let mut client = lab.connect();
        client.send(GET).await;
        let answer = client.hear().await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        for _ in 0..2 {
            lab.ask(GET).await;
        }
        let dialled = lab.back_ends.dialled.borrow();
        assert!(dialled[1..].contains(&dialled[0]), "{dialled:?}");
    })
    .await;
}
