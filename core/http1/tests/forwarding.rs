//! Heads as they leave: hop-by-hop fields, the client's address, framing (RFC 9110 §7.6).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::IpAddr;

use core_http1::forward::{Delivery, Origin, write_request, write_response};
use core_http1::{
    Answer, Expected, FieldSlots, Limits, RequestHead, ResponseHead, Version, short_answer,
};

const LIMITS: Limits = Limits {
    head_bytes: 32 * 1024,
    fields: 100,
};
const DATE: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";

/// As from a client whose word is not taken.
fn forwarded(head: &str) -> String {
    forwarded_from("192.0.2.7", &[], head)
}

/// As from `peer`, where some are trusted.
fn forwarded_from(peer: &str, trusted: &[&str], head: &str) -> String {
    let peer = peer.parse().unwrap();
    let is_trusted = |ip: IpAddr| trusted.contains(&ip.to_string().as_str());
    let mut slots = FieldSlots::default();
    let request = RequestHead::parse(head.as_bytes(), &LIMITS, &mut slots)
        .unwrap()
        .unwrap();
    let origin = Origin {
        client: request.client(peer, is_trusted),
        peer,
        is_trusted: is_trusted(peer),
        request_id: b"17",
        scheme: "http",
        path: request.target.path,
        default_host: "back:80",
        websocket: true,
    };
    let mut out = Vec::new();
    write_request(&request, &origin, &mut out);
    String::from_utf8(out).unwrap()
}

fn delivered(head: &str, to: &Delivery<'_>) -> String {
    let mut slots = FieldSlots::default();
    let response = ResponseHead::parse(head.as_bytes(), &LIMITS, Expected::Content, &mut slots);
    let mut out = Vec::new();
    write_response(&response.unwrap().unwrap(), to, &mut out);
    String::from_utf8(out).unwrap()
}

const TO_HTTP11: Delivery<'_> = Delivery {
    client_version: Version::Http11,
    keep_alive: true,
    trailers: false,
    date: DATE,
    node: None,
};

#[test]
fn request_goes_on_with_our_word_for_who_asked() {
    assert_eq!(
        forwarded("GET /a?b=c HTTP/1.1\r\nhost: x:8080\r\nAccept:  */*\r\nCookie: k\r\n\r\n"),
        "GET /a?b=c HTTP/1.1\r\nhost: x:8080\r\nAccept:  */*\r\nCookie: k\r\n\
         X-Forwarded-For: 192.0.2.7\r\nX-Real-IP: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n\
         X-Forwarded-Host: x:8080\r\nX-Request-ID: 17\r\n\r\n"
    );
}

#[test]
fn client_copies_of_identity_fields_are_dropped_with_their_aliases() {
    let out = forwarded(
        "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.0.0.1\r\nX_Forwarded_For: 10.0.0.2\r\n\
         Forwarded: for=10.0.0.3\r\nx-real-ip: 10.0.0.4\r\nX-FORWARDED-PORT: 1\r\nKept: 1\r\n\
         X-Forwarded-Proto: https\r\n\r\n",
    );
    assert!(!out.contains("10.0.0."), "{out}");
    assert!(!out.contains("PORT") && !out.contains("https"), "{out}");
    assert!(out.contains("\r\nKept: 1\r\n"), "{out}");
    assert_eq!(out.matches("X-Forwarded-For").count(), 1, "{out}");
}

/// Rule 19.
#[test]
fn hop_by_hop_fields_end_here() {
    let out = forwarded(
        "GET / HTTP/1.1\r\nConnection: keep-alive, X-Private ,upgrade\r\nHost: x\r\n\
         x-private: secret\r\nUpgrade: h2c\r\nKeep-Alive: 5\r\nProxy-Connection: y\r\n\
         Proxy-Authorization: z\r\nTE: gzip\r\nKept: 1\r\n\r\n",
    );
    for gone in ["Connection", "secret", "h2c", "Keep-Alive", "Proxy", "TE:"] {
        assert!(!out.contains(gone), "{gone} in {out}");
    }
    assert!(out.contains("Kept: 1\r\n"), "{out}");
}

