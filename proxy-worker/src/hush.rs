//! Lines of the log that many connections would write.

use std::cell::Cell;
use std::time::Duration;

/// Between two lines.
const SILENCE: Duration = Duration::from_secs(1);

/// Lets one line through a second, which says of how many it is the first.
#[derive(Debug, Default)]
pub(crate) struct Hush {
    silent_until: Cell<Duration>,
    held: Cell<u64>,
}

impl Hush {
    /// Whether the line may be written `now`: with the number of those that were held back since the
    /// last one.
    pub(crate) fn pass(&self, now: Duration) -> Option<u64> {
        if now < self.silent_until.get() {
            self.held.set(self.held.get() + 1);
            return None;
        }
        self.silent_until.set(now + SILENCE);
        Some(self.held.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_tells_of_the_others() {
        let hush = Hush::default();
        let cases = [
            (0, Some(0)),
            (1, None),
            (999, None),
            (1_000, Some(2)),
            (1_500, None),
            (9_000, Some(1)),
        ];
        for (now, expected) in cases {
            assert_eq!(hush.pass(Duration::from_millis(now)), expected, "{now}");
        }
    }
}
