//! This worker's part of the node's counts.

use ipc::proxy::Counter;
use ipc::status::Traffic;
use platform::counters::SharedCounters;

/// The shared counters, and which block of them is ours.
#[derive(Debug)]
pub(crate) struct Counters {
    shared: SharedCounters,
    slot: usize,
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
    const fn counter(self) -> Counter {
        match self {
            Self::Waiting => Counter::Waiting,
            Self::Reading => Counter::Reading,
            Self::Writing => Counter::Writing,
        }
    }
}

impl Counters {
    /// Takes a block over. What a predecessor counted stays, but its connections are gone.
    pub(crate) fn new(shared: SharedCounters, slot: usize) -> Self {
        let block = shared.slot(slot);
        for gauge in [
            Counter::Active,
            Counter::Reading,
            Counter::Writing,
            Counter::Waiting,
        ] {
            block.set(gauge.index(), 0);
        }
        Self { shared, slot }
    }

    pub(crate) fn add(&self, counter: Counter, amount: u64) {
        self.shared.slot(self.slot).add(counter.index(), amount);
    }

    /// A connection came.
    pub(crate) fn open(&self, doing: Doing) {
        for counter in [
            Counter::Accepted,
            Counter::Handled,
            Counter::Active,
            doing.counter(),
        ] {
            self.add(counter, 1);
        }
    }

    /// A connection came and went before it spoke its protocol.
    pub(crate) fn pass(&self) {
        self.add(Counter::Accepted, 1);
        self.add(Counter::Handled, 1);
    }

    /// A connection went.
    pub(crate) fn close(&self, doing: Doing) {
        let block = self.shared.slot(self.slot);
        block.subtract(Counter::Active.index(), 1);
        block.subtract(doing.counter().index(), 1);
    }

    /// A connection does something else now.
    pub(crate) fn turn(&self, from: Doing, to: Doing) {
        if from != to {
            let block = self.shared.slot(self.slot);
            block.subtract(from.counter().index(), 1);
            block.add(to.counter().index(), 1);
        }
    }

    /// The counts of all workers together.
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic::new(|counter| self.shared.sum(counter.index()))
    }
}
