//! The manual has every key that there is, and no other; its examples are a configuration.

use std::collections::BTreeSet;
use std::path::Path;

use settings::{Finding, Source, load};

/// A key that nothing knows; what is said about it names those that are known.
const UNKNOWN: &str = "qqqqqqqq";

/// Every table that has keys, and a file that has `UNKNOWN` in it.
const TABLES: &[(&str, &str)] = &[
    ("cluster", "cluster = { qqqqqqqq = 1 }"),
    ("nodes.NAME", "nodes.b = { qqqqqqqq = 1 }"),
    ("global", "global = { qqqqqqqq = 1 }"),
    ("global.log", "global.log = { qqqqqqqq = 1 }"),
    (
        "virtual_routers.NAME",
        "virtual_routers.n = { qqqqqqqq = 1 }",
    ),
    (
        "virtual_routers.NAME.addresses",
        "virtual_routers.n = { addresses = [{ qqqqqqqq = 1 }] }",
    ),
    (
        "virtual_routers.NAME.auth",
        "virtual_routers.n = { auth = { qqqqqqqq = 1 } }",
    ),
    (
        "virtual_routers.NAME.auth.hmac",
        "virtual_routers.n = { auth = { hmac = { qqqqqqqq = 1 } } }",
    ),
    (
        "virtual_routers.NAME.track_scripts",
        "virtual_routers.n = { track_scripts = [{ qqqqqqqq = 1 }] }",
    ),
    (
        "virtual_routers.NAME.track_interfaces",
        "virtual_routers.n = { track_interfaces = [{ qqqqqqqq = 1 }] }",
    ),
    (
        "virtual_routers.NAME.track_files",
        "virtual_routers.n = { track_files = [{ qqqqqqqq = 1 }] }",
    ),
    (
        "virtual_routers.NAME.track_processes",
        "virtual_routers.n = { track_processes = [{ qqqqqqqq = 1 }] }",
    ),
    (
        "virtual_routers.NAME.failback",
        "virtual_routers.n = { failback = { qqqqqqqq = 1 } }",
    ),
    (
        "virtual_routers.NAME.announce",
        "virtual_routers.n = { announce = { qqqqqqqq = 1 } }",
    ),
    ("scripts.NAME", "scripts.n = { qqqqqqqq = 1 }"),
    ("files.NAME", "files.n = { qqqqqqqq = 1 }"),
    ("processes.NAME", "processes.n = { qqqqqqqq = 1 }"),
    ("proxy", "proxy = { qqqqqqqq = 1 }"),
    ("listeners.NAME", "listeners.n = { qqqqqqqq = 1 }"),
    (
        "listeners.NAME.proxy_protocol",
        "listeners.n = { proxy_protocol = { qqqqqqqq = 1 } }",
    ),
    (
        "listeners.NAME.tls",
        "listeners.n = { tls = { qqqqqqqq = 1 } }",
    ),
    (
        "listeners.NAME.tls.certificates",
        "listeners.n = { tls = { certificates = [{ qqqqqqqq = 1 }] } }",
    ),
    (
        "listeners.NAME.access_log",
        "listeners.n = { access_log = { qqqqqqqq = 1 } }",
    ),
    (
        "listeners.NAME.timeouts",
        "listeners.n = { timeouts = { qqqqqqqq = 1 } }",
    ),
    (
        "listeners.NAME.limits",
        "listeners.n = { limits = { qqqqqqqq = 1 } }",
    ),
    ("routes", "routes = [{ qqqqqqqq = 1 }]"),
    ("upstreams.NAME", "upstreams.n = { qqqqqqqq = 1 }"),
    (
        "upstreams.NAME.servers",
        "upstreams.n = { servers = [{ qqqqqqqq = 1 }] }",
    ),
    (
        "upstreams.NAME.tls",
        "upstreams.n = { tls = { qqqqqqqq = 1 } }",
    ),
    (
        "upstreams.NAME.check",
        "upstreams.n = { check = { qqqqqqqq = 1 } }",
    ),
    (
        "upstreams.NAME.keep_alive",
        "upstreams.n = { keep_alive = { qqqqqqqq = 1 } }",
    ),
    (
        "upstreams.NAME.timeouts",
        "upstreams.n = { timeouts = { qqqqqqqq = 1 } }",
    ),
    (
        "upstreams.NAME.retries",
        "upstreams.n = { retries = { qqqqqqqq = 1 } }",
    ),
    ("notify.NAME", "notify.n = { qqqqqqqq = 1 }"),
    (
        "notify.NAME.syslog",
        "notify.n = { syslog = { qqqqqqqq = 1 } }",
    ),
    ("notify.NAME.mail", "notify.n = { mail = { qqqqqqqq = 1 } }"),
    ("notify.NAME.sms", "notify.n = { sms = { qqqqqqqq = 1 } }"),
    (
        "notify.NAME.sms.http",
        "notify.n = { sms = { http = { qqqqqqqq = 1 } } }",
    ),
    (
        "notify.NAME.webhook",
        "notify.n = { webhook = { qqqqqqqq = 1 } }",
    ),
    ("admin", "admin = { qqqqqqqq = 1 }"),
];

