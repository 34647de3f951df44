//! Questions over HTTP/2, to servers that speak nothing else, and to some that do not.

use std::sync::Arc;

use core_http1::FIELDS_MAX;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::tls_tests::{certificate, trusting};
use super::*;
use crate::stream::ANSWER_MAX;

const LIMIT: Duration = Duration::from_secs(20);

/// How a server treats the one stream that it gets.
#[derive(Clone, Copy, Debug)]
enum Server {
    /// Answers with this status and leaves it open.
    Answers(u16),
    /// The same after an interim answer.
    Hints(u16),
    /// Answers with more fields than the proxy takes.
    Chatters,
    /// Resets it.
    Resets(h2::Reason),
    /// Answers with this status and ends the connection at once.
    Leaves(u16),
}

/// Serves one connection; what the client asked for.
async fn serve(io: impl AsyncRead + AsyncWrite + Unpin, server: Server) -> String {
    let mut connection = h2::server::handshake(io).await.unwrap();
    let (request, mut answer) = connection.accept().await.unwrap().unwrap();
    assert!(request.body().is_end_stream());
    let said = format!(
        "{} {} {:?}",
        request.method(),
        request.uri(),
        request.headers()
    );
    let with = |status| Response::builder().status(status);
    let mut open = None;
    match server {
        Server::Answers(status) => {
            open = Some(
                answer
                    .send_response(with(status).body(()).unwrap(), false)
                    .unwrap(),
            );
        }
        Server::Hints(status) => {
            let hints = with(103).header("link", "</a>").body(()).unwrap();
            answer.send_informational(hints).unwrap();
            open = Some(
                answer
                    .send_response(with(status).body(()).unwrap(), false)
                    .unwrap(),
            );
        }
        Server::Chatters => {
            let field = (HeaderName::from_static("x"), HeaderValue::from_static("y"));
            let mut head = with(200).body(()).unwrap();
            head.headers_mut()
                .extend(std::iter::repeat_n(field, FIELDS_MAX + 1));
            open = Some(answer.send_response(head, false).unwrap());
        }
        Server::Resets(reason) => answer.send_reset(reason),
        Server::Leaves(status) => {
            drop(answer.send_response(with(status).body(()).unwrap(), true));
            connection.graceful_shutdown();
        }
    }
    // To its end, or to an error where the probe leaves before everything is sent.
    while let Some(Ok(_)) = connection.accept().await {}
    drop(open);
    said
}

fn check(timeout: Duration) -> UpstreamCheck {
    UpstreamCheck {
        name: "app".into(),
        servers: Vec::new(),
        protocol: UpstreamProtocol::Http2,
        send_proxy: None,
        probe: Probe::Http {
            path: "/healthz?full=1".into(),
            host: Some("app.test".into()),
            statuses: vec![(200, 399)],
        },
        tls: None,
        interval: LIMIT,
        timeout,
        rise: 2,
        fall: 3,
    }
}

fn said(result: Result<Answer, Failure>) -> String {
    match result {
        Ok(answer) => format!("up: {answer}"),
        Err(failure) => format!("down: {failure}"),
    }
}

#[actix_rt::test]
async fn verdicts_by_prior_knowledge() {
    use Server::{Answers, Chatters, Hints, Leaves, Resets};
    let refused = "down: no answer over HTTP/2: stream error received: \
                   refused stream before processing any application logic";
    let cases = [
        (Answers(200), "up: status 200"),
        (Answers(204), "up: status 204"),
        (Answers(503), "down: status 503"),
        (Hints(503), "down: status 503"),
        (Leaves(302), "up: status 302"),
        (Chatters, "down: answer is no HTTP: too many header fields"),
        (Resets(h2::Reason::REFUSED_STREAM), refused),
    ];
    for (server, expected) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let check = check(LIMIT);
        let serving = async { serve(listener.accept().await.unwrap().0, server).await };
        let (result, asked) = tokio::join!(probe(address, &check, None), serving);
        assert_eq!(said(result), expected, "{server:?}");
        let line = "GET http://app.test/healthz?full=1 \
                    {\"accept\": \"*/*\", \"user-agent\": \"evenkeel-check\"}";
        assert_eq!(asked, line);
    }
}

/// Who answers the preface with these octets, or, where there are none, with an end.
async fn mumble(listener: TcpListener, octets: Vec<u8>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    assert!(stream.read(&mut [0; 24]).await.unwrap() > 0);
    if octets.is_empty() {
        stream.shutdown().await.unwrap();
    }
    // An error where the probe has had enough.
    let _ = stream.write_all(&octets).await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[actix_rt::test]
async fn who_speaks_something_else_is_down_and_nothing_goes_on_for_ever() {
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let endless = [&settings[..], &ping.repeat(ANSWER_MAX / ping.len() + 1)].concat();
    let http1 = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec();
    let cases = [
        (Vec::new(), "down: connection closed without an answer"),
        (settings.to_vec(), "down: timed out after 50ms"),
        (endless, "down: more than 32768 octets and no answer"),
        (
            http1,
            "down: no answer over HTTP/2: connection error detected: frame with invalid size",
        ),
    ];
    for (octets, expected) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let limit = if octets == settings {
            Duration::from_millis(50)
        } else {
            LIMIT
        };
        let address = listener.local_addr().unwrap();
        let check = check(limit);
        let (result, ()) = tokio::join!(probe(address, &check, None), mumble(listener, octets));
        assert_eq!(said(result), expected);
    }
}

#[actix_rt::test]
async fn over_tls_both_agree_on_it() {
    let theirs = certificate();
    let authorities = tls::Authorities::new(std::slice::from_ref(&theirs.chain));
    let tls = tls::Client::new(&trusting(Some("app.test")), &authorities, tls::H2).unwrap();
    let server = tls_tests::server(&theirs);
    let speaking = |protocols: &[&[u8]]| {
        let mut config = ServerConfig::clone(&server);
        config.alpn_protocols = protocols.iter().map(|one| one.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    };
    let cases = [
        (
            speaking(&[tls::HTTP_11, tls::H2]),
            Some("GET https://app.test/healthz?full=1 "),
            "up: status 204",
        ),
        (
            speaking(&[]),
            None,
            "down: does not speak HTTP/2 over TLS (no \"h2\" in ALPN)",
        ),
        (
            speaking(&[tls::HTTP_11]),
            None,
            "down: no TLS: the peer refuses: NoApplicationProtocol",
        ),
    ];
    for (acceptor, line, expected) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let check = check(LIMIT);
        let serving = async {
            let (tcp, _) = listener.accept().await.unwrap();
            let stream = acceptor.accept(tcp).await;
            let status = Server::Answers(StatusCode::NO_CONTENT.as_u16());
            match line {
                Some(line) => assert!(serve(stream.unwrap(), status).await.starts_with(line)),
                None => drop(stream),
            }
        };
        let (result, ()) = tokio::join!(probe(address, &check, Some(&tls)), serving);
        assert_eq!(said(result), expected);
    }
}
