//! What `testssl.sh` finds at a listener with TLS in the default profile: nothing above informational, but for what
//! is named here with the reason.

use std::collections::BTreeSet;
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

/// What testssl.sh says of itself, and not of the listener: its openssl knows no GOST ciphers, with
/// which it would ask too.
const OF_ITSELF: &str = "engine_problem";

/// What the certificate of this test has not, and what is not the proxy's to decide.
const OF_THE_SITE: &[&str] = &[
    // It is signed by itself.
    "cert_chain_of_trust",
    // And so there is nobody who could say where it is revoked.
    "cert_revocation",
    // The lab has no DNS.
    "DNS_CAArecord",
    // That a name is never served without TLS is a promise of its owner.
    "HSTS",
];

/// Lets testssl.sh look. It has to find exactly `well` to be good, and exactly `explained` and
/// [`OF_ITSELF`] to be anything else than that or informational.
fn inspect(sections: &[&str], well: &[&str], explained: &[&str]) {
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
    let found = |wanted: fn(&str) -> bool| -> BTreeSet<&str> {
        let of_interest = findings
            .iter()
            .filter(|one| wanted(string(one, "severity")));
        of_interest.map(|one| string(one, "id")).collect()
    };
    let good = found(|severity| severity == "OK");
    assert_eq!(good, well.iter().copied().collect(), "{findings:#?}");
    let bad = found(|severity| !["OK", "INFO"].contains(&severity));
    let explained = explained.iter().chain([&OF_ITSELF]);
    assert_eq!(bad, explained.copied().collect(), "{findings:#?}");
}

fn string<'a>(finding: &'a Value, name: &str) -> &'a str {
    finding[name].as_str().expect("findings have it as a text")
}

#[test]
fn testssl_finds_nothing_in_protocols_and_ciphers() {
    let versions = ["SSLv2", "SSLv3", "TLS1_2", "TLS1_3", "ALPN_HTTP2"];
    let ciphers = [
        "cipherlist_NULL",
        "cipherlist_aNULL",
        "cipherlist_EXPORT",
        "cipherlist_LOW",
        "cipherlist_STRONG",
        "PFS",
        "PFS_ECDHE_curves",
    ];
    let choices = ["cipher_order", "protocol_negotiated", "cipher_negotiated"];
    inspect(
        &["--protocols", "--std", "--fs", "--server-preference"],
        &[&versions[..], &ciphers, &choices].concat(),
        &[],
    );
}

#[test]
fn testssl_finds_no_vulnerability() {
    let well = [
        "heartbleed",
        "CCS",
        "ticketbleed",
        "ROBOT",
        "secure_renego",
        "secure_client_renego",
        "CRIME_TLS",
        "BREACH",
        "POODLE_SSL",
        "fallback_SCSV",
        "SWEET32",
        "FREAK",
        "DROWN",
        "LOGJAM",
        "LOGJAM-common_primes",
        "BEAST",
        "LUCKY13",
        "RC4",
    ];
    inspect(&["--vulnerable"], &well, &[]);
}

#[test]
fn testssl_finds_nothing_in_certificate_and_headers_that_is_not_the_sites() {
    let well = [
        "cert_signatureAlgorithm",
        "cert_keySize",
        "cert_commonName",
        "cert_trust",
        "cert_expirationStatus",
        "cert_notAfter",
    ];
    inspect(&["--server-defaults", "--headers"], &well, OF_THE_SITE);
}
