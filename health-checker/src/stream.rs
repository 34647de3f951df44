//! What a question is asked over: TCP, or TLS over it.

use std::io::{self, IoSlice, Read, Write};

use rustls::ClientConnection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Octets that are read at once.
const READ: usize = 4096;

/// A connection.
pub(crate) enum Stream {
    /// As it is.
    Plain(TcpStream),
    /// With TLS, its handshake done.
    Tls(TcpStream, Box<ClientConnection>),
}

impl Stream {
    /// Makes the handshake of `tls` over `stream`.
    ///
    /// # Errors
    /// What is wrong with the peer or the connection to it.
    pub(crate) async fn secure(stream: TcpStream, tls: ClientConnection) -> io::Result<Self> {
        let mut tls = Box::new(tls);
        loop {
            send(&stream, &mut tls).await?;
            if !tls.is_handshaking() {
                return Ok(Self::Tls(stream, tls));
            }
            if receive(&stream, &mut tls).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// Those of the connection.
    pub(crate) async fn write_all(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(octets).await,
            Self::Tls(stream, tls) => {
                // A question fits into what rustls keeps.
                tls.writer().write_all(octets)?;
                send(stream, tls).await
            }
        }
    }

    /// Reads what comes to the end of `octets`; how much that was, and 0 at the end.
    ///
    /// # Errors
    /// Those of the connection; an end that the peer has not announced, where it must.
    pub(crate) async fn read(&mut self, octets: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(octets).await,
            Self::Tls(stream, tls) => {
                let mut room = [0; READ];
                loop {
                    match tls.reader().read(&mut room) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            receive(stream, tls).await?;
                        }
                        result => {
                            let count = result?;
                            octets.extend_from_slice(room.get(..count).unwrap_or_default());
                            return Ok(count);
                        }
                    }
                }
            }
        }
    }
}

async fn send(stream: &TcpStream, tls: &mut ClientConnection) -> io::Result<()> {
    while tls.wants_write() {
        stream.writable().await?;
        match tls.write_tls(&mut Attempt(stream)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => drop(result?),
        }
    }
    Ok(())
}

/// Takes what comes next; how many octets, and 0 at the end.
async fn receive(stream: &TcpStream, tls: &mut ClientConnection) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match tls.read_tls(&mut Attempt(stream)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => {
                let count = result?;
                if let Err(error) = tls.process_new_packets() {
                    // The peer is told, if it listens.
                    drop(tls.write_tls(&mut Attempt(stream)));
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
                return Ok(count);
            }
        }
    }
}

/// A connection as rustls uses it: without waiting.
struct Attempt<'a>(&'a TcpStream);

impl Read for Attempt<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(room)
    }
}

impl Write for Attempt<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.try_write(octets)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
