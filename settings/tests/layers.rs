//! What goes over what: the file, conf.d, the node's override, the environment; and secrets.

use std::fs;
use std::path::Path;

use settings::{Report, RouteAction, Settings, SinkKind, Source, Workers, load};

/// Two nodes and one of everything that the cases change.
const FILE: &str = r#"
[nodes.alpha]
address = "10.0.0.1"
[nodes.beta]
address = "10.0.0.2"

[virtual_routers.GATE-way]
interface = "eth0"
vrid = 1
priority = { alpha = 200, beta = 100 }
addresses = ["10.0.0.5/32", "10.0.0.6/32"]

[proxy]
workers = 1
drain_timeout = "5s"

[listeners.web]
bind = ["10.0.0.5:80"]

[upstreams.app]
servers = [{ address = "10.0.1.1:80" }]

[[routes]]
path = "/"
upstream = "app"
"#;

/// Loads `FILE` for node alpha, with other files beside it and variables around it.
fn load_with(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Settings, Report> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "evenkeel.toml", FILE);
    for (name, content) in files {
        write(folder.path(), name, content);
    }
    let environment = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let file = folder.path().join("evenkeel.toml");
    load(&Source {
        file,
        node: "alpha".to_owned(),
        environment,
    })
}

fn write(folder: &Path, name: &str, content: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("the folder of the file");
    fs::write(path, content).expect("the file");
}

/// The positions and messages of a report, without the folder.
fn found(result: Result<Settings, Report>) -> Vec<String> {
    let report = result.expect_err("it must not load");
    let findings = report.findings().iter().map(|finding| {
        let position = finding.position.to_string();
        let position = position
            .rsplit_once("/.tmp")
            .map_or(position.as_str(), |(_, rest)| rest);
        let position = position.split_once('/').map_or(position, |(_, rest)| rest);
        format!("{position} {}", finding.message)
    });
    findings.collect()
}

fn paths(settings: &Settings) -> Vec<&str> {
    settings
        .routes
        .iter()
        .map(|route| route.path.as_str())
        .collect()
}

#[test]
fn conf_d_is_merged_in_name_order_and_only_toml_is_read() {
    let settings = load_with(
        &[
            (
                "conf.d/20.toml",
                "[proxy]\nworkers = 3\n[[routes]]\npath = \"/c\"\nstub_status = true\n",
            ),
            (
                "conf.d/10.toml",
                "[proxy]\nworkers = 2\n[[routes]]\npath = \"/b\"\nstatus_page = true\n",
            ),
            ("conf.d/30.toml.bak", "[proxy]\nworkers = 4\n"),
        ],
        &[],
    )
    .unwrap();
    assert!(matches!(settings.proxy.workers, Workers::Exactly(count) if count.get() == 3));
    assert_eq!(settings.proxy.drain_timeout.as_secs(), 5, "tables merge");
    assert_eq!(paths(&settings), ["/", "/b", "/c"], "routes are appended");
    assert_eq!(settings.routes[2].action, RouteAction::StubStatus);
}

#[test]
fn a_list_in_conf_d_replaces() {
    let text = "[virtual_routers.GATE-way]\naddresses = [\"10.0.0.7/32\"]\n";
    let settings = load_with(&[("conf.d/a.toml", text)], &[]).unwrap();
    let addresses = &settings.virtual_routers[0].addresses;
    assert_eq!(addresses.len(), 1);
    assert_eq!(addresses[0].address.to_string(), "10.0.0.7");
    assert_eq!(addresses[0].position().line(), 2);
}

#[test]
fn errors_stand_in_the_file_that_the_value_came_from() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "[proxy]\nworkers = 0\n",
            "",
            &["conf.d/a.toml:2:11 \"workers\" must be a whole number from 1 to 1024, not 0"],
        ),
        (
            "[[routes]]\npath = \"/a\"\nupstream = \"no\"\n",
            "[[routes]]\npath = \"b\"\nupstream = \"app\"\n",
            &[
                "conf.d/a.toml:3:12 there is no upstream \"no\"",
                "conf.d/b.toml:2:8 \"path\" must begin with \"/\", not be \"b\"",
            ],
        ),
        (
            "[[routes]]\npath = \"/\"\nupstream = \"app\"\n",
            "",
            &["conf.d/a.toml:2:8 the path \"/\" of listener \"web\" is there twice"],
        ),
        (
            "[proxy\n",
            "[proxy]\nworkers = \n",
            &[
                "conf.d/a.toml:1:7 not TOML: unclosed table, expected `]`",
                "conf.d/b.toml:2:11 not TOML: string values must be quoted, expected literal string",
            ],
        ),
        (
            "[nodes.alpha.override.proxy]\nworkers = 0\n",
            "",
            &["conf.d/a.toml:2:11 \"workers\" must be a whole number from 1 to 1024, not 0"],
        ),
    ];
    for (a, b, expected) in cases {
        let result = load_with(&[("conf.d/a.toml", a), ("conf.d/b.toml", b)], &[]);
        assert_eq!(found(result), *expected);
    }
}

#[test]
fn the_override_of_this_node_goes_over_the_files_and_that_of_others_is_nothing() {
    let text = "[nodes.alpha.override.proxy]\nworkers = 8\n\
                [nodes.beta.override.proxy]\ndrain_timeout = \"1s\"\n\
                [nodes.alpha.override.virtual_routers.GATE-way]\ninterface = \"em1\"\n";
    let settings = load_with(&[("conf.d/a.toml", text)], &[]).unwrap();
    assert!(matches!(settings.proxy.workers, Workers::Exactly(count) if count.get() == 8));
    assert_eq!(settings.proxy.drain_timeout.as_secs(), 5);
    let router = &settings.virtual_routers[0];
    assert_eq!(router.interface.as_str(), "em1");
    assert_eq!(router.interface.position().line(), 6);
    assert_eq!(router.vrid.get(), 1);
}

