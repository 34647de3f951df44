//! Connections in use with each server, of all workers together.

use std::rc::Rc;

use platform::gauges::SharedGauges;

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

    /// Connections of all workers.
    pub(crate) fn load(&self, gauge: u16) -> u32 {
        self.shared.sum(usize::from(gauge))
    }

    /// Takes a seat with a server that may have `max` connections (0: any number); `None` when another
    /// worker was quicker. Whoever waits in `queue` is called when it is given back.
    pub(crate) fn take_seat(
        self: &Rc<Self>,
        gauge: u16,
        max: u32,
        queue: &Rc<Queue>,
    ) -> Option<Seat> {
        self.shared.raise(self.slot, usize::from(gauge));
        if max > 0 && self.load(gauge) > max {
            // Nobody is called: it was never free.
            self.shared.lower(self.slot, usize::from(gauge));
            return None;
        }
        Some(Seat {
            gauges: Rc::clone(self),
            gauge,
            queue: Rc::clone(queue),
        })
    }
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
        shared.lower(*slot, usize::from(self.gauge));
        self.queue.call_next();
    }
}