/// Rule 19 (CVE-2024-45410).
#[test]
fn connection_cannot_remove_protected_fields() {
    let out = forwarded(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nAuthorization: a\r\nCookie: b\r\n\
         Cache-Control: c\r\nX-Request-Id: d\r\nConnection: Host, Content-Length, Authorization, \
         Cookie, Cache-Control, X-Request-Id, X-Forwarded-For, X-Real-IP, Forwarded\r\n\r\n",
    );
    for kept in [
        "Host: x",
        "Content-Length: 3",
        "Authorization: a",
        "Cookie: b",
        "Cache-Control: c",
        "X-Request-ID: 17",
        "X-Forwarded-For: 192.0.2.7",
        "X-Real-IP: 192.0.2.7",
    ] {
        assert!(out.contains(kept), "{kept} not in {out}");
    }
}

#[test]
fn host_comes_from_the_target_or_the_default_where_it_must() {
    let absolute = forwarded("GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        absolute.starts_with("GET / HTTP/1.1\r\nHost: y\r\n"),
        "{absolute}"
    );
    assert!(!absolute.contains("Host: x"), "{absolute}");
    let old = forwarded("GET / HTTP/1.0\r\n\r\n");
    assert!(
        old.starts_with("GET / HTTP/1.1\r\nHost: back:80\r\n"),
        "{old}"
    );
    assert!(!old.contains("X-Forwarded-Host"), "{old}");
}

/// Rules 15 and 19.
#[test]
fn te_trailers_goes_on_with_its_connection_option() {
    let out = forwarded("GET / HTTP/1.1\r\nHost: x\r\nTE: trailers, gzip\r\n\r\n");
    assert!(
        out.ends_with("TE: trailers\r\nConnection: TE\r\n\r\n"),
        "{out}"
    );
}

#[test]
fn response_keeps_its_lines_and_gets_a_date() {
    assert_eq!(
        delivered(
            "HTTP/1.1 200 OK\r\nServer: s\r\nConnection: close, x-a\r\nX-A: 1\r\n\
             Content-Length: 5\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a\r\n\r\n",
            &TO_HTTP11
        ),
        "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 5\r\nSet-Cookie: a\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
    );
    let dated = "HTTP/1.0 404 Not There\r\nDate: x\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        delivered(dated, &TO_HTTP11),
        "HTTP/1.1 404 Not There\r\nDate: x\r\nContent-Length: 0\r\n\r\n"
    );
}

/// Rule 20.
#[test]
fn connection_of_the_client_is_told_where_silence_would_mislead() {
    let head = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 0\r\n\r\n";
    let cases = [
        (Version::Http11, true, None),
        (Version::Http11, false, Some("Connection: close")),
        (Version::Http10, true, Some("Connection: keep-alive")),
        (Version::Http10, false, Some("Connection: close")),
    ];
    for (client_version, keep_alive, line) in cases {
        let out = delivered(
            head,
            &Delivery {
                client_version,
                keep_alive,
                ..TO_HTTP11
            },
        );
        assert_eq!(out.contains("Connection"), line.is_some(), "{out}");
        assert!(out.contains(line.unwrap_or("HTTP/1.1 200 OK")), "{out}");
    }
}

#[test]
fn chunked_framing_is_announced_to_http11_only() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
    let to_10 = Delivery {
        client_version: Version::Http10,
        ..TO_HTTP11
    };
    let to_trailers = Delivery {
        trailers: true,
        ..TO_HTTP11
    };
    for (to, framing, trailer) in [
        (&TO_HTTP11, true, false),
        (&to_10, false, false),
        (&to_trailers, true, true),
    ] {
        let out = delivered(head, to);
        assert_eq!(out.contains("Transfer-Encoding: chunked"), framing, "{out}");
        assert_eq!(out.contains("Trailer: X-Sum"), trailer, "{out}");
    }
}

