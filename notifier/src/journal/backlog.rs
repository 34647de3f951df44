//! Events that wait for the writer: bounded, and honest about what did not fit. No I/O.

use std::collections::VecDeque;

use ipc::event::{Event, Severity, What};

/// Events that may wait.
const WAITING_MAX: usize = 1024;

/// Events that are written at once.
const BATCH_MAX: usize = 256;

/// The queue in front of the writer.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    waiting: VecDeque<Event>,
    lost: u64,
}

impl Backlog {
    /// Adds an event. When it is full, the oldest that is not critical makes room; when all are
    /// critical, the oldest of them. What was lost is counted, and [`Backlog::poll_batch`] says so.
    pub(crate) fn handle_event(&mut self, event: Event) {
        if self.waiting.len() >= WAITING_MAX {
            let oldest = self
                .waiting
                .iter()
                .position(|waiting| waiting.severity < Severity::Critical)
                .unwrap_or(0);
            self.waiting.remove(oldest);
            self.lost += 1;
        }
        self.waiting.push_back(event);
    }

    /// The next events to be written; `None` when none wait. `now_unix_ms` is when a loss is
    /// reported.
    pub(crate) fn poll_batch(&mut self, now_unix_ms: u64) -> Option<Vec<Event>> {
        if self.waiting.is_empty() {
            return None;
        }
        let mut batch = Vec::new();
        let count = std::mem::take(&mut self.lost);
        if count > 0 {
            batch.push(Event {
                at_unix_ms: now_unix_ms,
                severity: Severity::Error,
                what: What::EventsLost { count },
            });
        }
        let taken = self.waiting.len().min(BATCH_MAX);
        batch.extend(self.waiting.drain(..taken));
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_unix_ms: u64, severity: Severity) -> Event {
        Event {
            at_unix_ms,
            severity,
            what: What::ProxyIll,
        }
    }

    fn drain(backlog: &mut Backlog) -> Vec<Event> {
        std::iter::from_fn(|| backlog.poll_batch(9))
            .flatten()
            .collect()
    }

    #[test]
    fn nothing_is_lost_below_the_limit() {
        let mut backlog = Backlog::default();
        let sent: Vec<Event> = (0..WAITING_MAX as u64)
            .map(|at| event(at, Severity::Info))
            .collect();
        sent.iter()
            .cloned()
            .for_each(|event| backlog.handle_event(event));
        assert_eq!(drain(&mut backlog), sent);
    }

    #[test]
    fn the_oldest_that_is_not_critical_makes_room() {
        let mut backlog = Backlog::default();
        backlog.handle_event(event(0, Severity::Critical));
        for at in 1..=WAITING_MAX as u64 + 1 {
            backlog.handle_event(event(at, Severity::Warning));
        }
        let got = drain(&mut backlog);
        assert_eq!(got[0].what, What::EventsLost { count: 2 });
        assert_eq!(got[0].at_unix_ms, 9);
        assert_eq!(got[1], event(0, Severity::Critical));
        assert_eq!(got[2], event(3, Severity::Warning));
        assert_eq!(got.len(), WAITING_MAX + 1);
    }

    #[test]
    fn only_critical_ones_lose_their_oldest() {
        let mut backlog = Backlog::default();
        for at in 0..=WAITING_MAX as u64 {
            backlog.handle_event(event(at, Severity::Critical));
        }
        let got = drain(&mut backlog);
        assert_eq!(got[0].what, What::EventsLost { count: 1 });
        assert_eq!(got[1].at_unix_ms, 1);
    }

    #[test]
    fn batches_are_bounded() {
        let mut backlog = Backlog::default();
        for at in 0..=BATCH_MAX as u64 {
            backlog.handle_event(event(at, Severity::Info));
        }
        assert_eq!(backlog.poll_batch(0).unwrap().len(), BATCH_MAX);
        assert_eq!(backlog.poll_batch(0).unwrap().len(), 1);
        assert_eq!(backlog.poll_batch(0), None);
    }
}
