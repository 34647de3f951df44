//! What waits in the sinks' queues, for whoever asks. Shared by the actors of the one event loop.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// One line a sink.
#[derive(Debug, Default)]
pub(crate) struct Board {
    lines: RefCell<BTreeMap<String, (u32, Option<String>)>>,
    changed: Cell<bool>,
}

impl Board {
    /// Notes a sink's messages waiting and its last error.
    pub(crate) fn note(&self, sink: &str, waiting: u64, error: Option<&str>) {
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        let line = (waiting, error.map(str::to_owned));
        let mut lines = self.lines.borrow_mut();
        if lines.get(sink) != Some(&line) {
            lines.insert(sink.to_owned(), line);
            self.changed.set(true);
        }
    }

    /// Takes a sink off.
    pub(crate) fn remove(&self, sink: &str) {
        if self.lines.borrow_mut().remove(sink).is_some() {
            self.changed.set(true);
        }
    }

    /// All lines, if one has changed since the last time.
    pub(crate) fn poll_changed(&self) -> Option<Vec<(String, u32, Option<String>)>> {
        self.changed.take().then(|| {
            let lines = self.lines.borrow();
            lines
                .iter()
                .map(|(sink, (waiting, error))| (sink.clone(), *waiting, error.clone()))
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_told() {
        let board = Board::default();
        assert_eq!(board.poll_changed(), None);
        board.note("log", 2, Some("full"));
        board.note("log", 2, Some("full"));
        let line = ("log".to_owned(), 2, Some("full".to_owned()));
        assert_eq!(board.poll_changed(), Some(vec![line]));
        board.note("log", 2, Some("full"));
        assert_eq!(board.poll_changed(), None);
        board.remove("log");
        assert_eq!(board.poll_changed(), Some(vec![]));
    }
}
