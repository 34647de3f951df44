//! What was sent of a body, kept while the request may have to be sent again.

/// A larger body is not kept.
const KEPT_MAX: usize = 64 * 1024;

/// The body so far, as it goes to servers. Nothing of it is kept, and nothing allocated, for requests
/// without a body and for those that are never sent again.
#[derive(Debug)]
pub(super) struct Replay {
    octets: Vec<u8>,
    keeps: bool,
    /// Whether what was sent is all here.
    is_whole: bool,
}

impl Replay {
    /// For a request that may be sent again, or that may not once any of its body was sent.
    pub(super) const fn new(keeps: bool) -> Self {
        Self {
            octets: Vec::new(),
            keeps,
            is_whole: true,
        }
    }

    /// So many octets of the body were read, and went on as `sent`.
    pub(super) fn add(&mut self, read: usize, sent: &[u8]) {
        let fits = self.keeps && self.octets.len() + sent.len() <= KEPT_MAX;
        if fits {
            self.octets.extend_from_slice(sent);
        } else if read > 0 {
            self.give_up();
        }
    }

    /// The request will not be sent again.
    pub(super) fn give_up(&mut self) {
        self.octets = Vec::new();
        self.keeps = false;
        self.is_whole = false;
    }

    /// Whether the request can be sent again from its first octet.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// What has to be sent again.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }
}
