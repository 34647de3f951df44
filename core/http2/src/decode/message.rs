//! What requests and responses have in common: a head, and a body behind it.

use bytes::Bytes;

use super::body::BodyDecoder;
use super::head::HeadCollector;
use super::{BodyPart, Memory, Unreadable};

/// Reads one message, whose heads `R` understands.
#[derive(Debug)]
pub struct Decoder<R> {
    pub(super) reader: R,
    head: HeadCollector,
    pub(super) body: Option<BodyDecoder>,
}

/// Understands heads of one kind.
pub trait ReadHead {
    /// What a head says.
    type Head;

    /// Reads a head, to its empty line; `None` for the body when another head follows.
    ///
    /// # Errors
    /// [`Unreadable::Head`].
    fn read(&mut self, head: &Bytes) -> Result<(Self::Head, Option<BodyDecoder>), Unreadable>;
}

/// What the front of the text is.
#[derive(Debug)]
pub enum Part<'a, H> {
    /// A head; if [`Decoder::is_done`] now, it is all there is.
    Head(H),
    /// A part of the body; for the end of one of known length see [`Decoder::take_end`].
    Body(BodyPart<'a>),
}

/// How many octets were taken, and what they are; `None` when they are part of something whose end is
/// still to come.
pub type Taken<'a, H> = (usize, Option<Part<'a, H>>);

impl<R: ReadHead> Decoder<R> {
    pub(super) fn of(reader: R) -> Self {
        Self {
            reader,
            head: HeadCollector::default(),
            body: None,
        }
    }

    /// Whether nothing more belongs to the message.
    pub const fn is_done(&self) -> bool {
        matches!(self.body, Some(BodyDecoder::Done))
    }

    /// Whether the payload that was taken last was all: the message is done then.
    pub fn take_end(&mut self) -> bool {
        self.body.as_mut().is_some_and(BodyDecoder::take_end)
    }

    /// Whether the next octet is payload.
    pub const fn is_at_payload(&self) -> bool {
        match &self.body {
            Some(body) => body.is_at_payload(),
            None => false,
        }
    }

    /// Takes the front of `octets`; a head is kept in `memory`.
    ///
    /// # Errors
    /// [`Unreadable`]: the stream cannot go on.
    pub fn step<'a>(
        &mut self,
        octets: &'a [u8],
        memory: &mut Memory,
    ) -> Result<Taken<'a, R::Head>, Unreadable> {
        if let Some(body) = &mut self.body {
            let (used, part) = body.step(octets, memory)?;
            return Ok((used, part.map(Part::Body)));
        }
        let (used, text) = self.head.take(octets, memory)?;
        let Some(text) = text else {
            return Ok((used, None));
        };
        let head;
        (head, self.body) = self.reader.read(&text)?;
        Ok((used, Some(Part::Head(head))))
    }
}
