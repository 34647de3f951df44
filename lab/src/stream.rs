//! Connections that a scenario holds itself. Nothing waits on them without a limit: a fault fails a
//! scenario and does not hang it.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::{Host, wait_until};

/// For everything that is there at once or not at all.
const PATIENCE: Duration = Duration::from_secs(30);

impl Host {
    /// Connects to a port of its own address. Reads and writes that take 30 s are errors.
    pub fn connect(&self, port: u16) -> TcpStream {
        let address = (self.address(), port);
        let stream = self.inside(|| TcpStream::connect(address));
        limited(stream.unwrap_or_else(|error| panic!("cannot connect to {address:?}: {error}")))
    }
}

/// The next connection. Panics when there is none for 30 s; the limits of [`Host::connect`] hold for
/// it, too.
pub fn accept(listener: &TcpListener) -> TcpStream {
    listener
        .set_nonblocking(true)
        .expect("a socket's mode can be set");
    // What is accepted blocks all the same: Linux hands no mode on.
    let (stream, _) = wait_until("a connection", PATIENCE, || listener.accept().ok());
    limited(stream)
}

fn limited(stream: TcpStream) -> TcpStream {
    for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
        set(&stream, Some(PATIENCE)).expect("a socket's limits can be set");
    }
    stream
}
