//! What a sink still has to send: a window over the journal. No I/O.
//!
//! The cursor says up to where everything is done. Behind it a few entries are held in memory; when
//! there are more, they stay in the journal and are read when there is room. So a sink that fails
//! for hours costs no memory.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::journal::line::Entry;
use crate::journal::writer::Piece;
use crate::sink::filter::Filter;

/// Entries held in memory.
pub(crate) const WINDOW_MAX: usize = 64;

/// A wish to read from the journal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// Entries behind this number.
    pub(crate) after: u64,
    /// How many fit.
    pub(crate) limit: usize,
}

/// The window.
#[derive(Debug)]
pub(crate) struct Queue {
    filter: Filter,
    window: VecDeque<Arc<Entry>>,
    /// Everything up to here is done.
    cursor: u64,
    /// Everything up to here is done or in the window.
    examined: u64,
    /// The journal's newest number that is known.
    latest: u64,
    /// The newest number when the read that is under way began.
    reading: Option<u64>,
}

impl Queue {
    /// Continues at `cursor` in a journal whose newest number is `latest`.
    pub(crate) fn new(filter: Filter, cursor: u64, latest: u64) -> Self {
        Self {
            filter,
            window: VecDeque::new(),
            cursor,
            examined: cursor,
            latest: latest.max(cursor),
            reading: None,
        }
    }

    /// Entries that were just written. They are kept when they follow on what is known and fit.
    pub(crate) fn handle_entries(&mut self, entries: &[Arc<Entry>]) {
        for entry in entries {
            let follows = self.examined == self.latest && entry.seq == self.latest + 1;
            if follows && self.reading.is_none() && self.take(entry) {
                self.examined = entry.seq;
            }
            self.latest = self.latest.max(entry.seq);
        }
        self.advance();
    }

    /// Whether something has to be read from the journal now. The answer goes to
    /// [`Queue::handle_piece`].
    pub(crate) fn poll_read(&mut self) -> Option<Read> {
        let limit = WINDOW_MAX.saturating_sub(self.window.len());
        let due = self.examined < self.latest && limit >= WINDOW_MAX / 2 && self.reading.is_none();
        due.then(|| {
            self.reading = Some(self.latest);
            Read {
                after: self.examined,
                limit,
            }
        })
    }

    /// What was read. Entries that could not be written to the journal are missing in it: they are
    /// passed over. `None`: the journal could not be read; it is tried again with the next entry.
    pub(crate) fn handle_piece(&mut self, piece: Option<Piece>) {
        let Some(latest_then) = self.reading.take() else {
            return;
        };
        let Some(piece) = piece else {
            return;
        };
        for entry in &piece.entries {
            if entry.seq > self.examined && !self.take(entry) {
                return;
            }
            self.examined = self.examined.max(entry.seq);
        }
        if piece.complete {
            self.examined = self.examined.max(latest_then);
        }
        self.latest = self.latest.max(self.examined);
        self.advance();
    }

    /// The entry that is to be sent next.
    pub(crate) fn front(&self) -> Option<&Arc<Entry>> {
        self.window.front()
    }

    /// The entry `seq` is done with, sent or given up.
    pub(crate) fn handle_done(&mut self, seq: u64) {
        if self.window.front().is_some_and(|front| front.seq == seq) {
            self.window.pop_front();
            self.cursor = seq;
        }
        self.advance();
    }

    /// Everything up to here is done: what a restart continues from.
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Entries that wait; what is in the journal alone is counted without being looked at.
    pub(crate) fn waiting(&self) -> u64 {
        let held = u64::try_from(self.window.len()).unwrap_or(u64::MAX);
        held.saturating_add(self.latest.saturating_sub(self.examined))
    }

    /// Changes the choice: what is not done is looked at again.
    pub(crate) fn change_filter(&mut self, filter: Filter) {
        *self = Self::new(filter, self.cursor, self.latest);
    }

    /// The choice.
    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    fn take(&mut self, entry: &Arc<Entry>) -> bool {
        if !self.filter.accepts(&entry.event) {
            return true;
        }
        if self.window.len() >= WINDOW_MAX {
            return false;
        }
        self.window.push_back(Arc::clone(entry));
        true
    }

    /// With nothing in hand, everything that was looked at is done.
    fn advance(&mut self) {
        if self.window.is_empty() {
            self.cursor = self.cursor.max(self.examined);
        }
        debug_assert!(self.cursor <= self.examined && self.examined <= self.latest);
    }
}

#[cfg(test)]
mod tests {
    use ipc::event::{Severity, What};
    use ipc::notify::{SinkKind, SinkSpec};
    use proptest::prelude::*;

    use super::*;
    use crate::examples;

