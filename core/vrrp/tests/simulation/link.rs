//! The link: who hears whom, and what happens to what is sent.

use std::time::Duration;

use core_vrrp::Time;

use crate::dice::Dice;

/// Nodes and neighbours, numbered through.
pub(crate) const STATIONS_MAX: usize = 8;

#[derive(Debug)]
pub(crate) struct Link {
    is_whole: bool,
    /// Of a whole network.
    latency: Duration,
    /// Whether the second does not hear the first.
    deaf: [[bool; STATIONS_MAX]; STATIONS_MAX],
    loss_percent: u64,
    double_percent: u64,
    /// When above the latency, packets overtake one another.
    delay_max: Duration,
    /// Until when what was sent last from the first to the second is under way.
    arrivals: [[Time; STATIONS_MAX]; STATIONS_MAX],
}

impl Link {
    pub(crate) fn new(latency: Duration) -> Self {
        Self {
            is_whole: true,
            latency,
            deaf: [[false; STATIONS_MAX]; STATIONS_MAX],
            loss_percent: 0,
            double_percent: 0,
            delay_max: latency,
            arrivals: [[Time(Duration::ZERO); STATIONS_MAX]; STATIONS_MAX],
        }
    }

    /// Whether all that is sent arrives, once, in order and in time.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    pub(crate) fn heal(&mut self) {
        let arrivals = self.arrivals;
        *self = Self {
            arrivals,
            ..Self::new(self.latency)
        };
    }

    pub(crate) fn worsen(&mut self, loss_percent: u64, double_percent: u64, delay_max: Duration) {
        self.is_whole = false;
        self.loss_percent = loss_percent;
        self.double_percent = double_percent;
        self.delay_max = delay_max.max(self.latency);
    }

    pub(crate) fn deafen(&mut self, from: usize, to: usize) {
        self.is_whole = false;
        self.deaf[from][to] = true;
    }

    /// Splits the link: only those on the same side hear one another.
    pub(crate) fn split(&mut self, side: [bool; STATIONS_MAX]) {
        self.is_whole = false;
        for (from, row) in self.deaf.iter_mut().enumerate() {
            for (to, is_deaf) in row.iter_mut().enumerate() {
                *is_deaf = side[from] != side[to];
            }
        }
    }

    /// When what is sent now arrives: not at all, once, or twice.
    pub(crate) fn carry(
        &mut self,
        now: Time,
        from: usize,
        to: usize,
        dice: &mut Dice,
    ) -> [Option<Time>; 2] {
        if self.deaf[from][to] || (self.loss_percent > 0 && dice.percent(self.loss_percent)) {
            return [None, None];
        }
        let is_double = self.double_percent > 0 && dice.percent(self.double_percent);
        let mut arrival = || {
            let at = now + dice.duration(self.delay_max);
            if self.delay_max > self.latency {
                return at;
            }
            // A link of its own does not change the order.
            let last = &mut self.arrivals[from][to];
            *last = at.max(*last);
            *last
        };
        [Some(arrival()), is_double.then(arrival)]
    }
}
