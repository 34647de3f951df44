//! What a request or a response asks of the connection that it is on, and of who passes it on:
//! expectations, forwards, pace, authentication.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::lab::{Lab, Script, Then, run, snapshot, two_servers};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const EXPECTING: &str =
    "POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";

fn replies(replies: &[(&'static str, Then)]) -> Script {
    Script::Replies(replies.to_vec())
}

/// Rule 27.
#[tokio::test(start_paused = true)]
async fn final_answer_instead_of_the_100_ends_a_connection_whose_body_is_unread() {
    run(async {
        let refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
        let lab = Lab::new([replies(&[(refusal, Then::Stay)])]);
        let answer = lab.ask(EXPECTING).await;
        assert_eq!(
            answer,
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno[closed]"
        );
        // A connection on which a body is still due is not used again.
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(lab.back_ends.open.get(), 0);
    })
    .await;
}

/// Rule 27: our own answers come without a 100 before them.
#[tokio::test(start_paused = true)]
async fn own_answer_to_an_expectation_is_the_only_one() {
    for (path, length, status) in [
        ("/nowhere", "4", "404"),
        ("/server-status", "4", "405"),
        ("/app/", "10485761", "413"),
    ] {
        run(async {
            let request = EXPECTING
                .replace("/app/", path)
                .replace("h: 4", &format!("h: {length}"));
            let lab = Lab::new([]);
            let answer = lab.ask(&request).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
            assert!(answer.ends_with("[closed]"), "{answer}");
            assert_eq!(lab.dials(), 0);
        })
        .await;
    }
}

/// Rule 27: the time for a body does not run before the server wants it.
#[tokio::test(start_paused = true)]
async fn body_is_not_awaited_before_the_100_and_a_server_is_not_blamed_for_it() {
    run(async {
        let lab = Lab::new([
            replies(&[("", Then::Hang)]),
            replies(&[("HTTP/1.1 100 Continue\r\n\r\n", Then::Hang)]),
        ]);
        let mut client = lab.connect();
        client.send(EXPECTING).await;
        let early = client.hear_for(Duration::from_secs(59)).await;
        assert_eq!(early, "", "it waits as long as for any response");
        let answer = client.hear_for(Duration::from_secs(2)).await;
        assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
        let mut client = lab.connect();
        client.send(EXPECTING).await;
        assert_eq!(client.hear().await, "HTTP/1.1 100 Continue\r\n\r\n");
        let early = client.hear_for(Duration::from_secs(28)).await;
        assert_eq!(early, "", "from the 100 on the body has its time");
        let answer = client.hear_for(Duration::from_secs(3)).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    })
    .await;
}

/// Rule 27: who does not wait for the 100 is not held up.
#[tokio::test(start_paused = true)]
async fn body_that_comes_at_once_is_passed_on_at_once() {
    run(async {
        let lab = Lab::new([Script::After(4, (OK, Then::Stay))]);
        assert_eq!(lab.ask(&format!("{EXPECTING}body")).await, OK);
    })
    .await;
}

/// Rule 22.
#[tokio::test(start_paused = true)]
async fn options_goes_as_far_as_it_may() {
    let ask =
        |hops: &str| format!("OPTIONS /app/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: {hops}\r\n\r\n");
    for (hops, reaches) in [
        ("0", None),
        ("1", Some("0")),
        ("70", Some("69")),
        ("99999999999", Some("4294967294")),
    ] {
        run(async {
            let lab = Lab::new([replies(&[(OK, Then::Stay)])]);
            let answer = lab.ask(&ask(hops)).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert_eq!(lab.dials(), usize::from(reaches.is_some()), "{hops}");
            if let Some(left) = reaches {
                let received = &lab.received()[0];
                assert!(received.contains(&format!("\r\nMax-Forwards: {left}\r\n")));
                assert_eq!(received.matches("Max-Forwards").count(), 1);
            }
        })
        .await;
    }
    run(async {
        let answer = Lab::new([]).ask(&ask("-1")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        let get = ask("0").replace("OPTIONS", "GET");
        let lab = Lab::new([replies(&[(OK, Then::Stay)])]);
        assert_eq!(lab.ask(&get).await, OK, "it means nothing to others");
        assert!(lab.received()[0].contains("Max-Forwards: 0\r\n"));
    })
    .await;
}

/// Rule 22: what others added to a request is shown to nobody.
#[tokio::test(start_paused = true)]
async fn trace_is_405() {
    run(async {
        let lab = Lab::new([]);
        let answer = lab.ask("TRACE /app/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
        assert_eq!(lab.dials(), 0);
    })
    .await;
}

/// Rule 23.
#[tokio::test(start_paused = true)]
async fn connection_that_was_authenticated_serves_its_client_only() {
    let challenge = |scheme| {
        &*format!("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nWWW-Authenticate: {scheme}\r\nContent-Length: 0\r\n\r\n")
            .leak()
    };
    let get = "GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n";
    let sure = "GET /app/ HTTP/1.1\r\nHost: a\r\nAuthorization: negotiate YII=\r\n\r\n";
    for (request, reply, private) in [
        (get, challenge("NTLM"), true),
        (get, challenge("Negotiate"), true),
        (get, challenge("Basic realm=\"x\", Negotiate"), true),
        (sure, OK, true),
        (get, challenge("Digest realm=\"ntlm\""), false),
    ] {
        run(async {
            let lab = Lab::new([
                replies(&[(reply, Then::Stay), (OK, Then::Stay), (OK, Then::Stay)]),
                replies(&[(OK, Then::Stay), (OK, Then::Stay)]),
            ]);
            let mut client = lab.connect();
            client.send(request).await;
            client.hear().await;
            assert_eq!(lab.ask(get).await, OK);
            assert_eq!(lab.dials(), 1 + usize::from(private), "{reply}");
            let mut status = snapshot();
            status.node = "renamed".into();
            lab.load(&status);
            client.send(get).await;
            assert_eq!(client.hear().await, OK);
            let on_first = lab.received()[0].matches("GET").count();
            assert_eq!(
                (on_first, lab.dials()),
                if private { (2, 2) } else { (3, 1) }
            );
            drop(client);
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert_eq!(lab.back_ends.open.get(), 1, "its connection ended with it");
        })
        .await;
    }
}

/// Rule 23: it is as good as any other connection, and no better.
#[tokio::test(start_paused = true)]
async fn connection_of_one_client_is_left_when_others_would_be() {
    let sure = "GET /app/ HTTP/1.1\r\nHost: a\r\nAuthorization: Negotiate YII=\r\n\r\n";
    let cases = [
        // Limit of requests, seconds between them, whether the server is out by then, connections.
        (0, 1, false, 1),
        (0, 49, false, 1),
        (0, 51, false, 3),
        (0, 1, true, 2),
        (2, 1, false, 2),
    ];
    for (requests_max, pause, is_out, dials) in cases {
        run(async {
            let mut snapshot = two_servers();
            snapshot.upstreams[0].requests_max = requests_max;
            // Only the first is asked, as long as it can be.
            snapshot.upstreams[0].servers[1].backup = true;
            let lab = Lab::with(vec![replies(&[(OK, Then::Stay); 3]); 3], &snapshot);
            let mut client = lab.connect();
            for _ in 0..3 {
                client.send(sure).await;
                assert_eq!(client.hear_for(Duration::from_millis(1)).await, OK);
                snapshot.upstreams[0].servers[0].ready = !is_out;
                lab.load(&snapshot);
                tokio::time::sleep(Duration::from_secs(pause)).await;
            }
            assert_eq!(lab.dials(), dials, "{requests_max} {pause} {is_out}");
        })
        .await;
    }
}

/// Rule 37: an octet now and then is no upload, but a slow one is one however long it takes.
#[tokio::test(start_paused = true)]
async fn body_must_come_at_a_rate_and_may_take_all_day() {
    let post = "POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
    for (chunk, enough) in [(1, false), (100, false), (600, true)] {
        run(async {
            let mut with_rate = snapshot();
            with_rate.listeners[0].timeouts.body_min_rate = 240;
            let lab = Lab::with([Script::After(1_000_000, (OK, Then::Stay))], &with_rate);
            let mut client = lab.connect();
            client.send(post).await;
            let mut answer = String::new();
            for _ in 0..300 {
                client.send(&"x".repeat(chunk)).await;
                answer = client.hear_for(Duration::from_secs(2)).await;
                if !answer.is_empty() {
                    break;
                }
            }
            assert_eq!(answer.is_empty(), enough, "{chunk}: {answer}");
            assert!(enough || answer.starts_with("HTTP/1.1 408"), "{answer}");
        })
        .await;
    }
}

/// Rule 37: time in which the server is the slow one is not the client's.
#[tokio::test(start_paused = true)]
async fn rate_of_a_body_is_not_judged_while_the_server_does_not_take_it() {
    run(async {
        let mut with_rate = snapshot();
        with_rate.listeners[0].timeouts.body_min_rate = 1 << 20;
        let lab = Lab::with([replies(&[("", Then::Hang)])], &with_rate);
        let mut client = lab.connect();
        client
            .send("POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            .await;
        client.send(&"x".repeat(100_000)).await;
        let answer = client.hear_for(Duration::from_secs(62)).await;
        assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    })
    .await;
}

/// Rule 38: however a head comes, it is the same head, and the same limit is passed.
#[tokio::test(start_paused = true)]
async fn head_may_come_octet_by_octet() {
    let good = "GET /app/ HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n".to_owned();
    let bare = "GET /app/ HTTP/1.1\r\nHost: a\nX: y".to_owned();
    let endless = format!("GET /app/ HTTP/1.1\r\nX: {}", "y".repeat(32 * 1024));
    for (head, status) in [(good, "200"), (bare, "400"), (endless, "431")] {
        run(async {
            let lab = Lab::new([]);
            let mut client = lab.connect();
            let (first, rest) = head.split_at(head.len().min(32 * 1024) - 30);
            client.send(first).await;
            for octet in rest.chars() {
                // One that is answered already may have been closed.
                drop(client.stream.write_all(octet.to_string().as_bytes()).await);
                tokio::task::yield_now().await;
            }
            let answer = client.hear().await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
        })
        .await;
    }
}
