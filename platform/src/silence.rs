//! When a peer that acknowledges nothing is gone.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::SockRef;

/// Breaks a TCP connection with `TimedOut` when nothing of what was sent is taken for so long
/// (`TCP_USER_TIMEOUT`, tcp(7)); without that it takes the kernel a quarter of an hour.
///
/// # Errors
/// Those of setsockopt(2).
pub fn limit(stream: &impl AsFd, time: Duration) -> io::Result<()> {
    SockRef::from(stream).set_tcp_user_timeout(Some(time))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn limit_is_the_sockets() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let time = Duration::from_millis(1_500);
        limit(&stream, time).unwrap();
        assert_eq!(
            SockRef::from(&stream).tcp_user_timeout().unwrap(),
            Some(time)
        );
    }
}
