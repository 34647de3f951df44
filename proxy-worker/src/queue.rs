//! Requests that wait until a server may have one more connection: first come, first served.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;

/// Requests that may wait for one upstream in one worker.
pub(crate) const WAITING_MAX: usize = 1000;

/// Those who wait for one upstream.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: RefCell<VecDeque<(u64, Waker)>>,
    next: Cell<u64>,
}

impl Queue {
    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// Waits behind all others; `None` when too many do.
    pub(crate) fn join(self: &Rc<Self>) -> Option<Place> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= WAITING_MAX {
            return None;
        }
        let number = self.next.get();
        self.next.set(number + 1);
        waiting.push_back((number, Waker::noop().clone()));
        Some(Place {
            queue: Rc::clone(self),
            number,
        })
    }

    /// Has the first look whether it is its turn.
    pub(crate) fn call_next(&self) {
        if let Some((_, waker)) = self.waiting.borrow().front() {
            waker.wake_by_ref();
        }
    }
}

/// A place in a queue, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Rc<Queue>,
    number: u64,
}

impl Place {
    /// Whether all that were before are gone.
    pub(crate) fn is_first(&self) -> bool {
        let waiting = self.queue.waiting.borrow();
        waiting
            .front()
            .is_some_and(|(first, _)| *first == self.number)
    }

    /// Says who is called when it may be its turn.
    pub(crate) fn watch(&self, waker: &Waker) {
        let mut waiting = self.queue.waiting.borrow_mut();
        let mut mine = waiting
            .iter_mut()
            .filter(|(number, _)| *number == self.number);
        if let Some((_, known)) = mine.next() {
            known.clone_from(waker);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting.borrow_mut();
        waiting.retain(|(number, _)| *number != self.number);
        drop(waiting);
        // There may be room for more than the one that just left.
        self.queue.call_next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_come_is_first_and_nobody_waits_behind_too_many() {
        let queue = Rc::new(Queue::default());
        let first = queue.join().unwrap();
        let second = queue.join().unwrap();
        let third = queue.join().unwrap();
        assert!(first.is_first() && !second.is_first());
        drop(second);
        assert!(first.is_first() && !third.is_first());
        drop(first);
        assert!(third.is_first());
        let rest: Vec<Place> = std::iter::from_fn(|| queue.join()).collect();
        assert_eq!(rest.len(), WAITING_MAX - 1);
        drop((third, rest));
        assert!(queue.is_empty());
    }
}
