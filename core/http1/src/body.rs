//! A body on its way: which of the octets at hand belong to it.

use crate::BodyLength;
use crate::chunked::{ChunkScanner, Framing};

/// Why a body cannot be passed on any further. What was passed on already stays unfinished on the
/// other side: the connection is cut, never ended cleanly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// No chunk of RFC 9112 §7.1.
    #[error("malformed chunk")]
    Chunk,
    /// No trailer section, or one over the limits.
    #[error("malformed trailer section")]
    Trailer,
    /// More payload than allowed.
    #[error("body too large")]
    TooLarge,
    /// The connection ended before the body did.
    #[error("body ended early")]
    Truncated,
}

/// What happens to the octets at the front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many go on as they are.
    Pass(usize),
    /// So many are done with and do not go on.
    Drop(usize),
    /// So many are done with; `with` goes on in their place.
    Replace {
        /// Octets done with.
        consumed: usize,
        /// What goes on.
        with: Vec<u8>,
    },
}

/// A body that is being read.
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    Fixed { left: u64 },
    Chunked(ChunkScanner),
    UntilClose { ended: bool },
}

impl Body {
    /// A body of the given length; `limit` is the most payload octets of a chunked one.
    pub const fn new(length: BodyLength, framing: Framing, limit: u64) -> Self {
        Self(match length {
            BodyLength::Fixed(left) => Kind::Fixed { left },
            BodyLength::Chunked => Kind::Chunked(ChunkScanner::new(framing, limit)),
            BodyLength::UntilClose => Kind::UntilClose { ended: false },
        })
    }

    /// Whether nothing more belongs to it.
    pub fn is_complete(&self) -> bool {
        match &self.0 {
            Kind::Fixed { left } => *left == 0,
            Kind::Chunked(scanner) => scanner.is_done(),
            Kind::UntilClose { ended } => *ended,
        }
    }

    /// Judges the front of `bytes`. A step over no octets means that the body is complete, or that
    /// `bytes` is empty.
    ///
    /// # Errors
    /// What is wrong with a chunked body; the connection cannot be read any further.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Step, BodyFault> {
        match &mut self.0 {
            Kind::Fixed { left } => {
                let taken = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                *left -= u64::try_from(taken).unwrap_or(*left);
                Ok(Step::Pass(taken))
            }
            Kind::Chunked(scanner) => scanner.step(bytes),
            Kind::UntilClose { .. } => Ok(Step::Pass(bytes.len())),
        }
    }

    /// Takes the end of the connection.
    ///
    /// # Errors
    /// [`BodyFault::Truncated`] when more should have come.
    pub fn handle_end(&mut self) -> Result<(), BodyFault> {
        if let Kind::UntilClose { ended } = &mut self.0 {
            *ended = true;
        }
        if self.is_complete() {
            Ok(())
        } else {
            Err(BodyFault::Truncated)
        }
    }
}
