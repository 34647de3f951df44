//! Adverts that only the holders of a key can write: the HMAC trailer of
//! draft-cassen-vrrp-auth-hmac, as keepalived speaks it from 2.4.2 on.
//!
//! The trailer follows the VRRP message and is not counted in it: a receiver knows it by the length
//! of the packet. It signs everything that elects, with the sender's address and the moment of
//! sending, so that an advert can neither be changed, nor sent again, nor passed off as another's.
//! It hides nothing.

mod sequence;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use ::hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroize;

use crate::checks::Discard;
use crate::packet::Received;
use crate::spec::{Spec, Transport};
use crate::units::Time;

pub use sequence::WallTime;
pub(crate) use sequence::{Sequence, Sequences};

/// The length of the trailer.
pub(crate) const TRAILER: usize = PREFIX + TAG;
/// What stands before the HMAC and is signed: type, key, sequence.
const PREFIX: usize = 12;
/// The first 128 bits of HMAC-SHA256.
const TAG: usize = 16;
const TYPE_HMAC_SHA256: u8 = 1;

/// The VRRP header, whose last two octets are the checksum.
const HEAD: usize = 8;

const KEY_MIN: usize = 32;
const KEY_MAX: usize = 64;

/// A secret that all nodes of a virtual router share.
///
/// It is kept as one block of SHA-256: HMAC takes a shorter key as padded with zeros (RFC 2104 §2).
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_MAX]);

impl Key {
    /// The key with these octets; `None` unless there are 32 to 64.
    pub fn new(octets: &[u8]) -> Option<Self> {
        let mut key = Self([0; KEY_MAX]);
        let begin = key.0.get_mut(..octets.len())?;
        begin.copy_from_slice(octets);
        (octets.len() >= KEY_MIN).then_some(key)
    }

    /// HMAC-SHA256 over the pseudo header, the message with its checksum taken as zero, the prefix,
    /// and zeros in the place of the HMAC itself.
    fn mac(&self, message: &Message<'_>, prefix: &[u8; PREFIX]) -> Hmac<Sha256> {
        let [version_type, vrid, priority, count, timing @ .., _, _] = *message.head;
        let (family, source) = match message.source {
            IpAddr::V4(source) => {
                let [a, b, c, d] = source.octets();
                (4, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            }
            IpAddr::V6(source) => (6, source.octets()),
        };
        let [t0, t1] = timing;
        let mut mac = Hmac::<Sha256>::new((&self.0).into());
        mac.update(&[family, version_type >> 4, vrid, 0]);
        mac.update(&source);
        mac.update(&[version_type, vrid, priority, count, t0, t1, 0, 0]);
        mac.update(message.addresses);
        mac.update(prefix);
        mac.update(&[0; TAG]);
        mac
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Shows that there is one, not which.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// What a router does with trailers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It sends them, and listens to nothing without one.
    Enforce,
    /// It sends them, and listens to adverts without one too. Those that have one must be right.
    Permissive,
    /// As permissive, but it sends none: the first step while there are nodes that know no trailer.
    ReceiveOnly,
}

/// What keeps an old advert from being sent again by somebody else. In both modes the sequence
/// numbers of a sender must grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AntiReplay {
    /// The moment of sending must be near the receiver's own clock.
    Time {
        /// How far away it may be, to either side; also what the clocks of the nodes may differ by.
        window: Duration,
    },
    /// Clocks are not compared. What was recorded before a receiver started can be sent to it again.
    Monotonic,
}

/// How a virtual router authenticates adverts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HmacAuth {
    active: NamedKey,
    others: Vec<NamedKey>,
    mode: Mode,
    anti_replay: AntiReplay,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct NamedKey {
    id: NonZeroU8,
    key: Key,
}

impl HmacAuth {
    /// Signs with the key whose identifier is `active`; adverts are checked with the key that they
    /// name. `None` unless `active` is among the keys.
    pub fn new(
        keys: Vec<(NonZeroU8, Key)>,
        active: NonZeroU8,
        mode: Mode,
        anti_replay: AntiReplay,
    ) -> Option<Self> {
        let named = keys.into_iter().map(|(id, key)| NamedKey { id, key });
        let (actives, others): (Vec<_>, Vec<_>) = named.partition(|it| it.id == active);
        Some(Self {
            active: actives.into_iter().next()?,
            others,
            mode,
            anti_replay,
        })
    }

