//! The ones' complement sum of RFC 1071.

/// A sum under way. Only its last part may have an odd length.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Checksum(u64);

impl Checksum {
    /// The sum with `bytes` added.
    pub(crate) fn over(self, bytes: &[u8]) -> Self {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let words = pairs
            .iter()
            .map(|pair| u64::from(u16::from_be_bytes(*pair)));
        let last = rest.iter().map(|byte| u64::from(*byte) << 8);
        Self(self.0 + words.chain(last).sum::<u64>())
    }

    /// What belongs into a checksum field that was zero while it was summed.
    pub(crate) fn finish(self) -> u16 {
        !self.folded()
    }

    /// Whether bytes that include their checksum field are intact.
    pub(crate) fn is_valid(self) -> bool {
        self.folded() == u16::MAX
    }

    fn folded(self) -> u16 {
        let mut sum = self.0;
        loop {
            match u16::try_from(sum) {
                Ok(folded) => return folded,
                Err(_) => sum = (sum & 0xffff) + (sum >> 16),
            }
        }
    }
}
