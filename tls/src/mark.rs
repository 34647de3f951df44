//! What tells one thing from another without being it.

use aws_lc_rs::digest::{SHA256, digest};

/// A digest of what something was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark(Vec<u8>);

impl Mark {
    /// Of these parts in this order; other parts make another mark, also where they are the same octets
    /// together.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut text = Vec::new();
        for part in parts {
            text.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            text.extend_from_slice(part);
        }
        Self(digest(&SHA256, &text).as_ref().to_vec())
    }

    /// Its octets.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }
}
