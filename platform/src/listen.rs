//! Listening sockets, made by the supervisor and kept by it, so that a restarted worker finds the
//! connections that wait in them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted; the kernel cuts it to net.core.somaxconn.
const BACKLOG: i32 = 4096;

/// How long a connection may stay away from the queue while its client says nothing, in seconds.
static SILENCE: libc::c_int = 1;

/// A connection is in the queue as soon as it stands.
static NO_SILENCE: libc::c_int = 0;

/// A TCP socket that listens on `address`, whether or not the address is on this node (so that a
/// virtual address is listened on everywhere, always), sharing it with the sockets of the other
/// worker slots. Accepted connections inherit TCP_NODELAY, and are handed over with their first
/// octets, or without them after a second: who accepts one can read at once.
///
/// # Errors
/// `AddrInUse` when somebody else listens there; `PermissionDenied` below port 1024 without
/// privilege.
pub fn tcp(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = unbound(address)?;
    socket.set_reuse_port(true)?;
    socket.set_tcp_nodelay(true)?;
    await_first_octets(&socket, true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Whether connections wait for their first octets before they are handed over, as [`tcp`] has it;
/// where servers speak first, it would only hold them up. May be changed at any time.
///
/// # Errors
/// Those of setsockopt(2).
#[expect(unsafe_code, reason = "nix and socket2 do not know TCP_DEFER_ACCEPT")]
pub fn await_first_octets(socket: &impl AsRawFd, wait: bool) -> io::Result<()> {
    let silence = if wait { &SILENCE } else { &NO_SILENCE };
    let length = libc::socklen_t::try_from(size_of_val(silence)).map_err(io::Error::other)?;
    // SAFETY: the kernel reads one integer, of that length, from a static.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            std::ptr::from_ref(silence).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A TCP socket that can be bound to an address which is not on this node.
fn unbound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.set_freebind_v6(true)?;
        }
    }
    Ok(socket)
}

/// Whether nobody listens on `address`: binds it without sharing, and lets go.
///
/// # Errors
/// As [`tcp`].
pub fn probe_tcp(address: SocketAddr) -> io::Result<()> {
    let socket = unbound(address)?;
    socket.bind(&address.into())?;
    socket.listen(1)
}

/// A Unix stream socket that listens at `path` with the given mode. A socket file that nobody
/// listens on any more is replaced.
///
/// # Errors
/// `AddrInUse` when somebody listens there.
pub fn unix(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    let address = socket2::SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    if let Err(error) = socket.bind(&address) {
        if error.kind() != io::ErrorKind::AddrInUse
            || std::os::unix::net::UnixStream::connect(path).is_ok()
        {
            return Err(error);
        }
        std::fs::remove_file(path)?;
        socket.bind(&address)?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    socket.listen(64)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_has_ports_of_its_own_and_addresses_that_are_elsewhere() {
        let bound = |text: &str| {
            let address: SocketAddr = text.parse().expect("an address");
            let socket = Socket::from(tcp(address).expect(text));
            socket.local_addr().expect("bound").as_socket().expect(text)
        };
        assert_eq!(bound("[fd00::105]:0").ip().to_string(), "fd00::105");
        let port = bound("0.0.0.0:0").port();
        assert_eq!(bound(&format!("[::]:{port}")).port(), port);
    }

    fn address_of(socket: &OwnedFd) -> SocketAddr {
        Socket::from(socket.try_clone().unwrap())
            .local_addr()
            .unwrap()
            .as_socket()
            .unwrap()
    }

    #[test]
    fn worker_slots_share_an_address() {
        let first = tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        assert!(tcp(address_of(&first)).is_ok());
    }

    #[test]
    fn connections_come_with_their_first_octets() {
        let socket = tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut client = std::net::TcpStream::connect(address_of(&socket)).unwrap();
        let error = crate::accept::tcp(&socket).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        io::Write::write_all(&mut client, b"GET").unwrap();
        let (mut accepted, _) = crate::accept::tcp(&socket).unwrap();
        assert_eq!(io::Read::read(&mut accepted, &mut [0; 8]).unwrap(), 3);
    }

    #[test]
    fn connections_come_at_once_where_servers_speak_first() {
        let socket = tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        await_first_octets(&socket, false).unwrap();
        let client = std::net::TcpStream::connect(address_of(&socket)).unwrap();
        let (_, peer) = crate::accept::tcp(&socket).unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        await_first_octets(&socket, true).unwrap();
        let _silent = std::net::TcpStream::connect(address_of(&socket)).unwrap();
        assert!(crate::accept::tcp(&socket).is_err());
    }

    #[test]
    fn an_address_of_another_node_can_be_listened_on() {
        assert!(tcp("192.0.2.77:0".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_taken_port_is_found() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let error = probe_tcp(taken.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_dead_unix_socket_is_replaced_and_a_living_one_is_not() {
        let folder = std::env::temp_dir().join(format!("evenkeel-listen-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket");
        drop(unix(&path, 0o600).unwrap());
        let living = unix(&path, 0o600).unwrap();
        assert_eq!(
            unix(&path, 0o600).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        drop(living);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
