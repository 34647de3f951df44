//! What the checksums of version 3 over IPv4 are over (RFC 9568 §5.2.8, and how others read
//! RFC 5798).

use std::time::Duration;

use core_vrrp::{ChecksumForm, Effect, Effects, Event, Router, Spec, Time, encode};

use crate::packets::*;
use crate::play::*;

/// What is sent, and when it is told that peers send something else.
#[test]
fn the_form_of_checksums_follows_the_peers_unless_it_is_set() {
    use ChecksumForm::{Message, PseudoHeader};
    /// What is set; then what is heard, what is sent from then on, and whether that is told.
    type Case = (
        Option<ChecksumForm>,
        &'static [(ChecksumForm, ChecksumForm, bool)],
    );
    let cases: [Case; 3] = [
        (
            None,
            &[
                (PseudoHeader, PseudoHeader, false),
                (Message, Message, false),
                (PseudoHeader, PseudoHeader, false),
            ],
        ),
        (
            Some(PseudoHeader),
            &[
                (PseudoHeader, PseudoHeader, false),
                (Message, PseudoHeader, true),
                (Message, PseudoHeader, false),
                (PseudoHeader, PseudoHeader, false),
                (Message, PseudoHeader, true),
            ],
        ),
        (
            Some(Message),
            &[(Message, Message, false), (PseudoHeader, Message, true)],
        ),
    ];
    for (set, steps) in cases {
        let mut router = started(Spec {
            checksum: set,
            ..Is::V3.spec()
        });
        assert_eq!(router.checksum(), set.unwrap_or(PseudoHeader));
        let mut message_only = 0;
        for (heard, sent, is_told) in steps {
            let effects = hear_form(&mut router, *heard);
            assert_eq!(router.checksum(), *sent, "{set:?}, {heard:?} heard");
            let differs = Effect::ChecksumDiffers {
                source: PEER,
                heard: *heard,
            };
            let told = is_told.then_some(differs);
            assert_eq!(effects, Vec::from_iter(told), "{set:?}, {heard:?} heard");
            message_only += u64::from(*heard == Message);
            assert_eq!(router.counters().message_only_checksums, message_only);
        }
    }
}

/// Version 2 and IPv6 know one form each, from which nothing follows.
#[test]
fn where_there_is_one_form_nothing_is_told() {
    for is in [Is::V2, Is::V6] {
        for set in [ChecksumForm::Message, ChecksumForm::PseudoHeader] {
            let mut router = started(Spec {
                checksum: Some(set),
                ..is.spec()
            });
            assert_eq!(is.packet().heard_by(&mut router), [], "{is:?}, {set:?}");
            assert_eq!(router.counters().received, 1);
        }
    }
}

fn hear_form(router: &mut Router, form: ChecksumForm) -> Vec<Effect> {
    let spec = router.spec().clone();
    let heard = received(&spec, PEER, 210, spec.protocol);
    let mut octets = Vec::new();
    encode(&heard.advert, heard.route, form, 1, &mut octets);
    let mut effects = Effects::default();
    let event = Event::of_packet(&octets);
    router.handle(Time(Duration::from_secs(1)), event, &mut effects);
    effects.drain().collect()
}
