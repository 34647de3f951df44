//! Whose request it is: routes, servers and logs have one answer.

use super::lab::{Lab, Script, Then, run, snapshot};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn ask(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n")
}

#[tokio::test(start_paused = true)]
async fn routes_are_open_to_whom_a_trusted_proxy_speaks_for() {
    let cases = [
        ("", "10.1.1.1", "403"),
        ("192.0.2.0/24", "10.1.1.1", "200"),
        ("192.0.2.0/24", "10.1.1.1, 198.51.100.1", "403"),
        ("192.0.2.0/24", "10.1.1.1, garbage", "403"),
    ];
    for (trusted, list, status) in cases {
        run(async {
            let mut snapshot = snapshot();
            snapshot.listeners[0].trusted_proxies = trusted.parse().into_iter().collect();
            let lab = Lab::with([], &snapshot);
            let fields = format!("X-Forwarded-For: {list}\r\n");
            let answer = lab.ask(&ask("/server-status/secret", &fields)).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn requests_on_one_connection_are_from_different_clients() {
    run(async {
        let mut snapshot = snapshot();
        snapshot.listeners[0].trusted_proxies = vec!["192.0.2.7/32".parse().unwrap()];
        let replies = vec![(OK, Then::Stay); 3];
        let lab = Lab::with([Script::Replies(replies)], &snapshot);
        let mut client = lab.connect();
        for list in ["198.51.100.1", "198.51.100.2"] {
            let fields = format!("X-Forwarded-For: {list}\r\nX-Request-ID: of-{list}\r\n");
            let request = ask("/app/", &fields).replace("Connection: close\r\n", "");
            client.send(&request).await;
            client.hear().await;
        }
        client.send(&ask("/app/", "")).await;
        client.hear().await;
        let sent = &lab.received()[0];
        for expected in [
            "X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\nX-Real-IP: 198.51.100.1\r\n",
            "X-Request-ID: of-198.51.100.1\r\n",
            "X-Forwarded-For: 198.51.100.2, 192.0.2.7\r\nX-Real-IP: 198.51.100.2\r\n",
            "X-Request-ID: of-198.51.100.2\r\n",
            "X-Forwarded-For: 192.0.2.7\r\nX-Real-IP: 192.0.2.7\r\n",
        ] {
            assert!(sent.contains(expected), "{expected} is not in {sent}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn request_of_a_stranger_gets_a_name_of_ours() {
    run(async {
        let lab = Lab::new([Script::Replies(vec![(OK, Then::Stay)])]);
        lab.ask(&ask("/app/", "X-Request-ID: forged\r\n")).await;
        let sent = &lab.received()[0];
        assert!(!sent.contains("forged"), "{sent}");
        let (_, id) = sent.split_once("X-Request-ID: ").unwrap();
        let (id, _) = id.split_once("\r\n").unwrap();
        assert_eq!(id.len(), 32, "{id}");
    })
    .await;
}
