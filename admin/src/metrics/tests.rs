//! The whole text against a parser that takes nothing but what the formats allow.

use std::collections::{BTreeMap, BTreeSet};

use ipc::Role;
use ipc::status::{
    Band, ProcessStatus, RouterState, RouterStatus, RouterTrack, ServerStatus, TimerStatus,
    TrackShare, TrackStatus, Traffic, UpstreamTraffic,
};
use ipc::vrrp::{TrackSubject, TrackVerdict};

use super::*;

fn router(name: &str, state: RouterState) -> RouterStatus {
    RouterStatus {
        name: name.into(),
        vrid: 101,
        interface: "em1".into(),
        state,
        priority: 202,
        base_priority: 200,
        band: Band::Degraded,
        track_proxy: true,
        tracks: vec![RouterTrack {
            subject: TrackSubject::Script("chk_gateway".into()),
            verdict: Some(TrackVerdict::Up),
            share: TrackShare::Adds(2),
        }],
        since_unix_ms: 1_450_110_430_250,
        cause: "master timed out".into(),
        addresses: vec!["192.168.0.105".parse().unwrap()],
        master: Some(("192.168.0.102".parse().unwrap(), 201)),
        adverts_sent: 11,
        adverts_received: 22,
        discarded: vec![
            ("ttl".into(), 3),
            ("length".into(), 4),
            ("checksum".into(), 5),
        ],
        address_list_differs: 6,
        message_only_checksums: 7,
        became_master: 2,
        ceased_master: 1,
        releases_sent: 8,
        releases_received: 9,
        announcements_sent: 30,
        contested: 12,
    }
}

fn node() -> NodeStatus {
    NodeStatus {
        cluster: "api \"gateway\"\\\n".into(),
        node: "proxy101".into(),
        version: "0.1.0".into(),
        generation: 7,
        started_unix_ms: 1_450_110_000_000,
        proxy_well: true,
        routers: vec![
            router("YN_API_GATEWAY", RouterState::Master),
            router("OTHER", RouterState::Backup),
        ],
        timers: TimerStatus {
            scheduling: "nice -20".into(),
            count: 7,
            late_us: 4_500,
            buckets: vec![(500, 3), (1_000, 6), (2_000, 6)],
            recent_p99_us: 500,
            recent_max_us: 2_100,
        },
        servers: vec![ServerStatus {
            upstream: "app".into(),
            address: "192.168.0.201:80".parse().unwrap(),
            up: false,
            reason: "connection refused".into(),
            since_unix_ms: 1_450_110_100_000,
        }],
        tracks: [
            (TrackSubject::Script("chk_gateway".into()), TrackVerdict::Up),
            (
                TrackSubject::Script("chk_other".into()),
                TrackVerdict::Unrunnable,
            ),
            (TrackSubject::File("load".into()), TrackVerdict::Value(-20)),
        ]
        .map(|(subject, verdict)| TrackStatus {
            subject,
            verdict,
            reason: "why".into(),
            since_unix_ms: 1_450_110_150_000,
        })
        .to_vec(),
        processes: vec![ProcessStatus {
            role: Role::Proxy,
            slot: 1,
            pid: Some(4711),
            in_service: true,
            restarts: 6,
            since_unix_ms: 1_450_110_200_000,
        }],
        traffic: Traffic {
            accepted: 100,
            handled: 99,
            headers_refused: 3,
            handshakes_failed: 6,
            shed: 4,
            crowded: 5,
            requests: 1_000,
            active: 9,
            reading: 1,
            writing: 3,
            waiting: 5,
            upstreams: UpstreamTraffic {
                reused: 900,
                stale: 12,
                retries_connect: 4,
                retries_stale: 11,
                retries_timeout: 2,
                retries_status: 7,
                retries_refused: 6,
            },
        },
    }
}

/// Samples by name and labels as they are written, after a check of each line.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut families = BTreeSet::new();
    let mut family = (String::new(), String::new());
    let mut helped = String::new();
    let body = text.strip_suffix("# EOF\n").expect("it ends with EOF");
    for line in body.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a help text");
            assert!(help.ends_with('.'), "{line}");
            helped = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type");
            assert_eq!(name, helped, "help comes before the type");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(!name.ends_with("_total"), "{line}");
            assert!(families.insert(name.to_owned()), "{name} comes twice");
            family = (name.to_owned(), kind.to_owned());
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a sample");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let suffix = name
                .strip_prefix(&family.0)
                .expect("a sample of its family");
            let suffixes: &[&str] = match family.1.as_str() {
                "counter" => &["_total"],
                "histogram" => &["_sum", "_count", "_bucket"],
                _ => &[""],
            };
            assert!(suffixes.contains(&suffix), "{line}");
            assert_labels(labels.strip_suffix('}').expect("closed labels"));
            let value = value.parse().expect("a number");
            assert_eq!(
                samples.insert(series.to_owned(), value),
                None,
                "{series} comes twice"
            );
        }
    }
    samples
}

/// `name="value",...` with backslash, quote and line feed escaped.
fn assert_labels(labels: &str) {
    let mut rest = labels;
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").expect("a label");
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{labels}"
        );
        let mut escaped = false;
        let end = value.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let end = end.expect("a closing quote");
        rest = &value[end + 1..];
        assert!(rest.is_empty() || rest.starts_with(','), "{labels}");
        rest = rest.trim_start_matches(',');
    }
}

