//! Every target for a moment, always with the same inputs. `make fuzz` goes on with others.

use fuzz::{Finding, TARGETS, Target, corpus_folder};

/// What a target takes, in mutations; the one that reads files is slow.
fn mutations(target: &str) -> u32 {
    match target {
        "settings" => 300,
        _ => 10_000,
    }
}

fn expect_none(finding: &Finding) -> ! {
    let text = String::from_utf8_lossy(&finding.input);
    let kept = finding.keep(&corpus_folder());
    panic!(
        "{}: {text:?} = {:?}, {kept:?}",
        finding.target, finding.input
    );
}

#[test]
fn no_target_breaks_its_promise() {
    for target in TARGETS {
        let known = target
            .check_known()
            .unwrap_or_else(|finding| expect_none(&finding));
        assert!(known > 0, "{} has nothing to begin with", target.name);
        target
            .check_mutations(1, mutations(target.name))
            .unwrap_or_else(|finding| expect_none(&finding));
    }
}

/// Breaks its promise for some mutations, and for none of its good inputs.
const FRAGILE: Target = Target {
    name: "fragile",
    seeds: || vec![b"good".to_vec()],
    repair: |_| (),
    check: |input| assert!(input.starts_with(b"g"), "a target's fault"),
};

#[test]
fn an_input_that_makes_a_target_panic_is_caught_and_kept() {
    assert_eq!(FRAGILE.check_known().expect("nothing is wrong yet"), 1);
    let finding = FRAGILE
        .check_mutations(1, 10_000)
        .expect_err("a mutation of the first octet");
    assert!(!finding.input.starts_with(b"g"), "{finding:?}");
    let corpus = tempfile::tempdir().expect("a folder");
    let path = finding.keep(corpus.path()).expect("kept");
    assert_eq!(path.parent(), Some(&*corpus.path().join("fragile")));
    assert_eq!(std::fs::read(&path).expect("kept"), finding.input);
}
