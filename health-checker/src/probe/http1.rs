//! A request over HTTP/1.1.

use core_http1::{Expected, FIELDS_MAX, Fault, FieldSlots, Limits, ResponseHead};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Failure;
use crate::stream::Stream;

const LIMITS: Limits = Limits {
    head_bytes: 16 * 1024,
    fields: FIELDS_MAX,
};

/// Sends `request` and answers the status of the final answer. Its body is not read.
///
/// # Errors
/// Everything but an answer.
pub(super) async fn ask(mut stream: Stream, request: &str) -> Result<u16, Failure> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut head = Vec::with_capacity(1024);
    loop {
        let count = stream.read_buf(&mut head).await?;
        while let Some((len, status)) = parse(&head)? {
            if status >= 200 {
                return Ok(status);
            }
            head.drain(..len);
        }
        if count == 0 {
            return Err(Failure::Closed);
        }
    }
}

/// Length and status of the head at the front of `bytes`; `None` when more octets are needed.
///
/// # Errors
/// What the proxy would not take for an answer either.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(usize, u16)>, Fault> {
    // Who speaks another protocol may never send the empty line that ends a head.
    if !bytes.iter().zip(b"HTTP/").all(|(have, want)| have == want) {
        return Err(Fault::StartLine);
    }
    let mut slots = FieldSlots::default();
    let head = ResponseHead::parse(bytes, &LIMITS, Expected::Content, &mut slots)?;
    Ok(head.map(|head| (head.len, head.status)))
}
