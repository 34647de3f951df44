//! Listeners that speak no HTTP: octets go to a server as they are, by the name in a TLS hello or at
//! once.

use std::time::Duration;

use ipc::proxy::{ListenerProtocol, ProxySnapshot, RouteAction};
use tokio::io::AsyncWriteExt as _;

use super::lab::{Lab, RESET, Script, run, two_servers};

/// One upstream of two servers for everybody.
fn tcp() -> ProxySnapshot {
    let mut snapshot = two_servers();
    snapshot.listeners[0].protocol = ListenerProtocol::Tcp;
    snapshot.routes.truncate(1);
    snapshot.routes[0].path = "/".into();
    snapshot
}

/// One server for a.example, another for all others.
fn by_name() -> ProxySnapshot {
    let mut snapshot = tcp();
    let mut other = snapshot.upstreams[0].clone();
    other.name = "other".into();
    other.servers = vec![snapshot.upstreams[0].servers.pop().unwrap()];
    snapshot.upstreams.push(other);
    let mut any = snapshot.routes[0].clone();
    any.action = RouteAction::Upstream(1);
    snapshot.routes[0].host = Some("a.example".into());
    snapshot.routes.push(any);
    snapshot
}

/// A TLS hello that names a server, without anything else that a server would need.
fn hello(name: &str) -> Vec<u8> {
    let vector = |octets: &[u8]| {
        let len = u16::try_from(octets.len()).unwrap().to_be_bytes();
        [len.as_slice(), octets].concat()
    };
    let server_name = vector(&[&[0], vector(name.as_bytes()).as_slice()].concat());
    let extensions = vector(&[&[0, 0], vector(&server_name).as_slice()].concat());
    let body = [
        [3; 34].as_slice(),
        &[0],
        &vector(&[0x13, 0x01]),
        &[1, 0],
        &extensions,
    ];
    let body = vector(&body.concat());
    let message = [&[1, 0], body.as_slice()].concat();
    [&[22, 3, 1], vector(&message).as_slice()].concat()
}

#[tokio::test(start_paused = true)]
async fn server_may_speak_first_and_both_sides_say_what_they_like() {
    run(async {
        let lab = Lab::with([Script::Speak("220 mail\r\n")], &tcp());
        let mut client = lab.connect();
        assert_eq!(client.hear().await, "220 mail\r\n");
        client.send("HELO\r\n\0GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(client.hear().await, "");
        assert_eq!(lab.received()[0], "HELO\r\n\0GET / HTTP/1.1\r\n\r\n");
        assert_eq!((lab.worker.open(), lab.worker.tunnels()), (1, 1));
        assert_eq!(lab.worker.counters.traffic().writing, 1);
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.hear().await, "[closed]");
        assert_eq!((lab.worker.open(), lab.back_ends.open.get()), (0, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn client_that_has_said_all_before_there_is_a_server_is_served() {
    run(async {
        let lab = Lab::with([Script::Ignore, Script::Speak("")], &tcp());
        let mut client = lab.connect();
        client.send("all of it").await;
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.hear_for(Duration::from_secs(4)).await, "[closed]");
        assert_eq!(lab.received(), ["", "all of it"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn server_that_cannot_be_reached_is_replaced_and_left_out() {
    run(async {
        let lab = Lab::with(
            [Script::Refuse, Script::Speak("a"), Script::Speak("b")],
            &tcp(),
        );
        assert_eq!(lab.connect().hear().await, "a");
        assert_eq!(lab.connect().hear().await, "b");
        let dialled = lab.back_ends.dialled.borrow().clone();
        assert_ne!(dialled[0], dialled[1]);
        assert_eq!(dialled[1], dialled[2], "the first one is banned");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_server_the_connection_is_reset() {
    for (script, seconds) in [(Script::Refuse, 1), (Script::Ignore, 7)] {
        run(async {
            let lab = Lab::with([script.clone(), script.clone()], &tcp());
            let mut client = lab.connect();
            client.send("hello").await;
            let end = client.hear_for(Duration::from_secs(seconds)).await;
            assert_eq!(end, format!("{RESET}[closed]"), "{script:?}");
            assert_eq!(lab.dials(), 2);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn name_in_the_hello_decides_however_it_is_cut() {
    let cases = [
        (hello("a.example"), "10.0.0.1:80"),
        (hello("A.Example"), "10.0.0.1:80"),
        (hello("b.example"), "10.0.0.2:80"),
        (b"SSH-2.0-x\r\n".to_vec(), "10.0.0.2:80"),
    ];
    for (octets, server) in &cases {
        for size in [1, 7, 1000] {
            run(async {
                let lab = Lab::with([Script::Speak("")], &by_name());
                let mut client = lab.connect();
                for part in octets.chunks(size) {
                    client.stream.write_all(part).await.unwrap();
                    tokio::task::yield_now().await;
                }
                assert_eq!(client.hear().await, "");
                assert_eq!(lab.back_ends.dialled.borrow()[0].to_string(), *server);
                let sent = String::from_utf8_lossy(octets);
                assert_eq!(lab.received()[0], sent, "nothing is lost or added");
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_or_says_nothing_gets_no_server() {
    let mut denied = by_name();
    denied.routes[1].deny = vec!["192.0.2.0/24".parse().unwrap()];
    let mut nowhere = by_name();
    nowhere.routes.truncate(1);
    let broken = [22, 3, 1, 0, 0, 0];
    let cases = [
        (&denied, hello("b.example"), 1, RESET),
        (&nowhere, hello("b.example"), 1, RESET),
        (&denied, broken.to_vec(), 1, RESET),
        (&denied, hello("a.example")[..40].to_vec(), 11, ""),
        (&denied, Vec::new(), 11, ""),
    ];
    for (snapshot, octets, seconds, end) in cases {
        run(async {
            let lab = Lab::with([], snapshot);
            let mut client = lab.connect();
            client.stream.write_all(&octets).await.unwrap();
            let heard = client.hear_for(Duration::from_secs(seconds)).await;
            assert_eq!(heard, format!("{end}[closed]"));
            assert_eq!((lab.dials(), lab.worker.open()), (0, 0));
        })
        .await;
    }
}
