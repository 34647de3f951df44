//! Taking connections out of a listening socket.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::libc;
use socket2::SockAddr;

/// Takes the next connection, in non-blocking mode. One system call: neither the mode nor the peer's
/// address needs another.
///
/// # Errors
/// `WouldBlock` when none waits; those of accept4(2), of which `ConnectionAborted` concerns that one
/// connection only.
#[expect(
    unsafe_code,
    reason = "accept4 hands over a descriptor and an address by pointer"
)]
pub fn tcp(listener: &impl AsFd) -> io::Result<(TcpStream, SocketAddr)> {
    let listener = listener.as_fd().as_raw_fd();
    // SAFETY: the closure fills storage and length by accept4, which sets both or fails.
    let (accepted, address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            match libc::accept4(listener, storage.cast(), length, flags) {
                -1 => Err(io::Error::last_os_error()),
                descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
            }
        })?
    };
    let address = address.as_socket().ok_or(io::ErrorKind::InvalidData)?;
    Ok((accepted.into(), address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_comes_with_its_peer_and_does_not_block() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(
            tcp(&listener).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut accepted, peer) = tcp(&listener).unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        let error = io::Read::read(&mut accepted, &mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
