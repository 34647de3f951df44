//! Packets that go out together, by one system call.

use std::fmt;
use std::io;
use std::mem::zeroed;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::from_mut;

use nix::errno::Errno;
use nix::libc;
use socket2::SockAddr;

/// Packets of one system call.
const BATCH: usize = 64;

/// Packets that wait, in buffers that are used again and again.
#[derive(Default)]
pub(super) struct Outbox {
    packets: Vec<Outgoing>,
    /// So many of them wait; the others are free.
    waiting: usize,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

struct Outgoing {
    octets: Vec<u8>,
    destination: SockAddr,
    source: Option<Source>,
}

/// Tells the kernel where an IPv6 packet comes from: a control message, laid out as CMSG_SPACE(3)
/// has it, with what is behind the header already aligned.
#[repr(C)]
struct Source {
    header: libc::cmsghdr,
    route: libc::in6_pktinfo,
}

impl Source {
    fn new(address: Ipv6Addr) -> Self {
        Self {
            header: libc::cmsghdr {
                cmsg_len: size_of::<libc::cmsghdr>() + size_of::<libc::in6_pktinfo>(),
                cmsg_level: libc::IPPROTO_IPV6,
                cmsg_type: libc::IPV6_PKTINFO,
            },
            route: libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: address.octets(),
                },
                // The socket is bound to its interface.
                ipi6_ifindex: 0,
            },
        }
    }
}

impl Outbox {
    /// Whether there is no room for another packet before a flush.
    pub(super) fn is_full(&self) -> bool {
        self.waiting >= BATCH
    }

    /// The buffer of another packet that waits.
    pub(super) fn add(
        &mut self,
        source: IpAddr,
        destination: IpAddr,
        interface_index: u32,
    ) -> &mut Vec<u8> {
        let (destination, source) = match (destination, source) {
            (IpAddr::V6(address), IpAddr::V6(source)) => {
                let scoped = SocketAddrV6::new(address, 0, 0, interface_index);
                (SocketAddr::from(scoped), Some(Source::new(source)))
            }
            (address, _) => (SocketAddr::new(address, 0), None),
        };
        let destination = SockAddr::from(destination);
        let at = self.waiting;
        self.waiting += 1;
        if at == self.packets.len() {
            self.packets.push(Outgoing {
                octets: Vec::new(),
                destination,
                source,
            });
        } else {
            self.packets[at].destination = destination;
            self.packets[at].source = source;
        }
        &mut self.packets[at].octets
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// That of the last packet that could not be sent.
    pub(super) fn flush(&mut self, socket: &OwnedFd) -> io::Result<()> {
        let mut outcome = Ok(());
        let waiting = std::mem::take(&mut self.waiting);
        let mut left = &mut self.packets[..waiting];
        while !left.is_empty() {
            let done = send_batch(socket, left).unwrap_or_else(|errno| {
                if errno == Errno::EINTR {
                    return 0;
                }
                outcome = Err(errno.into());
                // The first of them failed; the others may not.
                1
            });
            left = &mut left[done..];
        }
        outcome
    }
}

/// Sends the first of `packets`, as many as one call can take; returns how many went out.
///
/// # Errors
/// The system's, about the first.
#[expect(
    unsafe_code,
    reason = "a call that takes many packets has no safe form"
)]
fn send_batch(socket: &OwnedFd, packets: &mut [Outgoing]) -> nix::Result<usize> {
    // SAFETY: plain structures of C, of which all zeros is a value.
    let mut vectors: [libc::iovec; BATCH] = unsafe { zeroed() };
    // SAFETY: as above.
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
    let mut count = 0;
    for ((packet, vector), header) in packets.iter_mut().zip(&mut vectors).zip(&mut headers) {
        vector.iov_base = packet.octets.as_mut_ptr().cast();
        vector.iov_len = packet.octets.len();
        let header = &mut header.msg_hdr;
        header.msg_iov = from_mut(vector);
        header.msg_iovlen = 1;
        header.msg_name = packet.destination.as_ptr().cast_mut().cast();
        header.msg_namelen = packet.destination.len();
        if let Some(source) = &mut packet.source {
            header.msg_control = from_mut(source).cast();
            header.msg_controllen = size_of::<Source>();
        }
        count += 1;
    }
    // SAFETY: the first `count` headers point to vectors, names and control messages that live
    // until this function returns, with their lengths; the kernel writes to the headers alone.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
    Errno::result(sent).map(|sent| usize::try_from(sent).unwrap_or(1).max(1))
}
