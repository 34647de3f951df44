//! When each connection has waited long enough.
//!
//! A timer of the runtime for each connection would be set anew by nearly every read. Here a deadline
//! is a number in a table; one sweep every [`TICK`] wakes those that are due. So deadlines are met up
//! to a tick late, never early.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

/// How often the table is swept.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// The table.
#[derive(Debug)]
pub(crate) struct Deadlines {
    start: Instant,
    now: Cell<Duration>,
    entries: RefCell<Vec<Entry>>,
    free: RefCell<Vec<usize>>,
}

/// Place of a connection in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(usize);

#[derive(Debug, Default)]
struct Entry {
    due: Option<Duration>,
    waker: Option<Waker>,
    /// To be woken by the next sweep, due or not.
    soon: bool,
}

impl Deadlines {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            now: Cell::default(),
            entries: RefCell::default(),
            free: RefCell::default(),
        }
    }

    /// The time since the start, as of the last sweep.
    pub(crate) const fn now(&self) -> Duration {
        self.now.get()
    }

    /// Gives a connection a place, to be given back by [`Self::remove`].
    pub(crate) fn add(&self) -> Key {
        let mut entries = self.entries.borrow_mut();
        let place = self.free.borrow_mut().pop().unwrap_or_else(|| {
            entries.push(Entry::default());
            entries.len() - 1
        });
        Key(place)
    }

    pub(crate) fn remove(&self, key: Key) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(key.0) {
            *entry = Entry::default();
            self.free.borrow_mut().push(key.0);
        }
    }

    /// Sets when the connection is due; `None`: it waits without a limit.
    pub(crate) fn set(&self, key: Key, after: Option<Duration>) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(key.0) {
            entry.due = after.map(|after| self.now.get() + after + TICK);
        }
    }

    /// Has the connection woken by the next sweep, once.
    pub(crate) fn wake_at_next_sweep(&self, key: Key) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(key.0) {
            entry.soon = true;
        }
    }

    /// Whether the connection is due; if so, only once.
    pub(crate) fn take_due(&self, key: Key) -> bool {
        let mut entries = self.entries.borrow_mut();
        match entries.get_mut(key.0) {
            Some(entry) if entry.due.is_some_and(|due| due <= self.now.get()) => {
                entry.due = None;
                true
            }
            _ => false,
        }
    }

    /// Says who is to be woken.
    pub(crate) fn watch(&self, key: Key, waker: &Waker) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(key.0)
            && !entry
                .waker
                .as_ref()
                .is_some_and(|known| known.will_wake(waker))
        {
            entry.waker = Some(waker.clone());
        }
    }

    /// Moves the time on and wakes who is due.
    pub(crate) fn sweep(&self) {
        self.now.set(self.start.elapsed());
        let now = self.now.get();
        self.wake(|entry| {
            std::mem::take(&mut entry.soon) || entry.due.is_some_and(|due| due <= now)
        });
    }

    /// Wakes all, because something concerns all.
    pub(crate) fn wake_all(&self) {
        self.wake(|_| true);
    }

    fn wake(&self, chosen: impl Fn(&mut Entry) -> bool) {
        for entry in self.entries.borrow_mut().iter_mut() {
            if chosen(entry)
                && let Some(waker) = &entry.waker
            {
                waker.wake_by_ref();
            }
        }
    }
}
