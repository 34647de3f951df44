//! Idle connections to one server.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use core_balance::Patience;

use crate::deadline::TICK;
use crate::io::Io;

/// The clock stands still between two ticks, when a connection is put here and when it is looked at.
const CLOCK_ERROR: Duration = TICK.saturating_mul(2);

/// A connection that has served.
#[derive(Debug)]
pub(crate) struct Used<I> {
    pub(crate) io: I,
    /// How many requests.
    pub(crate) served: u32,
}

/// The idle connections. The youngest is used first, so that those too many grow old.
#[derive(Debug)]
pub(crate) struct Pool<I> {
    /// Oldest first, with the time since when each is idle.
    idle: RefCell<VecDeque<(Used<I>, Duration)>>,
    patience: Cell<Patience>,
}

impl<I> Default for Pool<I> {
    fn default() -> Self {
        Self {
            idle: RefCell::default(),
            patience: Cell::default(),
        }
    }
}

impl<I: Io> Pool<I> {
    /// An idle connection that is still good, and how many were not.
    pub(crate) fn check_out(&self, now: Duration) -> (Option<Used<I>>, u64) {
        let mut idle = self.idle.borrow_mut();
        let mut dead = 0;
        while let Some((mut used, since)) = idle.pop_back() {
            let limit = self.patience.get().limit(now, CLOCK_ERROR);
            if limit.is_some_and(|limit| now - since > limit) {
                // So are all that are older.
                idle.clear();
            } else if used.io.is_stale() {
                self.note_close(since, now);
                dead += 1;
            } else {
                return (Some(used), dead);
            }
        }
        (None, dead)
    }

    /// Takes notice of how long the server says that it will wait.
    pub(crate) fn note_advertised(&self, timeout: Duration) {
        let mut patience = self.patience.get();
        patience.handle_advertised(timeout);
        self.patience.set(patience);
    }

    /// Keeps a connection for later; over `max` the oldest goes.
    pub(crate) fn check_in(&self, used: Used<I>, max: usize, now: Duration) {
        let mut idle = self.idle.borrow_mut();
        idle.push_back((used, now));
        if idle.len() > max {
            idle.pop_front();
        }
    }

    /// Whether a connection that was kept elsewhere, idle for `age`, is still good.
    pub(crate) fn is_good(
        &self,
        used: &mut Used<I>,
        age: Duration,
        timeout: Duration,
        now: Duration,
    ) -> bool {
        age <= self.limit(timeout, now) && !used.io.is_stale()
    }

    /// Closes what has been idle for `timeout`, for longer than the server will wait, and what the
    /// server has closed.
    pub(crate) fn expire(&self, timeout: Duration, now: Duration) {
        let mut idle = self.idle.borrow_mut();
        while let Some((used, since)) = idle.front_mut() {
            if used.io.is_stale() {
                self.note_close(*since, now);
            } else if now - *since <= self.limit(timeout, now) {
                break;
            }
            idle.pop_front();
        }
    }

    /// How long a connection may be idle, where `timeout` is ours.
    fn limit(&self, timeout: Duration, now: Duration) -> Duration {
        let limit = self.patience.get().limit(now, CLOCK_ERROR);
        limit.map_or(timeout, |limit| limit.min(timeout))
    }

    /// Closes all: the server is down. What it was like before is no longer true.
    pub(crate) fn clear(&self) {
        self.idle.borrow_mut().clear();
        self.patience.take();
    }

    fn note_close(&self, since: Duration, now: Duration) {
        let mut patience = self.patience.get();
        patience.handle_close(now - since, now);
        self.patience.set(patience);
    }
}
