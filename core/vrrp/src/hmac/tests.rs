use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

/// 16 April 2025, 19:07:44.5 UTC: what the published vectors carry.
const NOW: WallTime = WallTime(Duration::new(0x6800_0000, 500_000_000));
const FIVE_SECONDS: AntiReplay = AntiReplay::Time {
    window: Duration::from_secs(5),
};
const SOURCE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10));
const SOURCE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x10));

/// The vectors of the draft's appendix: header, address, trailer, HMAC.
const VECTOR_V4: &str = "3133c80100644402 c0000264 \
                         010100006800000080000000 1b84bc4e8e43892dc6d98448f8ee2265";
const VECTOR_V6: &str = "3133c8010064a2e9 fe800000000000000000000000000100 \
                         010100006800000080000000 c8c56146ebfd66ee10ec4d8186461b78";

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap())
        .collect()
}

fn id(number: u8) -> NonZeroU8 {
    NonZeroU8::new(number).unwrap()
}

/// 00 01 02 .. 1f, the key of the vectors.
fn published_key() -> Key {
    let octets: Vec<u8> = (0..32).collect();
    Key::new(&octets).unwrap()
}

fn other_key() -> Key {
    Key::new(&[0xee; 64]).unwrap()
}

fn auth(mode: Mode, anti_replay: AntiReplay) -> HmacAuth {
    HmacAuth::new(vec![(id(1), published_key())], id(1), mode, anti_replay).unwrap()
}

/// A receiver that has heard nothing yet.
struct Receiver {
    auth: HmacAuth,
    sequences: Sequences,
}

impl Receiver {
    fn new(auth: HmacAuth) -> Self {
        Self {
            auth,
            sequences: Sequences::new(1),
        }
    }

    /// A message with its trailer, the last 28 octets.
    fn hears(&mut self, packet: &[u8], source: IpAddr, now: WallTime) -> Result<(), Discard> {
        let (message, trailer) = packet.split_at(packet.len() - TRAILER);
        let signed = Signed::read(message_of(message, source), trailer).unwrap();
        self.auth.admit(Some(&signed), &mut self.sequences, now)
    }
}

fn message_of(octets: &[u8], source: IpAddr) -> Message<'_> {
    let (head, addresses) = octets.split_first_chunk().unwrap();
    Message {
        source,
        head,
        addresses,
    }
}

fn later(seconds: u64) -> WallTime {
    WallTime(NOW.0 + Duration::from_secs(seconds))
}

fn earlier(seconds: u64) -> WallTime {
    WallTime(NOW.0 - Duration::from_secs(seconds))
}

#[test]
fn the_published_vectors_are_written_octet_for_octet() {
    for (vector, source) in [(VECTOR_V4, SOURCE_V4), (VECTOR_V6, SOURCE_V6)] {
        let packet = octets(vector);
        let (message, trailer) = packet.split_at(packet.len() - TRAILER);
        let signature = auth(Mode::Enforce, FIVE_SECONDS)
            .sign(&mut Sequences::new(1), NOW)
            .unwrap();
        assert_eq!(signature.trailer(&message_of(message, source)), trailer);
    }
}

#[test]
fn what_is_changed_is_found_out() {
    use Discard as D;
    // (what is changed by one bit, its place from the begin or from the end, what is said of it)
    let cases = [
        ("nothing", None, Ok(())),
        ("version", Some(0), Err(D::HmacWrong)),
        ("vrid", Some(1), Err(D::HmacWrong)),
        ("priority", Some(2), Err(D::HmacWrong)),
        ("count", Some(3), Err(D::HmacWrong)),
        ("interval", Some(4), Err(D::HmacWrong)),
        ("interval", Some(5), Err(D::HmacWrong)),
        // It is written after the HMAC, by the kernel in some implementations.
        ("checksum", Some(6), Ok(())),
        ("checksum", Some(7), Ok(())),
        ("address", Some(8), Err(D::HmacWrong)),
        ("last of the address", Some(-29), Err(D::HmacWrong)),
        ("type", Some(-28), Err(D::HmacMalformed)),
        ("key id", Some(-27), Err(D::HmacUnknownKey)),
        ("reserved", Some(-26), Err(D::HmacMalformed)),
        ("reserved", Some(-25), Err(D::HmacMalformed)),
        ("seconds", Some(-21), Err(D::HmacWrong)),
        ("fraction", Some(-19), Err(D::HmacWrong)),
        ("counter", Some(-17), Err(D::HmacWrong)),
        ("HMAC", Some(-16), Err(D::HmacWrong)),
        ("last of the HMAC", Some(-1), Err(D::HmacWrong)),
    ];
    for (vector, source) in [(VECTOR_V4, SOURCE_V4), (VECTOR_V6, SOURCE_V6)] {
        for (what, place, expected) in cases {
            let mut packet = octets(vector);
            if let Some(place) = place {
                let place: isize = place;
                let end = packet.len().checked_add_signed(place);
                let place = usize::try_from(place).ok().or(end).unwrap();
                packet[place] ^= 1;
            }
            let mut receiver = Receiver::new(auth(Mode::Enforce, FIVE_SECONDS));
            assert_eq!(receiver.hears(&packet, source, NOW), expected, "{what}");
        }
    }
}

