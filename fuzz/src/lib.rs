//! One target for each decoder and state machine that takes bytes from outside.
//!
//! A target has good inputs to begin with, a check that must never panic, and mostly promises more
//! than that: what was read can be written and read again, what was read in pieces is what was read
//! at once. Inputs are good ones with a few mutations, repaired where a checksum would keep nearly
//! all of them from getting any further. Everything follows from a seed.

mod mutate;
mod targets;

use std::panic::{RefUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

pub use targets::TARGETS;

use mutate::Dice;

/// Something that takes bytes from outside.
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    /// Good inputs.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Makes an input that was changed plausible again: lengths, checksums.
    pub repair: fn(&mut Vec<u8>),
    /// Panics when a promise is broken.
    pub check: fn(&[u8]),
}

/// An input that broke a promise.
#[derive(Debug)]
pub struct Finding {
    /// Of which target.
    pub target: &'static str,
    /// What it was.
    pub input: Vec<u8>,
}

impl Target {
    /// Checks all good inputs and those of the corpus as they are.
    ///
    /// # Errors
    /// The first that breaks a promise.
    pub fn check_known(&self) -> Result<usize, Finding> {
        let mut known = (self.seeds)();
        known.extend(corpus(self.name));
        let count = known.len();
        known
            .into_iter()
            .try_for_each(|input| self.try_input(input))?;
        Ok(count)
    }

    /// Checks so many mutations; the same for the same seed.
    ///
    /// # Errors
    /// The first that breaks a promise.
    pub fn check_mutations(&self, seed: u64, count: u32) -> Result<(), Finding> {
        let mut dice = Dice::new(seed);
        let mut known = (self.seeds)();
        known.extend(corpus(self.name));
        for _ in 0..count {
            let mut input = mutate::mutate(&known, &mut dice);
            if dice.below(4) > 0 {
                (self.repair)(&mut input);
            }
            self.try_input(input)?;
        }
        Ok(())
    }

    fn try_input(&self, input: Vec<u8>) -> Result<(), Finding> {
        let check: fn(&[u8]) = self.check;
        match quietly(|| check(&input)) {
            true => Ok(()),
            false => Err(Finding {
                target: self.name,
                input,
            }),
        }
    }
}

impl Finding {
    /// Keeps the input in a corpus; in that of [`corpus_folder`] every test finds it from now on.
    ///
    /// # Errors
    /// The system's.
    pub fn keep(&self, corpus: &Path) -> std::io::Result<PathBuf> {
        let folder = corpus.join(self.target);
        std::fs::create_dir_all(&folder)?;
        let sum = self
            .input
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
                (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let path = folder.join(format!("{sum:016x}"));
        std::fs::write(&path, &self.input)?;
        Ok(path)
    }
}

fn quietly(check: impl FnOnce() + std::panic::UnwindSafe) -> bool {
    catch_unwind(check).is_ok()
}

/// Where findings are kept, a folder for each target.
#[must_use]
pub fn corpus_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// What was found before, in the order of names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(corpus_folder().join(target)) else {
        return Vec::new(); // nothing was found yet
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().flat_map(std::fs::read).collect()
}

const _: () = {
    const fn is_safe<T: RefUnwindSafe>() {}
    is_safe::<Target>();
};
