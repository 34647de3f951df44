//! A body: its payload, and its end.

use bytes::Bytes;

use super::head::{HeadCollector, Lines, read_fields};
use super::{BodyPart, Memory, Unreadable};

/// Reads a body.
#[derive(Debug)]
pub enum BodyDecoder {
    /// So many octets are still to come.
    Fixed(u64),
    Chunked(Chunk),
    /// All that comes.
    UntilClose,
    /// Nothing more belongs to it.
    Done,
}

/// Where in the chunked coding the next octet stands (RFC 9112 §7.1).
#[derive(Debug)]
pub enum Chunk {
    Size {
        digits: u8,
        size: u64,
    },
    SizeFeed(u64),
    Payload(u64),
    PayloadReturn,
    PayloadFeed,
    /// The trailer section, which begins with the line end that was the last chunk's.
    Trailers(HeadCollector),
}

impl BodyDecoder {
    pub(super) const fn chunked() -> Self {
        Self::Chunked(Chunk::Size { digits: 0, size: 0 })
    }

    /// Whether the next octet is payload.
    pub(super) const fn is_at_payload(&self) -> bool {
        matches!(
            self,
            Self::Fixed(1..) | Self::UntilClose | Self::Chunked(Chunk::Payload(_))
        )
    }

    /// Whether a body of known length has come to its end.
    pub(super) fn take_end(&mut self) -> bool {
        let ends = matches!(self, Self::Fixed(0));
        if ends {
            *self = Self::Done;
        }
        ends
    }

    /// Takes the front of `octets`: how many octets, and what they are. `None` when all of them were
    /// framing.
    pub(super) fn step<'a>(
        &mut self,
        octets: &'a [u8],
        memory: &mut Memory,
    ) -> Result<(usize, Option<BodyPart<'a>>), Unreadable> {
        match self {
            Self::Done | Self::Fixed(0) => {
                *self = Self::Done;
                Ok((0, Some(BodyPart::End)))
            }
            _ if octets.is_empty() => Ok((0, None)),
            Self::Fixed(left) => {
                let payload = first(octets, *left);
                *left -= u64::try_from(payload.len()).unwrap_or(*left);
                Ok((payload.len(), Some(BodyPart::Payload(payload))))
            }
            Self::UntilClose => Ok((octets.len(), Some(BodyPart::Payload(octets)))),
            Self::Chunked(chunk) => {
                let (used, part) = chunk.step(octets, memory)?;
                if matches!(part, Some(BodyPart::End | BodyPart::Trailers(_))) {
                    *self = Self::Done;
                }
                Ok((used, part))
            }
        }
    }
}

/// At most `limit` octets of the front.
fn first(octets: &[u8], limit: u64) -> &[u8] {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    octets.get(..limit).unwrap_or(octets)
}

impl Chunk {
    fn step<'a>(
        &mut self,
        octets: &'a [u8],
        memory: &mut Memory,
    ) -> Result<(usize, Option<BodyPart<'a>>), Unreadable> {
        let mut used = 0;
        while let Some(&next) = octets.get(used) {
            let rest = octets.get(used..).unwrap_or_default();
            match self {
                Self::Payload(left) => {
                    let payload = first(rest, *left);
                    *left -= u64::try_from(payload.len()).unwrap_or(*left);
                    if *left == 0 {
                        *self = Self::PayloadReturn;
                    }
                    return Ok((used + payload.len(), Some(BodyPart::Payload(payload))));
                }
                Self::Trailers(collector) => {
                    let (taken, section) = collector.take(rest, memory)?;
                    let end = section.map(|section| read_trailers(&section)).transpose()?;
                    return Ok((used + taken, end));
                }
                _ => {
                    self.take_framing(next)?;
                    used += 1;
                }
            }
        }
        Ok((used, None))
    }

    fn take_framing(&mut self, next: u8) -> Result<(), Unreadable> {
        *self = match (&self, next) {
            (Self::Size { digits: 1.., size }, b'\r') => Self::SizeFeed(*size),
            (
                Self::Size {
                    digits: digits @ ..16,
                    size,
                },
                _,
            ) => {
                let digit = char::from(next).to_digit(16).ok_or(Unreadable::Body)?;
                Self::Size {
                    digits: digits + 1,
                    size: size << 4 | u64::from(digit),
                }
            }
            (Self::SizeFeed(0), b'\n') => {
                // With the line end in front, no trailers at all end like some do.
                Self::Trailers(HeadCollector::begun(b"\r\n"))
            }
            (Self::SizeFeed(size), b'\n') => Self::Payload(*size),
            (Self::PayloadReturn, b'\r') => Self::PayloadFeed,
            (Self::PayloadFeed, b'\n') => Self::Size { digits: 0, size: 0 },
            _ => return Err(Unreadable::Body),
        };
        Ok(())
    }
}

/// Reads a section with the line end before it.
fn read_trailers<'a>(section: &Bytes) -> Result<BodyPart<'a>, Unreadable> {
    let mut lines = Lines::new(section);
    lines.next()?;
    let (fields, _) = read_fields(section, &mut lines).map_err(|_| Unreadable::Body)?;
    Ok(if fields.is_empty() {
        BodyPart::End
    } else {
        BodyPart::Trailers(fields)
    })
}
