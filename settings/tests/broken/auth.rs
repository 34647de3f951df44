//! How the nodes of a virtual router know one another. Stars stand for what must not be shown.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use settings::{Source, load};

use crate::{Case, ROUTER, findings_of};

/// 64 digits: 32 octets.
const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Each stands for one mistake.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a password that is too long",
        before: &[ROUTER],
        text: r#"version = 2
auth = { pass = "ninechars" }"#,
        found: &[
            r#"6:17 error: "pass" has 9 octets; the protocol carries 8; shorten it on all nodes; keepalived cuts it silently"#,
        ],
    },
    Case {
        name: "a password in version 3",
        before: &[ROUTER],
        text: r#"auth = { pass = "testpass" }"#,
        found: &[
            r#"5:8 error: version 3 has no password; use "hmac", or set version = 2 (RFC 9568 took the password out)"#,
        ],
    },
    Case {
        name: "an unknown way to authenticate",
        before: &[ROUTER],
        text: r#"version = 2
auth = { ah = "testpass" }"#,
        found: &[
            r#"6:8 error: "auth" needs "pass" or "hmac"; leave "auth" out for none; "pass" is of version 2, "hmac" of version 3"#,
            r#"6:10 error: unknown key "ah"; the keys here are "pass" and "hmac""#,
        ],
    },
    Case {
        name: "password and HMAC",
        before: &[ROUTER],
        text: r#"auth = { pass = "testpass", hmac = { keys = { 1 = "an ascii key with 32 characters." } } }"#,
        found: &[
            r#"5:8 error: "auth" has both "pass" and "hmac"; "pass" is of version 2, "hmac" of version 3: remove one"#,
        ],
    },
    Case {
        name: "an HMAC in version 2",
        before: &[ROUTER],
        text: r#"version = 2
auth = { hmac = { keys = { 1 = "an ascii key with 32 characters." } } }"#,
        found: &[
            r#"6:8 error: version 2 has no HMAC; set version = 3: draft-cassen-vrrp-auth-hmac defines it for that alone"#,
        ],
    },
    Case {
        name: "an HMAC without keys",
        before: &[ROUTER],
        text: r#"auth = { hmac = { mode = "permissive" } }"#,
        found: &[r#"5:17 error: "keys" is missing; add keys = ..."#],
    },
    Case {
        name: "no key among the keys",
        before: &[ROUTER],
        text: r#"auth = { hmac = { keys = {} } }"#,
        found: &[
            r#"5:26 error: "keys" must not be empty; make one with `openssl rand -hex 32`, and write "hex:" before it"#,
        ],
    },
    Case {
        name: "keys that are no keys",
        before: &[ROUTER],
        text: r#"[virtual_routers.r.auth.hmac]
active = 1
[virtual_routers.r.auth.hmac.keys]
1 = "hex:0001"
2 = "an ascii key of 31 characters.."
3 = "hex:zz"
4 = "hex:012"
5 = 5
6 = "file:key"
7 = "file:/does/not/exist"
8 = "12345678901234567890123456789012345678901234567890123456789012345"
0 = "an ascii key with 32 characters."
256 = "an ascii key with 32 characters."
01 = "an ascii key with 32 characters.""#,
        found: &[
            r#"8:5 error: key 1 has 2 octets; keys have 32 to 64; make one with `openssl rand -hex 32`, and write "hex:" before it"#,
            r#"9:5 error: key 2 has 31 octets; keys have 32 to 64; make one with `openssl rand -hex 32`, and write "hex:" before it"#,
            r#"10:5 error: key 3 is not hexadecimal; after "hex:" come pairs of the digits 0 to 9 and a to f"#,
            r#"11:5 error: key 4 is not hexadecimal; after "hex:" come pairs of the digits 0 to 9 and a to f"#,
            r#"12:5 error: an entry of "keys" must be a string, not a number; write it as "...", in quotes"#,
            r#"13:5 error: the path "key" of key 6 must be absolute; write "file:/etc/evenkeel/keys/vrrp""#,
            r#"14:5 error: /does/not/exist cannot be read: No such file or directory (os error 2); write the key there, in a file that only root can read (chmod 600)"#,
            r#"15:5 error: key 8 has 65 octets; keys have 32 to 64; make one with `openssl rand -hex 32`, and write "hex:" before it"#,
            r#"16:1 error: "0" is no number of a key; keys are numbered from 1 to 255, the same on all nodes"#,
            r#"17:1 error: "256" is no number of a key; keys are numbered from 1 to 255, the same on all nodes"#,
            r#"18:1 error: "01" is no number of a key; keys are numbered from 1 to 255, the same on all nodes"#,
        ],
    },
    Case {
        name: "an unknown active key",
        before: &[ROUTER],
        text: r#"[virtual_routers.r.auth.hmac]
keys = { 1 = "an ascii key with 32 characters.", 3 = "another ascii key, 32 characters" }
active = 2"#,
        found: &[r#"7:10 error: there is no key 2; the keys are 1, 3"#],
    },
    Case {
        name: "no active key among several",
        before: &[ROUTER],
        text: r#"[virtual_routers.r.auth.hmac]
keys = { 1 = "an ascii key with 32 characters.", 3 = "another ascii key, 32 characters" }"#,
        found: &[
            r#"5:1 error: "active" is missing; with several keys, say which one signs: active = ..."#,
        ],
    },
    Case {
        name: "an unknown mode, no replay check, and no time",
        before: &[ROUTER],
        text: r#"[virtual_routers.r.auth.hmac]
keys = { 1 = "an ascii key with 32 characters." }
mode = "enforced"
anti_replay = "none"
time_window = "0s""#,
        found: &[
            r#"7:8 error: "mode" must be one of "enforce", "permissive" and "receive-only", not "enforced"; did you mean "enforce"?"#,
            r#"8:15 error: "anti_replay" must be one of "time" and "monotonic", not "none""#,
            r#"9:15 error: "time_window" must be from 1s to 5m, not 0s"#,
        ],
    },
    Case {
        name: "a window for clocks that are not compared",
        before: &[ROUTER],
        text: r#"[virtual_routers.r.auth.hmac]
keys = { 1 = "an ascii key with 32 characters." }
anti_replay = "monotonic"
time_window = "9s""#,
        found: &[
            r#"8:15 warning: "time_window" has no effect; anti_replay = "monotonic" compares no clocks"#,
        ],
    },
];

/// A file with a key that only `mode` may read.
fn key_file(folder: &Path, content: &str, mode: u32) -> String {
    let path = folder.join("key");
    fs::write(&path, content).expect("a file");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its mode");
    path.display().to_string()
}

#[test]
fn who_can_read_a_key_file_is_told() {
    // (mode, whether it is warned of)
    for (mode, is_told) in [(0o600, false), (0o640, false), (0o644, true)] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = key_file(folder.path(), &format!("hex:{HEX}\n"), mode);
        for key in [
            format!("\"file:{path}\""),
            format!("{{ file = \"{path}\" }}"),
        ] {
            let content = format!(
                "{ROUTER}auth = {{ hmac = {{ keys = {{ 1 = {key} }} }} }}\n\
                 [nodes.a]\naddress = \"10.0.0.1\"\n[nodes.b]\naddress = \"10.0.0.2\"\n"
            );
            let (findings, _) = findings_of(&content);
            let said: Vec<&str> = findings.iter().map(|it| it.message.as_str()).collect();
            let expected = format!("everyone on this machine can read the secret in {path}");
            let expected = is_told.then_some(expected.as_str());
            assert_eq!(said, Vec::from_iter(expected), "{mode:o}: {key}");
        }
    }
}

