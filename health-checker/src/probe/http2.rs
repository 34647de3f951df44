//! The same request over HTTP/2 (RFC 9113), as the first and only one of a connection.

use core_http1::Fault;
use core_http2::decode::{Memory, Part, RequestDecoder, Unreadable};
use core_http2::encode;
use http::Request;

use super::{Failure, http1};
use crate::stream::Stream;

/// Octets of a decoded header list; as in HTTP/1.
const HEADER_LIST: u32 = 16 * 1024;

/// What may come of a body, which is not read.
const BODY: u32 = 16 * 1024;

/// The request that `text` is in HTTP/1.1; `secure`: it goes over TLS.
///
/// # Errors
/// When it has no form in HTTP/2.
pub(super) fn request(text: &str, secure: bool) -> Result<Request<()>, Unreadable> {
    let mut decoder = RequestDecoder::new(secure);
    match decoder.step(text.as_bytes(), &mut Memory::default())? {
        (_, Some(Part::Head(request))) => Ok(request),
        _ => Err(Unreadable::Head),
    }
}

/// Sends the request that `text` is in HTTP/1.1 and answers the status of the final answer. Its body is
/// not read.
///
/// # Errors
/// Everything but an answer that the proxy would pass on.
pub(super) async fn ask(stream: Stream, text: &str) -> Result<u16, Failure> {
    let request = request(text, stream.is_secure())?;
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(BODY)
        .max_header_list_size(HEADER_LIST);
    let (mut requests, connection) = builder.handshake::<_, &'static [u8]>(stream).await?;
    let (mut answer, _) = requests.send_request(request, true)?;
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        // What it has brought before its end counts.
        _ = connection => answer.await,
    };
    let (head, body) = answer?.into_parts();
    let mut text = Vec::new();
    encode::response(&head, !body.is_end_stream(), false, &mut text)?;
    let (_, status) = http1::parse(&text)?.ok_or(Fault::HeadTooLarge)?;
    Ok(status)
}
