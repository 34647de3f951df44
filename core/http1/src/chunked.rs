//! The chunked coding (RFC 9112 §7.1), checked octet for octet and passed on as it came.
//!
//! The scanner copies nothing: it says how far the octets at hand go on unchanged. Only what must
//! not pass is taken out: chunk extensions, and from the trailer section the fields that a receiver
//! might take for header fields.

use crate::BodyFault;
use crate::body::Step;
use crate::field::{Field, classify, is_alias};
use crate::lines::{FieldSlots, read_fields};

/// Octets of chunk extensions that one message may have.
const EXTENSIONS_MAX: usize = 16 * 1024;

/// Octets of a trailer section.
const TRAILER_MAX: usize = 16 * 1024;

/// Fields of a trailer section.
const TRAILER_FIELDS_MAX: usize = 100;

/// Hexadecimal digits of a chunk size; they fit a `u64`.
const SIZE_DIGITS_MAX: u8 = 16;

/// What becomes of the chunk framing on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// It is passed on, with the trailer fields that may pass.
    Keep,
    /// It is passed on without trailer fields: the receiver did not say that it takes them.
    KeepWithoutTrailer,
    /// Only the payload is passed on, for a receiver that speaks HTTP/1.0.
    Strip,
}

/// Where in the coding the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { digits: u8, size: u64 },
    Extension { size: u64 },
    SizeFeed { size: u64 },
    Payload { left: u64 },
    PayloadReturn,
    PayloadFeed,
    TrailerStart,
    FinalFeed,
    Trailer,
    Done,
}

/// What a run of octets is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Framing,
    Payload,
    Extension,
    Trailer,
}

/// A scanner for one body.
#[derive(Debug)]
pub(crate) struct ChunkScanner {
    state: State,
    framing: Framing,
    /// Payload octets that may still be announced.
    allowed: u64,
    extensions: usize,
    trailer: Vec<u8>,
}

