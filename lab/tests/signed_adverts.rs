//! Pairs that sign their adverts: an election that nobody without the key takes part in, and how a
//! pair that runs gets its keys, and others, without noticing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::time::Duration;

use lab::{AddressWatch, Capture, Lan, Node, VIP, pair_configuration};
use serde_json::Value;

const LONG: Duration = Duration::from_secs(40);

/// 32 octets each.
const KEY: &str = "b3a9f2c47e1d5860997d4c6a0f3e2b18d1c5a7e9f04b6382dd10ce57aa94b6f1";
const OTHER_KEY: &str = "0d5f6cb28e41937ab4f0c3d2e6a81957f3b2c1d0a9e8574639281706f5e4d3c2";

/// Two nodes of the product on one network.
struct Pair {
    first: Node,
    second: Node,
    watch: AddressWatch,
    // Goes last.
    lan: Lan,
}

impl Pair {
    /// Starts both with their own `auth`, and waits for nothing.
    fn start(first: &str, second: &str) -> Self {
        let lan = Lan::new();
        let watch = AddressWatch::start(&lan, VIP, &["proxy101", "proxy102"]);
        let node = |name, auth| Node::start(lan.host(name), &configuration(&lan, name, auth));
        Self {
            first: node("proxy101", first),
            second: node("proxy102", second),
            watch,
            lan,
        }
    }

    /// Waits until `proxy101` alone owns the address, and both know it.
    fn settle(&self) {
        self.watch.wait_for_owner("proxy101", LONG);
        self.watch.wait_for_loss("proxy102", LONG);
        self.first.wait_for_state("MASTER");
        self.second.wait_for_state("BACKUP");
    }

    /// Has a node run with another `auth`; that is in force when this returns.
    fn reload(&self, node: &Node, auth: &str) {
        let name = node.host().name();
        node.write_configuration(&configuration(&self.lan, name, auth));
        let output = node.control(&["reload"]);
        assert!(output.status.success(), "{output:?}");
    }

    /// Lets the Master speak twice more, and the Backup hear it.
    fn wait_for_adverts(&self) {
        let heard = |status: &Value| status["routers"][0]["adverts_received"].as_u64();
        let before = self.second.status().as_ref().and_then(heard).unwrap_or(0);
        self.second.wait_for_status("two more adverts", |status| {
            heard(status).is_some_and(|now| now >= before + 2)
        });
    }
}

/// The article's file in version 3, with this in the place of its password.
fn configuration(lan: &Lan, node: &str, auth: &str) -> String {
    let article = pair_configuration(lan.host(node));
    let line = |begin: &str| {
        let mut lines = article.lines();
        lines.find(|line| line.starts_with(begin)).expect("a line")
    };
    article
        .replace(line("version ="), "version = 3")
        .replace(line("auth ="), auth)
}

fn hmac(keys: &str, mode: &str) -> String {
    format!("auth = {{ hmac = {{ {keys}, mode = {mode:?} }} }}")
}

fn one_key(key: &str) -> String {
    format!("keys = {{ 1 = \"hex:{key}\" }}")
}

/// How often a node has discarded adverts, by reason.
fn discarded(node: &Node) -> Vec<(String, u64)> {
    let status = node.status().expect("the node answers");
    serde_json::from_value(status["routers"][0]["discarded"].clone()).expect("a list")
}

fn doctor(node: &Node) -> Output {
    let mut command = std::process::Command::new(lab::program());
    command
        .arg("doctor")
        .arg("--config")
        .arg(node.configuration_file())
        .args(["--node", node.host().name()]);
    let output = node.host().inside(|| command.output());
    output.expect("evenkeel can be run")
}

/// Rule 48: neither what a node prints nor what its commands say has a key in it.
fn assert_no_secret(node: &Node) {
    let check = node.check();
    assert!(check.status.success(), "{check:?}");
    let status = node.control(&["status", "--json"]);
    for shown in [
        node.log(),
        String::from_utf8_lossy(&check.stdout).into_owned(),
        String::from_utf8_lossy(&check.stderr).into_owned(),
        String::from_utf8_lossy(&status.stdout).into_owned(),
    ] {
        assert!(!shown.contains(&KEY[..16]), "{shown}");
        // As octets in a list.
        assert!(!shown.contains("179, 169, 242"), "{shown}");
    }
}

