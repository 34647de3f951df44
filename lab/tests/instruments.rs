//! Whether the instruments see what they are there for: two real keepaliveds, whose behaviour is
//! known, faults included.

use std::time::Duration;

use lab::{
    AddressWatch, Capture, Connections, HttpStub, Keepalived, KeepalivedSetup, Lan, Load, Moment,
    SmtpServer, Transport, VIP, wait_until,
};

const LONG: Duration = Duration::from_secs(40);

fn keepalived(lan: &Lan, host: &'static str, transport: Transport) -> Keepalived {
    Keepalived::start(lan, &KeepalivedSetup::article(host, transport))
}

#[test]
fn two_keepaliveds_elect_hand_over_and_both_own_after_a_kill() {
    let lan = Lan::new();
    let capture = Capture::start(&lan);
    let watch = AddressWatch::start(&lan, VIP, &["proxy101", "proxy102"]);
    let mut first = keepalived(&lan, "proxy101", Transport::Unicast);
    let second = keepalived(&lan, "proxy102", Transport::Unicast);
    watch.wait_for_owner("proxy101", LONG);
    wait_until("notice of the master", LONG, || {
        let notices = first.notices();
        notices
            .iter()
            .any(|line| line == "INSTANCE YN_API_GATEWAY MASTER 202")
            .then_some(())
    });

    let asked = Moment::now();
    first.stop();
    let taken = watch.wait_for_owner("proxy102", LONG);
    assert!(
        taken.since(asked) < Duration::from_secs(2),
        "by priority 0, not by timeout"
    );
    assert!(
        watch.longest_absence(asked) > Duration::from_millis(50),
        "it removes the address first"
    );

    first.start_again();
    watch.wait_for_owner("proxy101", LONG);
    watch.wait_for_loss("proxy102", LONG);
    assert!(watch.longest_overlap() < Duration::from_secs(1));

    // Nobody takes the address from a dead keepalived: the watch must see two owners.
    first.kill();
    watch.wait_for_owner("proxy102", LONG);
    wait_until("two owners", LONG, || {
        (watch.longest_overlap() > Duration::from_secs(1)).then_some(())
    });
    drop(second);

    let recording = capture.stop();
    assert_eq!(recording.faults(), [""; 0]);
    let golden = "2165ca01010186d7c0a800697465737470617373";
    assert_eq!(recording.messages("192.168.0.101", 202), [golden]);
    let zero = "21650001010150d8c0a800697465737470617373";
    assert_eq!(recording.messages("192.168.0.101", 0), [zero]);
    assert!(recording.announcements(VIP, "02:00:00:00:00:01").len() >= 10);
}

#[test]
fn multicast_adverts_are_seen() {
    let lan = Lan::new();
    let capture = Capture::start(&lan);
    let _first = keepalived(&lan, "proxy101", Transport::Multicast);
    wait_until("an advert", LONG, || {
        let adverts = capture.adverts();
        adverts
            .iter()
            .any(|advert| advert.destination == "224.0.0.18")
            .then_some(())
    });
}

#[test]
fn a_load_counts_answers_and_failures() {
    let lan = Lan::new();
    let backend = HttpStub::backend(lan.host("app201"));
    for connections in [Connections::New, Connections::Kept] {
        let load = Load::start(
            lan.host("client"),
            "192.168.0.201:80",
            "/",
            100,
            connections,
        );
        wait_until("answers", LONG, || (load.answered() > 50).then_some(()));
        let report = load.stop();
        assert_eq!(report.failures().len(), 0, "{:?}", report.failures());
    }
    assert_eq!(
        backend.requests()[0].header("host"),
        Some("192.168.0.201:80")
    );
    drop(backend);
    let load = Load::start(
        lan.host("client"),
        "192.168.0.201:80",
        "/",
        100,
        Connections::New,
    );
    let before = Moment::now();
    wait_until("a tenth of a second", LONG, || {
        (Moment::now().since(before) > Duration::from_millis(100)).then_some(())
    });
    let report = load.stop();
    assert_eq!(report.failures().len(), report.samples().len());
}

#[test]
fn a_parted_network_loses_frames_until_it_heals() {
    let lan = Lan::new();
    let _backend = HttpStub::backend(lan.host("app201"));
    let reaches = || {
        let ask = ["curl", "-sf", "-m", "1", "http://192.168.0.201/"];
        lan.host("client").inside(|| lab::succeeds(&ask))
    };
    assert!(reaches());
    lan.part("client", "app201");
    assert!(!reaches());
    lan.heal();
    assert!(reaches());
    lan.unplug("app201");
    assert!(!reaches());
    lan.plug("app201");
    wait_until("an answer", LONG, || reaches().then_some(()));
}

#[test]
fn a_mail_is_received() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let server = SmtpServer::start(host);
    let message = host.files().join("message");
    std::fs::write(&message, "Subject: hello\r\n\r\nlab\r\n").expect("a file can be written");
    let message = message.to_str().expect("ASCII");
    host.run(&[
        "curl",
        "-s",
        "smtp://127.0.0.1:25",
        "--mail-from",
        "a@example.org",
        "--mail-rcpt",
        "b@example.org",
        "--upload-file",
        message,
    ]);
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].header("subject").as_deref(), Some("hello"));
    assert_eq!(
        mails[0].header("X-RcptTo").as_deref(),
        Some("b@example.org")
    );
}
