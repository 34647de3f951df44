//! The samples that users begin with load as they stand, and mean what they say.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use settings::{
    Auth, EventClass, Failback, Lease, MailTls, OnUnhealthy, Pass, RouteAction, Settings, SinkKind,
    Source, TrackEffect, TrackSubject, Transport, Version, Workers, load,
};

fn etc() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../etc")
}

fn load_sample(name: &str, node: &str) -> Settings {
    let source = Source {
        file: etc().join(name),
        node: node.to_owned(),
        environment: Vec::new(),
    };
    load(&source).unwrap_or_else(|report| panic!("{name} for {node}:\n{report}"))
}

#[test]
fn every_sample_loads_on_each_of_its_nodes_without_a_warning() {
    let mut seen = 0;
    for entry in std::fs::read_dir(etc()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        seen += 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let nodes = text
            .lines()
            .filter_map(|line| line.strip_prefix("[nodes.")?.strip_suffix(']'));
        for node in nodes {
            let settings = load_sample(name, node);
            assert_eq!(settings.warnings, [], "{name}");
        }
    }
    assert!(seen >= 2, "no samples found");
}

#[test]
fn what_the_samples_comment_out_can_be_used() {
    let sample = std::fs::read_to_string(etc().join("evenkeel.toml")).unwrap();
    let is_key = |text: &str| {
        text.split(" = ")
            .next()
            .is_some_and(|key| !key.contains(' '))
    };
    let uncommented: Vec<&str> = (sample.lines())
        .map(|line| match line.strip_prefix("# ") {
            Some(text) if text.contains(" = ") && is_key(text) || text.starts_with('[') => text,
            _ => line,
        })
        .collect();
    let uncommented = uncommented.join("\n");
    assert_ne!(uncommented, sample.trim_end(), "nothing is commented out");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("evenkeel.toml");
    std::fs::write(&file, uncommented).unwrap();
    let source = Source {
        file,
        node: "proxy102".to_owned(),
        environment: Vec::new(),
    };
    let settings = load(&source).unwrap_or_else(|report| panic!("{report}"));
    assert!(matches!(settings.proxy.workers, Workers::Exactly(count) if count.get() == 4));
}

#[test]
fn the_pair_as_each_node_sees_it() {
    for (node, priority, peer) in [
        ("proxy101", 200, [192, 168, 0, 102]),
        ("proxy102", 199, [192, 168, 0, 101]),
    ] {
        let settings = load_sample("evenkeel.toml", node);
        assert_eq!(settings.node.name, node);
        let [router] = settings.virtual_routers.as_slice() else {
            panic!("one router")
        };
        assert_eq!(router.name, "YN_API_GATEWAY");
        assert_eq!(router.vrid.get(), 101);
        assert_eq!(router.version, Version::V2);
        assert_eq!(router.priority.get(), priority);
        assert_eq!(router.lease, Lease::Seconds(2));
        assert_eq!(router.auth, Some(Auth::Pass(Pass(*b"testpass"))));
        let Transport::Unicast { peers, .. } = &router.transport else {
            panic!("unicast")
        };
        let peers: Vec<IpAddr> = peers.iter().map(|peer| **peer).collect();
        assert_eq!(peers, [IpAddr::from(peer)]);
        let [track] = router.tracks.as_slice() else {
            panic!("one track")
        };
        assert_eq!(
            track.subject,
            TrackSubject::Script("chk_gateway".to_owned())
        );
        assert_eq!(*track.effect, TrackEffect::Weight(2));
    }
}

#[test]
fn the_pair_s_proxy_and_notifications() {
    let settings = load_sample("evenkeel.toml", "proxy101");
    assert!(matches!(settings.proxy.workers, Workers::Exactly(count) if count.get() == 2));
    let actions: Vec<(&str, &RouteAction)> = settings
        .routes
        .iter()
        .map(|route| (route.path.as_str(), &route.action))
        .collect();
    let expected = [
        ("/app/", &RouteAction::Upstream("app".to_owned())),
        ("/", &RouteAction::StatusPage),
        ("/server-status", &RouteAction::StubStatus),
    ];
    assert_eq!(actions, expected);
    let names: Vec<&str> = settings
        .notify
        .iter()
        .map(|sink| sink.name.as_str())
        .collect();
    assert_eq!(names, ["ha-log", "ops-mail", "ops-sms", "policy-script"]);
    assert_eq!(settings.notify[0].events.len(), 7);
    assert_eq!(
        settings.notify[1].events,
        [EventClass::Transition, EventClass::Contested]
    );
    let SinkKind::Mail(mail) = &settings.notify[1].kind else {
        panic!("mail")
    };
    assert_eq!(
        (mail.host.as_str(), mail.port, mail.tls),
        ("127.0.0.1", 25, MailTls::None)
    );
}

#[test]
fn the_minimal_sample_has_the_documented_defaults() {
    let settings = load_sample("minimal.toml", "beta");
    let [router] = settings.virtual_routers.as_slice() else {
        panic!("one router")
    };
    assert_eq!(router.version, Version::V3);
    assert_eq!(*router.advert_interval, Duration::from_secs(1));
    assert_eq!(router.failback, Failback::Auto(Duration::ZERO));
    assert_eq!(router.on_unhealthy, OnUnhealthy::Abdicate);
    assert!(router.track_proxy && router.auth.is_none() && router.sync_group.is_none());
    assert!(!router.vmac);
    assert_eq!(router.announce.repeat.get(), 5);
    assert_eq!(settings.proxy.workers, Workers::Auto);
    assert_eq!(settings.global.user.as_str(), "evenkeel");
    assert_eq!(settings.routes[0].listeners, ["public"]);
    let check = settings.upstreams[0].check.clone().unwrap();
    assert_eq!(
        (check.interval, check.timeout),
        (Duration::from_secs(2), Duration::from_secs(2))
    );
    assert_eq!((check.fall.get(), check.rise.get()), (3, 2));
}
