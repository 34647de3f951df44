//! Which server is asked, and what happens when all have as many connections as they may.

use std::time::Duration;

use ipc::proxy::{Balance, ProxySnapshot};

use super::lab::{Lab, Script, TestClient, Then, run, snapshot, two_servers};
use crate::queue::WAITING_MAX;

const GET: &str = "GET /app/ HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\n";

fn hanging() -> Script {
    Script::Replies(vec![("", Then::Hang)])
}

fn answering() -> Script {
    Script::Replies(vec![(OK, Then::Stay); 3])
}

/// Two servers that may have one connection each.
fn small() -> ProxySnapshot {
    let mut snapshot = two_servers();
    for server in &mut snapshot.upstreams[0].servers {
        server.max_conns = 1;
    }
    snapshot
}

async fn ask(lab: &Lab) -> TestClient {
    let mut client = lab.connect();
    client.send(GET).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    client
}

fn last_numbers(lab: &Lab) -> Vec<char> {
    let dialled = lab.back_ends.dialled.borrow();
    let last = |address: &std::net::SocketAddr| address.ip().to_string().chars().last();
    dialled.iter().filter_map(last).collect()
}

#[tokio::test(start_paused = true)]
async fn server_with_the_fewest_connections_is_asked() {
    run(async {
        let mut snapshot = two_servers();
        snapshot.upstreams[0].balance = Balance::LeastConn;
        snapshot.upstreams[0].servers[1].weight = 2;
        let lab = Lab::with(vec![hanging(); 6], &snapshot);
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(ask(&lab).await);
        }
        assert_eq!(
            last_numbers(&lab).iter().filter(|&&it| it == '2').count(),
            2
        );
        // Whoever leaves is counted no more.
        clients.clear();
        tokio::time::sleep(Duration::from_millis(1)).await;
        for _ in 0..3 {
            clients.push(ask(&lab).await);
        }
        assert_eq!(
            last_numbers(&lab).iter().filter(|&&it| it == '2').count(),
            4
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn backup_is_asked_when_the_others_fail() {
    run(async {
        let mut snapshot = two_servers();
        snapshot.upstreams[0].servers[0].backup = true;
        let lab = Lab::with([answering(), Script::Refuse, answering()], &snapshot);
        let mut client = ask(&lab).await;
        assert_eq!(client.hear().await, OK);
        let mut other = ask(&lab).await;
        assert_eq!(other.hear().await, OK);
        assert_eq!(last_numbers(&lab), ['2']);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_in_turn_or_at_its_time() {
    run(async {
        let lab = Lab::with(vec![hanging(); 2], &small());
        let first = ask(&lab).await;
        let _second = ask(&lab).await;
        let mut third = ask(&lab).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut fourth = ask(&lab).await;
        assert_eq!(lab.dials(), 2);
        drop(first);
        assert!(
            third.hear().await.ends_with("\r\n\r\n."),
            "first come, first served"
        );
        // That one is free again, and the fourth had it next.
        assert!(fourth.hear().await.ends_with("\r\n\r\n."));
        let _fifth = ask(&lab).await;
        assert_eq!(lab.dials(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn waiting_too_long_is_503_and_so_is_waiting_behind_too_many() {
    run(async {
        let lab = Lab::with(vec![hanging(); 2], &small());
        let mut clients = vec![ask(&lab).await, ask(&lab).await];
        let mut waiting = ask(&lab).await;
        for _ in 1..WAITING_MAX {
            clients.push(ask(&lab).await);
        }
        let mut refused = ask(&lab).await;
        assert!(refused.hear().await.starts_with(BUSY));
        let answer = waiting.hear_for(Duration::from_secs(6)).await;
        assert!(answer.starts_with(BUSY), "{answer}");
        assert!(
            !answer.contains("close"),
            "the client may ask again: {answer}"
        );
        assert_eq!(lab.dials(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn client_that_leaves_while_it_waits_leaves_its_place() {
    run(async {
        let lab = Lab::with(vec![hanging(); 2], &small());
        let first = ask(&lab).await;
        let _second = ask(&lab).await;
        let third = ask(&lab).await;
        let mut fourth = ask(&lab).await;
        drop(third);
        drop(first);
        assert!(fourth.hear().await.ends_with("\r\n\r\n."));
        assert_eq!(lab.dials(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn reload_keeps_the_queue_and_what_is_counted() {
    run(async {
        let lab = Lab::with(vec![hanging(); 2], &small());
        let first = ask(&lab).await;
        let _second = ask(&lab).await;
        let mut third = ask(&lab).await;
        lab.load(&small());
        let mut fourth = ask(&lab).await;
        assert_eq!(lab.dials(), 2);
        drop(first);
        assert!(third.hear().await.ends_with("\r\n\r\n."));
        assert!(fourth.hear().await.ends_with("\r\n\r\n."));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn server_in_maintenance_finishes_what_it_has() {
    run(async {
        let slow = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi";
        let lab = Lab::with([Script::Replies(vec![(slow, Then::Stay)])], &two_servers());
        let mut first = ask(&lab).await;
        let place = usize::from(last_numbers(&lab) == ['2']);
        let mut snapshot = two_servers();
        snapshot.upstreams[0].servers[place].ready = false;
        lab.load(&snapshot);
        for _ in 0..3 {
            assert!(ask(&lab).await.hear().await.ends_with("\r\n\r\n."));
        }
        assert_eq!(lab.dials(), 2);
        let end = first.hear().await;
        assert!(end.ends_with("hi"), "still under way: {end}");
    })
    .await;
}

/// A configuration that is left goes on for the requests that are under way with it.
#[tokio::test(start_paused = true)]
async fn upstream_that_a_reload_removed_is_looked_after() {
    run(async {
        let mut snapshot = snapshot();
        snapshot.upstreams[0].servers[0].max_conns = 2;
        let lab = Lab::with([hanging(), answering()], &snapshot);
        let busy = ask(&lab).await;
        assert_eq!(ask(&lab).await.hear().await, OK);
        // Another worker takes the place that is left.
        let gauge = usize::from(snapshot.upstreams[0].servers[0].gauge);
        let gauges = lab.worker.gauges.shared();
        gauges.clear(1);
        gauges.raise(1, gauge);
        let mut waiting = ask(&lab).await;
        snapshot.routes.clear();
        snapshot.upstreams.clear();
        lab.load(&snapshot);
        assert_eq!(waiting.hear().await, "");
        gauges.lower(1, gauge);
        assert!(waiting.hear().await.ends_with("hi"), "it was its turn");
        assert_eq!(lab.back_ends.open.get(), 2);
        tokio::time::sleep(Duration::from_secs(55)).await;
        assert_eq!(lab.back_ends.open.get(), 1, "the idle one is closed");
        drop(busy);
    })
    .await;
}