#[test]
fn the_environment_goes_over_everything() {
    let text = "[nodes.alpha.override.proxy]\nworkers = 8\n";
    let variables = [
        ("EVENKEEL__PROXY__WORKERS", "16"),
        ("EVENKEEL__PROXY__DRAIN_TIMEOUT", "7s"),
        ("EVENKEEL__CLUSTER__NAME", "42"),
        ("EVENKEEL__LISTENERS__WEB__NODE_HEADER", "true"),
        (
            "EVENKEEL__VIRTUAL_ROUTERS__GATE_WAY__PRIORITY__ALPHA",
            "150",
        ),
        (
            "EVENKEEL__VIRTUAL_ROUTERS__GATE_WAY__ADDRESSES",
            "[\"10.0.0.9/24\"]",
        ),
        ("EVENKEEL_NODE", "beta"),
        ("PATH", "/bin"),
    ];
    let settings = load_with(&[("conf.d/a.toml", text)], &variables).unwrap();
    assert!(matches!(settings.proxy.workers, Workers::Exactly(count) if count.get() == 16));
    assert_eq!(settings.proxy.drain_timeout.as_secs(), 7);
    assert_eq!(
        settings.cluster.name, "42",
        "a number is a string where one is wanted"
    );
    assert!(settings.listeners[0].node_header);
    let router = &settings.virtual_routers[0];
    assert_eq!(router.name, "GATE-way");
    assert_eq!(router.priority.get(), 150);
    assert_eq!(router.addresses[0].address.to_string(), "10.0.0.9");
    let position = router.addresses[0].position();
    assert_eq!(position.file(), "the environment");
    assert!(
        position
            .line_text()
            .starts_with("EVENKEEL__VIRTUAL_ROUTERS__GATE_WAY__ADDRESSES=")
    );
}

#[test]
fn errors_in_the_environment_name_the_variable() {
    let cases = [
        (
            ("EVENKEEL__PROXY__WORKERS", "0"),
            "the environment:1:26 \"workers\" must be a whole number from 1 to 1024, not 0",
        ),
        (
            ("EVENKEEL__PROXY__WORKER", "1"),
            "the environment:1:1 unknown key \"worker\"",
        ),
        (
            ("EVENKEEL__PROXI__WORKERS", "1"),
            "the environment:1:1 unknown section \"proxi\"",
        ),
        (
            ("EVENKEEL__PROXY", "1"),
            "the environment:1:1 this variable names no value",
        ),
        (
            ("EVENKEEL__VIRTUAL_ROUTERS__GATE_WAY__ADDRESSES", "[5]"),
            "the environment:1:48 an entry of \"addresses\" must be a string, not a number",
        ),
        (
            ("EVENKEEL__ROUTES__0__PATH", "/"),
            "the environment:1:1 one entry of a list cannot be overridden",
        ),
    ];
    for (variable, expected) in cases {
        assert_eq!(found(load_with(&[], &[variable])), [expected]);
    }
}

#[test]
fn secrets_come_from_files_and_variables() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pass");
    fs::write(&file, "from file\n").unwrap();
    let text = format!(
        "[notify.mail]\nevents = [\"process\"]\nmail = {{ server = \"127.0.0.1:25\", \
         from = \"a@example.org\", to = [{{ env = \"OPS\" }}], username = \"u\", \
         password = {{ file = \"{}\" }} }}\n",
        file.display()
    );
    let settings = load_with(&[("conf.d/a.toml", &text)], &[("OPS", "ops@example.org")]).unwrap();
    let SinkKind::Mail(mail) = &settings.notify[0].kind else {
        panic!("mail")
    };
    assert_eq!(mail.to, ["ops@example.org"]);
    let (_, password) = mail.credentials.as_ref().unwrap();
    assert_eq!(password.0, "from file");
    assert!(
        !format!("{settings:?}").contains("from file"),
        "secrets stay out of logs"
    );
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("evenkeel.toml");
    let source = || Source {
        file: file.clone(),
        node: "a".to_owned(),
        environment: Vec::new(),
    };
    let message = |report: Report| report.findings()[0].message.clone();

    let missing = load(&source()).unwrap_err();
    assert_eq!(
        missing.findings()[0].position.to_string(),
        file.display().to_string()
    );
    assert!(message(missing).starts_with("cannot be read: No such file"));

    fs::write(&file, b"[cluster]\nname = \"\xff\"\n").unwrap();
    assert_eq!(
        message(load(&source()).unwrap_err()),
        "cannot be read: line 2 is not UTF-8"
    );

    fs::write(&file, vec![b'#'; (1 << 20) + 1]).unwrap();
    let report = load(&source()).unwrap_err();
    assert_eq!(
        message(report),
        "cannot be read: it is longer than 1048576 octets"
    );
}

#[test]
fn the_same_text_elsewhere_means_the_same() {
    let first = load_with(&[], &[]).unwrap();
    let again = load_with(&[("conf.d/a.toml", "# A comment.\n")], &[]).unwrap();
    assert_eq!(first.virtual_routers, again.virtual_routers);
    let moved = format!("\n\n{FILE}");
    let moved = load_with(&[("evenkeel.toml", &moved)], &[]).unwrap();
    assert_eq!(first.virtual_routers, moved.virtual_routers);
    assert_eq!(first.listeners, moved.listeners);
    assert_eq!(first.routes, moved.routes);
}
