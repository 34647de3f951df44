//! From a request for WebSocket to the end of the tunnel (rules 24 and 25).

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::lab::{Lab, Script, Then, run, snapshot};

const ASK: &str = "GET /app/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// What the client sees of [`SWITCH`].
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn replies(replies: &[(&'static str, Then)]) -> Vec<Script> {
    vec![Script::Replies(replies.to_vec())]
}

#[tokio::test(start_paused = true)]
async fn octets_go_both_ways_after_the_101() {
    run(async {
        let reply = format!("{SWITCH}server's first").leak();
        let lab = Lab::new(replies(&[(reply, Then::Stay)]));
        let mut client = lab.connect();
        client.send(ASK).await;
        assert_eq!(client.hear().await, format!("{SWITCHED}server's first"));
        client.send("GET / HTTP/1.1\r\n\r\n\0\x01").await;
        assert_eq!(client.hear().await, "");
        let received = &lab.received()[0];
        assert!(received.contains("Upgrade: websocket\r\n"), "{received}");
        assert!(received.ends_with("\r\n\r\nGET / HTTP/1.1\r\n\r\n\0\x01"));
        let traffic = lab.worker.counters.traffic();
        assert_eq!((traffic.writing, traffic.requests), (1, 1));
        assert_eq!((lab.worker.open(), lab.worker.tunnels()), (1, 1));
        drop(client);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!((lab.worker.open(), lab.worker.tunnels()), (0, 0));
        assert_eq!(lab.back_ends.open.get(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_came_behind_the_request_waits_for_the_101() {
    for (reply, then, reaches) in [("", Then::Hang, false), (SWITCH, Then::Stay, true)] {
        run(async {
            let lab = Lab::new(replies(&[(reply, then)]));
            let mut client = lab.connect();
            client.send(&format!("{ASK}GET /app/smuggled")).await;
            client.send(" HTTP/1.1\r\n").await;
            client.hear().await;
            let received = &lab.received()[0];
            assert_eq!(received.contains("smuggled"), reaches, "{received}");
            let whole = "Upgrade: websocket\r\n\r\nGET /app/smuggled HTTP/1.1\r\n";
            assert_eq!(received.ends_with(whole), reaches, "{received}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_101_the_connection_stays_http() {
    run(async {
        let lab = Lab::new(replies(&[(OK, Then::Stay), (OK, Then::Stay)]));
        let mut client = lab.connect();
        client.send(&format!("{ASK}{ASK}")).await;
        assert_eq!(client.hear().await, OK.repeat(2));
        assert_eq!(lab.dials(), 1);
        assert_eq!(lab.worker.tunnels(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn wrong_or_unsolicited_101_is_502() {
    let forged = SWITCH.replace("s3pP", "forg").leak();
    let other = SWITCH.replace("Upgrade: websocket", "Upgrade: h2c").leak();
    let plain = "GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n";
    for (request, reply) in [(ASK, &*forged), (ASK, &*other), (plain, SWITCH)] {
        run(async {
            let lab = Lab::new(replies(&[(reply, Then::Stay)]));
            let answer = lab.ask(request).await;
            assert!(answer.starts_with("HTTP/1.1 502"), "{reply}: {answer}");
            assert_eq!(lab.worker.tunnels(), 0);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn route_may_forbid_it_and_a_bad_key_is_400() {
    run(async {
        let mut without = snapshot();
        without.routes[0].websocket = false;
        let lab = Lab::with(replies(&[(OK, Then::Stay)]), &without);
        assert_eq!(lab.ask(ASK).await, OK);
        assert!(!lab.received()[0].contains("pgrade"));
        let answer = lab.ask(&ASK.replace("dGhl", "d")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn silent_tunnel_is_closed_after_its_time_and_half_of_one_soon() {
    for (half_closed, seconds) in [(false, 3_600), (true, 10)] {
        run(async {
            let lab = Lab::new(replies(&[(SWITCH, Then::Hang)]));
            let mut client = lab.connect();
            client.send(ASK).await;
            assert_eq!(client.hear().await, SWITCHED);
            if half_closed {
                client.stream.shutdown().await.unwrap();
            } else {
                // Each octet gives it more time.
                tokio::time::sleep(Duration::from_secs(3_000)).await;
                client.send(".").await;
            }
            let early = client.hear_for(Duration::from_secs(seconds - 1)).await;
            assert_eq!(early, "");
            let end = client.hear_for(Duration::from_secs(2)).await;
            assert_eq!(end, "[closed]", "{half_closed}");
            assert_eq!(lab.worker.open(), 0);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn tunnel_outlives_a_reload_and_the_time_for_requests() {
    run(async {
        let lab = Lab::new(vec![
            Script::Replies(vec![(SWITCH, Then::Stay)]),
            Script::Replies(vec![("", Then::Hang)]),
        ]);
        let mut client = lab.connect();
        client.send(ASK).await;
        assert_eq!(client.hear().await, SWITCHED);
        let mut busy = lab.connect();
        busy.send("GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
        busy.hear().await;
        let mut changed = snapshot();
        changed.listeners.clear();
        changed.routes.clear();
        changed.upstreams.clear();
        lab.load(&changed);
        lab.worker.drain();
        assert_eq!(lab.worker.cut_requests(), 1);
        assert_eq!(busy.hear().await, "[closed]");
        client.send("still there").await;
        assert_eq!(client.hear().await, "");
        assert!(lab.received()[0].ends_with("still there"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn tunnel_holds_no_more_than_its_window_for_a_receiver_that_does_not_read() {
    run(async {
        let lab = Lab::new(replies(&[(SWITCH, Then::Hang)]));
        let mut client = lab.connect();
        client.send(ASK).await;
        assert_eq!(client.hear().await, SWITCHED);
        let mut taken = 0;
        let instant = Duration::from_millis(10);
        while let Ok(written) =
            tokio::time::timeout(instant, client.stream.write(&[b'x'; 1024])).await
        {
            taken += written.unwrap();
        }
        // Two pipes in memory, and one read of the worker.
        let most = 2 * super::lab::PIPE + 64 * 1024;
        assert!((super::lab::PIPE..=most).contains(&taken), "{taken}");
    })
    .await;
}

/// Rule 17, for octets of which nobody knows the meaning.
#[tokio::test(start_paused = true)]
async fn tunnel_whose_receiver_is_stuck_is_reset() {
    run(async {
        let lab = Lab::new([Script::Echo]);
        let mut client = lab.connect();
        client.send(ASK).await;
        client.hear().await;
        // It comes back, and nobody reads it.
        let text = "x".repeat(1024);
        let instant = Duration::from_millis(10);
        while let Ok(()) = tokio::time::timeout(instant, client.send(&text)).await {}
        tokio::time::sleep(Duration::from_secs(3_601)).await;
        let end = client.hear().await;
        assert!(end.ends_with("x[reset][closed]"), "{} octets", end.len());
    })
    .await;
}
