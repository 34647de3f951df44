//! What happened, of both nodes and by hand, in one list. Pure.

use std::collections::VecDeque;

use ipc::event::{Event, Severity, What};
use serde::Serialize;

use crate::admin::Numbered;
use crate::story;

/// How many entries are remembered; the oldest is forgotten.
const ENTRIES_MAX: usize = 200;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    /// Counts up by one.
    pub(crate) number: u64,
    pub(crate) at_unix_ms: u64,
    /// The node's name, a back end's, or "you".
    pub(crate) who: String,
    pub(crate) severity: Severity,
    pub(crate) text: String,
    /// Whether it is marked in the chart.
    pub(crate) marked: bool,
}

/// The list, and how far each node's own journal has been read.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    number: u64,
    read: [Option<u64>; 2],
}

impl Journal {
    /// Something was done by hand.
    pub(crate) fn handle_deed(&mut self, at_unix_ms: u64, text: String) {
        self.push(Entry {
            number: 0,
            at_unix_ms,
            who: "you".to_owned(),
            severity: Severity::Info,
            text,
            marked: true,
        });
    }

    /// The nodes' journals were read, by the node's index, with its name; what is known already is
    /// passed over.
    pub(crate) fn handle_events(&mut self, journals: Vec<(usize, &str, Vec<Numbered>)>) {
        let mut fresh = Vec::new();
        for (index, node, events) in journals {
            let Some(read) = self.read.get_mut(index) else {
                continue;
            };
            for Numbered { seq, event } in events {
                if read.is_none_or(|read| seq > read) {
                    *read = Some(seq);
                    fresh.push(Entry {
                        number: 0,
                        at_unix_ms: event.at_unix_ms,
                        who: node.to_owned(),
                        severity: event.severity,
                        text: story::of_event(node, &event),
                        marked: is_marked(&event),
                    });
                }
            }
        }
        fresh.sort_by_key(|entry| entry.at_unix_ms);
        for entry in fresh {
            self.push(entry);
        }
    }

    /// Puts it where it belongs in time: the nodes' journals are read after the fact.
    fn push(&mut self, mut entry: Entry) {
        self.number += 1;
        entry.number = self.number;
        let later = |known: &&Entry| known.at_unix_ms > entry.at_unix_ms;
        let place = self.entries.len() - self.entries.iter().rev().take_while(later).count();
        self.entries.insert(place, entry);
        if self.entries.len() > ENTRIES_MAX {
            self.entries.pop_front();
        }
    }

    /// The last `count` entries, the newest first.
    pub(crate) fn last(&self, count: usize) -> Vec<Entry> {
        self.entries.iter().rev().take(count).cloned().collect()
    }
}

/// The chart shows what moves addresses and what breaks.
const fn is_marked(event: &Event) -> bool {
    match &event.what {
        What::Transition(transition) => !transition.planned,
        What::ProcessDied { .. } | What::ProcessHung { .. } => true,
        What::ServerDown { .. } | What::ServerUp { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, at_unix_ms: u64) -> Numbered {
        Numbered {
            seq,
            event: Event {
                at_unix_ms,
                severity: Severity::Info,
                what: What::Stopping,
            },
        }
    }

    #[test]
    fn each_event_is_told_once_and_in_order_of_time() {
        let mut journal = Journal::default();
        journal.handle_deed(20, "killed".into());
        journal.handle_events(vec![(0, "proxy101", vec![event(1, 10), event(2, 30)])]);
        journal.handle_events(vec![
            (
                0,
                "proxy101",
                vec![event(1, 10), event(2, 30), event(3, 40)],
            ),
            (1, "proxy102", vec![event(1, 35)]),
        ]);
        let times: Vec<_> = journal
            .last(10)
            .iter()
            .map(|entry| entry.at_unix_ms)
            .collect();
        assert_eq!(times, [40, 35, 30, 20, 10]);
        assert_eq!(journal.last(1)[0].at_unix_ms, 40);
    }

    #[test]
    fn old_entries_are_forgotten() {
        let mut journal = Journal::default();
        for at in 0..500 {
            journal.handle_deed(at, String::new());
        }
        let all = journal.last(usize::MAX);
        assert_eq!((all.len(), all[0].at_unix_ms), (ENTRIES_MAX, 499));
    }
}
