//! Clients of HTTP/2 that no library would be: their frames are made by hand.

use std::time::Duration;

use http::HeaderValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::costs_http2::{frame, request};
use super::http2::{Answer, Client, SILENT, connect, get};
use super::lab::{Lab, Script, run, snapshot};

/// A connection that has said the preface, for frames that no client of the crate would send.
pub(super) async fn frames(lab: &Lab) -> DuplexStream {
    let mut ours = connect(lab);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    ours.write_all(preface).await.unwrap();
    ours
}

/// Reads to the end of a connection, which is soon.
async fn await_end(mut stream: DuplexStream) {
    let mut said = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(1), stream.read_to_end(&mut said)).await;
    end.expect("the connection goes on").unwrap();
}

/// Rule 36.
#[tokio::test(start_paused = true)]
async fn flood_of_settings_ends_the_connection() {
    run(async {
        let lab = Lab::new([]);
        let mut stream = frames(&lab).await;
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0].repeat(51);
        stream.write_all(&settings).await.unwrap();
        await_end(stream).await;
    })
    .await;
}

/// Rule 35: a header block that never ends.
#[tokio::test(start_paused = true)]
async fn flood_of_continuations_ends_the_connection() {
    run(async {
        let lab = Lab::new([]);
        let mut stream = frames(&lab).await;
        // HEADERS without END_HEADERS, and CONTINUATION with nothing in it.
        stream
            .write_all(&[0, 0, 0, 1, 0, 0, 0, 0, 1])
            .await
            .unwrap();
        let more = [0, 0, 0, 9, 0, 0, 0, 0, 1].repeat(1_000);
        stream.write_all(&more).await.unwrap();
        await_end(stream).await;
    })
    .await;
}

/// Rule 35: a header list that is longer than permitted is none that anybody sees.
#[tokio::test(start_paused = true)]
async fn header_list_is_limited() {
    run(async {
        let lab = Lab::new([]);
        let mut client = Client::connect(&lab).await;
        let mut request = get("/app/");
        for _ in 0..70 {
            let value = HeaderValue::from_str(&"x".repeat(1_000)).unwrap();
            request.headers_mut().append("x", value);
        }
        let (response, _) = client.send(request, true);
        assert_eq!(Answer::of(response).await.status, 431);
        assert_eq!(lab.dials(), 0);
        assert_eq!(client.get("/app/").await, Answer::short(200, "."));
    })
    .await;
}

/// Rule 37: who opens all windows and reads nothing is not kept by the questions that it asks.
#[tokio::test(start_paused = true)]
async fn client_that_only_asks_does_not_keep_its_connection() {
    run(async {
        let lab = Lab::new([Script::Flood]);
        let mut stream = frames(&lab).await;
        // Of 2^31-1 octets, for streams and for the connection.
        let windows =
            b"\0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff\0\0\x04\x08\0\0\0\0\0\x7f\xff\0\0";
        stream.write_all(windows).await.unwrap();
        stream.write_all(&request(1)).await.unwrap();
        let ping = b"\0\0\x08\x06\0\0\0\0\0evenkeel";
        for _ in 0..13 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            // The connection may be gone.
            drop(stream.write_all(ping).await);
        }
        assert_eq!(lab.worker.open(), 0);
    })
    .await;
}

/// Rule 33: the second GOAWAY comes with the answer to the PING behind the first. A client that never
/// gives it has its requests refused after a while, and its connection ends.
#[tokio::test(start_paused = true)]
async fn client_that_does_not_hear_that_it_is_to_leave_is_sent_away() {
    run(async {
        let mut limited = snapshot();
        limited.listeners[0].limits.requests_per_connection = 2;
        let lab = Lab::with([], &limited);
        let mut stream = frames(&lab).await;
        for number in 0..150 {
            // The connection may be gone.
            drop(stream.write_all(&request(2 * number + 1)).await);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let served = lab.received().concat().matches("GET ").count();
        assert!((2..=8).contains(&served), "{served} requests were served");
        assert_eq!(lab.worker.open(), 0);
    })
    .await;
}

/// Rule 33: when the time for a drain is over, nothing is served that comes all the same.
#[tokio::test(start_paused = true)]
async fn nothing_is_served_after_the_time_for_a_drain() {
    run(async {
        let lab = Lab::new([SILENT]);
        let mut stream = frames(&lab).await;
        stream.write_all(&request(1)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        lab.worker.drain();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(lab.worker.cut_requests(), 1);
        stream.write_all(&request(3)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((lab.dials(), lab.worker.sessions.get()), (1, 0));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(lab.worker.open(), 0);
    })
    .await;
}

/// Rule 33: a client's GOAWAY is about streams that we would open; what it asks later is answered.
#[tokio::test(start_paused = true)]
async fn client_that_says_that_it_leaves_is_served_until_it_does() {
    run(async {
        let lab = Lab::new([]);
        let mut stream = frames(&lab).await;
        stream.write_all(&frame(7, 0, 0, &[0; 8])).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        stream.write_all(&request(1)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((lab.dials(), lab.worker.open()), (1, 1));
    })
    .await;
}
