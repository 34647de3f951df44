//! Both halves of a WebSocket handshake: which are passed on as such (rules 24 and 25).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{IpAddr, Ipv4Addr};

use core_http1::forward::{Delivery, Origin, write_request, write_response};
use core_http1::{
    BodyLength, Expected, Fault, FieldSlots, Handshake, Limits, RequestHead, ResponseHead, Version,
};

const LIMITS: Limits = Limits {
    head_bytes: 32 * 1024,
    fields: 100,
};

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\
    Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn handshake(head: &str) -> Result<Option<Handshake>, Fault> {
    let mut slots = FieldSlots::default();
    RequestHead::parse(head.as_bytes(), &LIMITS, &mut slots).map(|head| head.unwrap().websocket)
}

fn asked() -> Handshake {
    handshake(ASK).unwrap().unwrap()
}

fn forwarded(head: &str, websocket: bool) -> String {
    let mut slots = FieldSlots::default();
    let request = RequestHead::parse(head.as_bytes(), &LIMITS, &mut slots)
        .unwrap()
        .unwrap();
    let origin = Origin {
        client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        peer: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        is_trusted: false,
        request_id: b"17",
        scheme: "http",
        path: request.target.path,
        default_host: "back:80",
        websocket,
    };
    let mut out = Vec::new();
    write_request(&request, &origin, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn wish_goes_on_where_it_may_and_is_taken_away_elsewhere() {
    let passed = forwarded(ASK, true);
    assert!(
        passed.ends_with("Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
        "{passed}"
    );
    assert_eq!(passed.matches("Upgrade:").count(), 1, "{passed}");
    assert!(passed.contains("Sec-WebSocket-Key: dGhl"), "{passed}");
    let plain = forwarded(ASK, false);
    assert!(!plain.to_lowercase().contains("upgrade"), "{plain}");
}

#[test]
fn what_only_looks_like_a_wish_is_an_ordinary_request() {
    let cases = [
        ASK.replace("GET", "POST"),
        ASK.replace("HTTP/1.1", "HTTP/1.0"),
        ASK.replace("keep-alive, Upgrade", "keep-alive"),
        ASK.replace("WebSocket\r\n", "h2c\r\n"),
        ASK.replace("WebSocket\r\n", "TLS/1.0\r\n"),
        ASK.replace("WebSocket\r\n", "websocket, h2c\r\n"),
        ASK.replace("WebSocket\r\n", "websocket/13\r\n"),
        ASK.replace("Host: a\r\n", "Host: a\r\nUpgrade: websocket\r\n"),
        ASK.replace("Host: a\r\n", "Host: a\r\nContent-Length: 1\r\n"),
        ASK.replace("Host: a\r\n", "Host: a\r\nTransfer-Encoding: chunked\r\n"),
    ];
    for head in cases {
        assert_eq!(handshake(&head), Ok(None), "{head}");
        let passed = forwarded(&head, true).to_lowercase();
        assert!(!passed.contains("upgrade"), "{passed}");
    }
}

#[test]
fn wish_with_a_bad_key_is_400() {
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for lines in [
        String::new(),
        key.repeat(2),
        "Sec-WebSocket-Key:\r\n".to_owned(),
        "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n".to_owned(),
    ] {
        let found = handshake(&ASK.replace(key, &lines));
        assert_eq!(found, Err(Fault::Handshake), "{lines}");
    }
    assert_eq!(Fault::Handshake.status(), 400);
}

fn answer(head: &str, expected: Expected) -> Result<u16, Fault> {
    let mut slots = FieldSlots::default();
    let head = ResponseHead::parse(head.as_bytes(), &LIMITS, expected, &mut slots)?.unwrap();
    assert_eq!(head.is_switch(), head.status == 101);
    assert_eq!(head.body, BodyLength::Fixed(0));
    Ok(head.status)
}

#[test]
fn right_101_is_passed_on_with_its_hop_by_hop_fields() {
    assert_eq!(answer(SWITCH, Expected::Switch(asked())), Ok(101));
    let mut slots = FieldSlots::default();
    let expected = Expected::Switch(asked());
    let head = ResponseHead::parse(SWITCH.as_bytes(), &LIMITS, expected, &mut slots);
    let head = head.unwrap().unwrap();
    assert!(!head.is_interim(), "nothing of HTTP follows");
    let mut out = Vec::new();
    let to = Delivery {
        client_version: Version::Http11,
        keep_alive: false,
        trailers: false,
        date: b"",
        node: None,
    };
    write_response(&head, &to, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
}

#[test]
fn wrong_101_is_refused() {
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    let wrong = [
        SWITCH.replace(accept, ""),
        SWITCH.replace(accept, &accept.repeat(2)),
        SWITCH.replace("s3pP", "S3pP"),
        SWITCH.replace("Upgrade: websocket", "Upgrade: h2c"),
        SWITCH.replace("Upgrade: websocket\r\n", ""),
        SWITCH.replace("Connection: Upgrade\r\n", ""),
        SWITCH.replace("Connection: Upgrade", "Connection: close"),
        SWITCH.replace("HTTP/1.1", "HTTP/1.0"),
    ];
    for head in &wrong {
        let found = answer(head, Expected::Switch(asked()));
        assert_eq!(found, Err(Fault::Status), "{head}");
    }
    let chunked = SWITCH.replace(accept, &format!("{accept}Transfer-Encoding: chunked\r\n"));
    let found = answer(&chunked, Expected::Switch(asked()));
    assert_eq!(found, Err(Fault::Length));
    for expected in [Expected::Content, Expected::HeadOnly] {
        assert_eq!(answer(SWITCH, expected), Err(Fault::Status));
    }
}

#[test]
fn who_asked_for_websocket_may_be_told_something_else() {
    let head = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(answer(head, Expected::Switch(asked())), Ok(426));
    assert_eq!(
        answer(
            "HTTP/1.1 103 Early Hints\r\n\r\n",
            Expected::Switch(asked())
        ),
        Ok(103)
    );
}
