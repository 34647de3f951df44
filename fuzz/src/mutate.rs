//! From good inputs to others.

/// The longest input, in octets.
const INPUT_MAX: usize = 16 * 1024;
/// Octets that often matter.
const TELLING: [u8; 16] = [
    0, 1, 2, 0x7f, 0x80, 0xfe, 0xff, b'0', b'f', b' ', b'\t', b'\r', b'\n', b':', b'"', b',',
];

/// The same numbers from the same seed (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let number = (mixed ^ (mixed >> 31)) >> 33;
        usize::try_from(number).unwrap_or_default() % bound.max(1)
    }

    fn octet(&mut self) -> u8 {
        if self.below(2) == 0 {
            TELLING[self.below(TELLING.len())]
        } else {
            u8::try_from(self.below(256)).unwrap_or_default()
        }
    }
}

/// One of `known`, changed in up to eight places.
pub(crate) fn mutate(known: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = known
        .get(dice.below(known.len()))
        .cloned()
        .unwrap_or_default();
    for _ in 0..=dice.below(8) {
        change(&mut input, known, dice);
    }
    input.truncate(INPUT_MAX);
    input
}

fn change(input: &mut Vec<u8>, known: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let end = (at + 1 + dice.below(16)).min(input.len());
    match dice.below(8) {
        0 | 1 => {
            if let Some(octet) = input.get_mut(at) {
                *octet = dice.octet();
            }
        }
        2 => {
            if let Some(octet) = input.get_mut(at) {
                *octet ^= 1 << dice.below(8);
            }
        }
        3 => {
            if let Some(octet) = input.get_mut(at) {
                *octet = octet.wrapping_add(if dice.below(2) == 0 { 1 } else { u8::MAX });
            }
        }
        4 => input.insert(at, dice.octet()),
        5 => {
            input.drain(at.min(end)..end);
        }
        6 => {
            let again: Vec<u8> = input.get(at..end).unwrap_or_default().to_vec();
            let to = dice.below(input.len() + 1);
            input.splice(to..to, again);
        }
        _ => {
            let other = known
                .get(dice.below(known.len()))
                .cloned()
                .unwrap_or_default();
            let from = dice.below(other.len() + 1);
            input.truncate(at);
            input.extend(other.get(from..).unwrap_or_default());
        }
    }
}