/// Rule 48: they would be in a log soon.
#[test]
fn secrets_are_not_shown() {
    let hmac = format!("auth = {{ hmac = {{ keys = {{ 1 = \"hex:{HEX}\" }}, active = 7 }} }}");
    let long = format!("auth = {{ hmac = {{ keys = {{ 1 = \"{HEX}0\" }} }} }}");
    let of_router = [
        hmac.as_str(),
        long.as_str(),
        "auth = { pass = '000102', mode = 1 }",
        "auth = { pass = 12301024 }",
        "auth = { password = \"000102\" }",
        "auth = { hmac = { key = \"hex:000102\" } }",
        "auth = { hmac = { keys = [\"hex:000102\"] } }",
        "auth = { hmac = { keys = { \"hex:000102\" = 1 } } }",
        "auth = { hmac = \"hex:000102\" }",
        "auth = \"000102\"",
        "auht = \"000102\"",
        "autentication = { pas = \"000102\" }",
        "auth = { pass = \"000102 }",
        "auth = { pass = 000102x }",
        "auth = { pass = \"000\\\"102\" x }",
        "auth.hmac.keys = [\n\"000102\", x,\n]",
        "auth.pass = \"\"\"\n000102\"x\"\"\" y",
    ];
    let of_notify = [
        "webhook = { url = \"https://example.org/000102\", secrets = 1 }",
        "webhook = { url = \"ftp://example.org/000102\" }",
        "webhook = { url = \"https://u:000102@example.org/\" }",
        "webhook = { url = \"https://example.org/\", secret = \"000102\", x = 1 }",
        "webhook = { url = \"https://example.org/\", headers = { A = \"000102\" }, x = 1 }",
        "webhook = { url = \"https://example.org/\", headers = { \"A: 000102\" = \"\" } }",
        "webhook = { url = \"https://example.org/\", headers = \"A: 000102\" }",
        "webhook = { url = \"https://example.org/\", token = \"000102\" }",
        "mail = { server = \"a:25\", from = \"a@b.c\", to = [\"a@b.c\"], pasword = \"000102\" }",
        "[notify.n.webhook.headers]\nA = Bearer 000102",
    ];
    let of_router = of_router.map(|line| format!("{ROUTER}{line}\n"));
    let of_notify = of_notify.map(|line| format!("[notify.n]\n{line}\n"));
    for content in of_router.iter().chain(&of_notify) {
        let (findings, _) = findings_of(content);
        let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
        let shown = shown.concat();
        assert!(shown.contains(" | "), "{content}: {shown}");
        assert!(!shown.contains("102"), "{content}: {shown}");
    }
}

