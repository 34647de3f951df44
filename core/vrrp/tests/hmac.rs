//! Signed adverts from router to router: what is on the wire, and what is made of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;
use std::time::Duration;

use core_vrrp::diagnosis::{Link, Observations, Sighting, diagnose};
use core_vrrp::{
    Advert, AnnouncePlan, AntiReplay, Auth, Centiseconds, ChecksumForm, Discard, Effect, Effects,
    Event, Failback, Found, HmacAuth, Key, Mode, OnUnhealthy, Priority, Protocol, Route, Router,
    Seconds, Spec, TTL, Time, Transport, Vrid, WallTime, decode, decode_ipv6, encode,
    encode_signed,
};

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 20));
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100));
const A6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x10));
const B6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x20));
const VIP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100));

/// What the published vectors carry.
const WALL: WallTime = WallTime(Duration::new(0x6800_0000, 500_000_000));
const TRAILER: usize = 28;

fn id(number: u8) -> NonZeroU8 {
    NonZeroU8::new(number).expect("not zero")
}

/// Key 1 is that of the published vectors.
fn auth(active: u8, mode: Mode) -> HmacAuth {
    let published: Vec<u8> = (0..32).collect();
    let keys = [(1, published), (2, vec![2; 64]), (3, vec![3; 32])];
    let named = |(number, octets): (u8, Vec<u8>)| (id(number), Key::new(&octets).expect("a key"));
    let anti_replay = AntiReplay::Time {
        window: Duration::from_secs(5),
    };
    HmacAuth::new(keys.map(named).to_vec(), id(active), mode, anti_replay).expect("it is there")
}

/// Two nodes of a virtual router, A with priority 200 and B with 100, or its IPv6 twin.
fn spec(source: IpAddr, hmac: Option<HmacAuth>) -> Spec {
    let (peer, address) = match source {
        A => (B, VIP),
        B => (A, VIP),
        A6 => (B6, VIP6),
        _ => (A6, VIP6),
    };
    let number = if source == A || source == A6 {
        200
    } else {
        100
    };
    Spec {
        vrid: Vrid::new(51).expect("in range"),
        protocol: Protocol::V3 {
            interval: Centiseconds::new(100).expect("in range"),
        },
        hmac,
        priority: Priority::new(number).expect("in range"),
        failback: Failback::Auto(Duration::ZERO),
        on_unhealthy: OnUnhealthy::Abdicate,
        checksum: Some(ChecksumForm::Message),
        source,
        transport: Transport::Unicast {
            peers: vec![peer],
            min_ttl: TTL,
        },
        addresses: vec![address],
        tracks: Vec::new(),
        track_proxy: true,
        is_grouped: false,
        lease: None,
        announce: AnnouncePlan {
            repeat: 0,
            interval: Duration::ZERO,
            delay: Duration::ZERO,
            refresh: Duration::ZERO,
        },
        startup_delay: Duration::ZERO,
        down_timer_adverts: 3,
    }
}

/// A started router with its effects, whose wall clock says [`WALL`] at the time zero.
struct Node {
    router: Router,
    effects: Effects,
}

impl Node {
    fn new(spec: Spec) -> Self {
        let mut node = Self {
            router: Router::new(spec),
            effects: Effects::default(),
        };
        node.tell(0, Event::WallClock(WALL));
        node.tell(0, Event::Start(Found::Nothing));
        node
    }

    fn tell(&mut self, now_ms: u64, event: Event<'_>) -> Vec<Effect> {
        let now = Time(Duration::from_millis(now_ms));
        self.router.handle(now, event, &mut self.effects);
        self.effects.drain().collect()
    }

    /// Its next advert on the wire.
    fn packet(&mut self, destination: IpAddr) -> Vec<u8> {
        let signature = self.router.sign();
        let route = Route {
            source: self.router.spec().source,
            destination,
        };
        let advert = self.router.advert(self.router.spec().priority);
        let form = self.router.checksum();
        let mut packet = Vec::new();
        match &signature {
            Some(signature) => encode_signed(&advert, signature, route, form, 1, &mut packet),
            None => encode(&advert, route, form, 1, &mut packet),
        }
        packet
    }

