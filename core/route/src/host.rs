//! Whose host a request is for: exact names before wildcards, the longest of those first, and what is
//! for no host in particular last (nginx's `server_name`).

use std::collections::HashMap;

/// A name has at most so many characters (RFC 1035 §2.3.4); no longer one is in any table.
const NAME_MAX: usize = 253;

/// Something for each host.
#[derive(Clone, Debug)]
pub(crate) struct Hosts<T> {
    exact: HashMap<Box<[u8]>, T>,
    /// By what follows the asterisk, with its dot.
    below: HashMap<Box<[u8]>, T>,
    /// For all other hosts, and for requests without one.
    any: T,
}

impl<T: Default> Hosts<T> {
    pub(crate) fn new() -> Self {
        Self {
            exact: HashMap::new(),
            below: HashMap::new(),
            any: T::default(),
        }
    }

    /// The place of a pattern: a name, "*.example.org" for all names below, or `None` for any.
    pub(crate) fn entry(&mut self, pattern: Option<&str>) -> &mut T {
        let Some(pattern) = pattern else {
            return &mut self.any;
        };
        let pattern = pattern.to_ascii_lowercase();
        match pattern.strip_prefix('*') {
            Some(rest) => self.below.entry(rest.as_bytes().into()).or_default(),
            None => self.exact.entry(pattern.as_bytes().into()).or_default(),
        }
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let named = self.exact.values_mut().chain(self.below.values_mut());
        named.chain([&mut self.any])
    }

    /// Whether there is anything that is not for any host.
    pub(crate) fn has_names(&self) -> bool {
        !self.exact.is_empty() || !self.below.is_empty()
    }

    /// What is for `authority`, a host with or without a port, however it is spelled.
    pub(crate) fn find(&self, authority: Option<&str>) -> &T {
        let Some(name) = authority.filter(|_| self.has_names()).map(name_of) else {
            return &self.any;
        };
        // A copy in lower case, without memory of its own.
        let mut room = [0; NAME_MAX];
        let Some(lower) = room.get_mut(..name.len()) else {
            return &self.any;
        };
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        let exact = self.exact.get(&*lower);
        exact.or_else(|| self.longest(lower)).unwrap_or(&self.any)
    }

    /// The wildcard with the longest rest; something stands for its asterisk.
    fn longest(&self, name: &[u8]) -> Option<&T> {
        if self.below.is_empty() {
            return None;
        }
        memchr::memchr_iter(b'.', name)
            .filter(|&dot| dot > 0)
            .find_map(|dot| self.below.get(name.get(dot..)?))
    }
}

/// The name in an authority: no port, no dot at its end.
fn name_of(authority: &str) -> &str {
    let end = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let name = authority.get(..end).unwrap_or(authority);
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(patterns: &[&'static str]) -> Hosts<&'static str> {
        let mut hosts = Hosts::new();
        *hosts.entry(None) = "any";
        for &pattern in patterns {
            *hosts.entry(Some(pattern)) = pattern;
        }
        hosts
    }

    #[test]
    fn exact_name_goes_before_the_longest_wildcard_and_that_before_any() {
        let hosts = hosts(&[
            "example.org",
            "www.example.org",
            "*.example.org",
            "*.api.example.org",
            "*.org",
            "192.0.2.1",
        ]);
        let cases = [
            (Some("example.org"), "example.org"),
            (Some("www.example.org"), "www.example.org"),
            (Some("x.example.org"), "*.example.org"),
            (Some("x.y.example.org"), "*.example.org"),
            (Some("api.example.org"), "*.example.org"),
            (Some("v1.api.example.org"), "*.api.example.org"),
            (Some("example.com"), "any"),
            (Some("example.net.org"), "*.org"),
            (Some("notexample.org"), "*.org"),
            (Some("org"), "any"),
            (Some(".example.org"), "*.org"),
            (Some("192.0.2.1:8080"), "192.0.2.1"),
            (Some("[2001:db8::1]:80"), "any"),
            (None, "any"),
        ];
        for (authority, found) in cases {
            assert_eq!(*hosts.find(authority), found, "{authority:?}");
        }
    }

    /// Rules 7 and 9: spelling, port and a dot at the end make no difference.
    #[test]
    fn host_is_found_however_it_is_spelled() {
        let hosts = hosts(&["Example.ORG", "*.Example.org"]);
        for authority in [
            "example.org",
            "EXAMPLE.org",
            "example.org.",
            "example.org:80",
            "Example.Org.:8443",
        ] {
            assert_eq!(*hosts.find(Some(authority)), "Example.ORG", "{authority}");
            let below = format!("www.{authority}");
            assert_eq!(*hosts.find(Some(&below)), "*.Example.org", "{below}");
        }
    }

    #[test]
    fn longest_name_and_the_one_that_is_too_long() {
        let label = "a".repeat(60);
        let name = [label.as_str(); 4].join(".") + &".b".repeat(5);
        assert_eq!(name.len(), NAME_MAX);
        let hosts = hosts(&["*.b"]);
        assert_eq!(*hosts.find(Some(&name)), "*.b");
        assert_eq!(*hosts.find(Some(&format!("a{name}"))), "any");
    }

    proptest::proptest! {
        /// No host panics, and a name without a port is its own name.
        #[test]
        fn any_host_is_judged(host: String, name in "[a-z0-9.-]{0,80}") {
            let hosts = hosts(&["example.org", "*.example.org"]);
            hosts.find(Some(&host));
            proptest::prop_assert_eq!(name_of(&name), name.strip_suffix('.').unwrap_or(&name));
        }
    }
}
