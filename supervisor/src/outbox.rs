//! Outbox: events on their way to the journal. An event stays here until the notifier says that it
//! is written, so that a notifier that dies loses none.

use std::collections::VecDeque;

use ipc::event::{Event, Severity, What};

/// Events that may wait; at more, the oldest that is not critical goes, and is counted.
const WAITING_MAX: usize = 1024;

/// The events that are not known to be written.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Event>,
    lost: u64,
}

impl Outbox {
    /// Keeps an event until it is written.
    pub(crate) fn push(&mut self, event: Event) {
        if self.waiting.len() >= WAITING_MAX {
            let least = self
                .waiting
                .iter()
                .position(|event| event.severity < Severity::Critical);
            self.waiting.remove(least.unwrap_or(0));
            self.lost += 1;
        }
        self.waiting.push_back(event);
    }

    /// The notifier has written an event.
    pub(crate) fn handle_written(&mut self, event: &Event) {
        if let Some(place) = self.waiting.iter().position(|waiting| waiting == event) {
            self.waiting.remove(place);
        }
    }

    /// How many are not known to be written.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// All of them, in order.
    pub(crate) fn waiting(&self) -> Vec<Event> {
        self.waiting.iter().cloned().collect()
    }

    /// Everything that a notifier which has just started must be told, in order.
    pub(crate) fn resend(&mut self, now_unix_ms: u64) -> Vec<Event> {
        if self.lost > 0 {
            // One more than may wait: the word about a loss must not cause another.
            self.waiting.push_back(Event {
                at_unix_ms: now_unix_ms,
                severity: Severity::Error,
                what: What::EventsLost {
                    count: std::mem::take(&mut self.lost),
                },
            });
        }
        self.waiting()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_unix_ms: u64) -> Event {
        Event {
            at_unix_ms,
            severity: Severity::Info,
            what: What::Stopping,
        }
    }

    #[test]
    fn what_was_not_written_is_sent_again_in_order() {
        let mut outbox = Outbox::default();
        (0..3).for_each(|at| outbox.push(event(at)));
        outbox.handle_written(&event(1));
        assert_eq!(outbox.resend(9), [event(0), event(2)]);
    }

    #[test]
    fn what_did_not_fit_is_counted_and_told() {
        let mut outbox = Outbox::default();
        (0..WAITING_MAX as u64 + 5).for_each(|at| outbox.push(event(at)));
        let sent = outbox.resend(9);
        assert!(matches!(
            sent.last().unwrap().what,
            What::EventsLost { count: 5 }
        ));
        assert!(
            outbox
                .resend(9)
                .iter()
                .filter(|sent| sent.what != What::Stopping)
                .count()
                == 1
        );
    }
}
