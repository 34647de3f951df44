//! The source article's pair, end to end: what its author showed with curl, `ip addr`, a log and a
//! mail must be seen here too.

use std::fs;
use std::time::Duration;

use lab::{
    Answer, Host, HttpStub, Lan, Node, Pair, SmtpServer, VIP, pair_configuration, wait_until,
};
use regex::Regex;

const LONG: Duration = Duration::from_secs(40);

fn curl(from: &Host, url: &str) -> String {
    from.run(&["curl", "-sS", "-m", "5", url])
}

/// The status that curl sees.
fn status(from: &Host, arguments: &[&str]) -> String {
    let mut command = vec![
        "curl",
        "-sS",
        "-m",
        "5",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
    ];
    command.extend(arguments);
    from.run(&command)
}

/// `Mon Dec 14 16:27:10 UTC 2015 proxy101 INSTANCE YN_API_GATEWAY MASTER 202`, as `date` writes the
/// time.
fn assert_status_line(client: &Host, url: &str, node: &str, state: &str) {
    let line = Regex::new(&format!(
        r"^([A-Z][a-z]{{2}} [A-Z][a-z]{{2}} [ 0-9][0-9] [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}} [A-Z+-][A-Z0-9]* [0-9]{{4}}) {node} INSTANCE YN_API_GATEWAY {state}\n$"
    ))
    .expect("a regular expression");
    // The workers are told of a change of state a moment after the address has moved.
    let wanted = format!("{url} to say {node} {state}");
    let time = wait_until(&wanted, Duration::from_secs(10), || {
        Some(line.captures(&curl(client, url))?[1].to_owned())
    });
    // `date` reads what it writes itself.
    assert!(
        lab::succeeds(&["date", "--date", &time]),
        "{time:?} is no date"
    );
}

#[test]
fn the_address_answers_and_pages_show_who_owns_it() {
    let pair = Pair::start();
    let client = pair.lan.host("client");

    // Through the address to both back ends in turn.
    let answers: Vec<String> = (0..4)
        .map(|_| curl(client, &format!("http://{VIP}/app/x?y=1")))
        .collect();
    for backend in ["app201 /app/x?y=1\n", "app202 /app/x?y=1\n"] {
        let count = answers.iter().filter(|answer| *answer == backend).count();
        assert!(count >= 1, "{backend:?} not in {answers:?}");
    }
    let seen = pair.backends[0].requests();
    let proxied = seen
        .iter()
        .find(|request| request.target.starts_with("/app/"));
    let proxied = proxied.expect("a request at app201");
    assert_eq!(proxied.header("x-forwarded-for"), Some("192.168.0.50"));
    assert_eq!(proxied.header("x-forwarded-proto"), Some("http"));

    // The article's three curls.
    assert_status_line(client, "http://192.168.0.101/", "proxy101", "MASTER 202");
    assert_status_line(client, "http://192.168.0.102/", "proxy102", "BACKUP 201");
    assert_status_line(client, &format!("http://{VIP}/"), "proxy101", "MASTER 202");

    // `ip addr` shows the address on exactly one node.
    assert!(pair.lan.host("proxy101").owns(VIP));
    assert!(!pair.lan.host("proxy102").owns(VIP));

    // nginx's page, octet for octet.
    let page = curl(client, &format!("http://{VIP}/server-status"));
    let nginx = r"^Active connections: [0-9]+ \nserver accepts handled requests\n [0-9]+ [0-9]+ [0-9]+ \nReading: [0-9]+ Writing: [0-9]+ Waiting: [0-9]+ \n$";
    assert!(
        Regex::new(nginx)
            .expect("a regular expression")
            .is_match(&page),
        "{page:?}"
    );
}

#[test]
fn stub_status_is_for_the_allowed_networks_alone() {
    let pair = Pair::start();
    let client = pair.lan.host("client");
    client.run(&["ip", "address", "add", "10.9.0.50/24", "dev", "em1"]);
    for node in ["proxy101", "proxy102"] {
        let host = pair.lan.host(node);
        host.run(&["ip", "route", "add", "10.9.0.0/24", "dev", "em1"]);
        let url = format!("http://{}/server-status", host.address());
        assert_eq!(status(client, &[&url]), "200");
        assert_eq!(status(client, &["--interface", "10.9.0.50", &url]), "403");
        let open = format!("http://{}/", host.address());
        assert_eq!(status(client, &["--interface", "10.9.0.50", &open]), "200");
    }
}