    /// The signature of the next advert; `None` when this router sends none.
    pub(crate) fn sign(&self, sequences: &mut Sequences, now: WallTime) -> Option<Signature> {
        if self.mode == Mode::ReceiveOnly {
            return None;
        }
        Some(Signature {
            key: self.active.clone(),
            sequence: sequences.next_to_send(now, self.anti_replay),
        })
    }

    /// Whether an advert is what one of the key holders sent, and was not heard before.
    ///
    /// What costs little comes first: a flood of old packets is not worth an HMAC each. What is
    /// remembered of a sender changes only when the HMAC was right.
    ///
    /// # Errors
    /// The first of the checks that it fails.
    pub(crate) fn admit(
        &self,
        signed: Option<&Signed<'_>>,
        sequences: &mut Sequences,
        now: WallTime,
    ) -> Result<(), Discard> {
        let Some(sequence) = self.verify(signed, Some(now))? else {
            return Ok(());
        };
        let sender = signed.map(|signed| signed.message.source);
        match sender {
            Some(sender) if !sequences.heard(sender, sequence, now, self.anti_replay) => {
                Err(Discard::HmacReplay)
            }
            _ => Ok(()),
        }
    }

    /// Everything but the memory of earlier adverts. `now` is `None` where the moment of hearing is
    /// not known; `Ok(None)` is an advert without a trailer that may be listened to.
    pub(crate) fn verify(
        &self,
        signed: Option<&Signed<'_>>,
        now: Option<WallTime>,
    ) -> Result<Option<Sequence>, Discard> {
        let Some(signed) = signed else {
            return match self.mode {
                Mode::Enforce => Err(Discard::HmacMissing),
                Mode::Permissive | Mode::ReceiveOnly => Ok(None),
            };
        };
        let [extension, id, reserved @ .., _, _, _, _, _, _, _, _] = *signed.prefix;
        if extension != TYPE_HMAC_SHA256 || reserved != [0; 2] {
            return Err(Discard::HmacMalformed);
        }
        let sequence = signed.sequence();
        if let (AntiReplay::Time { window }, Some(now)) = (self.anti_replay, now)
            && sequence.distance(Sequence::at(now)) > window
        {
            return Err(Discard::HmacStale);
        }
        let mut keys = self.others.iter().chain([&self.active]);
        let named = keys
            .find(|named| named.id.get() == id)
            .ok_or(Discard::HmacUnknownKey)?;
        let mac = named.key.mac(&signed.message, signed.prefix);
        // In constant time.
        mac.verify_truncated_left(signed.tag)
            .map_err(|_| Discard::HmacWrong)?;
        Ok(Some(sequence))
    }
}

/// What a router has to remember to sign and to verify.
#[derive(Debug)]
pub(crate) struct Authenticator {
    sequences: Sequences,
    /// What the clock on the wall said, and when.
    clock: (WallTime, Time),
    now: Time,
}

impl Authenticator {
    pub(crate) fn new(spec: &Spec) -> Self {
        let start = Time(Duration::ZERO);
        Self {
            sequences: Sequences::new(senders(spec)),
            clock: (WallTime::default(), start),
            now: start,
        }
    }

    /// Keeps what was sent and heard.
    pub(crate) fn reload(&mut self, spec: &Spec) {
        self.sequences.resize(senders(spec));
    }

    /// It is `now`.
    pub(crate) fn advance(&mut self, now: Time) {
        self.now = now;
    }

    /// And this is what the clock on the wall says.
    pub(crate) fn set_clock(&mut self, wall: WallTime) {
        self.clock = (wall, self.now);
    }

