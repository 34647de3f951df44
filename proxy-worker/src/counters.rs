//! This worker's part of the node's counts.

use std::rc::Rc;

use ipc::proxy::{Counter, State};
use ipc::status::Traffic;
use platform::counters::SharedCounters;

use crate::gauges::Gauges;

/// The shared counters, and which block of them is ours. What connections do is counted in the gauges.
#[derive(Debug)]
pub(crate) struct Counters {
    shared: SharedCounters,
    gauges: Rc<Gauges>,
}

/// What a connection is doing, as nginx counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Waits for a request.
    Waiting,
    /// Part of a request head is there.
    Reading,
    /// A request is being answered.
    Writing,
}

impl Doing {
    const fn state(self) -> State {
        match self {
            Self::Waiting => State::Waiting,
            Self::Reading => State::Reading,
            Self::Writing => State::Writing,
        }
    }
}

impl Counters {
    /// Goes on with a block, the one of the same number as that of the gauges: what a predecessor counted
    /// stays.
    pub(crate) const fn new(shared: SharedCounters, gauges: Rc<Gauges>) -> Self {
        Self { shared, gauges }
    }

    pub(crate) fn add(&self, counter: Counter, amount: u64) {
        let block = self.shared.slot(self.gauges.slot());
        block.add(counter.index(), amount);
    }

    /// A connection came.
    pub(crate) fn open(&self, doing: Doing) {
        self.pass();
        self.gauges.enter(State::Active);
        self.gauges.enter(doing.state());
    }

    /// A connection came and went before it spoke its protocol.
    pub(crate) fn pass(&self) {
        self.add(Counter::Accepted, 1);
        self.add(Counter::Handled, 1);
    }

    /// A connection went.
    pub(crate) fn close(&self, doing: Doing) {
        self.gauges.leave(State::Active);
        self.gauges.leave(doing.state());
    }

    /// A connection does something else now.
    pub(crate) fn turn(&self, from: Doing, to: Doing) {
        if from != to {
            self.gauges.leave(from.state());
            self.gauges.enter(to.state());
        }
    }

    /// The counts of all workers together.
    pub(crate) fn traffic(&self) -> Traffic {
        let sum = |counter: Counter| self.shared.sum(counter.index());
        Traffic::new(sum, |state| self.gauges.now(state))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use platform::gauges::SharedGauges;

    use super::*;

    /// After an upgrade two workers have one number: the new one, and one that ends its connections.
    #[test]
    fn who_is_left_by_an_image_takes_nothing_from_who_follows() {
        let memory = SharedCounters::create().unwrap();
        let counters = |gauges: SharedGauges| {
            let memory = memory.as_fd().try_clone_to_owned().unwrap();
            let shared = SharedCounters::open(memory).unwrap();
            Counters::new(shared, Gauges::new(gauges, 0))
        };
        let left = counters(SharedGauges::create().unwrap());
        for doing in [Doing::Writing, Doing::Waiting] {
            left.open(doing);
        }
        let new = counters(SharedGauges::create().unwrap());
        new.open(Doing::Reading);
        left.turn(Doing::Waiting, Doing::Writing);
        for _ in 0..2 {
            left.add(Counter::Requests, 1);
            left.close(Doing::Writing);
        }
        let traffic = new.traffic();
        let states = [
            traffic.active,
            traffic.reading,
            traffic.writing,
            traffic.waiting,
        ];
        assert_eq!(states, [1, 1, 0, 0]);
        assert_eq!((traffic.accepted, traffic.requests), (3, 2));
    }
}
