//! What is said of files that cannot be used, or had better not be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use ipc::codec;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use settings::{Finding, Level, Source};
use tempfile::TempDir;

use super::*;
use crate::holdings::GaugePlaces;
use crate::snapshots;

/// A folder with certificates and keys.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.make("www", &["www.example.org"], (2020, 2100));
        folder.make("other", &["other.example.org"], (2020, 2100));
        folder.make("expired", &["www.example.org"], (2000, 2001));
        folder.make("early", &["www.example.org"], (2098, 2099));
        folder.make("nameless", &[], (2020, 2100));
        folder.write("empty.pem", b"");
        folder.write("junk.der", b"no response");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// `NAME.pem` and `NAME.key`, valid from the first to the last of these years.
    fn make(&self, name: &str, names: &[&str], (from, to): (i32, i32)) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        self.write(&format!("{name}.pem"), certificate.pem().as_bytes());
        self.write(&format!("{name}.key"), key.serialize_pem().as_bytes());
    }

    /// One of each, with these lines for `tls`, from line 6 and 11 on. DIR stands for this folder.
    fn settings(&self, listener: &[&str], upstream: &[&str]) -> Settings {
        let mut listener = listener.to_vec();
        listener.resize(4, "");
        let text = format!(
            "[nodes.a]\naddress = \"192.0.2.1\"\n\
             [listeners.secure]\nbind = [\"192.0.2.1:443\"]\n\
             [listeners.secure.tls]\n{}\n\
             [upstreams.app.tls]\n{}\n\
             [[upstreams.app.servers]]\naddress = \"192.0.2.9:443\"\n\
             [[routes]]\nupstream = \"app\"\n",
            listener.join("\n"),
            upstream.join("\n"),
        );
        self.load(&text)
    }

    /// What this text says. DIR stands for this folder.
    fn load(&self, text: &str) -> Settings {
        let file = self.path("evenkeel.toml");
        let folder = self.0.path().to_str().unwrap();
        fs::write(&file, text.replace("DIR", folder)).unwrap();
        let source = Source {
            file,
            node: "a".into(),
            environment: Vec::new(),
        };
        settings::load(&source).unwrap_or_else(|report| panic!("{report}"))
    }

    /// "LINE LEVEL: MESSAGE; ADVICE" of what is found, without the name of this folder.
    fn findings(&self, listener: &[&str], upstream: &[&str]) -> Vec<String> {
        let settings = self.settings(listener, upstream);
        let mut report = Report::new();
        Credentials::read(&settings, &mut report);
        let folder = format!("{}/", self.0.path().to_str().unwrap());
        let in_words = |finding: &Finding| {
            let line = finding.position.line();
            let level = match finding.level {
                Level::Error => "error",
                Level::Warning => "warning",
            };
            let words = format!("{line} {level}: {}; {}", finding.message, finding.advice);
            let words = words.replace(&folder, "");
            words.trim_end_matches("; ").to_owned()
        };
        report.findings().iter().map(in_words).collect()
    }
}

