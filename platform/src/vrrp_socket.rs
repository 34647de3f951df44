//! Raw sockets of IP protocol 112: one for all virtual routers of an interface and a family.
//!
//! Over IPv4, packets go out with the header that the caller wrote and come in with theirs. Over
//! IPv6 the kernel writes and removes the header, and says beside the message what stood in it.
//!
//! Nothing here asks for memory once it has run for a while: packets come in into one buffer and go
//! out from buffers that are kept.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::task::{Context, Poll};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockFilter, Socket, Type};
use tokio::io::unix::AsyncFd;

use crate::watch;

mod outbox;
mod virtual_mac;

use outbox::Outbox;
use virtual_mac::{from_mac, unjudged, without_padding};

const PROTOCOL_NUMBER: i32 = 112;

/// Hop limit of what is sent (RFC 9568 §5.1.2.3).
const HOP_LIMIT: u32 = 255;

/// Traffic class of what is sent: network control, as over IPv4.
const TRAFFIC_CLASS: u32 = 0xc0;

/// Room for what some hundred virtual routers say at once, before they are listened to.
const BUFFER_OCTETS: usize = 1024 * 1024;

/// The longest packet: IPv4 header with options, VRRP header, 255 IPv6 addresses, authentication.
const PACKET_OCTETS_MAX: usize = 60 + 8 + 255 * 16 + 64;

/// The version of the Internet Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Version 4.
    Ipv4,
    /// Version 6.
    Ipv6,
}

impl Family {
    /// That of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

/// Where packets come in, one after the other. The default has room for none, and is there to be put
/// in the place of another for a while.
#[derive(Debug, Default)]
pub struct Inbox {
    octets: Vec<u8>,
    control: Vec<u8>,
}

impl Inbox {
    /// With room for the longest packet.
    pub fn new() -> Self {
        Self {
            octets: vec![0; PACKET_OCTETS_MAX],
            control: cmsg_space!(libc::in6_pktinfo, i32, u32),
        }
    }
}

/// A received packet. One that was too long is cut, and so does not decode.
#[derive(Clone, Copy, Debug)]
pub enum Packet<'a> {
    /// Header and all.
    Ipv4(&'a [u8]),
    /// What is behind the header, and what stood in it.
    Ipv6 {
        /// The sender.
        source: Ipv6Addr,
        /// Whom it was sent to.
        destination: Ipv6Addr,
        /// The hop limit that was left.
        hop_limit: u8,
        /// The VRRP message.
        message: &'a [u8],
    },
}

impl Packet<'_> {
    /// The virtual router identifier, if it has one.
    pub fn vrid(&self) -> Option<u8> {
        let message = match self {
            Self::Ipv4(packet) => {
                let words = packet.first()? & 0x0f;
                packet.get(usize::from(words) * 4..)?
            }
            Self::Ipv6 { message, .. } => message,
        };
        message.get(1).copied()
    }
}

/// Sends and receives on one interface. Closed when dropped.
#[derive(Debug)]
pub struct VrrpSocket {
    socket: AsyncFd<OwnedFd>,
    /// What hears instead of `socket`, where that would not hear everything.
    ear: Option<AsyncFd<OwnedFd>>,
    family: Family,
    interface_index: u32,
    outbox: Outbox,
    lost: u64,
    groups: Vec<IpAddr>,
}

impl VrrpSocket {
    /// Opens the socket. Needs CAP_NET_RAW, and CAP_NET_ADMIN for buffers beyond the system's limit.
    /// To be called inside a tokio runtime.
    ///
    /// # Errors
    /// The system's: EPERM without the capability, ENODEV without the interface.
    pub fn open(interface: &str, interface_index: u32, family: Family) -> io::Result<Self> {
        Self::open_for(interface, interface_index, family, None)
    }

