//! Sessions behind HTTP/2: a client of the `h2` crate in memory, and what it gets.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::io::{DuplexStream, duplex};

use super::costs::peer;
use super::lab::{Lab, Pair, Script, Then, run, snapshot};
use crate::http2::Front;

/// The client's end of a connection that is served as one of HTTP/2.
pub(super) fn connect(lab: &Lab) -> DuplexStream {
    let (ours, theirs) = duplex(256 * 1024);
    let id = lab.worker.listener_id("public");
    let front = Front::new(Rc::clone(&lab.worker), Pair::new(theirs), peer(), id).unwrap();
    tokio::task::spawn_local(front);
    ours
}

/// A client's connection.
pub(super) struct Client {
    requests: SendRequest<Bytes>,
    connection: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    pub(super) async fn connect(lab: &Lab) -> Self {
        Self::connect_as(lab, &h2::client::Builder::new()).await
    }

    async fn connect_as(lab: &Lab, builder: &h2::client::Builder) -> Self {
        let (requests, connection) = builder.handshake(connect(lab)).await.unwrap();
        Self {
            requests,
            connection: tokio::task::spawn_local(connection),
        }
    }

    pub(super) fn send(
        &mut self,
        request: Request<()>,
        ends: bool,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        self.requests.send_request(request, ends).unwrap()
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        let (response, _) = self.send(get(path), true);
        Answer::of(response).await
    }

    /// How the connection ends, when it does without being asked to.
    pub(super) async fn end(self) -> Result<(), h2::Error> {
        let _requests = self.requests;
        self.connection.await.unwrap()
    }
}

pub(super) fn get(path: &str) -> Request<()> {
    Request::get(format!("http://a{path}")).body(()).unwrap()
}

fn post(path: &str) -> Request<()> {
    Request::post(format!("http://a{path}")).body(()).unwrap()
}

/// A back end that waits for what never comes.
pub(super) const SILENT: Script = Script::After(1, ("", Then::Stay));

/// What came back.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    trailers: Option<HeaderMap>,
    /// Why it is not complete.
    pub(super) reset: Option<Reason>,
}

impl Answer {
    pub(super) async fn of(response: ResponseFuture) -> Self {
        match response.await {
            Ok(response) => Self::read(response).await,
            Err(error) => Self {
                status: 0,
                body: String::new(),
                trailers: None,
                reset: Some(error.reason().expect("a reset")),
            },
        }
    }

    async fn read(response: Response<h2::RecvStream>) -> Self {
        let (head, mut octets) = response.into_parts();
        let mut answer = Self {
            status: head.status.as_u16(),
            body: String::new(),
            trailers: None,
            reset: None,
        };
        while let Some(piece) = octets.data().await {
            match piece {
                Ok(piece) => {
                    answer.body.push_str(str::from_utf8(&piece).unwrap());
                    octets.flow_control().release_capacity(piece.len()).unwrap();
                }
                Err(error) => {
                    answer.reset = error.reason();
                    return answer;
                }
            }
        }
        answer.trailers = octets.trailers().await.unwrap();
        answer
    }

