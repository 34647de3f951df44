//! Rule 36: floods of frames that `h2` has no limit for; and errors that have names of their own.

use core_http2::{Frames, Offence};

/// A frame with `flags`, of stream 1 where its kind has a stream.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    let mut octets = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
    octets.extend_from_slice(payload);
    octets
}

#[test]
fn frames_over_the_limit_of_a_second_are_an_offence() {
    let cases: [(u8, usize, u32, _); 7] = [
        (6, 8, 100, Err(Offence::Flood)),
        (4, 6, 50, Err(Offence::Flood)),
        (2, 5, 200, Err(Offence::Flood)),
        (0xbe, 3, 200, Err(Offence::Flood)),
        (0, 3, 10_000, Ok(())),
        (0, 0, 200, Err(Offence::Flood)),
        (8, 4, 100_000, Err(Offence::Flood)),
    ];
    for (kind, length, limit, beyond) in cases {
        let mut frames = Frames::new(0);
        let mut frame = frame(kind, 0, &vec![1; length]);
        for _ in 0..limit {
            assert_eq!(frames.take(&mut frame, 7), Ok(()), "{kind}");
        }
        assert_eq!(frames.take(&mut frame, 7), beyond, "{kind}");
        // Another second, another budget.
        assert_eq!(frames.take(&mut frame, 8), Ok(()), "{kind}");
    }
}

#[test]
fn errors_are_told_apart() {
    let cases: [(Vec<u8>, _); 15] = [
        (frame(6, 0, &[0; 7]), Err(Offence::Size)),
        (frame(2, 0, &[0; 4]), Err(Offence::Size)),
        (frame(3, 0, &[0; 3]), Err(Offence::Size)),
        (frame(8, 0, &[0; 3]), Err(Offence::Size)),
        (frame(4, 0, &[0; 5]), Err(Offence::Size)),
        (frame(4, 1, &[0; 6]), Err(Offence::Size)),
        (frame(4, 1, &[]), Ok(())),
        (
            frame(4, 0, &[0, 3, 0xff, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff]),
            Ok(()),
        ),
        (
            frame(4, 0, &[0, 3, 0xff, 0, 0, 0, 0, 4, 0x80, 0, 0, 0]),
            Err(Offence::Window),
        ),
        ([frame(1, 4, &[0]), frame(0, 1, &[0])].concat(), Ok(())),
        (
            [frame(1, 5, &[0]), frame(0, 0, &[0])].concat(),
            Err(Offence::Ended),
        ),
        // A push, whether its header block is whole or not.
        (frame(5, 4, &[0; 5]), Err(Offence::Push)),
        (frame(5, 0, &[0; 5]), Err(Offence::Push)),
        // What interrupts a header block is for h2 to judge.
        ([frame(1, 1, &[0]), frame(0, 0, &[0])].concat(), Ok(())),
        (
            [frame(3, 0, &[0; 4]), frame(1, 0, &[0])].concat(),
            Err(Offence::Ended),
        ),
    ];
    for (mut octets, expected) in cases {
        for size in [1, 5, 100] {
            let mut frames = Frames::new(0);
            let mut pieces = octets.chunks_mut(size);
            let result = pieces.try_for_each(|piece| frames.take(piece, 0));
            assert_eq!(result, expected, "{octets:?}");
        }
    }
}

#[test]
fn frames_are_told_apart_wherever_reads_end() {
    let mut octets = vec![b'P'; 24];
    for _ in 0..101 {
        // The payload looks like the head of another frame.
        octets.extend_from_slice(&frame(6, 0, &[0, 0, 0, 6, 0, 0, 0, 0]));
        octets.extend_from_slice(&frame(0, 0, &[4; 30]));
    }
    for size in [1, 2, 7, 9, 10, 1000] {
        let mut frames = Frames::new(24);
        let mut pieces = octets.chunks_mut(size);
        let result = pieces.try_for_each(|piece| frames.take(piece, 0));
        assert_eq!(result, Err(Offence::Flood), "{size}");
    }
}

/// A GOAWAY of this stream.
fn goaway(stream: u8, payload: &[u8]) -> Vec<u8> {
    let mut octets = frame(7, 0, payload);
    octets[8] = stream;
    octets
}

/// Rule 33: a client that says that it leaves says nothing about its own requests.
#[test]
fn goaway_of_a_client_is_passed_over() {
    let ping = frame(6, 0, &[0; 8]);
    let cases = [
        // Octets of the preface, the frame, the kind that it has then.
        (24, goaway(0, &[0; 8]), 0xff),
        (24, goaway(0, &[7; 30]), 0xff),
        // A server's is heard.
        (0, goaway(0, &[0; 8]), 7),
        // What is wrong is for h2 to judge.
        (24, goaway(1, &[0; 8]), 7),
        (24, goaway(0, &[0; 7]), 7),
    ];
    for (preface, goaway, kind) in cases {
        let octets = [vec![b'P'; preface].as_slice(), &ping, &goaway, &ping].concat();
        let mut expected = octets.clone();
        expected[preface + ping.len() + 3] = kind;
        // In one read, and in two that part before the frame.
        for size in [octets.len(), preface + ping.len()] {
            let mut taken = octets.clone();
            let mut frames = Frames::new(preface);
            let mut pieces = taken.chunks_mut(size);
            let result = pieces.try_for_each(|piece| frames.take(piece, 0));
            assert_eq!(result, Ok(()), "{octets:?}");
            assert_eq!(taken, expected);
        }
    }
    let mut frames = Frames::new(24);
    assert_eq!(frames.take(&mut [b'P'; 24], 0), Ok(()));
    let flood = (0..=200).try_for_each(|_| frames.take(&mut goaway(0, &[0; 8]), 0));
    assert_eq!(flood, Err(Offence::Flood));
}