    /// Opens a socket on a macvlan interface, which may be switched off. It sends from addresses of
    /// other interfaces too, and receives only what comes from the MAC address of the interface
    /// itself. That is what another owner of the MAC address sends to a group: the kernel keeps it
    /// from the interface below, which hears everybody else.
    ///
    /// # Errors
    /// As [`VrrpSocket::open`].
    pub fn open_virtual(
        interface: &str,
        interface_index: u32,
        family: Family,
        mac: [u8; 6],
    ) -> io::Result<Self> {
        Self::open_for(interface, interface_index, family, Some(mac))
    }

    fn open_for(
        interface: &str,
        interface_index: u32,
        family: Family,
        virtual_mac: Option<[u8; 6]>,
    ) -> io::Result<Self> {
        let domain = match family {
            Family::Ipv4 => Domain::IPV4,
            Family::Ipv6 => Domain::IPV6,
        };
        let protocol = Protocol::from(PROTOCOL_NUMBER);
        let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
        // Until it is bound, what comes in may be from another interface.
        const DROP_ALL: SockFilter = SockFilter::new(0x06, 0, 0, 0);
        socket.attach_filter(&[DROP_ALL])?;
        socket.bind_device(Some(interface.as_bytes()))?;
        match family {
            Family::Ipv4 => prepare_ipv4(&socket)?,
            Family::Ipv6 => prepare_ipv6(&socket, interface_index)?,
        }
        setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        enlarge(&socket);
        socket.set_nonblocking(true)?;
        let mut ear = None;
        match (virtual_mac, family) {
            (None, _) => socket.detach_filter()?,
            (Some(mac), Family::Ipv4) => {
                let number = PROTOCOL_NUMBER.unsigned_abs();
                let heard = unjudged(interface_index, number, mac)?;
                setsockopt(&heard, sockopt::RxqOvfl, &1)?;
                ear = Some(watch::readable(heard)?);
            }
            (Some(mac), Family::Ipv6) => {
                socket.set_freebind_v6(true)?;
                socket.attach_filter(&from_mac(mac))?;
            }
        }
        Ok(Self {
            socket: watch::readable(socket.into())?,
            ear,
            family,
            interface_index,
            outbox: Outbox::default(),
            lost: 0,
            groups: Vec::new(),
        })
    }

    /// Receives what is sent to a multicast group, too.
    ///
    /// # Errors
    /// The system's.
    pub fn join(&mut self, group: IpAddr) -> io::Result<()> {
        if self.groups.contains(&group) {
            return Ok(());
        }
        let socket = socket2::SockRef::from(self.socket.get_ref());
        let index = self.interface_index;
        match group {
            IpAddr::V4(group) => {
                socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
            }
            IpAddr::V6(group) => socket.join_multicast_v6(&group, index)?,
        }
        self.groups.push(group);
        Ok(())
    }

    /// Ready when packets have come in since the last time that this was ready: all of them must be
    /// received then.
    pub fn poll_arrival(&self, context: &mut Context<'_>) -> Poll<()> {
        let incoming = self.ear.as_ref().unwrap_or(&self.socket);
        incoming
            .poll_read_ready(context)
            .map(|ready| drop(ready.map(|mut ready| ready.clear_ready())))
    }