    pub(crate) fn sign(&mut self, auth: &HmacAuth) -> Option<Signature> {
        let now = self.wall_time();
        auth.sign(&mut self.sequences, now)
    }

    /// # Errors
    /// Why the trailer of an advert, or that it has none, is a reason not to listen to it.
    pub(crate) fn admit(&mut self, spec: &Spec, received: &Received<'_>) -> Result<(), Discard> {
        match (&spec.hmac, &received.signed) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(Discard::HmacUnexpected),
            (Some(auth), signed) => {
                let now = self.wall_time();
                auth.admit(signed.as_ref(), &mut self.sequences, now)
            }
        }
    }

    fn wall_time(&self) -> WallTime {
        let (then, at) = self.clock;
        then + self.now.since(at)
    }
}

/// For who only looks on: whether `spec` would listen to an advert that it has not heard before.
/// `now` is `None` where the moment of hearing is not known.
///
/// # Errors
/// Why it would not.
pub(crate) fn check_trailer(
    spec: &Spec,
    received: &Received<'_>,
    now: Option<WallTime>,
) -> Result<(), Discard> {
    match (&spec.hmac, &received.signed) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Discard::HmacUnexpected),
        (Some(auth), signed) => auth.verify(signed.as_ref(), now).map(|_| ()),
    }
}

/// How the clock of somebody else differs from this node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockGap {
    /// By so much, forwards or backwards.
    pub(crate) apart: Duration,
    /// It may by so much.
    pub(crate) window: Duration,
}

/// What an advert tells of its sender's clock; `None` unless it is signed and clocks are compared.
pub(crate) fn clock_gap(
    spec: &Spec,
    received: &Received<'_>,
    now: Option<WallTime>,
) -> Option<ClockGap> {
    match spec.hmac.as_ref()?.anti_replay {
        AntiReplay::Time { window } => Some(ClockGap {
            apart: (received.signed?.sequence()).distance(Sequence::at(now?)),
            window,
        }),
        AntiReplay::Monotonic => None,
    }
}

/// How many others are expected to speak.
fn senders(spec: &Spec) -> usize {
    match &spec.transport {
        Transport::Multicast => 0,
        Transport::Unicast { peers, .. } => peers.len(),
    }
}

/// What a trailer signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message<'m> {
    pub(crate) source: IpAddr,
    pub(crate) head: &'m [u8; HEAD],
    /// What follows the head: the addresses, and in version 2 its authentication.
    pub(crate) addresses: &'m [u8],
}

/// A received trailer, and what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'m> {
    message: Message<'m>,
    prefix: &'m [u8; PREFIX],
    tag: &'m [u8; TAG],
}

impl<'m> Signed<'m> {
    /// `None` unless `trailer` has exactly the length of one.
    pub(crate) fn read(message: Message<'m>, trailer: &'m [u8]) -> Option<Self> {
        let (prefix, tag) = trailer.split_first_chunk()?;
        Some(Self {
            message,
            prefix,
            tag: tag.try_into().ok()?,
        })
    }

    fn sequence(&self) -> Sequence {
        let [_, _, _, _, sequence @ ..] = *self.prefix;
        Sequence::from_octets(sequence)
    }
}

/// What one advert is signed with. Copies of it to several peers carry the same.
#[derive(Debug, Clone)]
pub struct Signature {
    key: NamedKey,
    sequence: Sequence,
}

impl Signature {
    /// The trailer of a message.
    pub(crate) fn trailer(&self, message: &Message<'_>) -> [u8; TRAILER] {
        let mut prefix = [
            TYPE_HMAC_SHA256,
            self.key.id.get(),
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        prefix[4..].copy_from_slice(&self.sequence.octets());
        let digest = self.key.key.mac(message, &prefix).finalize().into_bytes();
        let mut trailer = [0; TRAILER];
        let (head, tag) = trailer.split_at_mut(PREFIX);
        head.copy_from_slice(&prefix);
        tag.copy_from_slice(&digest[..TAG]);
        trailer
    }
}