    /// Why it does not listen to a packet, if it does not.
    fn hear(&mut self, now_ms: u64, packet: &[u8]) -> Option<Discard> {
        let effects = self.tell(now_ms, Event::of_packet(packet));
        effects.iter().find_map(|effect| match effect {
            Effect::Discarded { reason, .. } => Some(*reason),
            _ => None,
        })
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn the_published_vectors_are_what_a_router_sends() {
    let packet = Node::new(spec(A, Some(auth(1, Mode::Enforce)))).packet(B);
    let (header, message) = packet.split_at(20);
    assert_eq!(header[2..4], [0, 60], "the length covers the trailer");
    assert_eq!(
        hex(message),
        "3133c80100644402c0000264\
         010100006800000080000000\
         1b84bc4e8e43892dc6d98448f8ee2265"
    );
    let packet = Node::new(spec(A6, Some(auth(1, Mode::Enforce)))).packet(B6);
    assert_eq!(
        hex(&packet),
        "3133c8010064a2e9fe800000000000000000000000000100\
         010100006800000080000000\
         c8c56146ebfd66ee10ec4d8186461b78"
    );
    let route = Route {
        source: A6,
        destination: B6,
    };
    let mut damaged = packet.clone();
    assert!(decode_ipv6(route, TTL, &packet).is_ok());
    damaged[51] ^= 1;
    let outcome = decode_ipv6(route, TTL, &damaged).map(|_| ());
    assert_eq!(outcome, Err(Discard::Checksum), "it covers the trailer");
}

#[test]
fn over_ipv4_no_checksum_covers_the_trailer() {
    for form in [ChecksumForm::Message, ChecksumForm::PseudoHeader] {
        let mut node = Node::new(Spec {
            checksum: Some(form),
            ..spec(A, Some(auth(1, Mode::Enforce)))
        });
        let mut packet = node.packet(B);
        let last = packet.len() - 1;
        packet[last] ^= 1;
        let received = decode(&packet).expect("whole");
        assert_eq!(received.checksum, form);
        assert!(received.signed.is_some());
    }
}

#[test]
fn who_listens_to_whom() {
    use Discard as D;
    use Mode::{Enforce, Permissive, ReceiveOnly};
    let signs = |active, mode| Some(auth(active, mode));
    let cases = [
        // Without authentication.
        (None, None, None),
        (signs(1, Enforce), None, Some(D::HmacUnexpected)),
        (signs(1, Permissive), None, Some(D::HmacUnexpected)),
        (signs(1, ReceiveOnly), None, None),
        // The first step of a rollout.
        (None, signs(1, ReceiveOnly), None),
        (signs(1, ReceiveOnly), signs(1, ReceiveOnly), None),
        (signs(1, Permissive), signs(1, ReceiveOnly), None),
        // The second.
        (None, signs(1, Permissive), None),
        (signs(1, ReceiveOnly), signs(1, Permissive), None),
        (signs(1, Permissive), signs(1, Permissive), None),
        (signs(1, Enforce), signs(1, Permissive), None),
        // The third.
        (None, signs(1, Enforce), Some(D::HmacMissing)),
        (
            signs(1, ReceiveOnly),
            signs(1, Enforce),
            Some(D::HmacMissing),
        ),
        (signs(1, Permissive), signs(1, Enforce), None),
        (signs(1, Enforce), signs(1, Enforce), None),
        // While keys change.
        (signs(2, Enforce), signs(1, Enforce), None),
        (signs(1, Enforce), signs(2, Enforce), None),
    ];
    for (sender, receiver, expected) in cases {
        let packet = Node::new(spec(A, sender.clone())).packet(B);
        let mut node = Node::new(spec(B, receiver.clone()));
        let outcome = node.hear(100, &packet);
        assert_eq!(outcome, expected, "{sender:?} to {receiver:?}");
        let counters = node.router.counters();
        assert_eq!(counters.received, u64::from(expected.is_none()));
        for reason in Discard::ALL {
            let count = u64::from(Some(reason) == expected);
            assert_eq!(counters.discarded(reason), count, "{reason:?}");
        }
    }
}

#[test]
fn what_is_forged_changes_nothing() {
    let mut receiver = Node::new(spec(B, Some(auth(1, Mode::Enforce))));
    let due = receiver.router.poll_timeout();
    let guessed = vec![(id(1), Key::new(&[9; 32]).expect("a key"))];
    let forger = HmacAuth::new(guessed, id(1), Mode::Enforce, AntiReplay::Monotonic);
    let packet = Node::new(spec(A, forger)).packet(B);
    assert_eq!(receiver.hear(100, &packet), Some(Discard::HmacWrong));
    assert_eq!(receiver.router.poll_timeout(), due);
    assert_eq!(receiver.router.master(), None);
}

#[test]
fn adverts_of_one_moment_are_told_apart_and_heard_once() {
    let mut sender = Node::new(spec(A, Some(auth(1, Mode::Enforce))));
    let mut receiver = Node::new(spec(B, Some(auth(1, Mode::Enforce))));
    let (first, second) = (sender.packet(B), sender.packet(B));
    assert_eq!(receiver.hear(100, &first), None);
    assert_eq!(receiver.hear(100, &second), None);
    for old in [&first, &second] {
        assert_eq!(receiver.hear(200, old), Some(Discard::HmacReplay));
    }
    let reload = spec(B, Some(auth(2, Mode::Enforce)));
    receiver.tell(300, Event::Reload(Box::new(reload)));
    let after = receiver.hear(300, &second);
    assert_eq!(after, Some(Discard::HmacReplay), "a reload forgets nothing");
}

#[test]
fn the_clock_goes_on_between_two_looks_at_it() {
    let mut sender = Node::new(spec(A, Some(auth(1, Mode::Enforce))));
    let mut receiver = Node::new(spec(B, Some(auth(1, Mode::Enforce))));
    let early = sender.packet(B);
    sender.tell(60_000, Event::MayLead);
    let late = sender.packet(B);
    assert_eq!(receiver.hear(60_000, &early), Some(Discard::HmacStale));
    assert_eq!(receiver.hear(60_000, &late), None);
    // Somebody sets the receiver's clock, then the sender's.
    let set = || Event::WallClock(WallTime(WALL.0 + Duration::from_secs(3_600)));
    receiver.tell(61_000, set());
    let packet = sender.packet(B);
    assert_eq!(receiver.hear(61_000, &packet), Some(Discard::HmacStale));
    sender.tell(62_000, set());
    let packet = sender.packet(B);
    assert_eq!(receiver.hear(62_000, &packet), None);
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out() {
    let mut sender = Node::new(spec(A, Some(auth(1, Mode::Enforce))));
    let mut receiver = Node::new(spec(B, Some(auth(1, Mode::Enforce))));
    assert_eq!(receiver.hear(0, &sender.packet(B)), None);
    // (when, how far behind what they were at first both clocks are set then)
    for (now_ms, back_s) in [(1_000, 2), (2_000, 3_600)] {
        for node in [&mut sender, &mut receiver] {
            let set = WALL.0 - Duration::from_secs(back_s);
            node.tell(now_ms, Event::WallClock(WallTime(set)));
        }
        let packet = sender.packet(B);
        assert_eq!(receiver.hear(now_ms, &packet), None, "{back_s} s back");
    }
}

#[test]
fn what_follows_a_message_is_a_trailer_or_nothing() {
    let signed = Node::new(spec(A, Some(auth(1, Mode::Enforce)))).packet(B);
    let plain = signed.len() - TRAILER;
    for extra in 0..40 {
        let mut packet = signed.clone();
        packet.resize(plain + extra, 0);
        let length = u8::try_from(packet.len()).expect("short");
        packet[3] = length;
        let outcome = decode(&packet).map(|received| received.signed.is_some());
        let expected = match extra {
            0 => Ok(false),
            TRAILER => Ok(true),
            _ => Err(Discard::Length),
        };
        assert_eq!(outcome, expected, "{extra} octets");
    }
}

/// keepalived signs version 2 too; the draft does not, and we refuse to.
#[test]
fn a_trailer_of_version_2_is_known_as_one() {
    let mut signer = Node::new(spec(A, Some(auth(1, Mode::Enforce))));
    let advert = Advert {
        protocol: Protocol::V2 {
            interval: Seconds::new(1).expect("in range"),
            auth: Auth::None,
        },
        vrid: Vrid::new(51).expect("in range"),
        priority: Priority::LEAST,
        addresses: [VIP].as_slice().into(),
    };
    let route = Route {
        source: A,
        destination: B,
    };
    let mut packet = Vec::new();
    let signature = signer.router.sign().expect("it signs");
    encode_signed(
        &advert,
        &signature,
        route,
        ChecksumForm::Message,
        1,
        &mut packet,
    );
    assert_eq!(packet.len(), 20 + 8 + 4 + 8 + TRAILER);
    let received = decode(&packet).expect("whole");
    assert_eq!(received.advert, advert);
    assert!(received.signed.is_some());
    let mut receiver = Node::new(Spec {
        protocol: advert.protocol,
        ..spec(B, None)
    });
    assert_eq!(receiver.hear(100, &packet), Some(Discard::HmacUnexpected));
}

#[test]
fn the_doctor_says_who_signs_and_who_does_not() {
    use Mode::{Enforce, Permissive, ReceiveOnly};
    let signs = |active, mode| Some(auth(active, mode));
    let unknown_key = || {
        let keys = vec![(id(7), Key::new(&[7; 32]).expect("a key"))];
        HmacAuth::new(keys, id(7), Enforce, AntiReplay::Monotonic)
    };
    let here = Duration::ZERO;
    let an_hour = Duration::from_secs(3_600);
    // (the other's, this node's, how far its clock is ahead, what is found and said)
    let cases = [
        (signs(1, Enforce), signs(1, Enforce), here, None),
        (
            signs(1, Permissive),
            None,
            here,
            Some((
                "hmac_unexpected",
                "they have an HMAC trailer, this node has no key",
            )),
        ),
        (
            None,
            signs(1, Enforce),
            here,
            Some((
                "hmac_missing",
                "they have no HMAC trailer, which this node enforces",
            )),
        ),
        (
            None,
            signs(1, Permissive),
            here,
            Some(("unsigned", "198.51.100.10 does not sign its adverts")),
        ),
        (signs(1, ReceiveOnly), None, here, None),
        (
            unknown_key(),
            signs(1, Enforce),
            here,
            Some((
                "hmac_unknown_key",
                "they are signed with a key that this node lacks",
            )),
        ),
        (
            signs(1, Enforce),
            signs(1, Enforce),
            an_hour,
            Some((
                "hmac_stale",
                "they are signed at another time than this node's clock has",
            )),
        ),
        (
            signs(1, Enforce),
            signs(1, Enforce),
            Duration::from_secs(4),
            Some(("clocks-apart", "apart; at 5s its adverts are not")),
        ),
        (
            signs(1, Enforce),
            signs(1, Enforce),
            Duration::from_secs(2),
            None,
        ),
    ];
    for (other, own, ahead, expected) in cases {
        let mut sender = Node::new(spec(A, other.clone()));
        let sighting = |number: u64| Sighting {
            at: Duration::from_millis(100 * number),
            mac: [2; 6],
            octets: sender.packet(B),
        };
        let seen = Observations {
            began: Some(WallTime(WALL.0 + ahead)),
            listened: Duration::from_secs(4),
            link: Some(Link {
                is_up: true,
                mac: [3; 6],
            }),
            packets: (0..4).map(sighting).collect(),
            delivered: vec![A; 4],
            answers: vec![(VIP, [2; 6])],
            ..Observations::default()
        };
        let diagnosis = diagnose(&spec(B, own.clone()), &[A, B], &seen);
        let found: Vec<(&str, String)> = (diagnosis.findings.iter())
            .filter(|finding| finding.code() != "checksum-form")
            .map(|finding| (finding.code(), format!("{finding}. {}.", finding.advice())))
            .collect();
        let codes: Vec<&str> = found.iter().map(|(code, _)| *code).collect();
        let expected_codes: Vec<&str> = expected.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, expected_codes, "{other:?} seen by {own:?}");
        for ((_, said), (_, part)) in found.iter().zip(expected) {
            assert!(said.contains(part), "{said}");
        }
    }
}