/// Tables that are rows of the manual too: they may be written without being tables.
const ALSO_VALUES: &[&str] = &[
    "virtual_routers.NAME.addresses",
    "virtual_routers.NAME.failback",
    "virtual_routers.NAME.track_scripts",
    "virtual_routers.NAME.track_interfaces",
    "virtual_routers.NAME.track_files",
    "virtual_routers.NAME.track_processes",
    "upstreams.NAME.servers",
    "listeners.NAME.tls",
    "listeners.NAME.tls.certificates",
    "upstreams.NAME.tls",
    "notify.NAME.syslog",
];

fn manual() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/manual/configuration.md");
    std::fs::read_to_string(path).expect("the manual")
}

fn findings_of(content: &str, node: &str) -> Vec<Finding> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("evenkeel.toml");
    std::fs::write(&file, content).expect("a file in it");
    match load(&Source {
        file,
        node: node.to_owned(),
        environment: Vec::new(),
    }) {
        Ok(settings) => settings.warnings,
        Err(report) => report.findings().to_vec(),
    }
}

/// The keys of a table, as the report on an unknown one names them.
fn keys_in_code(content: &str) -> Vec<String> {
    let findings = findings_of(&format!("{content}\nnodes.a.address = \"10.0.0.1\"\n"), "a");
    let message = format!("unknown key {UNKNOWN:?}");
    let finding = findings.iter().find(|finding| finding.message == message);
    let advice = &finding
        .unwrap_or_else(|| panic!("{content} has no such table"))
        .advice;
    advice
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The first cells of the tables below each heading.
fn keys_in_manual(manual: &str) -> BTreeSet<String> {
    let mut section = "";
    let mut keys = BTreeSet::new();
    for line in manual.lines() {
        if let Some(heading) = line.strip_prefix("## [") {
            section = heading.trim_start_matches('[').trim_end_matches(']');
        } else if let Some(row) = line.strip_prefix("| `") {
            let (key, _) = row.split_once('`').expect("the end of the key");
            assert!(
                keys.insert(format!("{section}.{key}")),
                "{section}.{key} is there twice"
            );
        }
    }
    keys
}

#[test]
fn every_key_is_in_the_manual_and_every_key_of_the_manual_exists() {
    let tables: BTreeSet<&str> = TABLES.iter().map(|(table, _)| *table).collect();
    let in_code: BTreeSet<String> = (TABLES.iter())
        .flat_map(|(table, content)| {
            keys_in_code(content)
                .into_iter()
                .map(move |key| format!("{table}.{key}"))
        })
        .filter(|key| !tables.contains(key.as_str()) || ALSO_VALUES.contains(&key.as_str()))
        .collect();
    let in_manual = keys_in_manual(&manual());
    let missing: Vec<&String> = in_code.difference(&in_manual).collect();
    let invented: Vec<&String> = in_manual.difference(&in_code).collect();
    assert!(missing.is_empty(), "not in the manual: {missing:?}");
    assert!(invented.is_empty(), "only in the manual: {invented:?}");
}

#[test]
fn the_examples_are_a_configuration() {
    let manual = manual();
    let examples: Vec<&str> = (manual.split("```toml\n").skip(1))
        .map(|rest| rest.split("```").next().expect("the end of the example"))
        .collect();
    assert!(examples.len() >= 11, "an example for each section");
    for node in ["proxy101", "proxy102"] {
        assert_eq!(findings_of(&examples.concat(), node), []);
    }
}