#[test]
fn an_advert_is_bound_to_its_sender() {
    let mut receiver = Receiver::new(auth(Mode::Enforce, FIVE_SECONDS));
    let packet = octets(VECTOR_V4);
    let another = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 11));
    let outcome = receiver.hears(&packet, another, NOW);
    assert_eq!(outcome, Err(Discard::HmacWrong));
    // The same octets as an IPv6 address.
    let mapped = IpAddr::V6(Ipv6Addr::new(0xc633, 0x640a, 0, 0, 0, 0, 0, 0));
    let outcome = receiver.hears(&packet, mapped, NOW);
    assert_eq!(outcome, Err(Discard::HmacWrong));
}

#[test]
fn the_same_advert_is_heard_once_by_each() {
    for anti_replay in [FIVE_SECONDS, AntiReplay::Monotonic] {
        let packet = octets(VECTOR_V6);
        let mut receiver = Receiver::new(auth(Mode::Enforce, anti_replay));
        let mut second = Receiver::new(auth(Mode::Enforce, anti_replay));
        assert_eq!(receiver.hears(&packet, SOURCE_V6, NOW), Ok(()));
        let again = receiver.hears(&packet, SOURCE_V6, NOW);
        assert_eq!(again, Err(Discard::HmacReplay));
        assert_eq!(second.hears(&packet, SOURCE_V6, NOW), Ok(()));
    }
}

#[test]
fn a_wrong_advert_is_not_remembered() {
    let packet = octets(VECTOR_V4);
    let mut forged = packet.clone();
    forged[2] = 255;
    let mut receiver = Receiver::new(auth(Mode::Enforce, FIVE_SECONDS));
    let outcome = receiver.hears(&forged, SOURCE_V4, NOW);
    assert_eq!(outcome, Err(Discard::HmacWrong));
    assert_eq!(receiver.hears(&packet, SOURCE_V4, NOW), Ok(()));
}

#[test]
fn clocks_may_differ_by_the_window() {
    let stale = Err(Discard::HmacStale);
    // (the receiver's clock, what it says with a window of 5 s)
    let cases = [
        (earlier(100), stale),
        (earlier(6), stale),
        (earlier(5), Ok(())),
        (later(5), Ok(())),
        (later(6), stale),
        (later(100), stale),
    ];
    for (now, expected) in cases {
        let packet = octets(VECTOR_V4);
        let mut receiver = Receiver::new(auth(Mode::Enforce, FIVE_SECONDS));
        assert_eq!(receiver.hears(&packet, SOURCE_V4, now), expected, "{now:?}");
        let mut receiver = Receiver::new(auth(Mode::Enforce, AntiReplay::Monotonic));
        assert_eq!(receiver.hears(&packet, SOURCE_V4, now), Ok(()), "{now:?}");
    }
}

#[test]
fn what_is_cheap_is_checked_first() {
    let mut receiver = Receiver::new(auth(Mode::Enforce, FIVE_SECONDS));
    let mut packet = octets(VECTOR_V4);
    let length = packet.len();
    packet[length - 1] ^= 1;
    packet[length - 27] ^= 1;
    let outcome = receiver.hears(&packet, SOURCE_V4, NOW);
    assert_eq!(outcome, Err(Discard::HmacUnknownKey));
    let outcome = receiver.hears(&packet, SOURCE_V4, later(100));
    assert_eq!(outcome, Err(Discard::HmacStale));
    packet[length - 28] ^= 1;
    let outcome = receiver.hears(&packet, SOURCE_V4, later(100));
    assert_eq!(outcome, Err(Discard::HmacMalformed));
}

#[test]
fn modes_differ_in_what_has_no_trailer() {
    let missing = Err(Discard::HmacMissing);
    // (mode, whether it signs, what it says to an advert without a trailer)
    let cases = [
        (Mode::Enforce, true, missing),
        (Mode::Permissive, true, Ok(())),
        (Mode::ReceiveOnly, false, Ok(())),
    ];
    for (mode, signs, unsigned) in cases {
        let auth = auth(mode, FIVE_SECONDS);
        let mut sequences = Sequences::new(1);
        let signature = auth.sign(&mut sequences, NOW);
        assert_eq!(signature.is_some(), signs, "{mode:?}");
        let outcome = auth.admit(None, &mut sequences, NOW);
        assert_eq!(outcome, unsigned, "{mode:?}");
        let mut receiver = Receiver::new(auth);
        let mut packet = octets(VECTOR_V4);
        assert_eq!(receiver.hears(&packet, SOURCE_V4, NOW), Ok(()), "{mode:?}");
        packet[2] = 255;
        let outcome = receiver.hears(&packet, SOURCE_V4, NOW);
        assert_eq!(outcome, Err(Discard::HmacWrong), "{mode:?}");
    }
}

