//! Records of TLS of all sizes, read into room of all sizes: rustls takes no more octets while it has more
//! than 16 KiB that nobody has read, and what it does not take must not be lost.

use std::io::Write as _;
use std::task::{Context, Poll, Waker};

use super::costs::Wire;
use super::costs_tls::ends;
use crate::io::{Ciphertext, Io as _, Tls};

/// What a record can hold.
const FULL: usize = 16 * 1024;

/// Octets that are sent.
const OCTETS: usize = 200_000;

#[test]
fn what_is_sent_arrives_whatever_the_records_and_the_room() {
    let records: [&[usize]; 5] = [
        &[1_000],
        &[FULL],
        &[FULL, 40],
        &[FULL, 1, 1, 700],
        &[8_233, 31, FULL],
    ];
    for sizes in records {
        for room in [1, 18, 512, 4_097, 5_000, 9_000, FULL, 4 * FULL] {
            let sent: Vec<u8> = (0..=250).cycle().take(OCTETS).collect();
            assert_eq!(heard(&sent, sizes, room), sent, "{sizes:?} into {room}");
        }
    }
}

/// What of `sent`, in records of these sizes, is read with so much room.
fn heard(sent: &[u8], sizes: &[usize], room: usize) -> Vec<u8> {
    let (server, mut client) = ends();
    client.set_buffer_limit(None);
    let wire = Wire::new();
    let mut tls = Tls::new(wire.clone(), server.into(), Ciphertext::default());
    let mut cx = Context::from_waker(Waker::noop());
    let send = |client: &mut rustls::ClientConnection| {
        let mut octets = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut octets).unwrap();
        }
        wire.bring(&octets);
    };
    send(&mut client);
    while tls.poll_handshake(&mut cx).is_pending() {
        let octets = wire.take();
        let mut rest = octets.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets().unwrap();
        }
        send(&mut client);
    }
    let mut rest = sent;
    for &size in sizes.iter().cycle() {
        let (record, later) = rest.split_at(size.min(rest.len()));
        client.writer().write_all(record).unwrap();
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    send(&mut client);
    let mut heard = Vec::new();
    let mut room = vec![0; room];
    while let Poll::Ready(count) = tls.poll_read(&mut cx, &mut room) {
        heard.extend_from_slice(&room[..count.unwrap()]);
    }
    heard
}
