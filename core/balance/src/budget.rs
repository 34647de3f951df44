//! How many retries a group may have under way, so that a group in trouble is not given more to do
//! than it had.

/// Retries that may be under way however few requests are: a share of few requests is next to none,
/// and a few more harm nobody.
const RETRIES_MIN: u32 = 10;

/// The requests of one group that are under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    requests: u32,
    retries: u32,
}

impl Budget {
    /// A request begins.
    pub const fn handle_begin(&mut self) {
        self.requests += 1;
    }

    /// A request with so many retries that count is over.
    pub const fn handle_end(&mut self, retries: u32) {
        self.requests = self.requests.saturating_sub(1);
        self.retries = self.retries.saturating_sub(retries);
    }

    /// Whether one more retry stays within so many percent of the requests under way.
    pub fn allows(&self, percent: u8) -> bool {
        let share = u64::from(self.requests) * u64::from(percent) / 100;
        u64::from(self.retries) < share.max(u64::from(RETRIES_MIN))
    }

    /// A retry is decided; it counts from now on, and until its request ends.
    pub const fn handle_retry(&mut self) {
        self.retries += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_share_of_the_requests_and_ten_at_least() {
        let cases = [
            (1, 20, 10),
            (50, 20, 10),
            (55, 20, 11),
            (100, 20, 20),
            (100, 0, 10),
        ];
        for (requests, percent, allowed) in cases {
            let mut budget = Budget::default();
            (0..requests).for_each(|_| budget.handle_begin());
            let mut retries = 0;
            while budget.allows(percent) {
                budget.handle_retry();
                retries += 1;
            }
            assert_eq!(retries, allowed, "{requests} {percent}");
            budget.handle_end(retries);
            assert!(budget.allows(percent), "{requests} {percent}");
        }
    }
}
