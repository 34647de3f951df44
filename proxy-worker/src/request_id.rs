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
        let mut name = [0; REQUEST_ID_LEN];
        let (places, _) = name.as_chunks_mut();
        for (place, octets) in places.iter_mut().zip(self.next_key().as_chunks().0) {
            *place = digits(u32::from_be_bytes(*octets));
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

/// Eight digits at once, each in an octet of its own.
fn digits(bits: u32) -> [u8; 8] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut octets = u64::from(bits);
    octets = (octets | octets << 16) & 0x0000_ffff_0000_ffff;
    octets = (octets | octets << 8) & 0x00ff_00ff_00ff_00ff;
    octets = (octets | octets << 4) & (0x0f * EACH);
    let letters = (octets + 6 * EACH) >> 4 & EACH;
    let from_nine_to_a = u64::from(b'a' - b'9' - 1);
    (octets + u64::from(b'0') * EACH + letters * from_nine_to_a).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn digits_are_those_of_the_number() {
        for bits in [0, 0x0123_4567, 0x89ab_cdef, u32::MAX, 0x0a00_0009] {
            assert_eq!(digits(bits), *format!("{bits:08x}").as_bytes());
        }
    }

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
