//! Paths in one normal form, so that what is matched is what is forwarded.
//!
//! Two components that read one path differently are a hole: a rule for `/admin` must see
//! `/%61dmin`, `//admin` and `/x/../admin`. So unreserved characters are decoded, dot segments
//! resolved, and repeated slashes merged as in nginx; other escapes stay as they are, `%2F` among
//! them, which therefore never separates segments.

use std::borrow::Cow;

/// A path that has no normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFault {
    /// A percent sign without two hexadecimal digits.
    Escape,
    /// An escaped NUL.
    Nul,
    /// Dot segments that lead above the root.
    AboveRoot,
    /// A dot segment with parameters (`/..;x/`), which some servers resolve and others do not.
    DotParameters,
}

/// The normal form of a path that begins with a slash; borrowed when `path` has it already.
///
/// # Errors
/// A [`PathFault`], which is answered with 400.
pub fn normalise(path: &str) -> Result<Cow<'_, str>, PathFault> {
    if is_plain(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let decoded = decode_unreserved(path)?;
    resolve(&decoded).map(Cow::Owned)
}

/// Whether nothing in the path needs a second look.
fn is_plain(path: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in path {
        if byte == b'%' || previous == b'/' && matches!(byte, b'/' | b'.') {
            return false;
        }
        previous = byte;
    }
    true
}

/// Decodes the escapes of unreserved characters (RFC 3986 §2.3), which never mean anything else.
fn decode_unreserved(path: &str) -> Result<String, PathFault> {
    let mut decoded = String::with_capacity(path.len());
    let mut parts = path.split('%');
    decoded.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part
            .get(..2)
            .filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let digits = digits.ok_or(PathFault::Escape)?;
        let octet = u8::from_str_radix(digits, 16).map_err(|_| PathFault::Escape)?;
        match octet {
            0 => return Err(PathFault::Nul),
            b'-' | b'.' | b'_' | b'~' => decoded.push(char::from(octet)),
            octet if octet.is_ascii_alphanumeric() => decoded.push(char::from(octet)),
            _ => {
                decoded.push('%');
                decoded.push_str(digits);
            }
        }
        decoded.push_str(part.get(2..).unwrap_or_default());
    }
    Ok(decoded)
}

/// Removes dot segments (RFC 3986 §5.2.4) and empty ones.
fn resolve(path: &str) -> Result<String, PathFault> {
    let mut segments: Vec<&str> = Vec::new();
    let mut ends_in_slash = false;
    for segment in path.split('/').skip(1) {
        ends_in_slash = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop().ok_or(PathFault::AboveRoot)?;
            }
            segment if segment.starts_with(".;") || segment.starts_with("..;") => {
                return Err(PathFault::DotParameters);
            }
            segment => segments.push(segment),
        }
    }
    let mut resolved = String::with_capacity(path.len());
    for segment in &segments {
        resolved.push('/');
        resolved.push_str(segment);
    }
    if ends_in_slash || segments.is_empty() {
        resolved.push('/');
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rule 9.
    #[test]
    fn paths_that_mean_the_same_look_the_same() {
        let cases = [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/", "/a/"),
            ("/%61dmin", "/admin"),
            ("/%7euser", "/~user"),
            ("/a%2Fb", "/a%2Fb"),
            ("/a%20b", "/a%20b"),
            ("//admin", "/admin"),
            ("///", "/"),
            ("/a//b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/a/%2e%2e/b", "/b"),
            ("/a/.hidden", "/a/.hidden"),
            ("/a/...", "/a/..."),
            ("/a;x=1/b", "/a;x=1/b"),
            ("/..a", "/..a"),
        ];
        for (path, normal) in cases {
            assert_eq!(normalise(path).as_deref(), Ok(normal), "{path}");
        }
    }

    /// Rule 9.
    #[test]
    fn paths_without_a_normal_form_are_refused() {
        let cases = [
            ("/..", PathFault::AboveRoot),
            ("/a/../..", PathFault::AboveRoot),
            ("/%2e%2e/x", PathFault::AboveRoot),
            ("/%00", PathFault::Nul),
            ("/a%", PathFault::Escape),
            ("/a%4", PathFault::Escape),
            ("/a%zz", PathFault::Escape),
            ("/a%+1", PathFault::Escape),
            ("/a/..;/b", PathFault::DotParameters),
            ("/a/%2e;x/b", PathFault::DotParameters),
        ];
        for (path, fault) in cases {
            assert_eq!(normalise(path), Err(fault), "{path}");
        }
    }

    #[test]
    fn plain_path_is_not_copied() {
        assert!(matches!(normalise("/app/index.html"), Ok(Cow::Borrowed(_))));
    }

    proptest::proptest! {
        /// The normal form of a normal form is itself, and has no dot segment left.
        #[test]
        fn normal_form_is_final(path in "/[a./%2eE5;F]{0,24}") {
            if let Ok(normal) = normalise(&path) {
                let again = normalise(&normal);
                proptest::prop_assert_eq!(again.as_deref(), Ok(&*normal));
                proptest::prop_assert!(!normal.split('/').any(|part| part == ".."));
            }
        }

        /// Nothing that comes from outside makes it panic.
        #[test]
        fn any_path_is_judged(path: String) {
            let _ = normalise(&path);
        }
    }
}
