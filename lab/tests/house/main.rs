//! The rules of the house that a machine can check: who may depend on whom, where `unsafe` may
//! stand, how large a file may be, what must not be left lying about.

mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each crate may depend on, of ours.
const ALLOWED: &[(&str, &[&str])] = &[
    ("core-vrrp", &[]),
    ("core-http1", &[]),
    ("core-http2", &[]),
    ("core-preface", &[]),
    ("core-route", &[]),
    ("core-balance", &[]),
    ("core-health", &[]),
    ("ipc", &[]),
    ("settings", &[]),
    ("platform", &[]),
    ("link", &["ipc", "platform"]),
    ("tls", &["ipc"]),
    (
        "evenkeel",
        &[
            "core-health",
            "core-vrrp",
            "ipc",
            "link",
            "platform",
            "settings",
            "tls",
        ],
    ),
    ("evenkeel-vrrp", &["core-vrrp", "ipc", "link", "platform"]),
    (
        "evenkeel-proxy",
        &[
            "core-balance",
            "core-http1",
            "core-http2",
            "core-preface",
            "core-route",
            "ipc",
            "link",
            "platform",
            "tls",
        ],
    ),
    (
        "evenkeel-check",
        &[
            "core-health",
            "core-http1",
            "core-http2",
            "core-preface",
            "ipc",
            "link",
            "platform",
            "tls",
        ],
    ),
    ("evenkeel-notify", &["ipc", "link", "platform"]),
    ("evenkeel-admin", &["ipc", "link", "platform"]),
    ("evenkeel-demo", &["ipc", "platform"]),
    ("lab", &["platform"]),
    (
        "fuzz",
        &[
            "core-http1",
            "core-http2",
            "core-preface",
            "core-vrrp",
            "ipc",
            "link",
            "platform",
            "settings",
        ],
    ),
];

/// Crates of others that have one place.
const ONE_PLACE: &[(&str, &[&str])] = &[
    ("nix", &["platform"]),
    ("socket2", &["platform"]),
    ("rtnetlink", &["platform"]),
    ("pnet_packet", &["platform"]),
    ("pnet_datalink", &["platform"]),
    ("caps", &["platform"]),
    ("libc", &[]),
    ("lettre", &["evenkeel-notify"]),
    ("config", &["settings"]),
    ("actix-web", &["evenkeel-admin", "evenkeel-demo"]),
];

/// Lines that a source file may have.
const FILE_LINES_MAX: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

/// Each workspace crate with its direct dependencies, those of its tests aside.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let named = |package: &serde_json::Value| {
        let dependencies = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter();
        let names = dependencies
            .filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| dependency["name"].as_str().expect("a name").to_owned());
        (
            package["name"].as_str().expect("a name").to_owned(),
            names.collect(),
        )
    };
    packages.iter().map(named).collect()
}

fn sources() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.rs",
        ])
        .current_dir(root())
        .output()
        .expect("it runs");
    let listed = String::from_utf8(output.stdout).expect("text");
    let sources: Vec<PathBuf> = listed
        .lines()
        .map(|line| root().join(line))
        .filter(|path| path.exists())
        .collect();
    assert!(
        sources.len() > 50,
        "git lists only {} sources",
        sources.len()
    );
    sources
}

#[test]
fn dependencies_point_one_way() {
    let ours: BTreeSet<String> = dependencies().into_keys().collect();
    let listed: BTreeSet<String> = ALLOWED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(
        ours, listed,
        "the table does not list the workspace's crates"
    );
    for (name, allowed) in ALLOWED {
        for dependency in dependencies()[*name].intersection(&ours) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} depends on {dependency}"
            );
        }
    }
}

#[test]
fn crates_of_others_stay_in_their_place() {
    for (name, dependencies) in dependencies() {
        for (foreign, places) in ONE_PLACE {
            assert!(
                !dependencies.contains(*foreign) || places.contains(&name.as_str()),
                "{name} depends on {foreign}, which belongs to {places:?}"
            );
        }
    }
}

#[test]
fn unsafe_stands_in_platform_alone() {
    for path in sources() {
        let inside = path.starts_with(root().join("platform"));
        let own = path.ends_with("lab/tests/house/main.rs");
        let text = std::fs::read_to_string(&path).expect("a source");
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let used = code.contains("unsafe {")
                || code.contains("unsafe fn")
                || code.contains("unsafe impl");
            assert!(
                inside || own || !used,
                "{}:{}: unsafe",
                path.display(),
                number + 1
            );
        }
    }
}

#[test]
fn files_are_of_a_size_that_can_be_read() {
    for path in sources() {
        let lines = std::fs::read_to_string(&path)
            .expect("a source")
            .lines()
            .count();
        assert!(
            lines <= FILE_LINES_MAX,
            "{} has {lines} lines",
            path.display()
        );
    }
}

#[test]
fn nothing_is_left_lying_about() {
    let words = [
        "TODO",
        "FIXME",
        "XXX",
        "todo!(",
        "unimplemented!(",
        "dbg!(",
        "#[ignore",
    ];
    for path in sources()
        .iter()
        .filter(|path| !path.ends_with("lab/tests/house/main.rs"))
    {
        let text = std::fs::read_to_string(path).expect("a source");
        for word in words {
            assert!(!text.contains(word), "{} contains {word}", path.display());
        }
    }
}
