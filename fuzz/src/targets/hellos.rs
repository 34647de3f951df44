//! TLS hellos: what is found in pieces is what is found at once, and a verdict stands.

use core_preface::{ClientHello, client_hello};

use super::leave;
use crate::Target;

/// The server name in them.
pub(crate) const CLIENT_HELLOS: Target = Target {
    name: "client-hellos",
    seeds: || {
        let whole = in_records(&message(), 1 << 14);
        vec![whole, in_records(&message(), 5), b"SSH-2.0-x\r\n".to_vec()]
    },
    repair: leave,
    check: |input| {
        let at_once = client_hello(input);
        if let Some(ClientHello::Named(name)) = &at_once {
            assert!((1..=253).contains(&name.len()), "no name is so long");
            assert!(name.is_ascii());
        }
        let mut verdict = None;
        for end in (0..input.len()).step_by(3) {
            let now = client_hello(&input[..end]);
            assert!(verdict.is_none() || now == verdict, "a verdict stands");
            verdict = now;
        }
        assert!(verdict.is_none() || at_once == verdict, "a verdict stands");
    },
};

/// A hello of TLS 1.3 for www.example.org.
fn message() -> Vec<u8> {
    let name = b"www.example.org";
    let extensions = [
        b"\0\x2b\0\x03\x02\x03\x04\0\0\0\x14\0\x12\0\0\x0f".as_slice(),
        name,
        b"\0\x0d\0\x04\0\x02\x04\x03",
    ]
    .concat();
    let mut body = vec![3; 34];
    body.extend(b"\0\0\x02\x13\x01\x01\0\0");
    body.push(u8::try_from(extensions.len()).unwrap_or(0));
    body.extend(extensions);
    let len = u8::try_from(body.len()).unwrap_or(0);
    [b"\x01\0\0".as_slice(), &[len], &body].concat()
}

fn in_records(message: &[u8], size: usize) -> Vec<u8> {
    let record = |carried: &[u8]| {
        let len = u8::try_from(carried.len()).unwrap_or(0);
        [b"\x16\x03\x01\0".as_slice(), &[len], carried].concat()
    };
    message.chunks(size).flat_map(record).collect()
}
