//! Whatever stands in a file, the answer is settings or a report that can be shown.

use proptest::prelude::*;
use settings::{Source, load};

const SAMPLES: [&str; 2] = [
    include_str!("../../etc/evenkeel.toml"),
    include_str!("../../etc/minimal.toml"),
];

/// Texts that mean something to the reader, put where they may mean something else.
const SNIPPETS: [&str; 24] = [
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "=",
    ".",
    ",",
    "\n",
    "#",
    "\\",
    "-1",
    "0",
    "99999999999999999999",
    "1e400",
    "1979-05-27",
    "true",
    "\"0s\"",
    "\"\"",
    "[]",
    "{}",
    "[[routes]]\n",
    "\u{10ffff}",
];

fn load_and_show(content: &[u8], variables: Vec<(String, String)>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("evenkeel.toml");
    std::fs::write(&file, content).expect("a file in it");
    let source = Source {
        file,
        node: "proxy101".to_owned(),
        environment: variables,
    };
    match load(&source) {
        Ok(settings) => {
            assert!(settings.nodes.contains(&settings.node));
        }
        Err(report) => {
            assert!(report.has_errors());
            assert!(report.to_string().contains("error: "));
            for finding in report.findings() {
                let columns = finding.position.line_text().chars().count() + 1;
                assert!(finding.position.column() <= columns.max(1), "{report}");
            }
        }
    }
}

#[test]
fn carriage_return_alone() {
    load_and_show(b"\r", Vec::new());
}

proptest! {
    #[test]
    fn octets(content in prop::collection::vec(any::<u8>(), 0..400)) {
        load_and_show(&content, Vec::new());
    }

    #[test]
    fn texts(content in "([a-z_]{1,9}|[\\[\\]{}=.,\"'\n #0-9-]|virtual_routers|routes|nodes){0,80}") {
        load_and_show(content.as_bytes(), Vec::new());
    }

    #[test]
    fn samples_with_pieces_put_in(
        sample in prop::sample::select(SAMPLES.to_vec()),
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..12_usize, prop::sample::select(SNIPPETS.to_vec())),
            1..4,
        ),
    ) {
        let mut content: Vec<char> = sample.chars().collect();
        for (place, removed, snippet) in edits {
            let start = place.index(content.len());
            let end = content.len().min(start + removed);
            content.splice(start..end, snippet.chars());
        }
        let content: String = content.into_iter().collect();
        load_and_show(content.as_bytes(), Vec::new());
    }

    #[test]
    fn samples_with_values_exchanged(
        sample in prop::sample::select(SAMPLES.to_vec()),
        line in any::<prop::sample::Index>(),
        value in prop::sample::select(SNIPPETS.to_vec()),
    ) {
        let mut lines: Vec<String> = sample.lines().map(str::to_owned).collect();
        let with_value: Vec<usize> =
            (0..lines.len()).filter(|&index| lines[index].contains(" = ")).collect();
        let index = with_value[line.index(with_value.len())];
        let key = lines[index].split(" = ").next().unwrap_or("").to_owned();
        lines[index] = format!("{key} = {value}");
        load_and_show(lines.join("\n").as_bytes(), Vec::new());
    }

    #[test]
    fn variables(
        words in "(__|_|PROXY|WORKERS|ROUTES|NODES|PROXY101|OVERRIDE|[A-Z0-9]){0,6}",
        value in "\\PC{0,20}",
    ) {
        let variable = (format!("EVENKEEL__{words}"), value);
        load_and_show(SAMPLES[0].as_bytes(), vec![variable]);
    }
}

#[test]
fn very_deep_texts_are_refused() {
    let texts = [
        format!("{}a = 1\n", "a.".repeat(100_000)),
        format!("[{}a]\n", "a.".repeat(100_000)),
        format!("proxy = {}", "[".repeat(100_000)),
        format!("proxy = {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("proxy = {}", "{a=".repeat(100_000)),
        format!("proxy = {{ {}b = 1 }}", "\"a\" . ".repeat(50_000)),
    ];
    for text in texts {
        load_and_show(text.as_bytes(), Vec::new());
    }
    let variable = (
        format!("EVENKEEL__PROXY{}", "__A".repeat(40_000)),
        "1".to_owned(),
    );
    load_and_show(SAMPLES[0].as_bytes(), vec![variable]);
}
