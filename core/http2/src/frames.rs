//! What the heads of frames tell before they are understood.
//!
//! The `h2` crate bounds what it keeps for frames that cost us something and their sender next to
//! nothing (CVE-2019-9511 and its kin), not how many come: they are counted here. And it has one
//! name, PROTOCOL_ERROR, for errors that RFC 9113 tells apart: their names are given here.

/// Octets of a frame's head (RFC 9113 §4.1).
const FRAME_HEAD: usize = 9;

/// Where it tells the frame's kind.
const KIND: usize = 3;

/// A kind that nobody knows, and everybody passes over (RFC 9113 §4.1).
const UNKNOWN: u8 = 0xff;

/// PING frames in a second.
const PINGS: u32 = 100;

/// SETTINGS frames in a second.
const SETTINGS: u32 = 50;

/// Frames in a second that change nothing: PRIORITY, DATA without an octet, and unknown ones.
const IDLE: u32 = 200;

/// WINDOW_UPDATE frames in a second: more than answers at the speed of a network card ask for.
const UPDATES: u32 = 100_000;

/// Streams whose end is remembered; of older ones the crate has its own opinion.
const ENDED: usize = 64;

/// Octets that a GOAWAY has at least (RFC 9113 §6.8).
const GOAWAY_MIN: usize = 8;

/// Octets of one setting (RFC 9113 §6.5.1).
const SETTING: usize = 6;

/// What is wrong with a frame: the connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Offence {
    /// More frames of one kind than anybody needs.
    #[error("a flood of frames")]
    Flood,
    /// A length that frames of this kind do not have.
    #[error("a frame of a wrong size")]
    Size,
    /// A window larger than there is.
    #[error("a window over 2^31-1")]
    Window,
    /// A frame on a stream that its sender has ended.
    #[error("a frame on an ended stream")]
    Ended,
    /// PUSH_PROMISE, which no client may send, and no server to one that has switched it off, as we do (RFC
    /// 9113 §8.4). h2 says so when its header block is whole, which may be never.
    #[error("a push")]
    Push,
}

/// Looks at the frames of one connection, from behind the preface on.
#[derive(Debug)]
pub struct Frames {
    head: [u8; FRAME_HEAD],
    head_octets: usize,
    /// Octets of the current frame's payload that are still to come.
    payload: usize,
    /// The current frame holds settings; the part of one that was read.
    setting: Option<Vec<u8>>,
    /// A header block goes on in the next frame; until its end all else is an error of another kind.
    in_block: bool,
    second: u64,
    pings: u32,
    settings: u32,
    idle: u32,
    updates: u32,
    ended: [u32; ENDED],
    ended_next: usize,
    preface: usize,
    /// A client sends them.
    by_client: bool,
}

impl Frames {
    /// `preface`: octets that come before the first frame, as a client has them.
    pub const fn new(preface: usize) -> Self {
        Self {
            head: [0; FRAME_HEAD],
            head_octets: 0,
            payload: 0,
            setting: None,
            in_block: false,
            second: 0,
            pings: 0,
            settings: 0,
            idle: 0,
            updates: 0,
            ended: [0; ENDED],
            ended_next: 0,
            preface,
            by_client: preface > 0,
        }
    }

    /// Takes octets that were read in the given second (of any clock).
    ///
    /// A client's GOAWAY becomes a frame that nobody knows: it is about streams that servers open (RFC 9113
    /// §6.8), which there are none of. h2 would end the connection when no request is under way, and
    /// leave unanswered what came a moment later. One whose kind was passed on before the rest of its head
    /// came stays what it is.
    ///
    /// # Errors
    /// [`Offence`]: the connection is to end.
    pub fn take(&mut self, mut octets: &mut [u8], second: u64) -> Result<(), Offence> {
        if second != self.second {
            self.second = second;
            (self.pings, self.settings, self.idle, self.updates) = (0, 0, 0, 0);
        }
        octets = split(octets, &mut self.preface).1;
        loop {
            let (payload, rest) = split(octets, &mut self.payload);
            self.read_settings(payload)?;
            if rest.is_empty() {
                return Ok(());
            }
            let known = self.head_octets;
            let mut missing = FRAME_HEAD - known;
            let (part, rest) = split(rest, &mut missing);
            for (place, octet) in self.head.iter_mut().skip(known).zip(&*part) {
                *place = *octet;
            }
            self.head_octets += part.len();
            octets = rest;
            if self.head_octets == FRAME_HEAD {
                self.head_octets = 0;
                let kind = KIND.checked_sub(known).and_then(|at| part.get_mut(at));
                if let (true, Some(kind)) = (self.judge()?, kind) {
                    *kind = UNKNOWN;
                }
            }
        }
    }