    /// The next packet that came in, if there is one.
    pub fn receive<'a>(&mut self, inbox: &'a mut Inbox) -> Option<Packet<'a>> {
        let Inbox { octets, control } = inbox;
        let incoming = self.ear.as_ref().unwrap_or(&self.socket);
        let arrived = receive(incoming, octets, control)?;
        self.lost = arrived.lost.map_or(self.lost, u64::from);
        let octets = octets.get(..arrived.length)?;
        match self.family {
            Family::Ipv4 if self.ear.is_some() => Some(Packet::Ipv4(without_padding(octets))),
            Family::Ipv4 => Some(Packet::Ipv4(octets)),
            Family::Ipv6 => Some(Packet::Ipv6 {
                source: arrived.source?,
                destination: arrived.destination?,
                hop_limit: arrived.hop_limit?,
                message: octets,
            }),
        }
    }

    /// How many packets were lost because too many waited to be received.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Puts a packet to those that [`VrrpSocket::flush`] sends; `write` overwrites a buffer with it.
    /// When many wait, they are sent at once. A `source` is needed over IPv6, where the packet does
    /// not contain it.
    ///
    /// # Errors
    /// Those of [`VrrpSocket::flush`], about other packets: this one will be sent.
    pub fn send(
        &mut self,
        source: IpAddr,
        destination: IpAddr,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<()> {
        let outcome = if self.outbox.is_full() {
            self.flush()
        } else {
            Ok(())
        };
        write(self.outbox.add(source, destination, self.interface_index));
        outcome
    }

    /// Sends all packets that wait, in their order.
    ///
    /// # Errors
    /// That of the last packet that could not be sent: ENETDOWN, ENOBUFS, EPERM from a firewall. The
    /// others were sent; the next advert may fare better.
    pub fn flush(&mut self) -> io::Result<()> {
        self.outbox.flush(self.socket.get_ref())
    }
}

fn prepare_ipv4(socket: &Socket) -> io::Result<()> {
    socket.set_header_included_v4(true)?;
    socket.set_multicast_all_v4(false)?;
    socket.set_multicast_loop_v4(false)
}

fn prepare_ipv6(socket: &Socket, interface_index: u32) -> io::Result<()> {
    socket.set_unicast_hops_v6(HOP_LIMIT)?;
    socket.set_multicast_hops_v6(HOP_LIMIT)?;
    socket.set_multicast_if_v6(interface_index)?;
    socket.set_multicast_all_v6(false)?;
    socket.set_multicast_loop_v6(false)?;
    socket.set_tclass_v6(TRAFFIC_CLASS)?;
    setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true)?;
    Ok(())
}

/// As large as is allowed: a smaller buffer loses packets only when this process does not run.
fn enlarge(socket: &Socket) {
    if setsockopt(socket, sockopt::RcvBufForce, &BUFFER_OCTETS).is_err() {
        let _ = socket.set_recv_buffer_size(BUFFER_OCTETS);
    }
    if setsockopt(socket, sockopt::SndBufForce, &BUFFER_OCTETS).is_err() {
        let _ = socket.set_send_buffer_size(BUFFER_OCTETS);
    }
}

/// What the kernel says of a packet.
#[derive(Debug, Default)]
struct Arrived {
    length: usize,
    lost: Option<u32>,
    source: Option<Ipv6Addr>,
    destination: Option<Ipv6Addr>,
    hop_limit: Option<u8>,
}

/// `None`: nothing more waits. Errors such as ENETDOWN are said once and pass.
fn receive(socket: &AsyncFd<OwnedFd>, octets: &mut [u8], control: &mut [u8]) -> Option<Arrived> {
    loop {
        let mut into = [IoSliceMut::new(octets)];
        let number = socket.get_ref().as_raw_fd();
        match recvmsg::<SockaddrStorage>(number, &mut into, Some(control), MsgFlags::empty()) {
            Ok(received) => return Some(arrived(&received)),
            Err(Errno::EAGAIN) => return None,
            Err(_) => {}
        }
    }
}

fn arrived(received: &RecvMsg<'_, '_, SockaddrStorage>) -> Arrived {
    let mut arrived = Arrived {
        length: received.bytes,
        source: received
            .address
            .and_then(|it| Some(it.as_sockaddr_in6()?.ip())),
        ..Arrived::default()
    };
    // An error means that there was more than there was room for, which nobody asked for.
    for said in received.cmsgs().into_iter().flatten() {
        match said {
            ControlMessageOwned::RxqOvfl(lost) => arrived.lost = Some(lost),
            ControlMessageOwned::Ipv6PacketInfo(route) => {
                arrived.destination = Some(Ipv6Addr::from(route.ipi6_addr.s6_addr));
            }
            ControlMessageOwned::Ipv6HopLimit(left) => arrived.hop_limit = u8::try_from(left).ok(),
            _ => {}
        }
    }
    arrived
}
