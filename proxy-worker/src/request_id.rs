//! Names for requests, by which a line of one log is found in another.

use std::cell::Cell;
use std::hash::{BuildHasher as _, RandomState};

/// Octets of a name: hexadecimal digits, as nginx's `$request_id`.
pub(crate) const REQUEST_ID_LEN: usize = 32;

/// Makes names: a counter behind a keyed hash (SipHash), so that no two requests have the same and
/// nobody can tell from one what the next will be, without asking the system for random octets.
#[derive(Debug, Default)]
pub(crate) struct RequestIds {
    keys: RandomState,
    count: Cell<u64>,
}

impl RequestIds {
    /// The next name.
    pub(crate) fn next(&self) -> [u8; REQUEST_ID_LEN] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        let mut name = [0; REQUEST_ID_LEN];
        for (place, octet) in name.chunks_exact_mut(2).zip(self.next_key()) {
            place.copy_from_slice(&[digit(octet >> 4), digit(octet & 15)]);
        }
        name
    }

    /// Octets that nobody can foresee: a key of WebSocket.
    pub(crate) fn next_key(&self) -> [u8; 16] {
        let halves = u128::from(self.next_bits()) << 64 | u128::from(self.next_bits());
        halves.to_be_bytes()
    }

    fn next_bits(&self) -> u64 {
        let count = self.count.get();
        self.count.set(count.wrapping_add(1));
        self.keys.hash_one(count)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_digits_and_no_two_are_the_same() {
        let (ids, others) = (RequestIds::default(), RequestIds::default());
        let made: HashSet<_> = (0..1_000)
            .flat_map(|_| [ids.next(), others.next()])
            .collect();
        assert_eq!(made.len(), 2_000);
        for digits in made {
            assert!(
                digits
                    .iter()
                    .all(|digit| b"0123456789abcdef".contains(digit))
            );
        }
    }
}
