//! Broken configurations, what is found in them, and where. Each case is a file as a user could
//! have written it; what is found is the whole report, so that one mistake is one finding.

mod auth;
mod general;
mod health;
mod notify;
mod peers;
mod proxy;
mod routers;
mod scripts;
mod shown;
mod tls;
mod upstreams;
mod warnings;

use settings::{Finding, Level, Source, load};

/// Two nodes, behind every case that has none of its own. This one is "a".
const NODES: &str = r#"
[nodes.a]
address = "10.0.0.1"
[nodes.b]
address = "10.0.0.2"
"#;

/// Four lines that need nothing else; a case's own lines continue them.
pub(crate) const ROUTER: &str = r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
addresses = ["10.0.0.5/32"]
"#;

/// Two lines.
pub(crate) const LISTENER: &str = r#"[listeners.web]
bind = ["10.0.0.5:80"]
"#;

/// Two lines.
pub(crate) const UPSTREAM: &str = r#"[upstreams.app]
servers = [{ address = "10.0.1.1:80" }]
"#;

/// A configuration and everything that is found in it.
pub(crate) struct Case {
    /// What is wrong, in words.
    pub(crate) name: &'static str,
    /// What stands before `text`.
    pub(crate) before: &'static [&'static str],
    /// The lines that matter; `[nodes]` is added behind them where they have none.
    pub(crate) text: &'static str,
    /// "LINE:COLUMN LEVEL: MESSAGE; ADVICE", in the order of the report.
    pub(crate) found: &'static [&'static str],
}

impl Case {
    fn content(&self) -> String {
        let nodes = if self.text.contains("[nodes") || self.name == "no nodes" {
            ""
        } else {
            NODES
        };
        format!("{}{}{nodes}", self.before.concat(), self.text)
    }
}

/// Everything that is found in a file with this content, named evenkeel.toml, on node "a".
pub(crate) fn findings_of(content: &str) -> (Vec<Finding>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("evenkeel.toml");
    std::fs::write(&file, content).expect("a file in it");
    let environment = vec![("HOME".to_owned(), "/root".to_owned())];
    let source = Source {
        file,
        node: "a".to_owned(),
        environment,
    };
    let findings = match load(&source) {
        Ok(settings) => settings.warnings,
        Err(report) => report.findings().to_vec(),
    };
    (findings, format!("{}/", folder.path().display()))
}

/// What `Case::found` would say of a finding.
fn in_words(finding: &Finding, folder: &str) -> String {
    let level = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let Finding {
        position,
        message,
        advice,
        ..
    } = finding;
    let advice = if advice.is_empty() {
        String::new()
    } else {
        format!("; {advice}")
    };
    let (line, column) = (position.line(), position.column());
    format!("{line}:{column} {level}: {message}{advice}").replace(folder, "")
}

#[test]
fn each_mistake_is_found_where_it_is() {
    let areas = [
        general::CASES,
        health::CASES,
        routers::CASES,
        auth::CASES,
        scripts::CASES,
        proxy::CASES,
        upstreams::CASES,
        peers::CASES,
        tls::CASES,
        notify::CASES,
        warnings::CASES,
    ];
    let mut wrong = Vec::new();
    for case in areas.into_iter().flatten() {
        let (findings, folder) = findings_of(&case.content());
        let found: Vec<String> = findings.iter().map(|f| in_words(f, &folder)).collect();
        if found != case.found {
            wrong.push(format!("{}:\n  {}", case.name, found.join("\n  ")));
        }
        for finding in &findings {
            assert_eq!(
                finding.position.file(),
                format!("{folder}evenkeel.toml"),
                "{}",
                case.name
            );
        }
    }
    assert!(wrong.is_empty(), "found instead:\n{}", wrong.join("\n"));
}
