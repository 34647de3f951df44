//! Questions over TCP, and servers that answer well, badly or not at all.

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::*;
use crate::stream::ANSWER_MAX;

/// How a server treats the one connection that it gets.
enum Server {
    /// Nobody listens.
    Refuses,
    /// Reads, answers these octets and leaves the connection open.
    Answers(&'static str),
    /// Reads, answers these octets one by one and closes.
    Trickles(&'static str),
    /// Reads and closes.
    Closes,
    /// Reads for ever.
    Hangs,
}

/// Serves one connection; what the client sent.
async fn serve(listener: TcpListener, server: Server) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap() == 0 {
            break;
        }
    }
    match server {
        Server::Answers(text) => stream.write_all(text.as_bytes()).await.unwrap(),
        Server::Trickles(text) => {
            for byte in text.bytes() {
                stream.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            return String::from_utf8(request).unwrap();
        }
        Server::Closes => return String::from_utf8(request).unwrap(),
        Server::Refuses | Server::Hangs => {}
    }
    let mut rest = Vec::new();
    // ends with an error where the probe closes before it has read everything
    let _ = stream.read_to_end(&mut rest).await;
    String::from_utf8(request).unwrap()
}

fn http() -> Probe {
    Probe::Http {
        path: "/healthz".into(),
        host: None,
        statuses: vec![(200, 399), (404, 404)],
    }
}

async fn run(probe_kind: Probe, server: Server) -> (String, Option<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let check = UpstreamCheck {
        name: "app".into(),
        servers: vec![address],
        protocol: UpstreamProtocol::Http1,
        send_proxy: None,
        probe: probe_kind,
        tls: None,
        interval: Duration::from_secs(2),
        timeout: match server {
            Server::Hangs => Duration::from_millis(50),
            _ => Duration::from_secs(20),
        },
        rise: 2,
        fall: 3,
    };
    let (result, sent) = if matches!(server, Server::Refuses) {
        drop(listener);
        (probe(address, &check, None).await, None)
    } else {
        let (result, sent) = tokio::join!(probe(address, &check, None), serve(listener, server));
        (result, Some(sent))
    };
    let text = match result {
        Ok(answer) => format!("up: {answer}"),
        Err(failure) => format!("down: {failure}"),
    };
    (text, sent)
}

#[actix_rt::test]
async fn verdicts_on_real_connections() {
    use Server::{Answers, Closes, Hangs, Refuses, Trickles};
    let cases = [
        (Probe::Tcp, Refuses, "down: connection refused"),
        (Probe::Tcp, Closes, "up: connected"),
        (http(), Refuses, "down: connection refused"),
        (http(), Hangs, "down: timed out after 50ms"),
        (http(), Closes, "down: connection closed without an answer"),
        (
            http(),
            Answers("HTTP/1.1 200 OK\r\n\r\nbody"),
            "up: status 200",
        ),
        (
            http(),
            Answers("HTTP/1.0 204 No Content\r\n\r\n"),
            "up: status 204",
        ),
        (
            http(),
            Answers("HTTP/1.1 404 Not Found\r\n\r\n"),
            "up: status 404",
        ),
        (
            http(),
            Answers("HTTP/1.1 403 Forbidden\r\n\r\n"),
            "down: status 403",
        ),
        (
            http(),
            Answers("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 9\r\n\r\n"),
            "down: status 500",
        ),
        (
            http(),
            Answers("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 503 No\r\n\r\n"),
            "down: status 503",
        ),
        (
            http(),
            Trickles("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            "up: status 200",
        ),
        (
            http(),
            Trickles("HTTP/1.1 200 OK\r\nContent-Le"),
            "down: connection closed without an answer",
        ),
        (
            http(),
            Answers("SSH-2.0-OpenSSH_9.2p1\r\n"),
            "down: answer is no HTTP: malformed start line",
        ),
        (
            http(),
            Answers("HTTP/1.1 OK\r\n\r\n"),
            "down: answer is no HTTP: malformed start line",
        ),
    ];
    for (number, (probe, server, expected)) in cases.into_iter().enumerate() {
        assert_eq!(run(probe, server).await.0, expected, "case {number}");
    }
}

#[actix_rt::test]
async fn our_own_proxy_is_asked_where_it_is_on_this_node() {
    use Server::{Answers, Closes, Hangs, Refuses};
    let cases = [
        (
            "127.0.0.1:0",
            Answers("HTTP/1.1 500 No\r\n\r\n"),
            "status 500",
        ),
        (
            "0.0.0.0:0",
            Answers("HTTP/1.1 200 OK\r\n\r\n"),
            "status 200",
        ),
        ("127.0.0.1:0", Hangs, "timed out after 50ms"),
        ("127.0.0.1:0", Closes, "connection closed without an answer"),
        ("127.0.0.1:0", Refuses, "connection refused"),
    ];
    for (bind, server, expected) in cases {
        let listener = TcpListener::bind(bind).await.unwrap();
        let address = listener.local_addr().unwrap();
        let limit = match server {
            Hangs => Duration::from_millis(50),
            _ => Duration::from_secs(20),
        };
        let check = ListenerCheck {
            address,
            probe: ListenerProbe::Http,
            proxy_header: false,
        };
        let asked = if matches!(server, Refuses) {
            drop(listener);
            probe_own(&check, None, limit).await
        } else {
            let (asked, sent) =
                tokio::join!(probe_own(&check, None, limit), serve(listener, server));
            assert!(sent.starts_with("OPTIONS * HTTP/1.1\r\n"), "{sent}");
            asked
        };
        let text = match asked {
            Ok(answer) => answer.map(|answer| answer.to_string()),
            Err(failure) => Some(failure.to_string()),
        };
        assert_eq!(text.as_deref(), Some(expected), "{bind}");
    }
    // TEST-NET-1 is on no node.
    let elsewhere = ListenerCheck {
        address: "192.0.2.105:80".parse().unwrap(),
        probe: ListenerProbe::Http,
        proxy_header: false,
    };
    let asked = probe_own(&elsewhere, None, Duration::from_secs(20)).await;
    assert!(matches!(asked, Ok(None)), "{asked:?}");
}

#[actix_rt::test]
async fn the_request_is_a_plain_one() {
    let (_, sent) = run(http(), Server::Closes).await;
    let sent = sent.unwrap();
    let host = sent
        .split("Host: ")
        .nth(1)
        .unwrap()
        .split("\r\n")
        .next()
        .unwrap();
    assert!(host.starts_with("127.0.0.1:"), "{host}");
    let expected = format!(
        "GET /healthz HTTP/1.1\r\nHost: {host}\r\nUser-Agent: evenkeel-check\r\n\
         Accept: */*\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(sent, expected);
}

#[test]
fn a_configured_host_is_asked_for() {
    let address = "192.0.2.1:8080".parse().unwrap();
    let request = request("/", Some("app.example.org"), address);
    assert!(
        request.contains("\r\nHost: app.example.org\r\n"),
        "{request}"
    );
}

#[actix_rt::test]
async fn an_answer_without_end_is_cut_off() {
    let endless: &'static str = Box::leak(
        "HTTP/1.1 100 Continue\r\n\r\n"
            .repeat(ANSWER_MAX / 20)
            .into_boxed_str(),
    );
    let (verdict, _) = run(http(), Server::Answers(endless)).await;
    assert_eq!(verdict, "down: more than 32768 octets and no answer");
}

#[actix_rt::test]
async fn who_expects_a_proxy_header_gets_one() {
    let well = || Server::Answers("HTTP/1.1 200 OK\r\n\r\n");
    let local = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    let limit = Duration::from_secs(20);
    for (version, header) in [
        (ProxyVersion::V1, "PROXY UNKNOWN\r\n"),
        (ProxyVersion::V2, local),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let check = UpstreamCheck {
            name: "app".into(),
            servers: vec![address],
            protocol: UpstreamProtocol::Http1,
            send_proxy: Some(version),
            probe: http(),
            tls: None,
            interval: limit,
            timeout: limit,
            rise: 2,
            fall: 3,
        };
        let (answer, sent) = tokio::join!(probe(address, &check, None), serve(listener, well()));
        assert_eq!(answer.unwrap(), Answer::Status(200));
        let request = sent.strip_prefix(header).expect("the header");
        assert!(request.starts_with("GET /healthz HTTP/1.1\r\n"), "{sent:?}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = ListenerCheck {
        address: listener.local_addr().unwrap(),
        probe: ListenerProbe::Http,
        proxy_header: true,
    };
    let (answer, sent) = tokio::join!(probe_own(&own, None, limit), serve(listener, well()));
    assert_eq!(answer.unwrap(), Some(Answer::Status(200)));
    assert!(sent.starts_with(&format!("{local}OPTIONS * ")), "{sent:?}");
}
