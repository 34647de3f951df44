//! The handshake with a client.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConnection;
use rustls::server::{Accepted, AcceptedAlert, Acceptor};

use crate::deadline::Key;
use crate::io::{Ciphertext, Io as _, Network, Tcp, Tls};
use crate::worker::Worker;

/// A fatal alert "unrecognized_name" (RFC 8446 §5.1 and §6.2).
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];

/// The answer to who speaks HTTP where TLS is spoken.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 38\r\nConnection: close\r\n\r\n400 Bad Request: HTTPS is spoken here\n";

/// Makes the handshake, within the time that the listener allows for it. `None`: the client has left
/// without a word, as balancers do that check whether somebody listens.
///
/// # Errors
/// Why there is no connection. The client was told, as far as it listens.
pub(super) async fn accept(
    worker: &Rc<Worker<Network>>,
    mut tcp: Tcp,
    server: &tls::Server,
    within: Duration,
) -> io::Result<Option<Tls>> {
    let limit = Limit::new(worker, within);
    let ciphertext = worker.dial.ciphertext.clone();
    match hello(&limit, &mut tcp, &ciphertext, server).await {
        Ok(None) => Ok(None),
        Ok(Some(tls)) => {
            let mut io = Tls::new(tcp, tls.into(), ciphertext);
            limit.keep(|cx| io.poll_handshake(cx)).await?;
            Ok(Some(io))
        }
        Err(Refusal { why, answer }) => {
            // What is not taken at once is not worth waiting for.
            poll_fn(|cx| {
                drop(tcp.poll_write(cx, &[IoSlice::new(&answer)]));
                tcp.shut_down(cx);
                Poll::Ready(())
            })
            .await;
            Err(why)
        }
    }
}

/// Why a client is not served, and what it is told, in octets.
struct Refusal {
    why: io::Error,
    answer: Vec<u8>,
}

impl Refusal {
    fn new(why: &str, answer: &[u8]) -> Self {
        Self {
            why: io::Error::other(why),
            answer: answer.to_vec(),
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(why: io::Error) -> Self {
        let answer = Vec::new();
        Self { why, answer }
    }
}

impl From<(rustls::Error, AcceptedAlert)> for Refusal {
    fn from((error, mut alert): (rustls::Error, AcceptedAlert)) -> Self {
        let mut answer = Vec::new();
        // Writing to memory does not fail.
        drop(alert.write_all(&mut answer));
        Self {
            why: io::Error::new(io::ErrorKind::InvalidData, error),
            answer,
        }
    }
}

/// Reads what the client wants, and begins the answer to it. `None`: it wants nothing.
async fn hello(
    limit: &Limit,
    tcp: &mut Tcp,
    ciphertext: &Ciphertext,
    server: &tls::Server,
) -> Result<Option<ServerConnection>, Refusal> {
    let mut acceptor = Acceptor::default();
    let mut is_first = true;
    let accepted = loop {
        let heard = limit.keep(|cx| {
            let hear = |octets: &[u8]| Ok(hear(octets, is_first, &mut acceptor));
            ciphertext.poll_with(cx, tcp, 0, hear)
        });
        match heard.await?? {
            Heard::Whole(accepted) => break accepted,
            Heard::End if is_first => return Ok(None),
            Heard::End => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Heard::Part => is_first = false,
        }
    };
    if server.knows(accepted.client_hello().server_name()) {
        Ok(Some(accepted.into_connection(server.config())?))
    } else {
        let why = "there is no certificate for the name that it asks for";
        Err(Refusal::new(why, UNRECOGNIZED_NAME))
    }
}

/// What there is of a hello.
enum Heard {
    /// All of it.
    Whole(Box<Accepted>),
    /// Not all of it yet.
    Part,
    /// No more than was heard before.
    End,
}

/// Takes octets of a hello.
fn hear(mut octets: &[u8], are_first: bool, acceptor: &mut Acceptor) -> Result<Heard, Refusal> {
    match octets.first() {
        None => return Ok(Heard::End),
        // A method: records of TLS begin with small numbers.
        Some(b'A'..=b'Z') if are_first => return Err(Refusal::new("it speaks no TLS", PLAIN_HTTP)),
        Some(_) => {}
    }
    while !octets.is_empty() {
        acceptor.read_tls(&mut octets)?;
    }
    let accepted = acceptor.accept()?.map(Box::new);
    Ok(accepted.map_or(Heard::Part, Heard::Whole))
}

/// A handshake's time, and its place among the worker's connections.
struct Limit {
    worker: Rc<Worker<Network>>,
    key: Key,
}

impl Limit {
    fn new(worker: &Rc<Worker<Network>>, within: Duration) -> Self {
        worker.handle_opened();
        let key = worker.deadlines.add();
        worker.deadlines.set(key, Some(within));
        Self {
            worker: Rc::clone(worker),
            key,
        }
    }

    /// Goes on with `poll` as long as there is time.
    async fn keep<T>(
        &self,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        poll_fn(|cx| {
            self.worker.deadlines.watch(self.key, cx.waker());
            if self.worker.deadlines.take_due(self.key) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            poll(cx)
        })
        .await
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        self.worker.deadlines.remove(self.key);
        self.worker.handle_closed();
    }
}