#[test]
fn node_header_of_a_server_is_replaced_by_ours() {
    let head = "HTTP/1.1 200 OK\r\nX-Node: forged\r\nContent-Length: 0\r\n\r\n";
    let out = delivered(
        head,
        &Delivery {
            node: Some("proxy101"),
            ..TO_HTTP11
        },
    );
    assert!(
        out.contains("X-Node: proxy101\r\n") && !out.contains("forged"),
        "{out}"
    );
}

/// Rules 25 and 26: those that nobody knows too.
#[test]
fn interim_response_is_passed_on_bare() {
    for head in [
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        "HTTP/1.1 199 Whatever\r\n\r\n",
    ] {
        assert_eq!(delivered(head, &TO_HTTP11), head);
    }
}

/// Rule 27: HTTP/1.0 knows no 100, so nobody is asked for one.
#[test]
fn expectation_of_http10_ends_here() {
    for (version, goes_on) in [("1.1", true), ("1.0", false)] {
        let head = format!("PUT / HTTP/{version}\r\nHost: x\r\nExpect: 100-Continue\r\n\r\n");
        let out = forwarded(&head);
        assert_eq!(out.contains("Expect: 100-Continue\r\n"), goes_on, "{out}");
    }
}

/// Rule 16.
#[test]
fn length_is_dropped_from_204() {
    let out = delivered(
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nDate: x\r\n\r\n",
        &TO_HTTP11,
    );
    assert_eq!(out, "HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n");
}

#[test]
fn own_answers_are_complete_responses() {
    let answer = Answer {
        version: Version::Http11,
        keep_alive: false,
        asked_head: false,
        date: DATE,
    };
    for status in [
        400, 403, 404, 405, 408, 413, 414, 417, 431, 501, 502, 503, 504, 505,
    ] {
        let mut out = Vec::new();
        let body = answer.write_short(&short_answer(status), &mut out);
        let mut slots = FieldSlots::default();
        let head = ResponseHead::parse(&out, &LIMITS, Expected::Content, &mut slots)
            .unwrap()
            .unwrap();
        assert_eq!(head.status, status);
        assert_eq!(head.len + body, out.len());
        assert_eq!(
            head.body,
            core_http1::BodyLength::Fixed(u64::try_from(body).unwrap())
        );
        assert!(!head.keep_alive);
    }
    let mut out = Vec::new();
    let to_head = Answer {
        asked_head: true,
        keep_alive: true,
        ..answer
    };
    assert_eq!(to_head.write_page("text/plain", b"page", &mut out), 0);
    assert!(out.ends_with(b"GMT\r\n\r\n"));
}

#[test]
fn word_of_a_trusted_peer_is_passed_on_and_its_lists_are_continued() {
    let head = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1\r\n\
        X-Forwarded-Proto: https\r\nX-Forwarded-Host: www\r\nX-Forwarded-Port: 8443\r\n\
        X-Forwarded-For: 2.2.2.2\r\nX-Real-IP: 3.3.3.3\r\nForwarded: for=4.4.4.4\r\n\
        X-Request-ID: forged\r\nX_Forwarded_Proto: alias\r\n\
        Connection: X-Forwarded-Proto, X-Forwarded-For\r\n\r\n";
    assert_eq!(
        forwarded_from("10.0.0.1", &["10.0.0.1"], head),
        "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www\r\n\
         X-Forwarded-Port: 8443\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.0.0.1\r\n\
         X-Real-IP: 2.2.2.2\r\nX-Request-ID: 17\r\n\r\n"
    );
    let only_standard = "GET / HTTP/1.1\r\nHost: x\r\nForwarded: for=4.4.4.4\r\n\r\n";
    assert_eq!(
        forwarded_from("10.0.0.1", &["10.0.0.1"], only_standard),
        "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.0.0.1\r\n\
         X-Real-IP: 10.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: x\r\n\
         X-Request-ID: 17\r\n\r\n"
    );
}
