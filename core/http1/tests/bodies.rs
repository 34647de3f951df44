//! Bodies: what ends them, what passes, what is refused (RFC 9112 §6 and §7).

use core_http1::{Body, BodyFault, BodyLength, Framing, Step};

/// Feeds `reads` and returns what went on, and how many octets were left behind the body.
fn relay(
    length: BodyLength,
    framing: Framing,
    reads: &[&[u8]],
) -> Result<(Vec<u8>, usize, bool), BodyFault> {
    let mut body = Body::new(length, framing, 1 << 20);
    let mut passed = Vec::new();
    let mut left_over = 0;
    for read in reads {
        let mut rest = *read;
        while !rest.is_empty() && !body.is_complete() {
            let taken = match body.step(rest)? {
                Step::Pass(taken) => {
                    passed.extend_from_slice(&rest[..taken]);
                    taken
                }
                Step::Drop(taken) => taken,
                Step::Replace { consumed, with } => {
                    passed.extend_from_slice(&with);
                    consumed
                }
            };
            assert!(taken > 0, "a step over nothing would never end");
            rest = &rest[taken..];
        }
        left_over += rest.len();
    }
    Ok((passed, left_over, body.is_complete()))
}

fn chunked(bytes: &[u8]) -> Result<(Vec<u8>, usize, bool), BodyFault> {
    relay(BodyLength::Chunked, Framing::Keep, &[bytes])
}

#[test]
fn fixed_body_ends_after_its_octets() {
    let (passed, left_over, complete) =
        relay(BodyLength::Fixed(5), Framing::Keep, &[b"abc", b"deGET"]).unwrap();
    assert_eq!(
        (passed.as_slice(), left_over, complete),
        (b"abcde".as_slice(), 3, true)
    );
}

/// Rule 17.
#[test]
fn body_cut_short_is_never_a_clean_end() {
    let mut fixed = Body::new(BodyLength::Fixed(1), Framing::Keep, 0);
    assert_eq!(fixed.handle_end(), Err(BodyFault::Truncated));
    let mut chunked = Body::new(BodyLength::Chunked, Framing::Keep, 9);
    chunked.step(b"0\r\n").unwrap();
    assert_eq!(chunked.handle_end(), Err(BodyFault::Truncated));
    let mut until_close = Body::new(BodyLength::UntilClose, Framing::Keep, 0);
    assert_eq!(until_close.handle_end(), Ok(()));
    assert!(until_close.is_complete());
}

#[test]
fn good_chunks_pass_as_they_are() {
    for bytes in [
        b"0\r\n\r\n".as_slice(),
        b"5\r\nhello\r\n0\r\n\r\n",
        b"0005\r\nhello\r\nA\r\n0123456789\r\na\r\n0123456789\r\n00\r\n\r\n",
        b"2\r\n\r\n\r\n0\r\n\r\n",
    ] {
        assert_eq!(chunked(bytes), Ok((bytes.to_vec(), 0, true)));
    }
    let (passed, left_over, complete) = chunked(b"1\r\na\r\n0\r\n\r\nGET /").unwrap();
    assert_eq!((passed.len(), left_over, complete), (11, 5, true));
}

