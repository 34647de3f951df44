//! From the configured priority to the effective one, as keepalived reckons it.

use crate::spec::Track;
use crate::units::Priority;

/// The last word on a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing was heard yet: it changes nothing, in neither direction.
    Unknown,
    Up,
    Down,
}

/// The tracks of a router with their last verdicts.
#[derive(Debug)]
pub(crate) struct Tracks(Vec<(Track, Verdict)>);

impl Tracks {
    pub(crate) fn new(tracks: &[Track]) -> Self {
        Self(
            tracks
                .iter()
                .map(|track| (track.clone(), Verdict::Unknown))
                .collect(),
        )
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
    pub(crate) fn note(&mut self, name: &str, up: bool) {
        for (track, verdict) in &mut self.0 {
            if track.name == name {
                *verdict = if up { Verdict::Up } else { Verdict::Down };
            }
        }
    }

    /// Whether a track is down that has no weight.
    pub(crate) fn failed(&self) -> bool {
        self.0
            .iter()
            .any(|(track, verdict)| track.weight == 0 && *verdict == Verdict::Down)
    }

    fn sum(&self) -> i32 {
        let weights = self.0.iter().map(|(track, verdict)| match verdict {
            Verdict::Up => i32::from(track.weight).max(0),
            Verdict::Down => i32::from(track.weight).min(0),
            Verdict::Unknown => 0,
        });
        weights.sum()
    }
}

/// The priority with all weights, within 1 to 254; that of an owner is never changed by weights.
///
/// A node whose proxy does not serve has the least priority, owner or not: it is worth more than
/// nobody and less than anybody.
pub(crate) fn effective(base: Priority, tracks: &Tracks, proxy_well: bool) -> Priority {
    if !proxy_well {
        return Priority::LEAST;
    }
    if base == Priority::OWNER {
        return Priority::OWNER;
    }
    let least = i32::from(Priority::LEAST.get());
    let greatest = i32::from(Priority::GREATEST.get());
    u8::try_from(unbounded(base, tracks).clamp(least, greatest))
        .ok()
        .and_then(Priority::new)
        .unwrap_or(Priority::LEAST)
}

/// The priority with all weights as a mere sum.
pub(crate) fn unbounded(base: Priority, tracks: &Tracks) -> i32 {
    i32::from(base.get()) + tracks.sum()
}
