//! The servers behind the pair: enough HTTP/1.1 to answer who they are.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use platform::topology::Namespace;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::network::Machine;

/// What a request head may take; nobody here sends more.
const HEAD_OCTETS_MAX: usize = 16 << 10;
const FIELDS_MAX: usize = 64;

/// A server, which can be stopped and started.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) machine: Machine,
    wanted: watch::Sender<bool>,
    listening: Arc<AtomicBool>,
}

impl Backend {
    /// Starts it on a thread of its own in `place`, for good.
    ///
    /// # Errors
    /// When there is no thread or no event loop to be had.
    pub(crate) fn start(machine: Machine, place: Namespace) -> io::Result<Self> {
        let (wanted, wish) = watch::channel(true);
        let listening = Arc::new(AtomicBool::new(false));
        let serving = Serving {
            machine,
            listening: listening.clone(),
        };
        thread::Builder::new()
            .name(machine.name.to_owned())
            .spawn(move || serving.run(&place, wish))?;
        Ok(Self {
            machine,
            wanted,
            listening,
        })
    }

    /// Lets it serve, or close its port and all its connections.
    pub(crate) fn serve(&self, wanted: bool) {
        self.wanted.send_replace(wanted);
    }

    /// Whether its port is open.
    pub(crate) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Relaxed)
    }
}

struct Serving {
    machine: Machine,
    listening: Arc<AtomicBool>,
}

impl Serving {
    fn run(&self, place: &Namespace, mut wish: watch::Receiver<bool>) {
        let served = place.enter().and_then(|()| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build()?;
            runtime.block_on(async {
                while wish.wait_for(|wanted| *wanted).await.is_ok() {
                    let listener = TcpListener::bind(self.machine.service()).await?;
                    self.listening.store(true, Ordering::Relaxed);
                    tokio::select! {
                        _ = wish.wait_for(|wanted| !*wanted) => {}
                        () = serve(listener, self.machine.name) => {}
                    }
                    self.listening.store(false, Ordering::Relaxed);
                }
                Ok(())
            })
        });
        if let Err(error) = served {
            eprintln!("evenkeel demo: {} ends: {error}", self.machine.name);
        }
    }
}

/// Until it is dropped; the connections are dropped with it.
async fn serve(listener: TcpListener, name: &'static str) {
    let answered = Arc::new(AtomicU64::new(0));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // Without descriptors there is nothing to accept; the next connection may find one.
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(converse(stream, name, answered.clone()));
        }
    }
}

/// Answers requests on one connection until either side ends it.
async fn converse(mut stream: TcpStream, name: &'static str, answered: Arc<AtomicU64>) {
    let mut received = Vec::new();
    loop {
        match parse(&received) {
            Request::Partial if received.len() < HEAD_OCTETS_MAX => {
                match stream.read_buf(&mut received).await {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return,
                }
            }
            Request::Partial | Request::Invalid => return,
            Request::Whole { health, octets } => {
                received.drain(..octets);
                let number = answered.fetch_add(1, Ordering::Relaxed);
                if stream
                    .write_all(response(name, health, number).as_bytes())
                    .await
                    .is_err()
                {
                    return;
                }
            }
        }
    }
}

fn response(name: &str, health: bool, number: u64) -> String {
    let body = if health {
        format!("{name} is well\n")
    } else {
        format!("{name} answered request {number}\n")
    };
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Backend: {name}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[derive(Debug, PartialEq, Eq)]
enum Request {
    Partial,
    /// One without a body, as all here are.
    Whole {
        health: bool,
        octets: usize,
    },
    Invalid,
}

fn parse(received: &[u8]) -> Request {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(received) {
        Ok(httparse::Status::Partial) => Request::Partial,
        Ok(httparse::Status::Complete(octets)) if request.method == Some("GET") => Request::Whole {
            health: request.path == Some("/healthz"),
            octets,
        },
        Ok(_) | Err(_) => Request::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_get_requests_are_answered() {
        let whole = |health, octets| Request::Whole { health, octets };
        for (received, expected) in [
            ("", Request::Partial),
            ("GET / HTTP/1.1\r\nHost: a\r\n", Request::Partial),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", whole(false, 27)),
            ("GET /healthz HTTP/1.1\r\n\r\nGET", whole(true, 25)),
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", Request::Invalid),
            ("\x16\x03\x01\x02\x00", Request::Invalid),
        ] {
            assert_eq!(parse(received.as_bytes()), expected, "{received:?}");
        }
    }
}