#[test]
fn the_numbers_are_the_nodes() {
    let samples = parse(&render(Arc::new(node())).unwrap());
    let router = r#"router="YN_API_GATEWAY""#;
    let process = r#"role="proxy",slot="1""#;
    let exported = r#"iname="YN_API_GATEWAY",intf="em1",vrid="101""#;
    let cases = [
        ("evenkeel_config_generation".to_owned(), 7.0),
        ("evenkeel_start_time_seconds".to_owned(), 1_450_110_000.0),
        ("evenkeel_requests_total".to_owned(), 1_000.0),
        ("evenkeel_connections{state=\"waiting\"}".to_owned(), 5.0),
        (format!("evenkeel_vrrp_priority{{{router}}}"), 202.0),
        (
            format!("evenkeel_vrrp_state_entered_timestamp_seconds{{{router}}}"),
            1_450_110_430.25,
        ),
        (
            format!(
                "evenkeel_vrrp_state{{{router},interface=\"em1\",vrid=\"101\",state=\"MASTER\"}}"
            ),
            1.0,
        ),
        (
            format!(
                "evenkeel_vrrp_state{{{router},interface=\"em1\",vrid=\"101\",state=\"BACKUP\"}}"
            ),
            0.0,
        ),
        (
            format!("evenkeel_vrrp_heard_master_priority{{{router},address=\"192.168.0.102\"}}"),
            201.0,
        ),
        (
            format!("evenkeel_vrrp_adverts_discarded_total{{{router},reason=\"checksum\"}}"),
            5.0,
        ),
        (
            format!("evenkeel_vrrp_address_list_differs_total{{{router}}}"),
            6.0,
        ),
        (
            format!("evenkeel_vrrp_message_only_checksums_total{{{router}}}"),
            7.0,
        ),
        (
            "evenkeel_server_up{upstream=\"app\",server=\"192.168.0.201:80\"}".to_owned(),
            0.0,
        ),
        (format!("evenkeel_process_restarts_total{{{process}}}"), 6.0),
        (
            format!("keepalived_vrrp_state{{{exported},ip_address=\"192.168.0.105\"}}"),
            2.0,
        ),
        (format!("keepalived_advert_sent{{{exported}}}"), 11.0),
        (format!("keepalived_advert_rcvd{{{exported}}}"), 22.0),
        (format!("keepalived_become_master{{{exported}}}"), 2.0),
        (format!("keepalived_release_master{{{exported}}}"), 1.0),
        (format!("keepalived_pri_zero_sent{{{exported}}}"), 8.0),
        (format!("keepalived_pri_zero_rcvd{{{exported}}}"), 9.0),
        (format!("keepalived_addr_list_err{{{exported}}}"), 6.0),
        (
            "keepalived_script_status{name=\"chk_gateway\"}".to_owned(),
            1.0,
        ),
        (
            "keepalived_script_status{name=\"chk_other\"}".to_owned(),
            0.0,
        ),
        (format!("evenkeel_vrrp_base_priority{{{router}}}"), 200.0),
        (
            format!("evenkeel_vrrp_band{{{router},band=\"degraded\"}}"),
            1.0,
        ),
        (
            format!("evenkeel_vrrp_band{{{router},band=\"healthy\"}}"),
            0.0,
        ),
        (
            format!("evenkeel_vrrp_track_weight{{{router},track=\"script chk_gateway\"}}"),
            2.0,
        ),
        (
            format!("evenkeel_vrrp_ceased_master_total{{{router}}}"),
            1.0,
        ),
        (
            format!("evenkeel_vrrp_releases_sent_total{{{router}}}"),
            8.0,
        ),
        (
            format!("evenkeel_vrrp_releases_received_total{{{router}}}"),
            9.0,
        ),
        (
            format!("evenkeel_vrrp_announcements_sent_total{{{router}}}"),
            30.0,
        ),
        (format!("evenkeel_vrrp_contested_total{{{router}}}"), 12.0),
        (
            "evenkeel_track_up{track=\"script chk_other\"}".to_owned(),
            0.0,
        ),
        ("evenkeel_track_up{track=\"file load\"}".to_owned(), 1.0),
        (
            "evenkeel_track_changed_timestamp_seconds{track=\"file load\"}".to_owned(),
            1_450_110_150.0,
        ),
        (format!("keepalived_ip_ttl_err{{{exported}}}"), 3.0),
        (format!("keepalived_packet_len_err{{{exported}}}"), 4.0),
        (format!("keepalived_auth_failure{{{exported}}}"), 0.0),
        ("nginx_http_requests_total".to_owned(), 1_000.0),
        ("nginx_connections_active".to_owned(), 9.0),
    ];
    for (series, value) in cases {
        assert_eq!(samples.get(&series), Some(&value), "{series}");
    }
}

#[test]
fn names_stay_as_they_are_documented() {
    let samples = parse(&render(Arc::new(node())).unwrap());
    let names: BTreeSet<&str> = samples
        .keys()
        .map(|series| series.split('{').next().unwrap_or_default())
        .collect();
    let golden: BTreeSet<&str> = include_str!("names.txt").lines().collect();
    assert_eq!(names, golden);
    let manual = include_str!("../../../docs/manual/admin.md");
    for name in golden {
        assert!(
            manual.contains(&format!("`{name}`")),
            "{name} is not in the manual"
        );
    }
}

#[test]
fn a_node_without_anything_is_written_too() {
    let empty = NodeStatus {
        routers: vec![],
        servers: vec![],
        tracks: Vec::new(),
        processes: vec![],
        ..node()
    };
    let samples = parse(&render(Arc::new(empty)).unwrap());
    assert_eq!(samples.get("nginx_up"), Some(&1.0));
    assert!(
        !samples
            .keys()
            .any(|series| series.starts_with("evenkeel_server_up"))
    );
}