    /// A head is whole; answers whether nobody is to know of its frame.
    fn judge(&mut self) -> Result<bool, Offence> {
        let [high, middle, low, kind, flags, stream @ ..] = self.head;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        let is_flagged = flags & 1 != 0;
        self.payload = length;
        self.setting = None;
        let was_in_block = self.in_block;
        // HEADERS and CONTINUATION without END_HEADERS.
        self.in_block = matches!(kind, 1 | 9) && flags & 4 == 0;
        let is_hidden =
            self.by_client && !was_in_block && kind == 7 && stream == 0 && length >= GOAWAY_MIN;
        match kind {
            _ if was_in_block => Ok(()),
            _ if is_hidden => count(&mut self.idle, IDLE),
            5 => Err(Offence::Push),
            // No octet that a window would count, and not the end.
            0 if length == 0 && !is_flagged => {
                self.handle_stream(stream, false)?;
                count(&mut self.idle, IDLE)
            }
            // DATA and HEADERS, with END_STREAM or not.
            0 | 1 => self.handle_stream(stream, is_flagged),
            2 => require(length == 5).and_then(|()| count(&mut self.idle, IDLE)),
            // RST_STREAM.
            3 => require(length == 4).map(|()| self.end(stream)),
            // SETTINGS, or its answer.
            4 => {
                require(length.is_multiple_of(SETTING) && (length == 0 || !is_flagged))?;
                self.setting = Some(Vec::new());
                count(&mut self.settings, SETTINGS)
            }
            6 => require(length == 8).and_then(|()| count(&mut self.pings, PINGS)),
            // GOAWAY and CONTINUATION, which h2 bounds.
            7 | 9 => Ok(()),
            8 => require(length == 4).and_then(|()| count(&mut self.updates, UPDATES)),
            _ => count(&mut self.idle, IDLE),
        }
        .map(|()| is_hidden)
    }

    fn handle_stream(&mut self, stream: u32, ends: bool) -> Result<(), Offence> {
        if stream != 0 && self.ended.contains(&stream) {
            return Err(Offence::Ended);
        }
        if ends {
            self.end(stream);
        }
        Ok(())
    }

    fn end(&mut self, stream: u32) {
        if let Some(place) = self.ended.get_mut(self.ended_next) {
            *place = stream;
        }
        self.ended_next = (self.ended_next + 1) % ENDED;
    }

    /// Looks for a window that is too large (RFC 9113 §6.5.2).
    fn read_settings(&mut self, payload: &[u8]) -> Result<(), Offence> {
        let Some(setting) = &mut self.setting else {
            return Ok(());
        };
        for octet in payload {
            setting.push(*octet);
            if let [0, 4, high, ..] = setting.as_slice()
                && *high > 0x7f
            {
                return Err(Offence::Window);
            }
            if setting.len() == SETTING {
                setting.clear();
            }
        }
        Ok(())
    }
}

fn require(right: bool) -> Result<(), Offence> {
    if right { Ok(()) } else { Err(Offence::Size) }
}

fn count(count: &mut u32, limit: u32) -> Result<(), Offence> {
    *count += 1;
    if *count > limit {
        Err(Offence::Flood)
    } else {
        Ok(())
    }
}

/// At most the first `count` octets, and the others; `count` is lowered by those that were there.
fn split<'a>(octets: &'a mut [u8], count: &mut usize) -> (&'a mut [u8], &'a mut [u8]) {
    let (first, rest) = octets.split_at_mut(octets.len().min(*count));
    *count -= first.len();
    (first, rest)
}
