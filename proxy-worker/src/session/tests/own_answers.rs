//! What the proxy answers by itself.

use std::time::Duration;

use super::lab::{Lab, Script, Then, run, snapshot};
use crate::pages;

#[tokio::test(start_paused = true)]
async fn refusals_have_their_status_and_end_the_connection_where_they_must() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000));
    let wide = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "a".repeat(33_000)
    );
    let large = "POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 10485761\r\n\r\n";
    let cases: [(&str, &str, bool); 16] = [
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", false),
        (
            "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "200 OK",
            true,
        ),
        (
            "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
            "404 Not Found",
            false,
        ),
        (
            "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
            "404",
            true,
        ),
        (
            "GET /server-status/secret HTTP/1.1\r\nHost: a\r\n\r\n",
            "403 Forbidden",
            false,
        ),
        (
            "POST /status HTTP/1.1\r\nHost: a\r\n\r\n",
            "405 Method Not Allowed",
            false,
        ),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "405", true),
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request", true),
        ("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", "400", false),
        ("GET / HTTP/1.1\nHost: a\n\n", "400", true),
        (large, "413 Content Too Large", true),
        (&long, "414 URI Too Long", true),
        (&wide, "431 Request Header Fields Too Large", true),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            "501",
            true,
        ),
        (
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "505 HTTP Version Not Supported",
            true,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n",
            "417",
            true,
        ),
    ];
    for (request, status, closes) in cases {
        let answer = run(async { Lab::new(Vec::new()).ask(request).await }).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{request:.60}: {answer}"
        );
        assert_eq!(
            answer.contains("Connection: close"),
            closes,
            "{request:.60}: {answer}"
        );
        assert_eq!(
            answer.ends_with("[closed]"),
            closes,
            "{request:.60}: {answer}"
        );
        assert_eq!(
            answer.matches("HTTP/1.1").count(),
            1,
            "{request:.60}: {answer}"
        );
    }
}

/// Rules 7, 8 and 9: the host of an absolute target replaces Host; spelling and port do not matter.
#[tokio::test(start_paused = true)]
async fn host_decides_who_answers() {
    let mut snapshot = snapshot();
    let status = "/server-status";
    snapshot.routes.retain(|route| route.path == status);
    snapshot.routes[0].host = Some("api.example.org".into());
    let cases = [
        (
            "GET {} HTTP/1.1\r\nHost: API.Example.Org.:8080\r\n\r\n",
            200,
        ),
        ("GET {} HTTP/1.1\r\nHost: example.org\r\n\r\n", 404),
        (
            "GET http://api.example.org{} HTTP/1.1\r\nHost: a\r\n\r\n",
            200,
        ),
        (
            "GET http://a{} HTTP/1.1\r\nHost: api.example.org\r\n\r\n",
            404,
        ),
        ("GET {} HTTP/1.0\r\n\r\n", 404),
        ("GET {} HTTP/1.0\r\nhOsT: api.example.org\r\n\r\n", 200),
    ];
    for (request, answer) in cases {
        run(async {
            let lab = Lab::with(Vec::new(), &snapshot);
            let request = request.replace("{}", status);
            let heard = lab.ask(&request).await;
            let start = format!("HTTP/1.1 {answer} ");
            assert!(heard.starts_with(&start), "{request:?}: {heard:?}");
        })
        .await;
    }
}

/// Rule 18 (CVE-2025-4366).
#[tokio::test(start_paused = true)]
async fn body_that_nobody_read_is_not_taken_for_a_request() {
    run(async {
        let lab = Lab::new(Vec::new());
        let hidden = "GET /app/secret HTTP/1.1\r\nHost: a\r\n\r\n";
        let length = hidden.len();
        let answer = lab
            .ask(&format!(
                "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{hidden}"
            ))
            .await;
        assert!(
            answer.starts_with("HTTP/1.1 404") && answer.ends_with("[closed]"),
            "{answer}"
        );
        assert_eq!(lab.dials(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn chunked_body_is_limited_too() {
    run(async {
        let mut limited = snapshot();
        limited.listeners[0].limits.body = 8;
        let lab = Lab::with([Script::Replies(vec![("", Then::Hang)])], &limited);
        let answer = lab
            .ask("POST /app/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n")
            .await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    })
    .await;
}

/// Rules 1 and 14.
#[tokio::test(start_paused = true)]
async fn malformed_chunk_is_400() {
    run(async {
        let lab = Lab::new([Script::Replies(vec![("", Then::Hang)])]);
        let answer = lab
            .ask("POST /app/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello")
            .await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn clients_that_are_too_slow_are_told_or_cut() {
    let post = "POST /app/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbod";
    let cases = [
        ("", 75, ""),
        ("GET / HT", 10, "HTTP/1.1 408 Request Timeout\r\n"),
        (post, 30, "HTTP/1.1 408 Request Timeout\r\n"),
    ];
    for (request, seconds, start) in cases {
        run(async {
            let lab = Lab::new([Script::After(1000, ("", Then::Hang))]);
            let mut client = lab.connect();
            client.send(request).await;
            let early = client.hear_for(Duration::from_secs(seconds - 1)).await;
            assert_eq!(early, "", "{request:?} was cut before its time");
            let answer = client.hear_for(Duration::from_secs(2)).await;
            assert!(
                answer.starts_with(start) && answer.ends_with("[closed]"),
                "{answer:?}"
            );
        })
        .await;
    }
}

/// Rule 37.
#[tokio::test(start_paused = true)]
async fn head_that_trickles_has_one_time_for_all() {
    run(async {
        let lab = Lab::new(Vec::new());
        let mut client = lab.connect();
        for _ in 0..9 {
            client.send("G").await;
            assert_eq!(client.hear().await, "");
        }
        let answer = client.hear_for(Duration::from_secs(2)).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn status_page_shows_the_state_as_it_is_told() {
    run(async {
        let lab = Lab::new(Vec::new());
        lab.worker.handle_status(pages::tests::status());
        let text = lab.ask("GET /status HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(text.contains("Content-Type: text/plain\r\n"), "{text}");
        assert!(
            text.ends_with(" 2015 proxy101 INSTANCE YN_API_GATEWAY MASTER 202\n"),
            "{text}"
        );
        let html = lab
            .ask("GET /status HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n")
            .await;
        assert!(html.contains("Content-Type: text/html"), "{html}");
        assert!(html.contains("<td class=\"MASTER\">"), "{html}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn stub_status_counts_what_happens() {
    run(async {
        let lab = Lab::new(Vec::new());
        let mut idle = lab.connect();
        idle.send("GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
        idle.hear().await;
        let mut reading = lab.connect();
        reading.send("GET /app").await;
        let answer = lab
            .ask("GET /server-status HTTP/1.1\r\nHost: a\r\n\r\n")
            .await;
        let page = "Active connections: 3 \nserver accepts handled requests\n 3 3 2 \n\
            Reading: 1 Writing: 1 Waiting: 1 \n";
        assert!(answer.ends_with(page), "{answer}");
        assert!(answer.contains("Content-Type: text/plain\r\n"), "{answer}");
        drop((idle, reading));
        let head = lab
            .ask("HEAD /server-status HTTP/1.1\r\nHost: a\r\n\r\n")
            .await;
        assert!(head.ends_with("\r\n\r\n"), "{head}");
    })
    .await;
}