#[test]
fn keys_change_without_a_gap() {
    let (old, new) = ((id(1), published_key()), (id(2), other_key()));
    let with = |keys: &[(NonZeroU8, Key)], active| {
        HmacAuth::new(keys.to_vec(), id(active), Mode::Enforce, FIVE_SECONDS).unwrap()
    };
    let both = [old.clone(), new.clone()];
    let steps = [
        with(&[old], 1),
        with(&both, 1),
        with(&both, 2),
        with(&[new], 2),
    ];
    let mut packet = octets(VECTOR_V4);
    let length = packet.len();
    let hears = |receiver: &HmacAuth, packet: &[u8]| {
        Receiver::new(receiver.clone()).hears(packet, SOURCE_V4, NOW)
    };
    for neighbours in steps.windows(2) {
        for (sender, receiver) in [(0, 1), (1, 0)] {
            let sender = &neighbours[sender];
            let signature = sender.sign(&mut Sequences::new(1), NOW).unwrap();
            let (message, trailer) = packet.split_at_mut(length - TRAILER);
            trailer.copy_from_slice(&signature.trailer(&message_of(message, SOURCE_V4)));
            assert_eq!(hears(&neighbours[receiver], &packet), Ok(()));
        }
    }
    // The first step does not know the key of the last.
    let outcome = hears(&steps[0], &packet);
    assert_eq!(outcome, Err(Discard::HmacUnknownKey));
    assert_eq!(
        HmacAuth::new(vec![], id(1), Mode::Enforce, FIVE_SECONDS),
        None
    );
}

#[test]
fn keys_have_32_to_64_octets() {
    for (length, is_key) in [(0, false), (31, false), (32, true), (64, true), (65, false)] {
        assert_eq!(Key::new(&vec![7; length]).is_some(), is_key, "{length}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let key = Key::new(&[b'A'; 32]).unwrap();
    let auth = HmacAuth::new(vec![(id(9), key)], id(9), Mode::Enforce, FIVE_SECONDS).unwrap();
    let signature = auth.sign(&mut Sequences::new(1), NOW);
    let shown = format!("{auth:?} {signature:?}");
    assert!(shown.contains("Key(..)"), "{shown}");
    assert!(!shown.contains("65, 65"), "{shown}");
    assert!(!shown.contains("AAAA"), "{shown}");
}

#[test]
fn a_trailer_has_28_octets() {
    let packet = octets(VECTOR_V4);
    let (message, trailer) = packet.split_at(packet.len() - TRAILER);
    let message = message_of(message, SOURCE_V4);
    for length in 0..40 {
        let mut octets = trailer.to_vec();
        octets.resize(length, 0);
        let is_trailer = Signed::read(message, &octets).is_some();
        assert_eq!(is_trailer, length == 28, "{length}");
    }
}

proptest! {
    #[test]
    fn what_a_key_holder_signs_is_listened_to_as_long_as_nobody_changes_it(
        secret in prop::collection::vec(any::<u8>(), 32..=64),
        key_id in 1..=255_u8,
        v6 in any::<bool>(),
        message in prop::collection::vec(any::<u8>(), 8..300),
        seconds in any::<u32>(),
        nanos in 0..1_000_000_000_u32,
        (place, bit) in (any::<prop::sample::Index>(), 0..8_u32),
    ) {
        let now = WallTime(Duration::new(seconds.into(), nanos));
        let source = if v6 { SOURCE_V6 } else { SOURCE_V4 };
        let keys = vec![(id(key_id), Key::new(&secret).unwrap())];
        let auth = HmacAuth::new(keys, id(key_id), Mode::Enforce, FIVE_SECONDS).unwrap();
        let signature = auth.sign(&mut Sequences::new(1), now).unwrap();
        let mut packet = message.clone();
        packet.extend(signature.trailer(&message_of(&message, source)));

        let mut receiver = Receiver::new(auth);
        let place = place.index(packet.len());
        packet[place] ^= 1_u8 << bit;
        let is_checksum = place == 6 || place == 7;
        let outcome = receiver.hears(&packet, source, now);
        prop_assert_eq!(outcome.is_ok(), is_checksum);
        packet[place] ^= 1_u8 << bit;
        let outcome = receiver.hears(&packet, source, now);
        prop_assert_eq!(outcome.is_ok(), !is_checksum);
    }
}