#[test]
fn a_pair_that_enforces_signatures_elects_and_hands_over() {
    let lan = Lan::new();
    let capture = Capture::start(&lan);
    let watch = AddressWatch::start(&lan, VIP, &["proxy101", "proxy102"]);
    let node = |name| {
        let host = lan.host(name);
        let key = host.files().join("vrrp.key");
        fs::write(&key, format!("hex:{KEY}\n")).expect("a file");
        fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("its mode");
        let keys = format!("keys = {{ 7 = \"file:{}\" }}", key.display());
        Node::start(host, &configuration(&lan, name, &hmac(&keys, "enforce")))
    };
    let (mut first, second) = (node("proxy101"), node("proxy102"));
    watch.wait_for_owner("proxy101", LONG);
    first.wait_for_state("MASTER");
    second.wait_for_status("a master", |status| {
        let router = &status["routers"][0];
        router["state"] == "BACKUP" && router["master"][0] == "192.168.0.101"
    });

    first.stop();
    watch.wait_for_owner("proxy102", LONG);
    second.wait_for_state("MASTER");
    first.start_again();
    watch.wait_for_owner("proxy101", LONG);
    second.wait_for_state("BACKUP");

    for node in [&first, &second] {
        assert_eq!(discarded(node), [], "{}", node.host().name());
        assert_no_secret(node);
    }
    // tshark knows no trailers, and sums over them: its faults would be of this alone.
    let messages = capture.stop().messages("192.168.0.101", 202);
    assert!(messages.len() > 2, "each has its own trailer: {messages:?}");
    for message in messages {
        // Header and address, then type 1, key 7, sequence and HMAC.
        assert_eq!(message.len(), 2 * (12 + 28), "{message}");
        assert!(message.starts_with("3165ca010064"), "{message}");
        assert_eq!(message[24..32], *"01070000", "{message}");
    }
}

#[test]
fn who_has_another_key_is_not_listened_to_and_is_told_of() {
    let signed = hmac(&one_key(KEY), "enforce");
    // The other would win any election: it says a higher priority.
    let pair = Pair::start(&signed, &signed);
    pair.settle();
    let since = pair.first.since();
    let stronger = configuration(&pair.lan, "proxy102", &hmac(&one_key(OTHER_KEY), "enforce"))
        .replace("proxy102 = 199", "proxy102 = 250");
    pair.second.write_configuration(&stronger);
    assert!(pair.second.control(&["reload"]).status.success());
    pair.second.wait_for_state("MASTER");
    pair.first.wait_for_status("what it discarded", |status| {
        status["routers"][0]["discarded"][0][0] == "hmac_wrong"
    });
    assert_eq!(pair.first.since(), since, "it is still Master");

    let said = doctor(&pair.first);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("[hmac_wrong]"), "{said}");

    pair.reload(&pair.second, &signed);
    pair.settle();
    assert_eq!(pair.first.since(), since, "it is still Master");
}

#[test]
fn a_pair_that_runs_gets_its_keys_without_noticing() {
    let both = format!("keys = {{ 1 = \"hex:{KEY}\", 2 = \"hex:{OTHER_KEY}\" }}");
    let steps = [
        ("who can verify", hmac(&one_key(KEY), "receive-only")),
        ("who signs", hmac(&one_key(KEY), "permissive")),
        ("who insists", hmac(&one_key(KEY), "enforce")),
        (
            "a second key",
            hmac(&format!("{both}, active = 1"), "enforce"),
        ),
        (
            "to sign with it",
            hmac(&format!("{both}, active = 2"), "enforce"),
        ),
        (
            "the first key no more",
            hmac(&format!("keys = {{ 2 = \"hex:{OTHER_KEY}\" }}"), "enforce"),
        ),
    ];
    let pair = Pair::start("", "");
    pair.settle();
    pair.wait_for_adverts();
    let since = [&pair.first, &pair.second].map(Node::since);
    for (what, auth) in steps {
        for node in [&pair.second, &pair.first] {
            pair.reload(node, &auth);
            pair.wait_for_adverts();
        }
        let now = [&pair.first, &pair.second].map(Node::since);
        assert_eq!(now, since, "{what}: no transition");
        for node in [&pair.first, &pair.second] {
            assert_eq!(discarded(node), [], "{what}: {}", node.host().name());
        }
    }
    assert_eq!(
        pair.watch.arrivals("proxy102"),
        0,
        "the address never moved"
    );
}
