//! Connections that are open now, of all workers together: in which state, those in use with each
//! server, and those of each client, whose places `crowd` finds by hash.

use std::rc::Rc;

use ipc::proxy::State;
use platform::gauges::{GAUGES, STATES_AT, SharedGauges};

use crate::queue::Queue;

/// The shared gauges, and which block of them is ours.
#[derive(Debug)]
pub(crate) struct Gauges {
    shared: SharedGauges,
    slot: usize,
}

impl Gauges {
    /// Takes a block over; what a predecessor had is gone.
    pub(crate) fn new(shared: SharedGauges, slot: usize) -> Rc<Self> {
        shared.clear(slot);
        Rc::new(Self { shared, slot })
    }

    /// The gauges of all workers.
    pub(crate) const fn shared(&self) -> &SharedGauges {
        &self.shared
    }

    /// Raises a gauge; says what it is for all workers together.
    pub(crate) fn raise(&self, index: usize) -> u32 {
        self.shared.raise(self.slot, index);
        self.shared.sum(index)
    }

    /// Lowers a gauge that was raised.
    pub(crate) fn lower(&self, index: usize) {
        self.shared.lower(self.slot, index);
    }

    /// A connection comes into a state.
    pub(crate) fn enter(&self, state: State) {
        self.shared.raise(self.slot, STATES_AT + state.index());
    }

    /// A connection leaves a state.
    pub(crate) fn leave(&self, state: State) {
        self.shared.lower(self.slot, STATES_AT + state.index());
    }

    /// Connections of all workers that are in a state.
    pub(crate) fn now(&self, state: State) -> u64 {
        self.shared.sum(STATES_AT + state.index()).into()
    }

    /// Which block is ours.
    pub(crate) const fn slot(&self) -> usize {
        self.slot
    }

    /// Connections of all workers with the server that has this place.
    pub(crate) fn load(&self, gauge: u16) -> u32 {
        self.shared.sum(place(gauge))
    }

    /// Takes a seat with a server that may have `max` connections (0: any number); `None` when another
    /// worker was quicker. Whoever waits in `queue` is called when it is given back.
    pub(crate) fn take_seat(
        self: &Rc<Self>,
        gauge: u16,
        max: u32,
        queue: &Rc<Queue>,
    ) -> Option<Seat> {
        self.shared.raise(self.slot, place(gauge));
        if max > 0 && self.load(gauge) > max {
            // Nobody is called: it was never free.
            self.shared.lower(self.slot, place(gauge));
            return None;
        }
        Some(Seat {
            gauges: Rc::clone(self),
            gauge,
            queue: Rc::clone(queue),
        })
    }
}

/// The place of a server; for one that none was left for, past all gauges, where nothing is counted.
fn place(gauge: u16) -> usize {
    let place = usize::from(gauge);
    if place < GAUGES { place } else { usize::MAX }
}

/// A connection in use, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    gauges: Rc<Gauges>,
    gauge: u16,
    queue: Rc<Queue>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Gauges { shared, slot } = &*self.gauges;
        shared.lower(*slot, place(self.gauge));
        self.queue.call_next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_without_a_place_counts_nowhere() {
        let gauges = Gauges::new(SharedGauges::create().unwrap(), 0);
        let last = u16::try_from(GAUGES).unwrap();
        let sum = |index: u16| gauges.shared().sum(usize::from(index));
        for (gauge, counted) in [(0, 1), (last - 1, 1), (last, 0), (u16::MAX, 0)] {
            let seat = gauges.take_seat(gauge, 1, &Rc::default());
            let seat = seat.expect("there is room");
            assert_eq!(
                (gauges.load(gauge), sum(gauge)),
                (counted, counted),
                "{gauge}"
            );
            drop(seat);
            assert_eq!(sum(gauge), 0, "{gauge}");
        }
    }
}
