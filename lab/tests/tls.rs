//! What `testssl.sh` finds at a listener with TLS in the default profile.

use std::fs;
use std::path::Path;

use lab::{Certificate, Host, Lan, Node};
use serde_json::Value;

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

fn start(host: &Host, certificate: &Certificate) -> Node {
    let (chain, key) = (certificate.chain.display(), certificate.key.display());
    let configuration = format!(
        "[nodes.{name}]\naddress = \"{address}\"\n\
         [listeners.secure]\nbind = [\"{address}:443\"]\n\
         tls = {{ certificates = [{{ chain = \"{chain}\", key = \"{key}\" }}] }}\n\
         [[routes]]\npath = \"/\"\nstub_status = true\n",
        name = host.name(),
        address = host.address(),
    );
    let node = Node::start(host, &configuration);
    node.wait_for_service();
    node
}

/// Lets testssl.sh look, and asserts that it finds nothing above informational.
fn inspect(sections: &[&str]) {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let certificate = Certificate::make(host.files(), "www");
    let _node = start(host, &certificate);
    let findings = host.files().join("findings.json");
    let address = host.address().to_string();
    let mut command = vec!["testssl", "--quiet", "--color", "0", "--warnings", "off"];
    command.extend_from_slice(sections);
    command.extend_from_slice(&["--jsonfile", text(&findings), "--ip", &address]);
    command.push("https://www.example.org");
    host.inside(|| lab::answer(&command));
    let findings = fs::read_to_string(&findings).expect("what it found");
    let findings: Vec<Value> = serde_json::from_str(&findings).expect("JSON");
    let severity = |finding: &Value| finding["severity"].as_str().unwrap_or("").to_owned();
    let well = findings.iter().filter(|one| severity(one) == "OK").count();
    assert!(well >= 8, "it has looked at hardly anything: {findings:?}");
    let bad = ["LOW", "MEDIUM", "HIGH", "CRITICAL", "FATAL"];
    let bad = findings
        .iter()
        .filter(|one| bad.contains(&severity(one).as_str()));
    assert_eq!(bad.collect::<Vec<_>>(), Vec::<&Value>::new());
}

#[test]
fn testssl_finds_nothing_in_protocols_and_ciphers() {
    inspect(&["--protocols", "--std", "--fs", "--server-preference"]);
}

#[test]
fn testssl_finds_no_vulnerability() {
    inspect(&["--vulnerable"]);
}