    fn filter(class: &str) -> Filter {
        Filter::new(&SinkSpec {
            name: "log".into(),
            kind: SinkKind::File { path: "/x".into() },
            routers: vec![],
            classes: vec![class.into()],
            severity_min: Severity::Info,
            age_max: std::time::Duration::MAX,
        })
    }

    /// Every third entry is not for the sink.
    fn entries(seqs: std::ops::RangeInclusive<u64>) -> Vec<Arc<Entry>> {
        seqs.map(|seq| {
            let what = if seq % 3 == 0 {
                What::Stopping
            } else {
                What::ProxyIll
            };
            Arc::new(examples::entry(seq, what))
        })
        .collect()
    }

    /// What the journal's reader would answer.
    fn answer(read: &Read, latest: u64, filter: &Filter) -> Piece {
        let mut chosen = entries(read.after + 1..=latest);
        chosen.retain(|entry| filter.accepts(&entry.event));
        let complete = chosen.len() <= read.limit;
        chosen.truncate(read.limit);
        Piece {
            entries: chosen,
            complete,
        }
    }

    #[test]
    fn entries_pass_in_order_and_the_cursor_follows() {
        let mut queue = Queue::new(filter("proxy"), 0, 0);
        queue.handle_entries(&entries(1..=3));
        assert_eq!(queue.front().unwrap().seq, 1);
        assert_eq!((queue.cursor(), queue.waiting()), (0, 2));
        queue.handle_done(1);
        assert_eq!(queue.cursor(), 1);
        queue.handle_done(2);
        assert_eq!(queue.cursor(), 3, "the third is not for this sink");
        assert_eq!(queue.front(), None);
        assert_eq!(queue.poll_read(), None);
    }

    #[test]
    fn a_restart_reads_what_was_not_done() {
        let mut queue = Queue::new(filter("proxy"), 4, 8);
        let read = queue.poll_read().unwrap();
        assert_eq!(
            read,
            Read {
                after: 4,
                limit: WINDOW_MAX
            }
        );
        assert_eq!(queue.poll_read(), None, "one read at a time");
        queue.handle_entries(&entries(9..=10));
        queue.handle_piece(Some(answer(&read, 8, &filter("proxy"))));
        let held: Vec<u64> = queue.window.iter().map(|entry| entry.seq).collect();
        assert_eq!(held, [5, 7, 8]);
        assert_eq!(queue.poll_read().unwrap().after, 8, "what came meanwhile");
    }

    #[test]
    fn what_the_journal_does_not_have_is_passed_over() {
        let mut queue = Queue::new(filter("proxy"), 4, 8);
        queue.poll_read().unwrap();
        queue.handle_piece(Some(Piece {
            entries: vec![],
            complete: true,
        }));
        assert_eq!((queue.cursor(), queue.waiting()), (8, 0));
    }

    #[test]
    fn a_new_choice_looks_again_at_what_is_not_done() {
        let mut queue = Queue::new(filter("proxy"), 0, 0);
        queue.handle_entries(&entries(1..=4));
        queue.handle_done(1);
        queue.change_filter(filter("config"));
        let read = queue.poll_read().unwrap();
        assert_eq!(read.after, 1);
        queue.handle_piece(Some(answer(&read, 4, &filter("config"))));
        assert_eq!(queue.front().unwrap().seq, 3);
    }

    proptest! {
        /// However arrivals, failures and reads interleave: each entry once, in order, in bounds.
        #[test]
        fn nothing_is_lost_or_repeated(steps in proptest::collection::vec(0u8..8, 1..100)) {
            let mut queue = Queue::new(filter("proxy"), 0, 0);
            let (mut latest, mut sent, mut read) = (0, Vec::new(), None);
            let finish = std::iter::repeat_n([6, 5, 7], 100 * 26).flatten();
            for step in steps.into_iter().chain(finish) {
                match step {
                    0..=4 => {
                        let first = latest + 1;
                        latest += 1 + u64::from(step) * 5;
                        queue.handle_entries(&entries(first..=latest));
                    }
                    5 => if let Some(wish) = queue.poll_read() { read = Some((wish, latest)); },
                    6 => if let Some((wish, then)) = read.take() {
                        queue.handle_piece(Some(answer(&wish, then, &filter("proxy"))));
                    },
                    _ => if let Some(seq) = queue.front().map(|entry| entry.seq) {
                        sent.push(seq);
                        queue.handle_done(seq);
                    },
                }
                prop_assert!(queue.window.len() <= WINDOW_MAX);
            }
            let expected: Vec<u64> = (1..=latest).filter(|seq| seq % 3 != 0).collect();
            prop_assert_eq!(sent, expected);
            prop_assert_eq!(queue.cursor(), latest);
        }
    }
}
