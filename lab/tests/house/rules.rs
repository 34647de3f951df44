//! Each rule of docs/rules.md is named by a test.

use std::collections::BTreeSet;
use std::path::Path;

use super::{root, sources};

/// The part of a source that is for tests alone: all of a file that is in a folder `tests` or named for
/// it, else the modules in it that are.
fn tests_in(path: &Path, text: &str) -> String {
    let mut folders = path.components().rev().skip(1);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name == "tests.rs"
        || name.ends_with("_tests.rs")
        || folders.any(|folder| folder.as_os_str() == "tests")
    {
        return text.to_owned();
    }
    // As rustfmt has it, a module ends with the first brace that begins a line.
    let modules = text.split("\n#[cfg(test)]\nmod ").skip(1);
    let modules = modules.filter_map(|behind| behind.split_once(" {\n"));
    modules
        .filter(|(name, _)| !name.contains(';'))
        .filter_map(|(_, body)| body.split("\n}\n").next())
        .collect()
}

/// Numbers behind a "rule" or "rules": "rule 12", "rules 3, 4 and 30 to 32", `rule_12_of_names`.
fn rules_named_in(text: &str) -> BTreeSet<u32> {
    let mut named = BTreeSet::new();
    let text = text.replace('_', " ");
    for behind in text.split("rule").skip(1) {
        let behind = behind.strip_prefix('s').unwrap_or(behind);
        let mut last = None;
        let words = behind
            .split([' ', '\n', '/'])
            .filter(|word| !word.is_empty());
        let mut through = false;
        for word in words {
            let number = word.trim_end_matches([',', '.', ':', ';', ')', '"']);
            match (number.parse::<u32>(), last, word) {
                (Ok(number), Some(first), _) if through => named.extend(first..=number),
                (Ok(number), ..) => drop(named.insert(number)),
                (Err(_), Some(_), "and" | "to") => {}
                (Err(_), ..) => break,
            }
            through = word == "to";
            last = number.parse().ok().or(last);
        }
    }
    named
}

#[test]
fn rules_are_found_in_prose() {
    let cases: [(&str, &[u32]); 5] = [
        (
            "/// rule 12: rules 3, 4 and 30 to 32.",
            &[3, 4, 12, 30, 31, 32],
        ),
        ("(rule 7)", &[7]),
        ("// rules 1\n    /// and 2", &[1, 2]),
        ("fn rules_43_and_45_hold() {", &[43, 45]),
        ("the rule of RFC 9110", &[]),
    ];
    for (text, numbers) in cases {
        assert_eq!(
            rules_named_in(text),
            numbers.iter().copied().collect(),
            "{text}"
        );
    }
}

#[test]
fn tests_are_told_from_what_they_test() {
    let source = "//! Rule 1.\n\n#[cfg(test)]\nmod others;\n\n/// Rule 2.\nfn f() {\n}\n\n\
                  #[cfg(test)]\nmod tests {\n    /// Rule 3.\n    fn g() {\n    }\n}\n\n// Rule 4.\n";
    let cases: [(&str, &[u32]); 5] = [
        ("core/route/src/path.rs", &[3]),
        ("core/route/src/tests.rs", &[1, 2, 3, 4]),
        ("core/route/src/path_tests.rs", &[1, 2, 3, 4]),
        ("core/route/tests/all/paths.rs", &[1, 2, 3, 4]),
        ("core/contests/src/tests_of.rs", &[3]),
    ];
    for (path, numbers) in cases {
        let named = rules_named_in(&tests_in(Path::new(path), source).to_lowercase());
        assert_eq!(named, numbers.iter().copied().collect(), "{path}");
    }
}

#[test]
fn each_rule_of_the_data_plane_is_named_by_a_test() {
    let listed = std::fs::read_to_string(root().join("docs/rules.md")).expect("the rules");
    let numbers = listed.lines().filter_map(|line| line.split_once(". "));
    let rules: BTreeSet<u32> = numbers
        .filter_map(|(number, _)| number.parse().ok())
        .collect();
    assert_eq!(rules, (1..=48).collect());
    let own = root().join(file!());
    assert!(own.exists(), "{}", own.display());
    let named: BTreeSet<u32> = sources()
        .iter()
        .filter(|path| **path != own)
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).expect("a source");
            let path = path.strip_prefix(root()).expect("ours");
            rules_named_in(&tests_in(path, &text).to_lowercase())
        })
        .collect();
    let silent: Vec<_> = rules.difference(&named).collect();
    assert!(silent.is_empty(), "no test names the rules {silent:?}");
}
