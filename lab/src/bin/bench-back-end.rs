//! The back end of `make bench`: answers from memory with as little work as it can, so that the proxies in front of it
//! are what is busy.
//!
//! `bench-back-end PORT` serves 127.0.0.1 until it is killed: `/1k`, `/4k`, `/64k` and `/1m` are bodies of that size,
//! `/chunked/4k` is one in chunks, anything else takes a body and answers in a word. It believes its clients: it is
//! for a benchmark on one machine.

use std::collections::HashMap;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Whole answers by the path that is asked for.
type Answers = HashMap<&'static [u8], Vec<u8>>;

const HEAD: &str = "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    Content-Type: text/plain\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nETag: \"5e8a1b2c-400\"\r\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    let Some(port) = port else {
        return Err(std::io::Error::other("usage: bench-back-end PORT"));
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let answers = Rc::new(answers());
    let served = async {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(serve(stream, answers.clone()));
        }
    };
    tokio::task::LocalSet::new().run_until(served).await
}

fn answers() -> Answers {
    let whole = |size: usize| {
        let mut answer = format!("{HEAD}Content-Length: {size}\r\n\r\n").into_bytes();
        answer.resize(answer.len() + size, b'x');
        answer
    };
    let chunked = format!(
        "{HEAD}Transfer-Encoding: chunked\r\n\r\n1000\r\n{}\r\n0\r\n\r\n",
        "x".repeat(4096)
    );
    HashMap::from([
        (&b"/1k"[..], whole(1024)),
        (b"/4k", whole(4096)),
        (b"/64k", whole(65536)),
        (b"/1m", whole(1 << 20)),
        (b"/chunked/4k", chunked.into_bytes()),
        (b"", whole(5)),
    ])
}

/// Answers on one connection until the client ends it.
async fn serve(mut stream: TcpStream, answers: Rc<Answers>) -> std::io::Result<()> {
    let mut buffer = vec![0; 65536];
    let mut held = 0;
    loop {
        let head = loop {
            if let Some(head) = position(&buffer[..held], b"\r\n\r\n") {
                break head + 4;
            }
            match stream.read(&mut buffer[held..]).await? {
                0 => return Ok(()),
                more => held += more,
            }
        };
        let body = content_length(&buffer[..head]);
        let closes = position(&buffer[..head], b"\r\nConnection: close").is_some();
        let path = buffer[..head]
            .split(|octet| *octet == b' ')
            .nth(1)
            .unwrap_or_default();
        let answer = answers.get(path).unwrap_or(&answers[&b""[..]]);
        let mut missing = (head + body).saturating_sub(held);
        while missing > 0 {
            match stream.read(&mut buffer).await? {
                0 => return Ok(()),
                more => missing = missing.saturating_sub(more),
            }
        }
        stream.write_all(answer).await?;
        if closes {
            return Ok(());
        }
        held = 0;
    }
}

fn position(octets: &[u8], wanted: &[u8]) -> Option<usize> {
    octets
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length: ";
    let lines = head.split(|octet| *octet == b'\n');
    let value = lines.filter(|line| {
        line.get(..NAME.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
    });
    let digits = value
        .flat_map(|line| line[NAME.len()..].iter())
        .take_while(|octet| octet.is_ascii_digit());
    digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
}
