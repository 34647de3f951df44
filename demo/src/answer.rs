//! Just enough of an HTTP/1.1 client to ask our own servers: one response with a Content-Length.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// More header fields than our servers send.
const FIELDS_MAX: usize = 32;
/// More than any response asked for here.
const OCTETS_MAX: usize = 4 << 20;

/// A whole response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `X-Node`: who passed the request on.
    pub(crate) node: Option<String>,
    /// `X-Backend`: who answered it.
    pub(crate) backend: Option<String>,
    /// Whether the connection can be used again.
    pub(crate) kept: bool,
    pub(crate) body: Vec<u8>,
}

/// Sends `request` and reads the response. `heard` tells, also after an error, whether any octet of
/// a response came: if none did, the request may be repeated on another connection.
///
/// # Errors
/// Those of the connection; `UnexpectedEof` when it ends early, `InvalidData` for what is no
/// response or a larger one than 4 MiB.
pub(crate) async fn ask<S>(stream: &mut S, request: &[u8], heard: &mut bool) -> io::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(request).await?;
    let mut received = Vec::with_capacity(1024);
    let (mut answer, begin, length) = loop {
        read_some(stream, &mut received).await?;
        *heard = true;
        if let Some(head) = parse_head(&received)? {
            break head;
        }
    };
    let end = begin.saturating_add(length);
    while received.len() < end {
        read_some(stream, &mut received).await?;
    }
    answer.body = received.drain(begin..end).collect();
    answer.kept &= received.len() == begin;
    Ok(answer)
}

async fn read_some<S: AsyncRead + Unpin>(stream: &mut S, received: &mut Vec<u8>) -> io::Result<()> {
    if received.len() > OCTETS_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    match stream.read_buf(received).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// The head, where the body begins and how long it is; `None` when the head is not complete.
fn parse_head(received: &[u8]) -> io::Result<Option<(Answer, usize, usize)>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = response.parse(received).map_err(|_| invalid())?;
    let httparse::Status::Complete(begin) = parsed else {
        return Ok(None);
    };
    let field = |name: &str| {
        let found = response
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let length = field("content-length")
        .and_then(|length| length.parse().ok())
        .filter(|length| *length <= OCTETS_MAX)
        .ok_or_else(invalid)?;
    let answer = Answer {
        status: response.code.ok_or_else(invalid)?,
        node: field("x-node").map(str::to_owned),
        backend: field("x-backend").map(str::to_owned),
        kept: response.version == Some(1)
            && !field("connection").is_some_and(|said| said.eq_ignore_ascii_case("close")),
        body: Vec::new(),
    };
    Ok(Some((answer, begin, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks a server that sends `response` in two pieces and closes.
    fn ask_for(response: &'static str, cut: usize) -> io::Result<Answer> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (mut near, mut far) = tokio::io::duplex(4096);
            let server = async move {
                let mut request = [0; 3];
                far.read_exact(&mut request).await.unwrap();
                far.write_all(&response.as_bytes()[..cut]).await.unwrap();
                tokio::task::yield_now().await;
                far.write_all(&response.as_bytes()[cut..]).await.unwrap();
            };
            let mut heard = false;
            tokio::join!(ask(&mut near, b"ask", &mut heard), server).0
        })
    }

    #[test]
    fn a_response_is_read_wherever_it_is_cut() {
        let response = "HTTP/1.1 200 OK\r\nX-Node: proxy101\r\nX-Backend: backend2\r\nContent-Length: 2\r\n\r\nhi";
        for cut in 0..response.len() {
            let answer = ask_for(response, cut).unwrap();
            assert_eq!(answer.status, 200);
            assert_eq!(answer.node.as_deref(), Some("proxy101"));
            assert_eq!(answer.backend.as_deref(), Some("backend2"));
            assert_eq!(answer.body, b"hi");
            assert!(answer.kept);
        }
    }

    #[test]
    fn a_server_says_when_the_connection_ends() {
        for (head, kept) in [
            ("HTTP/1.1 503 No\r\nConnection: close\r\n", false),
            ("HTTP/1.0 200 OK\r\n", false),
            ("HTTP/1.1 200 OK\r\n", true),
        ] {
            let response = format!("{head}Content-Length: 0\r\n\r\n").leak();
            assert_eq!(ask_for(response, 0).unwrap().kept, kept, "{head}");
        }
    }

    #[test]
    fn what_is_no_response_is_an_error() {
        for (response, kind) in [
            ("", io::ErrorKind::UnexpectedEof),
            ("SSH-2.0\r\n\r\n", io::ErrorKind::InvalidData),
            ("HTTP/1.1 200 OK\r\n\r\n", io::ErrorKind::InvalidData),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
                io::ErrorKind::InvalidData,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
                io::ErrorKind::UnexpectedEof,
            ),
        ] {
            assert_eq!(ask_for(response, 0).unwrap_err().kind(), kind, "{response}");
        }
    }
}