/// Lines of a listener that are right.
const LISTENER: &[&str] = &[r#"certificates = [{ chain = "DIR/www.pem", key = "DIR/www.key" }]"#];

/// Lines of an upstream that are right.
const UPSTREAM: &[&str] = &[r#"ca = "DIR/www.pem""#];

#[test]
fn certificates_of_listeners() {
    let folder = Folder::new();
    let cases = [
        ("www.pem", "www.key", None),
        (
            "missing.pem",
            "www.key",
            Some("7 error: cannot read missing.pem: No such file or directory (os error 2)"),
        ),
        (
            "empty.pem",
            "www.key",
            Some("7 error: empty.pem cannot be used: there is no certificate in it (PEM)"),
        ),
        (
            "www.pem",
            "other.key",
            Some("8 error: other.key cannot be used: it is not the key of the certificate"),
        ),
        (
            "www.pem",
            "www.pem",
            Some("8 error: www.pem cannot be used: there is no private key in it (PEM)"),
        ),
        (
            "expired.pem",
            "expired.key",
            Some(
                "7 warning: the certificate in expired.pem expired on 2001-01-01; \
                 renew it: peers will refuse it",
            ),
        ),
        (
            "early.pem",
            "early.key",
            Some(
                "7 warning: the certificate in early.pem is valid from 2098-01-01; \
                 peers will refuse it until then",
            ),
        ),
        (
            "nameless.pem",
            "nameless.key",
            Some(
                "7 warning: the certificate in nameless.pem has no DNS name (subjectAltName); \
                 only clients that ask for no name get it",
            ),
        ),
    ];
    for (chain, key, expected) in cases {
        let (chain, key) = (
            format!("chain = \"DIR/{chain}\""),
            format!("key = \"DIR/{key}\""),
        );
        let lines = ["[[listeners.secure.tls.certificates]]", &chain, &key];
        let found = folder.findings(&lines, UPSTREAM);
        assert_eq!(found, Vec::from_iter(expected), "{chain}, {key}");
    }
}

#[test]
fn what_else_listeners_have() {
    let folder = Folder::new();
    let ocsp = [
        "[[listeners.secure.tls.certificates]]",
        "chain = \"DIR/www.pem\"",
        "key = \"DIR/www.key\"",
        "ocsp = \"DIR/junk.der\"",
    ];
    let found = folder.findings(&ocsp, UPSTREAM);
    let expected = "9 error: junk.der cannot be used: it is no OCSP response in DER";
    assert_eq!(found, [expected]);
    // Nobody comes in where nobody can be told apart.
    let empty = [
        LISTENER[0],
        "client_ca = \"DIR/empty.pem\"",
        "client_auth = \"optional\"",
    ];
    let found = folder.findings(&empty, UPSTREAM);
    let expected = "7 error: empty.pem cannot be used: there is no certificate in it (PEM)";
    assert_eq!(found, [expected]);
}

#[test]
fn files_of_upstreams() {
    let folder = Folder::new();
    let cases: [(&[&str], Option<&str>); 4] = [
        (UPSTREAM, None),
        (
            &[r#"ca = "DIR/empty.pem""#],
            Some("11 error: empty.pem cannot be used: there is no certificate in it (PEM)"),
        ),
        (
            &[
                UPSTREAM[0],
                r#"client_chain = "DIR/www.pem""#,
                r#"client_key = "DIR/other.key""#,
            ],
            Some("13 error: other.key cannot be used: it is not the key of the certificate"),
        ),
        // A client's certificate is asked for no name.
        (
            &[
                UPSTREAM[0],
                r#"client_chain = "DIR/nameless.pem""#,
                r#"client_key = "DIR/nameless.key""#,
            ],
            None,
        ),
    ];
    for (lines, expected) in cases {
        let found = folder.findings(LISTENER, lines);
        assert_eq!(found, Vec::from_iter(expected), "{lines:?}");
    }
}

#[test]
fn key_that_everybody_can_read_is_warned_of() {
    let folder = Folder::new();
    let key = folder.path("www.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let expected = "6 warning: everyone on this machine can read the key in www.key; \
                    `chmod 600 www.key`, and replace the key";
    assert_eq!(folder.findings(LISTENER, UPSTREAM), [expected]);
}

#[test]
fn file_without_end_is_not_read_to_its_end() {
    let folder = Folder::new();
    folder.write("huge.pem", &vec![b'x'; 1024 * 1024 + 1]);
    let found = folder.findings(LISTENER, &[r#"ca = "DIR/huge.pem""#]);
    let expected = "11 error: cannot read huge.pem: it has more than 1048576 octets";
    assert_eq!(found, [expected]);
}

/// The names of what has changed are what an operator is told after a renewal.
#[test]
fn changes_are_those_of_contents() {
    let folder = Folder::new();
    let settings = folder.settings(LISTENER, UPSTREAM);
    let read = || Credentials::read(&settings, &mut Report::new());
    let old = read();
    // Written again, as it is: its stamp differs and nothing else.
    folder.write("www.pem", &fs::read(folder.path("www.pem")).unwrap());
    let same = read();
    assert_eq!(same.changes(&old), [""; 0]);
    folder.make("www", &["www.example.org"], (2021, 2100));
    let new = read();
    assert_ne!(new.stamps(), old.stamps());
    let changed =
        ["www.key", "www.pem"].map(|name| format!("{} changed", folder.path(name).display()));
    assert_eq!(new.changes(&old), changed);
}

/// What a system trusts has 220 KB: copied for each of some hundred servers it would fill a snapshot.
#[test]
fn authorities_go_along_once_however_many_trust_them() {
    let folder = Folder::new();
    let one = fs::read(folder.path("www.pem")).unwrap();
    folder.write("large.pem", &one.repeat(220_000 / one.len()));
    let mut text = String::from("[nodes.a]\naddress = \"192.0.2.1\"\n");
    for number in 0..400 {
        let ca = ["large.pem", "www.pem"][number % 2];
        text += &format!(
            "[upstreams.app{number}]\n\
             servers = [{{ address = \"192.0.2.9:443\" }}, {{ address = \"192.0.2.8:443\" }}]\n\
             check = {{ tcp = true }}\ntls = {{ ca = \"DIR/{ca}\" }}\n\
             [[routes]]\npath = \"/{number}/\"\nupstream = \"app{number}\"\n"
        );
    }
    text += "[listeners.web]\nbind = [\"192.0.2.1:80\"]\n";
    let settings = folder.load(&text);
    let credentials = Credentials::read(&settings, &mut Report::new());
    let large = fs::read(folder.path("large.pem")).unwrap();
    assert_eq!(credentials.authorities(), [large, one]);
    let proxy = snapshots::proxy(
        &settings,
        &BTreeSet::new(),
        &GaugePlaces::default(),
        &credentials,
    );
    let check = snapshots::check(&settings, &credentials);
    let octets = |bytes: Result<Vec<u8>, _>| bytes.unwrap().len();
    for octets in [
        octets(codec::encode_snapshot(&proxy)),
        octets(codec::encode_snapshot(&check)),
    ] {
        assert!((220_000..400_000).contains(&octets), "{octets}");
    }
    let trusted = |index: usize| proxy.upstreams[index].tls.as_ref().unwrap().ca;
    assert_eq!([0, 1, 398, 399].map(trusted), [0, 1, 0, 1].map(Some));
}