    pub(super) fn short(status: u16, body: &str) -> Self {
        Self {
            status,
            body: body.into(),
            trailers: None,
            reset: None,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn requests_of_one_connection_are_served_together() {
    run(async {
        let slow = Script::Replies(vec![("", Then::Hang)]);
        let lab = Lab::new([slow]);
        let mut client = Client::connect(&lab).await;
        let (_waiting, _) = client.send(get("/app/slow"), true);
        assert_eq!(client.get("/app/").await, Answer::short(200, "."));
        assert_eq!(
            client.get("/nowhere").await,
            Answer::short(404, "404 Not Found\n")
        );
        assert_eq!(lab.dials(), 2);
        let expected = "GET /app/slow HTTP/1.1\r\nhost: a\r\nX-Forwarded-For: 192.0.2.7\r\n";
        assert!(
            lab.received()[0].starts_with(expected),
            "{:?}",
            lab.received()
        );
    })
    .await;
}

/// Rule 31: bodies without a length are chunked on, with their trailers; rule 30: those with one are
/// as long as that says.
#[tokio::test(start_paused = true)]
async fn bodies_go_through_both_ways() {
    run(async {
        let reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            2\r\nhi\r\n0\r\nGrpc-Status: 0\r\n\r\n";
        let lab = Lab::new([Script::After(35, (reply, Then::Stay))]);
        let mut client = Client::connect(&lab).await;
        let mut request = post("/app/");
        let te = HeaderValue::from_static("trailers");
        request.headers_mut().insert("te", te);
        let (response, mut body) = client.send(request, false);
        body.send_data("hello".into(), false).unwrap();
        body.send_data("world".into(), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-end", HeaderValue::from_static("1"));
        body.send_trailers(trailers).unwrap();
        let answer = Answer::of(response).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "hi"));
        assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
        let received = lab.received()[0].clone();
        assert!(
            received.contains("\r\ntransfer-encoding: chunked\r\n"),
            "{received}"
        );
        let body = "\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\nx-end: 1\r\n\r\n";
        assert!(received.ends_with(body), "{received}");
    })
    .await;
}

/// Rule 17: what a server cuts short is never complete.
#[tokio::test(start_paused = true)]
async fn response_cut_short_is_reset() {
    let cases = [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ];
    for reply in cases {
        run(async {
            let lab = Lab::new([Script::Replies(vec![(reply, Then::Close)])]);
            let answer = Client::connect(&lab).await.get("/app/").await;
            assert_eq!(answer.reset, Some(Reason::INTERNAL_ERROR), "{reply}");
        })
        .await;
    }
    run(async {
        let reply = "HTTP/1.1 200 OK\r\n\r\nhello";
        let lab = Lab::new([Script::Replies(vec![(reply, Then::Close)])]);
        let answer = Client::connect(&lab).await.get("/app/").await;
        assert_eq!(answer, Answer::short(200, "hello"));
    })
    .await;
}

/// Rule 28: what is malformed ends its stream, and no other.
#[tokio::test(start_paused = true)]
async fn malformed_request_is_reset_and_the_connection_goes_on() {
    run(async {
        let lab = Lab::new([]);
        let mut client = Client::connect(&lab).await;
        let mut request = get("/app/");
        let value = HeaderValue::from_static(" a");
        request.headers_mut().insert("x", value);
        let (response, _) = client.send(request, true);
        let answer = Answer::of(response).await;
        assert_eq!(answer.reset, Some(Reason::PROTOCOL_ERROR));
        // Rule 29.
        let mut request = get("/app/");
        request
            .headers_mut()
            .insert("host", HeaderValue::from_static("b"));
        let (response, _) = client.send(request, true);
        let answer = Answer::of(response).await;
        assert_eq!(answer.reset, Some(Reason::PROTOCOL_ERROR));
        assert_eq!(client.get("/app/").await, Answer::short(200, "."));
        assert_eq!(lab.dials(), 1);
    })
    .await;
}

/// So does a body that ends in nonsense, whatever came along with it; the server never sees its end.
#[tokio::test(start_paused = true)]
async fn malformed_trailers_reset_their_stream() {
    run(async {
        let lab = Lab::new([SILENT]);
        let mut client = Client::connect(&lab).await;
        let (response, mut body) = client.send(post("/app/"), false);
        body.send_data("hello".into(), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x", HeaderValue::from_static(" a"));
        body.send_trailers(trailers).unwrap();
        let answer = Answer::of(response).await;
        assert_eq!(answer.reset, Some(Reason::PROTOCOL_ERROR));
        let received = lab.received().concat();
        assert!(!received.contains("\r\n0\r\n"), "{received}");
    })
    .await;
}

/// An answer before the request's end: RFC 9113 §8.1 has NO_ERROR for the rest, but not at once. There are
/// clients (curl 7.88) that lose an answer which comes together with that.
#[tokio::test(start_paused = true)]
async fn early_answer_stops_the_request() {
    run(async {
        let lab = Lab::new([]);
        let mut client = Client::connect(&lab).await;
        let (response, mut body) = client.send(post("/nowhere"), false);
        body.send_data("hello".into(), false).unwrap();
        assert_eq!(
            Answer::of(response).await,
            Answer::short(404, "404 Not Found\n")
        );
        let mut reset = std::pin::pin!(std::future::poll_fn(|cx| body.poll_reset(cx)));
        let early = tokio::time::timeout(Duration::from_secs(4), &mut reset).await;
        assert!(early.is_err(), "{early:?}");
        assert_eq!(reset.await.unwrap(), Reason::NO_ERROR);
        assert_eq!(client.get("/app/").await, Answer::short(200, "."));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn request_taken_back_ends_its_exchange() {
    run(async {
        let lab = Lab::new([SILENT]);
        let mut client = Client::connect(&lab).await;
        let (response, mut body) = client.send(get("/app/"), true);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(lab.back_ends.open.get(), 1);
        body.send_reset(Reason::CANCEL);
        drop(response);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(lab.back_ends.open.get(), 0);
        assert_eq!(client.get("/app/").await, Answer::short(200, "."));
    })
    .await;
}

/// Rules 32 and 34: a connection that takes back what it asks for comes to its end.
#[tokio::test(start_paused = true)]
async fn storm_of_resets_ends_the_connection() {
    run(async {
        let lab = Lab::new(vec![SILENT; 200]);
        let mut client = Client::connect(&lab).await;
        for _ in 0..=100 {
            let (response, mut body) = client.send(get("/app/"), true);
            tokio::time::sleep(Duration::from_millis(10)).await;
            body.send_reset(Reason::CANCEL);
            drop(response);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let error = client.end().await.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM));
        assert_eq!(lab.back_ends.open.get(), 0);
    })
    .await;
}

/// Rule 33: two steps, and what is under way is served to its end.
#[tokio::test(start_paused = true)]
async fn drained_connection_serves_what_it_has_and_ends() {
    run(async {
        let body = Script::After(
            5,
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.", Then::Stay),
        );
        let lab = Lab::new([body]);
        let mut client = Client::connect(&lab).await;
        let mut request = post("/app/");
        let length = HeaderValue::from_static("5");
        request.headers_mut().insert("content-length", length);
        let (response, mut body) = client.send(request, false);
        tokio::time::sleep(Duration::from_secs(1)).await;
        lab.worker.drain();
        tokio::time::sleep(Duration::from_secs(1)).await;
        body.send_data("hello".into(), true).unwrap();
        assert_eq!(Answer::of(response).await, Answer::short(200, "."));
        client.end().await.unwrap();
        assert_eq!(lab.worker.open(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn connection_ends_with_its_last_request_or_when_idle() {
    run(async {
        let mut limited = snapshot();
        limited.listeners[0].limits.requests_per_connection = 2;
        let lab = Lab::with([], &limited);
        let mut client = Client::connect(&lab).await;
        client.get("/app/").await;
        client.get("/app/").await;
        client.end().await.unwrap();
        let mut idle = Client::connect(&lab).await;
        idle.get("/app/").await;
        let start = tokio::time::Instant::now();
        idle.end().await.unwrap();
        let waited = start.elapsed();
        assert!(waited >= Duration::from_secs(75) && waited < Duration::from_secs(76));
        assert_eq!(lab.worker.counters.traffic().active, 0);
        assert_eq!(lab.worker.counters.traffic().accepted, 2);
    })
    .await;
}

/// Rule 37: a client that opens no window has its response cut after the time for sending, and
/// others on the connection go on.
#[tokio::test(start_paused = true)]
async fn response_that_nobody_takes_is_cut() {
    run(async {
        let lab = Lab::new([Script::Flood]);
        let mut client = Client::connect(&lab).await;
        let (response, _) = client.send(get("/app/flood"), true);
        let (_, mut octets) = response.await.unwrap().into_parts();
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(client.get("/status").await.status, 200);
        let flooded = lab.back_ends.flooded.get();
        assert!(
            flooded < 512 * 1024,
            "{flooded} octets were read for a client that takes none"
        );
        tokio::time::sleep(Duration::from_secs(35)).await;
        assert_eq!(lab.back_ends.open.get(), 0);
        let error = loop {
            if let Err(error) = octets.data().await.expect("no clean end") {
                break error;
            }
        };
        assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
    })
    .await;
}
