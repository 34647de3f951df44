//! Rule 36: floods of frames that `h2` has no limit for.

use core_http2::{Excess, Flood};

fn frame(kind: u8, payload: usize) -> Vec<u8> {
    let length = u8::try_from(payload).expect("a short frame");
    let mut octets = vec![0, 0, length, kind, 0, 0, 0, 0, 0];
    octets.resize(9 + payload, 0xff);
    octets
}

#[test]
fn frames_over_the_limit_of_a_second_are_excess() {
    let cases = [
        (6, 100, Err(Excess::Ping)),
        (4, 50, Err(Excess::Settings)),
        (2, 200, Err(Excess::Idle)),
        (0xbe, 200, Err(Excess::Idle)),
        (0, 10_000, Ok(())),
        (8, 10_000, Ok(())),
    ];
    for (kind, limit, beyond) in cases {
        let mut flood = Flood::new(0);
        for _ in 0..limit {
            assert_eq!(flood.take(&frame(kind, 8), 7), Ok(()), "{kind}");
        }
        assert_eq!(flood.take(&frame(kind, 8), 7), beyond, "{kind}");
        // Another second, another budget.
        assert_eq!(flood.take(&frame(kind, 8), 8), Ok(()), "{kind}");
    }
}

#[test]
fn frames_are_told_apart_wherever_reads_end() {
    let mut octets = vec![b'P'; 24];
    for _ in 0..101 {
        // The payload looks like the head of another frame.
        octets.extend_from_slice(&frame(6, 8));
        octets.extend_from_slice(&frame(0, 30));
    }
    for size in [1, 2, 7, 9, 10, 1000] {
        let mut flood = Flood::new(24);
        let mut pings = 0;
        let mut result = Ok(());
        for piece in octets.chunks(size) {
            result = flood.take(piece, 0);
            pings += 1;
            if result.is_err() {
                break;
            }
        }
        assert_eq!(result, Err(Excess::Ping), "{size}: {pings}");
    }
}
