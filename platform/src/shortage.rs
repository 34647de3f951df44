//! Errors by which the system says that this machine, and nobody else, has run out of something.

use std::io;

use nix::libc;

/// Whether `error` says that descriptors, memory or local ports have run out: no peer is to blame,
/// and another try at once would only fail again.
pub fn is_ours(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EADDRNOTAVAIL)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortages_are_told_from_faults_of_peers() {
        let cases = [
            (libc::EMFILE, true),
            (libc::ENOBUFS, true),
            (libc::EADDRNOTAVAIL, true),
            (libc::ECONNREFUSED, false),
            (libc::EHOSTUNREACH, false),
            (libc::ETIMEDOUT, false),
        ];
        for (code, ours) in cases {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(is_ours(&error), ours, "{error}");
        }
        assert!(!is_ours(&io::ErrorKind::ConnectionRefused.into()));
    }
}
