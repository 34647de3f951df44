//! The raw socket of one virtual router: IP protocol 112 on one interface.
//!
//! Packets go out with the IPv4 header that the caller wrote. They come in on a thread, which passes
//! them on through a short queue; the kernel has thrown away those of other virtual routers.

use std::io::{self, PipeWriter};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockFilter, Socket, Type};
use tokio::sync::Notify;

const PROTOCOL_NUMBER: i32 = 112;

/// Received packets that wait for their router. More means that the router does not run, and what
/// waits then is out of date.
const QUEUE_LENGTH: usize = 64;

/// The longest packet: header with options, VRRP header, 255 addresses, authentication.
const PACKET_OCTETS_MAX: usize = 60 + 8 + 255 * 4 + 8;

/// Where a router's packets come from and go to.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The interface's name.
    pub interface: String,
    /// The interface's number.
    pub interface_index: u32,
    /// The multicast group to join; `None` for unicast.
    pub group: Option<Ipv4Addr>,
    /// The virtual router identifier; packets with another one are not received.
    pub vrid: u8,
}

/// A received IPv4 packet.
#[derive(Clone, Debug)]
pub struct Packet {
    octets: [u8; PACKET_OCTETS_MAX],
    length: usize,
}

impl Packet {
    /// Header and all. One that was too long is cut, and so does not decode.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

/// Sends and receives the packets of one virtual router. Closed when dropped.
#[derive(Debug)]
pub struct VrrpSocket {
    socket: Arc<Socket>,
    packets: Receiver<Packet>,
    arrival: Arc<Notify>,
    lost: Arc<AtomicU64>,
    /// The thread ends when it sees this end of the pipe closed.
    _until_dropped: PipeWriter,
}

impl VrrpSocket {
    /// Opens the socket and begins to receive. Needs CAP_NET_RAW.
    ///
    /// # Errors
    /// The system's: EPERM without the capability, ENODEV without the interface.
    pub fn open(endpoint: &Endpoint) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::IPV4,
            Type::RAW,
            Some(Protocol::from(PROTOCOL_NUMBER)),
        )?;
        // First of all, so that nothing of other routers or interfaces gets into the buffer.
        socket.attach_filter(&only_vrid(endpoint.vrid))?;
        socket.bind_device(Some(endpoint.interface.as_bytes()))?;
        socket.set_header_included_v4(true)?;
        socket.set_multicast_all_v4(false)?;
        socket.set_multicast_loop_v4(false)?;
        if let Some(group) = endpoint.group {
            let interface = InterfaceIndexOrAddress::Index(endpoint.interface_index);
            socket.join_multicast_v4_n(&group, &interface)?;
        }
        socket.set_nonblocking(true)?;
        Self::receive(socket)
    }

    fn receive(socket: Socket) -> io::Result<Self> {
        let socket = Arc::new(socket);
        let arrival = Arc::new(Notify::new());
        let lost = Arc::new(AtomicU64::new(0));
        let (sender, packets) = bounded(QUEUE_LENGTH);
        let (until_closed, until_dropped) = io::pipe()?;
        let pump = Pump {
            socket: Arc::clone(&socket),
            sender,
            arrival: Arc::clone(&arrival),
            lost: Arc::clone(&lost),
        };
        thread::Builder::new()
            .name("vrrp-receive".into())
            .spawn(move || pump.run(&until_closed))?;
        Ok(Self {
            socket,
            packets,
            arrival,
            lost,
            _until_dropped: until_dropped,
        })
    }

    /// Sends a complete IPv4 packet.
    ///
    /// # Errors
    /// The system's: ENETDOWN, ENOBUFS, EPERM from a firewall. The next advert may fare better.
    pub fn send(&self, packet: &[u8], destination: Ipv4Addr) -> io::Result<()> {
        let destination = SocketAddrV4::new(destination, 0);
        self.socket.send_to(packet, &destination.into()).map(|_| ())
    }

    /// What tells that packets wait: awaited, it returns at least once after each arrival. Can be
    /// kept beyond the socket.
    pub fn arrival(&self) -> Arc<Notify> {
        Arc::clone(&self.arrival)
    }

    /// The next packet that waits, if one does.
    pub fn try_next(&self) -> Option<Packet> {
        self.packets.try_recv().ok()
    }

    /// How many packets were lost because too many waited.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Lets through packets whose VRRP header has this identifier (the second octet behind the IPv4
/// header, whose length is taken from it).
fn only_vrid(vrid: u8) -> [SockFilter; 5] {
    const LOAD_HEADER_LENGTH_INTO_X: u16 = 0xb1;
    const LOAD_OCTET_AT_X: u16 = 0x50;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    [
        SockFilter::new(LOAD_HEADER_LENGTH_INTO_X, 0, 0, 0),
        SockFilter::new(LOAD_OCTET_AT_X, 0, 0, 1),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, u32::from(vrid)),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// What the receiving thread has.
struct Pump {
    socket: Arc<Socket>,
    sender: Sender<Packet>,
    arrival: Arc<Notify>,
    lost: Arc<AtomicU64>,
}

impl Pump {
    /// Until the other end of the pipe is closed or the socket fails for good.
    fn run(self, until_closed: &impl AsFd) {
        loop {
            let mut wanted = [
                PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
                PollFd::new(until_closed.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut wanted, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
            let [_, closed] = &wanted;
            if closed.any() != Some(false) || self.drain().is_err() {
                return;
            }
        }
    }

    /// Passes on all that has come in.
    fn drain(&self) -> Result<(), Gone> {
        loop {
            let mut packet = Packet {
                octets: [0; PACKET_OCTETS_MAX],
                length: 0,
            };
            let received = recv(
                self.socket.as_raw_fd(),
                &mut packet.octets,
                MsgFlags::empty(),
            );
            match received {
                Ok(length) => packet.length = length,
                // EAGAIN: that was all. ENETDOWN and the like are said once and pass; poll waits for
                // what comes next.
                Err(_) => return Ok(()),
            }
            self.pass_on(packet)?;
        }
    }

    /// When the queue is full the packet is lost: its sender will say it again, and newer.
    fn pass_on(&self, packet: Packet) -> Result<(), Gone> {
        match self.sender.try_send(packet) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
            Err(TrySendError::Disconnected(_)) => return Err(Gone),
        }
        self.arrival.notify_one();
        Ok(())
    }
}

/// Nobody takes packets any more.
struct Gone;
