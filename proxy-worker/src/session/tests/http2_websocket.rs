//! WebSocket in a stream of HTTP/2 (RFC 8441), to servers that know it in HTTP/1.1 only.

use std::time::Duration;

use bytes::Bytes;
use h2::ext::Protocol;
use h2::{Reason, RecvStream};
use http::{Method, Request};

use super::http2::{Answer, Client, get};
use super::lab::{Lab, Script, Then, run};

fn connect(protocol: &'static str) -> Request<()> {
    Request::builder()
        .method(Method::CONNECT)
        .uri("http://a/app/chat")
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static(protocol))
        .body(())
        .unwrap()
}

/// A client that has seen that it may ask.
async fn client(lab: &Lab) -> Client {
    let mut client = Client::connect(lab).await;
    assert_eq!(client.get("/nowhere").await.status, 404);
    client
}

/// The next octets; `None` at a clean end.
async fn hear(octets: &mut RecvStream) -> Option<Bytes> {
    loop {
        let piece = octets.data().await?.expect("no reset");
        octets.flow_control().release_capacity(piece.len()).unwrap();
        if !piece.is_empty() {
            return Some(piece);
        }
    }
}

async fn a_second() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// Rule 24: what came before the 101 waits for it.
#[tokio::test(start_paused = true)]
async fn stream_is_a_tunnel_after_the_200() {
    run(async {
        let lab = Lab::new([Script::Echo]);
        let mut client = client(&lab).await;
        let (response, mut up) = client.send(connect("websocket"), false);
        up.send_data("early".into(), false).unwrap();
        let (head, mut down) = response.await.unwrap().into_parts();
        assert_eq!(head.status, 200);
        assert_eq!(head.headers["sec-websocket-protocol"], "chat");
        for name in ["connection", "upgrade", "sec-websocket-accept"] {
            assert!(!head.headers.contains_key(name), "{name}");
        }
        assert_eq!(hear(&mut down).await.unwrap(), "early");
        up.send_data("GET / HTTP/1.1\r\n\r\n".into(), false)
            .unwrap();
        let echo = hear(&mut down).await.unwrap();
        assert_eq!(echo, "GET / HTTP/1.1\r\n\r\n");
        assert_eq!(lab.worker.tunnels(), 1);
        up.send_data(Bytes::new(), true).unwrap();
        assert!(hear(&mut down).await.is_none());
        a_second().await;
        assert_eq!((lab.worker.tunnels(), lab.back_ends.open.get()), (0, 0));
        let received = lab.received()[0].clone();
        assert!(received.starts_with("GET /app/chat HTTP/1.1\r\nhost: a\r\n"));
        assert!(received.contains("\r\nsec-websocket-version: 13\r\n"));
        assert_eq!(client.get("/nowhere").await.status, 404);
    })
    .await;
}

/// What a client sent in the hope for a tunnel is no request, and no answer but a 101 opens one.
#[tokio::test(start_paused = true)]
async fn other_answers_open_no_tunnel() {
    let forged = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let cases = [
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
            403,
            "no",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 502, ""),
        (forged, 502, "502 Bad Gateway\n"),
    ];
    for (reply, status, body) in cases {
        run(async {
            let script = Script::Replies(vec![(reply, Then::Stay), (reply, Then::Stay)]);
            let lab = Lab::new([script]);
            let mut client = client(&lab).await;
            let (response, mut up) = client.send(connect("websocket"), false);
            let early = "GET /app/hidden HTTP/1.1\r\nHost: a\r\n\r\n";
            up.send_data(early.into(), false).unwrap();
            assert_eq!(Answer::of(response).await, Answer::short(status, body));
            a_second().await;
            let received = lab.received().concat();
            assert!(!received.contains("hidden"), "{received}");
            assert_eq!((lab.dials(), lab.worker.tunnels()), (1, 0));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_else_is_connected_to() {
    run(async {
        let lab = Lab::new([]);
        let mut client = client(&lab).await;
        let (response, _) = client.send(connect("connect-udp"), false);
        assert_eq!(Answer::of(response).await, Answer::short(501, ""));
        let plain = Request::connect("a:443").body(()).unwrap();
        let (response, _) = client.send(plain, false);
        assert_eq!(Answer::of(response).await.status, 405);
        assert_eq!(lab.dials(), 0);
    })
    .await;
}

/// A reset ends the tunnel; it takes back no request, however often that happens.
#[tokio::test(start_paused = true)]
async fn reset_of_a_stream_breaks_its_tunnel() {
    run(async {
        let lab = Lab::new(vec![Script::Echo; 150]);
        let mut client = client(&lab).await;
        for _ in 0..150 {
            let (response, mut up) = client.send(connect("websocket"), false);
            let (head, down) = response.await.unwrap().into_parts();
            assert_eq!(head.status, 200);
            up.send_reset(Reason::CANCEL);
            drop(down);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        a_second().await;
        assert_eq!((lab.worker.tunnels(), lab.back_ends.open.get()), (0, 0));
        assert_eq!(client.get("/nowhere").await.status, 404);
    })
    .await;
}

/// A tunnel may be silent for its time. Then it is over for both sides.
#[tokio::test(start_paused = true)]
async fn silent_tunnel_is_closed() {
    run(async {
        let lab = Lab::new([Script::Echo]);
        let mut client = client(&lab).await;
        let (response, _up) = client.send(connect("websocket"), false);
        let (_, mut down) = response.await.unwrap().into_parts();
        let start = tokio::time::Instant::now();
        assert!(hear(&mut down).await.is_none());
        assert_eq!(start.elapsed().as_secs(), 3_600);
        a_second().await;
        assert_eq!(lab.back_ends.open.get(), 0);
    })
    .await;
}

/// As over HTTP/1, and its connection with it; what else was on it is cut in its time.
#[tokio::test(start_paused = true)]
async fn tunnel_outlives_a_drain() {
    run(async {
        let lab = Lab::new([
            Script::Echo,
            Script::Echo,
            Script::Replies(vec![("", Then::Hang), ("", Then::Hang)]),
        ]);
        let mut client = client(&lab).await;
        let (response, mut up) = client.send(connect("websocket"), false);
        let (_, mut down) = response.await.unwrap().into_parts();
        let (response, mut second) = client.send(connect("websocket"), false);
        let (_, mut second_down) = response.await.unwrap().into_parts();
        let (slow, _) = client.send(get("/app/"), true);
        a_second().await;
        lab.worker.drain();
        a_second().await;
        assert_eq!((lab.worker.open(), lab.worker.tunnels()), (1, 2));
        assert_eq!(
            lab.worker.cut_requests(),
            1,
            "the request, of one connection"
        );
        let cut = Answer::of(slow).await;
        assert_eq!(cut.reset, Some(Reason::INTERNAL_ERROR));
        up.send_data("still there".into(), false).unwrap();
        assert_eq!(hear(&mut down).await.unwrap(), "still there");
        second.send_data(Bytes::new(), true).unwrap();
        assert!(hear(&mut second_down).await.is_none());
        assert_eq!((lab.worker.open(), lab.worker.tunnels()), (1, 1));
        up.send_data(Bytes::new(), true).unwrap();
        assert!(hear(&mut down).await.is_none());
        client.end().await.unwrap();
        assert_eq!((lab.worker.open(), lab.worker.tunnels()), (0, 0));
    })
    .await;
}
