//! Requests and responses that go through as they should.

use std::time::Duration;

use super::lab::{Lab, Script, Then, run, snapshot};
use tokio::io::AsyncWriteExt as _;

const GET: &str = "GET /app/x HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn replies(replies: &[(&'static str, Then)]) -> Vec<Script> {
    vec![Script::Replies(replies.to_vec())]
}

#[tokio::test(start_paused = true)]
async fn connections_stay_open_on_both_sides() {
    run(async {
        let lab = Lab::new(replies(&[(OK, Then::Stay), (OK, Then::Stay)]));
        let mut client = lab.connect();
        for _ in 0..2 {
            client.send(GET).await;
            assert_eq!(client.hear().await, OK);
        }
        assert_eq!(lab.dials(), 1);
        let requests = &lab.received()[0];
        assert_eq!(
            requests
                .matches("GET /app/x HTTP/1.1\r\nHost: a\r\n")
                .count(),
            2
        );
        assert_eq!(
            requests.matches("X-Forwarded-For: 192.0.2.7\r\n").count(),
            2
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn connection_to_a_server_that_is_idle_for_too_long_is_closed() {
    run(async {
        let lab = Lab::new(Vec::new());
        let mut client = lab.connect();
        for (idle, dials) in [(0, 1), (49, 1), (52, 2)] {
            tokio::time::sleep(Duration::from_secs(idle)).await;
            client.send(GET).await;
            assert!(client.hear().await.ends_with("\r\n\r\n."));
            assert_eq!(lab.dials(), dials, "after {idle} seconds");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn responses_are_passed_on_with_the_right_framing() {
    let cases: [(&str, &'static str, &str); 9] = [
        (
            GET,
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
        (
            GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        ),
        (
            "GET /app/ HTTP/1.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi[closed]",
        ),
        (
            "GET /app/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            OK,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi",
        ),
        (
            "HEAD /app/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        ),
        (
            GET,
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
        ),
        (
            "GET /app/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            OK,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi[closed]",
        ),
        (
            GET,
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            "GET /app/ HTTP/1.0\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n[closed]",
        ),
    ];
    for (request, reply, answer) in cases {
        let lab = async { Lab::new(replies(&[(reply, Then::Stay)])).ask(request).await };
        assert_eq!(run(lab).await, answer, "{request:?} {reply:?}");
    }
}

/// Rules 13 and 20.
#[tokio::test(start_paused = true)]
async fn response_that_ends_with_the_connection_ends_the_clients_too() {
    run(async {
        let lab = Lab::new(replies(&[("HTTP/1.1 200 OK\r\n\r\nhi", Then::Close)]));
        let answer = lab.ask(GET).await;
        assert_eq!(
            answer,
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi[closed]"
        );
    })
    .await;
}

/// Rule 15.
#[tokio::test(start_paused = true)]
async fn trailers_reach_who_takes_them() {
    let reply =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\nHost: x\r\n\r\n";
    for (te, end) in [
        ("TE: trailers\r\n", "0\r\nX-Sum: 1\r\n\r\n"),
        ("", "\r\n\r\n0\r\n\r\n"),
    ] {
        let request = format!("GET /app/ HTTP/1.1\r\nHost: a\r\n{te}\r\n");
        let answer = run(async {
            Lab::new(replies(&[(reply, Then::Stay)]))
                .ask(&request)
                .await
        });
        let answer = answer.await;
        assert!(answer.ends_with(end), "{te:?} {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn more_requests_than_are_answered_in_one_turn_are_all_answered() {
    run(async {
        let lab = Lab::new(Vec::new());
        let many = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".repeat(200);
        let answers = lab.ask(&many).await;
        assert_eq!(answers.matches("HTTP/1.1 404").count(), 200);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_answered_in_order() {
    run(async {
        let lab = Lab::new(replies(&[
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", Then::Stay),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2", Then::Stay),
        ]));
        let post = "POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
        let answer = lab
            .ask(&format!(
                "{post}GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n{GET}"
            ))
            .await;
        let places: Vec<_> = ["\r\n\r\n1HTTP/1.1 404", "404 Not Found\n", "\r\n\r\n2"]
            .iter()
            .map(|part| {
                answer
                    .find(part)
                    .unwrap_or_else(|| panic!("{part:?} in {answer:?}"))
            })
            .collect();
        assert!(places.is_sorted(), "{answer:?}");
        assert_eq!(lab.dials(), 1);
    })
    .await;
}

/// Rule 27.
#[tokio::test(start_paused = true)]
async fn expectation_is_the_servers_to_meet() {
    run(async {
        let lab = Lab::new(vec![Script::Replies(vec![
            ("HTTP/1.1 100 Continue\r\n\r\n", Then::Stay),
            (OK, Then::Stay),
        ])]);
        let mut client = lab.connect();
        client
            .send("POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n")
            .await;
        assert_eq!(client.hear().await, "HTTP/1.1 100 Continue\r\n\r\n");
        assert!(lab.received()[0].contains("Expect: 100-continue\r\n"));
        client.send("body\r\n\r\n").await;
        assert_eq!(client.hear().await, OK);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn large_bodies_go_both_ways_while_nobody_holds_them() {
    run(async {
        let body = "b".repeat(1 << 20);
        let lab = Lab::new(vec![Script::After(1 << 20, (OK, Then::Stay))]);
        let mut client = lab.connect();
        let head = format!(
            "POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            1 << 20
        );
        client.send(&head).await;
        client.send(&body).await;
        assert_eq!(client.hear().await, OK);
        assert!(lab.received()[0].ends_with(&body));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn server_has_to_wait_for_a_client_that_does_not_read() {
    run(async {
        let lab = Lab::new(vec![Script::Flood]);
        let mut client = lab.connect();
        client.send(GET).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        let held = lab.back_ends.flooded.get();
        // Two pipes in memory, and what the worker read before it saw that the client is full.
        assert!(
            (1..=3 * super::lab::PIPE + 256 * 1024).contains(&held),
            "{held}"
        );
        // After the time for sending, the connection is cut.
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert_eq!(lab.worker.open(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn any_split_into_reads_gives_the_same_answer() {
    let request = "POST /app/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nhello\r\n0\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
    let script = || vec![Script::After(15, (OK, Then::Stay))];
    let whole = run(async { Lab::new(script()).ask(request).await }).await;
    for size in [1, 2, 3, 7, 50] {
        run(async {
            let lab = Lab::new(script());
            let mut client = lab.connect();
            for part in request.as_bytes().chunks(size) {
                client.stream.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
            assert_eq!(client.hear().await, whole, "{size}");
            assert!(
                lab.received()[0].ends_with("5\r\nhello\r\n0\r\n\r\n"),
                "{size}"
            );
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn node_header_is_added_where_it_is_wanted() {
    run(async {
        let mut with_header = snapshot();
        with_header.listeners[0].node_header = true;
        let lab = Lab::with(replies(&[(OK, Then::Stay)]), &with_header);
        assert!(lab.ask(GET).await.contains("X-Node: proxy101\r\n"));
    })
    .await;
}

/// Rule 9.
#[tokio::test(start_paused = true)]
async fn path_that_was_matched_is_the_path_that_goes_on() {
    run(async {
        let lab = Lab::new(Vec::new());
        lab.ask("GET /x/..//%61pp/./y?z=/../ HTTP/1.1\r\nHost: a\r\n\r\n")
            .await;
        assert!(lab.received()[0].starts_with("GET /app/y?z=/../ HTTP/1.1\r\n"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn reload_keeps_connections_of_both_sides() {
    run(async {
        let lab = Lab::new(replies(&[(OK, Then::Stay), (OK, Then::Stay)]));
        let mut client = lab.connect();
        client.send(GET).await;
        assert_eq!(client.hear().await, OK);
        let mut changed = snapshot();
        changed.routes[0].path = "/moved/".into();
        lab.load(&changed);
        client.send(GET).await;
        assert!(
            client.hear().await.starts_with("HTTP/1.1 404"),
            "the old route is gone"
        );
        client.send("GET /moved/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.hear().await, OK);
        assert_eq!(lab.dials(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn request_in_flight_ends_with_the_configuration_it_began_with() {
    run(async {
        let lab = Lab::new(vec![Script::After(4, (OK, Then::Stay))]);
        let mut client = lab.connect();
        client
            .send("POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
            .await;
        tokio::task::yield_now().await;
        let mut changed = snapshot();
        changed.routes.clear();
        changed.upstreams.clear();
        lab.load(&changed);
        client.send("body").await;
        assert!(client.hear().await.starts_with("HTTP/1.1 200 OK\r\n"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn last_request_of_a_connection_is_announced() {
    run(async {
        let mut limited = snapshot();
        limited.listeners[0].limits.requests_per_connection = 2;
        let lab = Lab::with(Vec::new(), &limited);
        let answer = lab.ask(&GET.repeat(3)).await;
        assert_eq!(answer.matches("200 OK").count(), 2, "{answer}");
        assert_eq!(answer.matches("Connection: close").count(), 1, "{answer}");
        assert!(answer.ends_with("[closed]"), "{answer}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn drain_ends_what_is_idle_and_finishes_what_is_not() {
    run(async {
        let lab = Lab::new(vec![Script::After(300, (OK, Then::Stay)), Script::Endless]);
        let mut busy = lab.connect();
        busy.send("POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n")
            .await;
        busy.hear().await;
        let mut idle = lab.connect();
        idle.send(GET).await;
        idle.hear().await;
        let mut silent = lab.connect();
        tokio::task::yield_now().await;
        lab.worker.drain();
        assert_eq!(idle.hear().await, "[closed]");
        busy.send(&"b".repeat(300)).await;
        let answer = busy.hear().await;
        assert!(
            answer.contains("Connection: close\r\n") && answer.ends_with("hi[closed]"),
            "{answer}"
        );
        // It connected before the drain and was never told: it may still ask once.
        silent.send(GET).await;
        assert!(silent.hear().await.ends_with(".[closed]"));
        assert_eq!(lab.worker.open(), 0);
    })
    .await;
}

/// Rule 17.
#[tokio::test(start_paused = true)]
async fn answer_of_which_a_part_is_left_is_reset_when_the_worker_ends() {
    run(async {
        let body = "b".repeat(10 * 1024);
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer: &str = answer.leak();
        let lab = Lab::new(replies(&[(answer, Then::Stay); 2]));
        let mut client = lab.connect();
        // Both are relayed; the client's pipe has no room for all of them.
        client.send(GET).await;
        client.send("GET /app/ HTTP/1.0\r\n\r\n").await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        lab.worker.drain();
        lab.worker.cut_requests();
        let heard = client.hear().await;
        assert!(
            heard.ends_with("b[reset][closed]"),
            "{} octets",
            heard.len()
        );
    })
    .await;
}

/// Rule 39.
#[tokio::test(start_paused = true)]
async fn no_body_is_decompressed() {
    run(async {
        const GZIP: &str = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x08\0\0";
        let post = "POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x08zz";
        let lab = Lab::new(vec![Script::After(4, (GZIP, Then::Stay))]);
        assert_eq!(lab.ask(post).await, GZIP);
        assert!(lab.received()[0].ends_with("\r\n\r\n\x1f\x08zz"));
    })
    .await;
}

/// Rule 41: whatever host is asked for, only configured servers are connected to.
#[tokio::test(start_paused = true)]
async fn no_name_of_a_client_is_looked_up() {
    run(async {
        let lab = Lab::new(Vec::new());
        for request in [
            "GET http://elsewhere.example:8080/app/ HTTP/1.1\r\nHost: elsewhere.example:8080\r\n\r\n",
            "GET /app/ HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n",
        ] {
            lab.ask(request).await;
        }
        let server = "10.0.0.1:80".parse().unwrap();
        assert!(lab.back_ends.dialled.borrow().iter().all(|dialled| *dialled == server));
        assert!(lab.dials() > 0);
    })
    .await;
}