#[test]
fn a_dead_back_end_is_not_noticed_by_clients() {
    let mut pair = Pair::start();
    pair.backends[0].close();
    let client = pair.lan.host("client");
    for _ in 0..10 {
        assert_eq!(
            curl(client, &format!("http://{VIP}/app/")),
            "app202 /app/\n"
        );
    }
    let servers_down = |status: &serde_json::Value| {
        let servers = status["servers"].as_array();
        servers.is_some_and(|servers| servers.iter().any(|server| server["up"] == false))
    };
    pair.first.wait_for_status("a server down", servers_down);
    let _again = HttpStub::backend(pair.lan.host("app201"));
    pair.first
        .wait_for_status("all servers up", |status| !servers_down(status));
    wait_until("both back ends answer", LONG, || {
        (curl(client, &format!("http://{VIP}/app/")) == "app201 /app/\n").then_some(())
    });
}

#[test]
fn transitions_are_told_by_log_script_mail_and_sms() {
    let lan = Lan::new();
    let _backends = ["app201", "app202"].map(|name| HttpStub::backend(lan.host(name)));
    let host = lan.host("proxy101");
    let mail = SmtpServer::start(host);
    let sms = HttpStub::start(host, "127.0.0.1:13013", |_| Answer {
        status: 202,
        body: "0: Accepted for delivery".to_owned(),
    });
    let mut node = Node::start(host, &pair_configuration(host));
    node.wait_for_state("MASTER");

    let file = |name: &str| fs::read_to_string(host.files().join(name)).unwrap_or_default();
    let line = wait_until("line in the log", LONG, || {
        let log = file("ha.log");
        log.lines()
            .find(|line| line.contains("MASTER"))
            .map(str::to_owned)
    });
    let article = r"^[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} [^ ]+ [0-9]{4} \[proxy101\] .*HA role state transition: INSTANCE YN_API_GATEWAY MASTER 202";
    assert!(
        Regex::new(article)
            .expect("a regular expression")
            .is_match(&line),
        "{line:?}"
    );

    wait_until("call of the script", LONG, || {
        let calls = file("policy.log");
        calls
            .lines()
            .any(|call| call == "INSTANCE YN_API_GATEWAY MASTER 202")
            .then_some(())
    });

    let received = wait_until("mail about the master", LONG, || {
        let subject = "[proxy101] VRRP Instance YN_API_GATEWAY - Entering MASTER state";
        let mails = mail.mails();
        mails
            .into_iter()
            .find(|mail| mail.header("subject").as_deref() == Some(subject))
    });
    assert_eq!(
        received.header("X-RcptTo").as_deref(),
        Some("ops@example.org")
    );
    assert_eq!(
        received.header("X-MailFrom").as_deref(),
        Some("evenkeel@example.org")
    );
    assert!(received.text().contains(VIP), "{}", received.text());

    let asked = wait_until("SMS about the master", LONG, || {
        let requests = sms.requests();
        requests
            .into_iter()
            .find(|request| request.target.contains("MASTER"))
    });
    let beginning = "/cgi-bin/sendsms?username=ek&password=ek&to=%2B491721234567&text=";
    assert!(asked.target.starts_with(beginning), "{}", asked.target);
    assert!(asked.target.contains("YN_API_GATEWAY"), "{}", asked.target);

    // The stop is told too, by those who still can.
    assert!(node.stop().success());
    wait_until("the stop in the log", LONG, || {
        file("ha.log").contains(" STOP ").then_some(())
    });
}

#[test]
fn a_mail_server_that_is_away_gets_its_mail_when_it_is_back() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let node = Node::start(host, &pair_configuration(host));
    node.wait_for_state("MASTER");
    let file = |name: &str| fs::read_to_string(host.files().join(name)).unwrap_or_default();
    wait_until("log and script are not delayed", LONG, || {
        (file("ha.log").contains("MASTER 202") && file("policy.log").contains("MASTER 202"))
            .then_some(())
    });
    let mail = SmtpServer::start(host);
    wait_until("mail about the master", Duration::from_secs(90), || {
        let mails = mail.mails();
        mails
            .iter()
            .any(|mail| mail.text().contains("MASTER"))
            .then_some(())
    });
}
