//! From the configured priority to the effective one: weights as keepalived reckons them, and
//! bands, which no sum of weights can invert.

use crate::event::Verdict;
use crate::spec::{Spec, Track, TrackEffect};
use crate::units::Priority;

/// What a number in a file comes to, times its weight, when it is to be a fault, as in keepalived.
const FATAL_SUM: i32 = -254;

/// How well a node is. Nodes of one band are told apart by their priorities; those of a better band
/// go before all others.
///
/// A worse band has one priority whatever is configured: when all nodes fall into it together, as
/// they do when what they share fails, they are equal and nothing moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// It does not serve: it leads only where nobody else does.
    Unhealthy,
    /// It serves badly.
    Degraded,
    /// It serves.
    Healthy,
}

impl Band {
    /// The band of a node that says this priority, where nodes have bands.
    pub fn said_by(priority: Priority) -> Self {
        match priority {
            Priority::RELEASE | Priority::UNHEALTHY => Self::Unhealthy,
            Priority::DEGRADED => Self::Degraded,
            _ => Self::Healthy,
        }
    }
}

/// The tracks of a router with their last verdicts; none before something was heard, which changes
/// nothing in either direction.
#[derive(Debug)]
pub(crate) struct Tracks(Vec<(Track, Option<Verdict>)>);

impl Tracks {
    pub(crate) fn new(tracks: &[Track]) -> Self {
        Self(tracks.iter().map(|track| (track.clone(), None)).collect())
    }

    /// Takes over another set of tracks and keeps the verdicts of those that stay.
    pub(crate) fn replace(&mut self, tracks: &[Track]) {
        let old = std::mem::replace(self, Self::new(tracks));
        for (track, verdict) in &mut self.0 {
            if let Some((_, known)) = old.0.iter().find(|(old, _)| old.name == track.name) {
                *verdict = *known;
            }
        }
    }

    /// Notes a result. Names that no track has are no concern of this router.
    pub(crate) fn note(&mut self, name: &str, verdict: Verdict) {
        for (track, last) in &mut self.0 {
            if track.name == name {
                *last = Some(verdict);
            }
        }
    }

    /// Whether one is down that is to be a fault then.
    pub(crate) fn failed(&self) -> bool {
        self.shares().any(|share| share == Share::Fault)
    }

    /// The worst band that one of them leaves the node.
    pub(crate) fn band(&self) -> Band {
        let left = self.shares().map(|share| match share {
            Share::Adds(_) | Share::Fault => Band::Healthy,
            Share::Degraded => Band::Degraded,
            Share::Unhealthy => Band::Unhealthy,
        });
        left.min().unwrap_or(Band::Healthy)
    }

    /// Each with what it is known to be and what follows from that.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&Track, Option<Verdict>, Share)> {
        let tracks = self.0.iter();
        tracks.map(|(track, verdict)| (track, *verdict, share(track.effect, *verdict)))
    }

    fn shares(&self) -> impl Iterator<Item = Share> {
        self.each().map(|(_, _, share)| share)
    }

    fn sum(&self) -> i32 {
        let weights = self.0.iter();
        weights
            .map(|(track, verdict)| weight(track.effect, *verdict))
            .sum()
    }
}

/// What a track does to its router at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Adds so much to the priority; 0: nothing.
    Adds(i32),
    /// Makes the node degraded.
    Degraded,
    /// Makes the node unhealthy.
    Unhealthy,
    /// Keeps the router from taking part.
    Fault,
}

fn share(effect: TrackEffect, verdict: Option<Verdict>) -> Share {
    let is_well = match verdict {
        Some(Verdict::Down | Verdict::NoValue) => false,
        Some(Verdict::Value(value)) => value == 0,
        Some(Verdict::Up) | None => true,
    };
    match (effect, verdict) {
        (TrackEffect::Degraded, _) if !is_well => Share::Degraded,
        (TrackEffect::Unhealthy, _) if !is_well => Share::Unhealthy,
        // Without weight, every number but 0 is a failure, as in keepalived.
        (TrackEffect::Weight(0), _) if !is_well => Share::Fault,
        (TrackEffect::Weight(_), Some(Verdict::NoValue)) => Share::Fault,
        (_, Some(Verdict::Value(_))) if weight(effect, verdict) <= FATAL_SUM => Share::Fault,
        _ => Share::Adds(weight(effect, verdict)),
    }
}

/// What a track adds to the sum, whatever else it does.
fn weight(effect: TrackEffect, verdict: Option<Verdict>) -> i32 {
    let TrackEffect::Weight(weight) = effect else {
        return 0;
    };
    match verdict {
        Some(Verdict::Up) => i32::from(weight).max(0),
        Some(Verdict::Down) => i32::from(weight).min(0),
        Some(Verdict::Value(value)) => i32::from(weight) * i32::from(value),
        Some(Verdict::NoValue) | None => 0,
    }
}

/// The priority of a node in this band, as configured and with all weights.
///
/// The weights change that of an owner (255) never and any other within 1 to 254, or 3 to 254 where
/// the two below are those of bands. A band goes over everything, owner or not: who does not serve
/// is worth more than nobody and less than anybody.
pub(crate) fn effective(base: Priority, tracks: &Tracks, band: Band, has_bands: bool) -> Priority {
    match band {
        Band::Unhealthy => return Priority::UNHEALTHY,
        Band::Degraded => return Priority::DEGRADED,
        Band::Healthy if base == Priority::OWNER => return Priority::OWNER,
        Band::Healthy => {}
    }
    let least = if has_bands {
        Priority::LEAST_HEALTHY
    } else {
        Priority::LEAST
    };
    let [least, greatest] = [least, Priority::GREATEST].map(|bound| i32::from(bound.get()));
    u8::try_from(unbounded(base, tracks).clamp(least, greatest))
        .ok()
        .and_then(Priority::new)
        .unwrap_or(Priority::LEAST)
}

/// The priority with all weights as a mere sum.
pub(crate) fn unbounded(base: Priority, tracks: &Tracks) -> i32 {
    i32::from(base.get()) + tracks.sum()
}

/// Whether something of it can take a node out of the band of the healthy.
pub(crate) fn has_bands(track_proxy: bool, tracks: &[Track]) -> bool {
    let weighs = |track: &Track| matches!(track.effect, TrackEffect::Weight(_));
    track_proxy || !tracks.iter().all(weighs)
}

impl Spec {
    /// Whether priorities 1 and 2 say a band here.
    pub(crate) fn has_bands(&self) -> bool {
        self.is_grouped || has_bands(self.track_proxy, &self.tracks)
    }
}
