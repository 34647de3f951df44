//! Which certificates a server name leads to.

use std::collections::HashMap;

/// Entries by the names of their certificates.
#[derive(Debug)]
pub(crate) struct Names<T>(HashMap<String, Vec<T>>);

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Names<T> {
    /// Adds an entry for a name in lower case; `*.` in front stands for one label (RFC 9525 §6.3).
    pub(crate) fn add(&mut self, name: &str, entry: T) {
        self.0.entry(name.to_owned()).or_default().push(entry);
    }

    /// The entries for `name`, in the order in which they came: those of the very name, else those of
    /// the wildcard that covers it.
    pub(crate) fn find(&self, name: &str) -> Option<&[T]> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let wildcard = || {
            let (label, parent) = name.split_once('.')?;
            (!label.is_empty()).then(|| self.0.get(&format!("*.{parent}")))?
        };
        self.0.get(name).or_else(wildcard).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_names_come_before_wildcards_of_one_label() {
        let mut names = Names::default();
        for (name, entry) in [
            ("example.org", 1),
            ("*.example.org", 2),
            ("www.example.org", 3),
            ("www.example.org", 4),
            ("*.a.example.org", 5),
        ] {
            names.add(name, entry);
        }
        let cases: &[(&str, Option<&[i32]>)] = &[
            ("example.org", Some(&[1])),
            ("EXAMPLE.org", Some(&[1])),
            ("example.org.", Some(&[1])),
            ("www.example.org", Some(&[3, 4])),
            ("api.example.org", Some(&[2])),
            ("a.example.org", Some(&[2])),
            ("b.a.example.org", Some(&[5])),
            ("c.b.a.example.org", None),
            (".example.org", None),
            ("org", None),
            ("", None),
            ("example.com", None),
            ("*.example.org", Some(&[2])),
        ];
        for (name, expected) in cases {
            assert_eq!(names.find(name), *expected, "{name}");
        }
    }
}
