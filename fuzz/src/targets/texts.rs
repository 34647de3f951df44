//! The configuration file: whatever it says, there are settings or there is a report.

use std::path::PathBuf;

use settings::{Source, load};

use super::leave;
use crate::Target;

/// Reads from a file, as it has to.
pub(crate) const SETTINGS: Target = Target {
    name: "settings",
    seeds: || {
        let samples = [
            include_str!("../../../etc/evenkeel.toml"),
            include_str!("../../../etc/minimal.toml"),
        ];
        let samples = samples.map(|text| text.as_bytes().to_vec());
        samples.to_vec()
    },
    repair: leave,
    check: |input| {
        let folder = tempfile::tempdir().expect("a folder");
        let file: PathBuf = folder.path().join("evenkeel.toml");
        std::fs::write(&file, input).expect("written");
        let loaded = load(&Source {
            file,
            node: "proxy101".into(),
            environment: Vec::new(),
        });
        if let Err(report) = loaded {
            assert!(report.has_errors(), "refused without a reason");
            assert!(!report.to_string().is_empty());
        }
    },
};