#[test]
fn secrets_of_the_environment_are_not_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("evenkeel.toml");
    fs::write(&file, ROUTER).expect("a file");
    for (name, value) in [
        ("EVENKEEL__VIRTUAL_ROUTERS__R__AUTH__PASS", "0001020304"),
        ("EVENKEEL__VIRTUAL_ROUTERS__R__AUTH", "{ pas = \"000102\" }"),
        ("EVENKEEL__VIRTUAL_ROUTERS__R__AUTH", "{ pass = \"000102 }"),
        ("EVENKEEL__NOTIFY__N", "{ webhook = { url = \"000102\" } }"),
        ("EVENKEEL__SECRET", "000102"),
    ] {
        let source = Source {
            file: file.clone(),
            node: "a".to_owned(),
            environment: vec![(name.to_owned(), value.to_owned())],
        };
        let shown = load(&source).expect_err("errors").to_string();
        assert!(
            shown.contains(&format!("{name}=*")) || shown.contains(&format!("{name}=\"*")),
            "{shown}"
        );
        assert!(!shown.contains("102"), "{shown}");
    }
}

#[test]
fn what_is_no_secret_is_shown() {
    let (findings, _) = findings_of("[virtual_routers.r]\ninterfaces = \"eth0\"\n");
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(
        shown.concat().contains("interfaces = \"eth0\""),
        "{shown:?}"
    );
}
