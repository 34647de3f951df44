//! When which router wants to be woken: one alarm for all of them.

use std::io;
use std::task::Context;
use std::time::Duration;

use core_vrrp::Time;
use platform::clock::Alarm;

/// Routers that are due in the same one share a wake-up, and their adverts a system call. So however
/// many routers there are, there are at most a thousand wake-ups a second, and none is later by more.
const GRAIN: Duration = Duration::from_millis(1);

/// The routers' deadlines, in the order of the routers.
#[derive(Debug)]
pub(crate) struct Schedule {
    alarm: Alarm,
    set_to: Option<Duration>,
    /// Looked through from end to end: a few hundred are looked through in less time than a queue
    /// is kept in order, since those of Backups change with each packet.
    due: Vec<Option<Time>>,
}

impl Schedule {
    /// Nobody wants anything.
    ///
    /// # Errors
    /// The system's, when there is no timer.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            alarm: Alarm::new()?,
            set_to: None,
            due: Vec::new(),
        })
    }

    /// Other routers, with their deadlines.
    pub(crate) fn replace(&mut self, due: impl Iterator<Item = Option<Time>>) {
        self.due.clear();
        self.due.extend(due);
    }

    /// The deadline of one router, from now on.
    pub(crate) fn note(&mut self, place: usize, due: Option<Time>) {
        if let Some(noted) = self.due.get_mut(place) {
            *noted = due;
        }
    }

    /// The deadline of one router, if it has come.
    pub(crate) fn reached(&self, place: usize, now: Time) -> Option<Time> {
        self.due
            .get(place)
            .copied()
            .flatten()
            .filter(|due| *due <= now)
    }

    /// Whether the alarm has rung.
    pub(crate) fn poll_rung(&mut self, context: &mut Context<'_>) -> bool {
        let has_rung = self.alarm.poll_rung(context).is_ready();
        if has_rung {
            self.set_to = None;
        }
        has_rung
    }

    /// Sets the alarm for the router that is due next, and for `latest` at the latest. When it is set
    /// earlier already it is left so: the most frequent change is that of a Backup that hears its
    /// Master and has to wait longer than it thought.
    pub(crate) fn set_alarm(&mut self, latest: Time) {
        let next = self.due.iter().flatten().min().copied();
        let at = round_up(next.map_or(latest, |next| next.min(latest)).0);
        if self.set_to.is_some_and(|set_to| set_to <= at) {
            return;
        }
        match self.alarm.set(at) {
            Ok(()) => self.set_to = Some(at),
            // It cannot fail with a time; if it did, the next packet would try again.
            Err(error) => tracing::error!("cannot set the alarm: {error}"),
        }
    }
}

fn round_up(at: Duration) -> Duration {
    let beyond = at.subsec_nanos() % GRAIN.subsec_nanos();
    if beyond == 0 {
        at
    } else {
        at + GRAIN - Duration::from_nanos(beyond.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grain_is_a_whole_millisecond_and_never_early() {
        // at, rounded up, in ns
        let cases = [
            (0, 0),
            (1, 1_000_000),
            (999_999, 1_000_000),
            (1_000_000, 1_000_000),
            (7_000_000_001, 7_001_000_000),
            (7_999_999_999, 8_000_000_000),
        ];
        for (at, expected) in cases {
            assert_eq!(
                round_up(Duration::from_nanos(at)),
                Duration::from_nanos(expected),
                "{at} ns"
            );
        }
    }
}
