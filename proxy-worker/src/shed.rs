//! Whether a worker has so little left that it must turn new connections away.
//!
//! It begins before descriptors or memory have run out, so that what is under way can go on and those
//! who are turned away can be told; and it ends only when there is clearly more again.

/// What may run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scarce {
    Descriptors,
    Memory,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// From now on new connections are turned away.
    Begun(Scarce),
    /// There is enough again.
    Ended,
}

/// The verdict.
#[derive(Clone, Debug)]
pub(crate) struct Shed {
    /// Open descriptors with which it begins, and below which it ends.
    begin_at: u64,
    end_below: u64,
    descriptors: bool,
    memory: bool,
    /// The system has refused something since the descriptors were last counted.
    refused: bool,
}

/// Memory is scarce below this part of all, and no longer above that.
const MEMORY_BEGIN: u64 = 32;
const MEMORY_END: u64 = 16;

impl Shed {
    /// For a process that may have so many descriptors open: it begins with seven eighths of them, and
    /// ends below three quarters.
    pub(crate) const fn new(descriptors_max: u64) -> Self {
        let mut shed = Self {
            begin_at: 0,
            end_below: 0,
            descriptors: false,
            memory: false,
            refused: false,
        };
        shed.set_descriptors_max(descriptors_max);
        shed
    }

    /// The process may have so many descriptors open from now on.
    pub(crate) const fn set_descriptors_max(&mut self, max: u64) {
        self.begin_at = max - max / 8;
        self.end_below = max - max / 4;
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.descriptors || self.memory
    }

    /// Whether it is worth the trouble to count the open descriptors.
    pub(crate) const fn wants_count(&self) -> bool {
        self.descriptors
    }

    /// A connection was accepted as this descriptor. Descriptors have the lowest number that is free,
    /// so at least as many are open.
    pub(crate) const fn handle_accepted(&mut self, descriptor: u64) -> Option<Change> {
        if descriptor < self.begin_at {
            return None;
        }
        self.begin()
    }

    /// The system says that it has no descriptor left, or no memory for one: the fault need not be of
    /// this process, so its own count does not tell when it is over.
    pub(crate) const fn handle_shortage(&mut self) -> Option<Change> {
        self.refused = true;
        self.begin()
    }

    const fn begin(&mut self) -> Option<Change> {
        let begins = !self.is_on();
        self.descriptors = true;
        if begins {
            Some(Change::Begun(Scarce::Descriptors))
        } else {
            None
        }
    }

    /// So many descriptors are open. It does not end before a whole time between two counts without
    /// a refusal.
    pub(crate) const fn handle_count(&mut self, open: u64) -> Option<Change> {
        let was_on = self.is_on();
        let is_refused = std::mem::replace(&mut self.refused, false);
        self.descriptors = self.descriptors && (is_refused || open >= self.end_below);
        if was_on && !self.is_on() {
            Some(Change::Ended)
        } else {
            None
        }
    }

    /// So much memory is left, of so much, in octets.
    pub(crate) const fn handle_memory(&mut self, available: u64, total: u64) -> Option<Change> {
        let was_on = self.is_on();
        let bound = if self.memory {
            total / MEMORY_END
        } else {
            total / MEMORY_BEGIN
        };
        self.memory = available < bound;
        match (was_on, self.is_on()) {
            (false, true) => Some(Change::Begun(Scarce::Memory)),
            (true, false) => Some(Change::Ended),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Input {
        Accepted(u64),
        Shortage,
        Count(u64),
        Memory(u64),
    }

    #[test]
    fn begins_early_and_ends_late() {
        use Input::{Accepted, Count, Memory, Shortage};
        const BEGUN: Option<Change> = Some(Change::Begun(Scarce::Descriptors));
        const BY_MEMORY: Option<Change> = Some(Change::Begun(Scarce::Memory));
        const ENDED: Option<Change> = Some(Change::Ended);
        // 800 descriptors, 3200 octets of memory.
        let cases: [&[(Input, Option<Change>)]; 5] = [
            &[
                (Accepted(699), None),
                (Accepted(700), BEGUN),
                (Accepted(9), None),
            ],
            &[
                (Accepted(750), BEGUN),
                (Accepted(751), None),
                (Count(600), None),
                (Count(599), ENDED),
                (Count(700), None),
                (Accepted(700), BEGUN),
            ],
            // Another process may have them all.
            &[
                (Shortage, BEGUN),
                (Shortage, None),
                (Count(3), None),
                (Shortage, None),
                (Count(3), None),
                (Count(3), ENDED),
            ],
            &[
                (Memory(100), None),
                (Memory(99), BY_MEMORY),
                (Memory(199), None),
                (Memory(200), ENDED),
                (Memory(101), None),
            ],
            // Both: it ends with the last of them.
            &[
                (Memory(0), BY_MEMORY),
                (Accepted(700), None),
                (Memory(3200), None),
                (Count(0), ENDED),
            ],
        ];
        for (number, case) in cases.into_iter().enumerate() {
            let mut shed = Shed::new(800);
            for (input, expected) in case {
                let change = match *input {
                    Accepted(descriptor) => shed.handle_accepted(descriptor),
                    Shortage => shed.handle_shortage(),
                    Count(open) => shed.handle_count(open),
                    Memory(available) => shed.handle_memory(available, 3_200),
                };
                assert_eq!(change, *expected, "case {number}, {input:?}");
            }
        }
    }
}
