//! Frames that cost us something and the client next to nothing: CVE-2019-9511 and its kin.
//!
//! The `h2` crate bounds what is kept for them, not how many come. Here they are counted as they are
//! read, before they are understood.

/// Octets of a frame's head (RFC 9113 §4.1).
const FRAME_HEAD: usize = 9;

/// PING frames at once; as many more in a second.
const PINGS: u32 = 100;

/// SETTINGS frames at once; as many more in a second.
const SETTINGS: u32 = 50;

/// Frames at once that change nothing: PRIORITY, PUSH_PROMISE, and unknown ones; as many more in a
/// second.
const IDLE: u32 = 200;

/// A client sent more frames of one kind than anybody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// PING, or its answer.
    #[error("a flood of PING")]
    Ping,
    /// SETTINGS, or its answer.
    #[error("a flood of SETTINGS")]
    Settings,
    /// Frames that change nothing.
    #[error("a flood of frames without effect")]
    Idle,
}

/// Counts the frames of one connection, from behind the preface on.
#[derive(Debug)]
pub struct Flood {
    head: [u8; FRAME_HEAD],
    head_octets: usize,
    /// Octets of the current frame's payload that are still to come.
    payload: usize,
    second: u64,
    pings: u32,
    settings: u32,
    idle: u32,
    preface: usize,
}

impl Flood {
    /// `preface`: octets that come before the first frame.
    pub const fn new(preface: usize) -> Self {
        Self {
            head: [0; FRAME_HEAD],
            head_octets: 0,
            payload: 0,
            second: 0,
            pings: 0,
            settings: 0,
            idle: 0,
            preface,
        }
    }

    /// Takes octets that were read in the given second (of any clock).
    ///
    /// # Errors
    /// [`Excess`]: the connection is to end.
    pub fn take(&mut self, mut octets: &[u8], second: u64) -> Result<(), Excess> {
        if second != self.second {
            self.second = second;
            (self.pings, self.settings, self.idle) = (0, 0, 0);
        }
        octets = skip(octets, &mut self.preface);
        loop {
            octets = skip(octets, &mut self.payload);
            if octets.is_empty() {
                return Ok(());
            }
            let missing = FRAME_HEAD - self.head_octets;
            let part = octets.get(..missing).unwrap_or(octets);
            if let Some(room) = self
                .head
                .get_mut(self.head_octets..)
                .and_then(|room| room.get_mut(..part.len()))
            {
                room.copy_from_slice(part);
            }
            self.head_octets += part.len();
            octets = octets.get(part.len()..).unwrap_or_default();
            if self.head_octets == FRAME_HEAD {
                self.head_octets = 0;
                self.count()?;
            }
        }
    }

    fn count(&mut self) -> Result<(), Excess> {
        let [high, middle, low, kind, ..] = self.head;
        self.payload = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let (count, limit, excess) = match kind {
            // DATA, HEADERS, RST_STREAM, GOAWAY, WINDOW_UPDATE and CONTINUATION: h2 bounds them.
            0 | 1 | 3 | 7 | 8 | 9 => return Ok(()),
            4 => (&mut self.settings, SETTINGS, Excess::Settings),
            6 => (&mut self.pings, PINGS, Excess::Ping),
            _ => (&mut self.idle, IDLE, Excess::Idle),
        };
        *count += 1;
        if *count > limit { Err(excess) } else { Ok(()) }
    }
}

/// Without the first `count` octets, which is lowered by those that were there.
fn skip<'a>(octets: &'a [u8], count: &mut usize) -> &'a [u8] {
    let skipped = octets.len().min(*count);
    *count -= skipped;
    octets.get(skipped..).unwrap_or_default()
}
