//! Every target for a moment, always with the same inputs. `make fuzz` goes on with others.

use fuzz::{Finding, TARGETS};

/// What a target takes, in mutations; the one that reads files is slow.
fn mutations(target: &str) -> u32 {
    match target {
        "settings" => 300,
        _ => 10_000,
    }
}

fn expect_none(finding: &Finding) -> ! {
    let text = String::from_utf8_lossy(&finding.input);
    let kept = finding.keep();
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
