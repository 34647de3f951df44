//! Certificates, as `openssl` makes them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run;

/// A certificate for www.example.org with its key, signed by itself.
#[derive(Debug)]
pub struct Certificate {
    /// Its file, PEM.
    pub chain: PathBuf,
    /// Its key's file, PEM.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes one; its files are in `folder` and begin with `name`.
    pub fn make(folder: &Path, name: &str) -> Self {
        let chain = folder.join(format!("{name}.pem"));
        let key = folder.join(format!("{name}.key"));
        let kind = ["req", "-x509", "-newkey", "ec", "-nodes", "-days", "90"];
        let curve = ["-pkeyopt", "ec_paramgen_curve:P-256"];
        let subject = ["-subj", "/CN=www.example.org"];
        let names = ["-addext", "subjectAltName=DNS:www.example.org"];
        // As a server's, it signs nothing.
        let use_of_it = ["-addext", "basicConstraints=critical,CA:FALSE"];
        let files = ["-out", text(&chain), "-keyout", text(&key)];
        let command: [&[&str]; 5] = [&kind, &curve, &subject, &names, &use_of_it];
        run(&[&["openssl"], &command.concat()[..], &files].concat());
        Self { chain, key }
    }

    /// Puts a copy of its certificate in the place of another's.
    pub fn replace_chain(&self, other: &Self) {
        replace(&self.chain, &other.chain);
    }

    /// Puts a copy of its key in the place of another's.
    pub fn replace_key(&self, other: &Self) {
        replace(&self.key, &other.key);
    }
}

/// As a careful program does it: nobody sees half a file.
fn replace(from: &Path, to: &Path) {
    let new = to.with_extension("new");
    fs::copy(from, &new)
        .and_then(|_| fs::rename(&new, to))
        .unwrap_or_else(|error| panic!("cannot replace {}: {error}", to.display()));
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}
