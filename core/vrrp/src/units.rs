//! The quantities of VRRP as types, so that seconds, centiseconds, identifiers and priorities
//! cannot be mistaken for one another.

use std::fmt;
use std::num::NonZeroU8;
use std::ops::Add;
use std::time::Duration;

/// A moment, as the time since an epoch that the caller chooses and never changes (a clock that
/// also runs while the machine sleeps, so that sleeping counts as being late).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

impl Time {
    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// So much before this moment, or the epoch.
    pub(crate) fn earlier(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(by))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

/// The virtual router identifier, 1 to 255 (RFC 9568 §5.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// The identifier with this number; `None` for zero.
    pub fn new(number: u8) -> Option<Self> {
        NonZeroU8::new(number).map(Self)
    }

    /// The number as it stands in an advert.
    pub fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A priority as it stands in an advert (RFC 9568 §5.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(u8);

impl Priority {
    /// Says that the sender gives up being Master; no router has it as its own.
    pub const RELEASE: Self = Self(0);
    /// The least priority of a router that takes part.
    pub const LEAST: Self = Self(1);
    /// That of a node that does not serve, whatever is configured.
    pub const UNHEALTHY: Self = Self::LEAST;
    /// That of a node that serves badly, whatever is configured.
    pub const DEGRADED: Self = Self(2);
    /// The least one of a node that is well, where nodes can also be something else.
    pub const LEAST_HEALTHY: Self = Self(3);
    /// The greatest priority of a router that does not own the addresses.
    pub const GREATEST: Self = Self(254);
    /// The priority of the router that owns the addresses.
    pub const OWNER: Self = Self(255);

    /// The priority of a router, 1 to 255; `None` for zero, which is [`Priority::RELEASE`].
    pub fn new(number: u8) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }

    /// Whatever a received advert says.
    pub(crate) fn from_wire(number: u8) -> Self {
        Self(number)
    }

    /// The number as it stands in an advert.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The advertisement interval of version 3 in hundredths of a second, 1 to 4095
/// (RFC 9568 §5.2.7, erratum 8301).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Centiseconds(u16);

impl Centiseconds {
    /// `None` outside 1 to 4095, which is what the twelve bits of the field can say.
    pub fn new(number: u16) -> Option<Self> {
        (1..=0x0fff).contains(&number).then_some(Self(number))
    }

    /// The number as it stands in an advert.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl From<Centiseconds> for Duration {
    fn from(interval: Centiseconds) -> Self {
        Self::from_millis(10 * u64::from(interval.0))
    }
}

/// The advertisement interval of version 2 in whole seconds, 1 to 255 (RFC 3768 §5.3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(NonZeroU8);

impl Seconds {
    /// `None` for zero.
    pub fn new(number: u8) -> Option<Self> {
        NonZeroU8::new(number).map(Self)
    }

    /// The number as it stands in an advert.
    pub fn get(self) -> u8 {
        self.0.get()
    }
}

impl From<Seconds> for Duration {
    fn from(interval: Seconds) -> Self {
        Self::from_secs(u64::from(interval.0.get()))
    }
}