impl ChunkScanner {
    /// `limit`: the most payload octets.
    pub(crate) const fn new(framing: Framing, limit: u64) -> Self {
        Self {
            state: State::Size { digits: 0, size: 0 },
            framing,
            allowed: limit,
            extensions: 0,
            trailer: Vec::new(),
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Judges the front of `bytes`, which is not empty; the step covers at least one octet.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Result<Step, BodyFault> {
        let mut taken = 0;
        let mut passes = None;
        while taken < bytes.len() && self.state != State::Done {
            let run_passes = self.passes(self.run_kind(bytes.get(taken)));
            if passes.is_some_and(|first| first != run_passes) {
                break;
            }
            passes = Some(run_passes);
            taken += self.advance(bytes.get(taken..).unwrap_or_default())?;
            if self.is_done() && !run_passes && self.framing != Framing::Strip {
                return Ok(Step::Replace {
                    consumed: taken,
                    with: self.final_octets()?,
                });
            }
        }
        Ok(if passes == Some(true) {
            Step::Pass(taken)
        } else {
            Step::Drop(taken)
        })
    }

    fn passes(&self, run: Run) -> bool {
        match run {
            Run::Payload => true,
            Run::Framing => self.framing != Framing::Strip,
            Run::Extension | Run::Trailer => false,
        }
    }

    fn run_kind(&self, next: Option<&u8>) -> Run {
        match self.state {
            State::Payload { .. } => Run::Payload,
            State::Size { .. } if next == Some(&b';') => Run::Extension,
            State::Extension { .. } if next != Some(&b'\r') => Run::Extension,
            State::TrailerStart if next != Some(&b'\r') => Run::Trailer,
            State::Trailer => Run::Trailer,
            _ => Run::Framing,
        }
    }

    /// Takes the octets at the front that are of one kind.
    fn advance(&mut self, bytes: &[u8]) -> Result<usize, BodyFault> {
        let Some(&next) = bytes.first() else {
            return Ok(0);
        };
        let expect = |wanted: u8, then: State| {
            if next == wanted {
                Ok(then)
            } else {
                Err(BodyFault::Chunk)
            }
        };
        self.state = match self.state {
            State::Size { digits, size } => return self.take_size(bytes, digits, size),
            State::Extension { .. } if next != b'\r' => return self.take_extension(bytes),
            State::Extension { size } => State::SizeFeed { size },
            State::SizeFeed { size: 0 } => expect(b'\n', State::TrailerStart)?,
            State::SizeFeed { size } => {
                let state = expect(b'\n', State::Payload { left: size })?;
                self.allowed = self.allowed.checked_sub(size).ok_or(BodyFault::TooLarge)?;
                state
            }
            State::Payload { left } => {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let left = left - u64::try_from(taken).unwrap_or(left);
                self.state = if left == 0 {
                    State::PayloadReturn
                } else {
                    State::Payload { left }
                };
                return Ok(taken);
            }
            State::PayloadReturn => expect(b'\r', State::PayloadFeed)?,
            State::PayloadFeed => expect(b'\n', State::Size { digits: 0, size: 0 })?,
            State::TrailerStart if next == b'\r' => State::FinalFeed,
            State::FinalFeed => expect(b'\n', State::Done)?,
            State::TrailerStart | State::Trailer => return self.take_trailer(bytes),
            State::Done => return Ok(0),
        };
        Ok(1)
    }

    fn take_size(
        &mut self,
        bytes: &[u8],
        mut digits: u8,
        mut size: u64,
    ) -> Result<usize, BodyFault> {
        for (index, &byte) in bytes.iter().enumerate() {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'A'..=b'F' => byte - b'A' + 10,
                b'\r' if digits > 0 => {
                    self.state = State::SizeFeed { size };
                    return Ok(index + 1);
                }
                b';' if digits > 0 => {
                    self.state = State::Extension { size };
                    // The semicolon itself belongs to what is dropped.
                    return Ok(if index == 0 {
                        self.take_extension(bytes)?
                    } else {
                        index
                    });
                }
                _ => return Err(BodyFault::Chunk),
            };
            digits += 1;
            if digits > SIZE_DIGITS_MAX {
                return Err(BodyFault::Chunk);
            }
            size = size << 4 | u64::from(digit);
            self.state = State::Size { digits, size };
        }
        Ok(bytes.len())
    }

    fn take_extension(&mut self, bytes: &[u8]) -> Result<usize, BodyFault> {
        let end = memchr::memchr(b'\r', bytes).unwrap_or(bytes.len());
        let extension = bytes.get(..end).unwrap_or_default();
        if extension
            .iter()
            .any(|&byte| byte.is_ascii_control() && byte != b'\t')
        {
            return Err(BodyFault::Chunk);
        }
        self.extensions += end;
        if self.extensions > EXTENSIONS_MAX {
            return Err(BodyFault::Chunk);
        }
        Ok(end)
    }

    fn take_trailer(&mut self, bytes: &[u8]) -> Result<usize, BodyFault> {
        self.state = State::Trailer;
        for (index, &byte) in bytes.iter().enumerate() {
            self.trailer.push(byte);
            if byte == b'\n' {
                if !self.trailer.ends_with(b"\r\n") {
                    return Err(BodyFault::Trailer);
                }
                if self.trailer.ends_with(b"\r\n\r\n") {
                    self.state = State::Done;
                    return Ok(index + 1);
                }
            }
            if self.trailer.len() > TRAILER_MAX {
                return Err(BodyFault::Trailer);
            }
        }
        Ok(bytes.len())
    }

    /// What stands for the trailer section on the other side: the fields that may pass, and the
    /// empty line.
    fn final_octets(&self) -> Result<Vec<u8>, BodyFault> {
        let mut slots = FieldSlots::default();
        let fields = read_fields(&self.trailer, 0, TRAILER_FIELDS_MAX, &mut slots);
        let Ok(Some(fields)) = fields else {
            return Err(BodyFault::Trailer);
        };
        let mut octets = Vec::new();
        if self.framing == Framing::Keep {
            for field in fields.iter().filter(|field| may_trail(field.name)) {
                octets.extend_from_slice(field.name);
                octets.extend_from_slice(b": ");
                octets.extend_from_slice(field.value);
                octets.extend_from_slice(b"\r\n");
            }
        }
        octets.extend_from_slice(b"\r\n");
        Ok(octets)
    }
}

/// Whether a field may stand behind a body: not what frames, routes, authenticates or describes the
/// content (RFC 9110 §6.5.1).
fn may_trail(name: &[u8]) -> bool {
    const NEVER: [&[u8]; 8] = [
        b"authorization",
        b"cookie",
        b"set-cookie",
        b"cache-control",
        b"location",
        b"max-forwards",
        b"range",
        b"www-authenticate",
    ];
    let describes = name
        .get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"content-"));
    classify(name) == Field::Other
        && !is_alias(name)
        && !describes
        && !NEVER.iter().any(|never| name.eq_ignore_ascii_case(never))
}