/// Rules 1 and 14.
#[test]
fn malformed_chunks_are_refused() {
    for bytes in [
        b"5\nhello\r\n0\r\n\r\n".as_slice(),
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhellox\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n0\r\n\r\n",
        b"g\r\n",
        b"\r\n",
        b";a\r\n",
        b"5\rhello",
        b"5\r\r\n",
        b"00000000000000005\r\nhello\r\n0\r\n\r\n",
        b"5 ;a\r\nhello\r\n0\r\n\r\n",
        b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        b"5;a\0b\r\nhello\r\n0\r\n\r\n",
        b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        b"0\r\n\rx",
        b"0\n\n",
    ] {
        assert_eq!(
            chunked(bytes),
            Err(BodyFault::Chunk),
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

/// Rule 14.
#[test]
fn chunk_size_that_overflows_is_too_large() {
    assert_eq!(chunked(b"ffffffffffffffff\r\n"), Err(BodyFault::TooLarge));
    assert_eq!(chunked(b"100001\r\n"), Err(BodyFault::TooLarge));
}

#[test]
fn payload_over_the_limit_is_refused_in_sum() {
    let mut body = Body::new(BodyLength::Chunked, Framing::Keep, 8);
    assert_eq!(body.step(b"5\r\nhello\r\n4\r\n"), Err(BodyFault::TooLarge));
}

/// Rule 14.
#[test]
fn extensions_are_checked_and_not_passed_on() {
    let (passed, _, complete) = chunked(b"5;a=b;c=\"d;e\"\r\nhello\r\n0;last\r\n\r\n").unwrap();
    assert_eq!(
        (passed.as_slice(), complete),
        (b"5\r\nhello\r\n0\r\n\r\n".as_slice(), true)
    );
    let endless = [b"5;".as_slice(), &[b'a'; 17 * 1024]].concat();
    assert_eq!(chunked(&endless), Err(BodyFault::Chunk));
}

/// Rule 15.
#[test]
fn trailer_fields_that_could_pass_for_header_fields_are_dropped() {
    let bytes = b"0\r\nX-Sum: 1\r\nContent-Length: 5\r\nHost: x\r\nAuthorization: y\r\n\
        X_Alias: z\r\nX-Forwarded-For: q\r\nTransfer-Encoding: chunked\r\nY: 2\r\n\r\n";
    let (passed, left_over, complete) = chunked(bytes).unwrap();
    assert_eq!(passed, b"0\r\nX-Sum: 1\r\nY: 2\r\n\r\n");
    assert_eq!((left_over, complete), (0, true));
    let (passed, ..) = relay(
        BodyLength::Chunked,
        Framing::KeepWithoutTrailer,
        &[b"0\r\nX: 1\r\n\r\n"],
    )
    .unwrap();
    assert_eq!(passed, b"0\r\n\r\n");
}

/// Rule 15.
#[test]
fn malformed_trailers_are_refused() {
    let many = format!("0\r\n{}\r\n", "X: y\r\n".repeat(101));
    let large = format!("0\r\nX: {}\r\n\r\n", "y".repeat(17 * 1024));
    for bytes in [
        "0\r\nX: a\n\r\n",
        "0\r\nX : a\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
        &many,
        &large,
    ] {
        assert_eq!(
            chunked(bytes.as_bytes()),
            Err(BodyFault::Trailer),
            "{bytes:.40}"
        );
    }
}

#[test]
fn http10_receiver_gets_the_payload_only() {
    let bytes: &[u8] = b"5;x\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n";
    let (passed, left_over, complete) =
        relay(BodyLength::Chunked, Framing::Strip, &[bytes]).unwrap();
    assert_eq!(
        (passed.as_slice(), left_over, complete),
        (b"hello!".as_slice(), 0, true)
    );
}

proptest::proptest! {
    /// However a body is cut into reads, the same octets pass and the same end is found.
    #[test]
    fn any_split_gives_the_same_result(
        which in 0_usize..6,
        framing in 0_usize..3,
        mut cuts in proptest::collection::vec(0_usize..80, 0..8),
    ) {
        let bodies: [&[u8]; 6] = [
            b"5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\nGET / HTTP/1.1",
            b"5;ext=\"1\"\r\nhello\r\n0;x\r\nA: b\r\nHost: c\r\n\r\nrest",
            b"5\r\nhelloX",
            b"5\r\nhello\r\n0\r\nA : b\r\n\r\n",
            b"00000000000000000\r\n",
            b"1\r\na\r\n0\r\nTrailing: one\r\n\r\n",
        ];
        let framing = [Framing::Keep, Framing::KeepWithoutTrailer, Framing::Strip][framing];
        let bytes = bodies[which];
        let whole = relay(BodyLength::Chunked, framing, &[bytes]);
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(bytes.len()));
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let reads: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        proptest::prop_assert_eq!(relay(BodyLength::Chunked, framing, &reads), whole);
    }

    /// Nothing that comes from outside makes the scanner panic or stand still.
    #[test]
    fn any_octets_are_judged(bytes: Vec<u8>) {
        let _ = chunked(&bytes);
    }
}
