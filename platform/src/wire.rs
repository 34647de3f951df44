//! Looks at an interface from both sides of this node's firewall: VRRP and ARP as they are on the
//! link, and VRRP as programs get to see it. Nothing is taken from anybody: whoever else listens
//! goes on hearing the same. The interface is not made promiscuous.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::time::Duration;

use nix::sys::socket::{MsgFlags, recv};
use pnet_base::MacAddr;
use pnet_datalink::{
    Channel, ChannelType, Config, DataLinkReceiver, DataLinkSender, NetworkInterface,
};
use pnet_packet::Packet as _;
use pnet_packet::arp::{ArpOperations, ArpPacket};
use pnet_packet::ethernet::{EtherTypes, EthernetPacket};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockFilter, Socket, Type};

use crate::announce::{FRAME_OCTETS, arp_request};
use crate::interfaces::Interface;

const PROTOCOL_NUMBER: i32 = 112;

/// How long [`Wire::next_frame`] waits at most.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long a frame may wait for room in the send buffer.
const ROOM_WITHIN: Duration = Duration::from_millis(50);

/// An interface that is looked at.
pub struct Wire {
    sender: Box<dyn DataLinkSender>,
    receiver: Box<dyn DataLinkReceiver>,
    /// Behind the firewall.
    delivered: Socket,
    mac: MacAddr,
}

/// A frame on the link, in or out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An IPv4 packet of protocol 112, padding and all.
    Vrrp {
        /// Its sender's Ethernet address.
        mac: [u8; 6],
        /// From the IPv4 header on.
        packet: Vec<u8>,
    },
    /// Somebody answered a question of this node by ARP.
    Answer {
        /// The address that was asked for.
        address: Ipv4Addr,
        /// Who has it.
        mac: [u8; 6],
    },
}

impl Wire {
    /// Begins to look. Joins `group` on the interface, as a router would. Needs CAP_NET_RAW.
    ///
    /// # Errors
    /// The system's; an interface without a MAC address of Ethernet's form is unsupported.
    pub fn open(interface: &Interface, group: Ipv4Addr) -> io::Result<Self> {
        let mac = interface.mac.ok_or(io::ErrorKind::Unsupported)?;
        let mac = MacAddr::from(mac);
        // Deaf until it is bound, so that what comes in is of this interface and has been filtered.
        let deaf = Socket::new(Domain::PACKET, Type::RAW, None)?;
        deaf.attach_filter(&vrrp_and_arp())?;
        let config = Config {
            channel_type: ChannelType::Layer2,
            promiscuous: false,
            read_timeout: Some(PATIENCE),
            write_timeout: Some(ROOM_WITHIN),
            // Closed by pnet, also when it fails.
            socket_fd: Some(deaf.into_raw_fd()),
            ..Config::default()
        };
        let card = NetworkInterface {
            name: interface.name.clone(),
            description: String::new(),
            index: interface.index,
            mac: Some(mac),
            ips: Vec::new(),
            flags: 0,
        };
        let Channel::Ethernet(sender, receiver) = pnet_datalink::channel(&card, config)? else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        Ok(Self {
            sender,
            receiver,
            delivered: behind_firewall(interface, group)?,
            mac,
        })
    }

    /// Asks the link who has `address`, without saying anything about this node's own
    /// (RFC 5227 §2.1.1). This node itself does not answer.
    ///
    /// # Errors
    /// The system's: ENETDOWN, or no room in the send buffer in time.
    pub fn ask(&mut self, address: Ipv4Addr) -> io::Result<()> {
        let frame = question(self.mac, address);
        self.sender
            .send_to(&frame, None)
            .unwrap_or(Err(io::ErrorKind::WriteZero.into()))
    }

    /// The next frame, waiting a moment for it; `None` when there was none in that moment.
    ///
    /// # Errors
    /// The system's: ENETDOWN when the interface goes down.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        match self.receiver.next() {
            Ok(frame) => Ok(read(frame, self.mac)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::TimedOut
                        | io::ErrorKind::WouldBlock
                        | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The sender of the next VRRP packet that passed the firewall, if one waits.
    pub fn next_delivered(&mut self) -> Option<Ipv4Addr> {
        let mut head = [0; 20];
        recv(self.delivered.as_raw_fd(), &mut head, MsgFlags::empty()).ok()?;
        let [.., s0, s1, s2, s3, _, _, _, _] = head;
        Some(Ipv4Addr::new(s0, s1, s2, s3))
    }
}

/// A raw socket gets a packet when the firewall has let it in.
fn behind_firewall(interface: &Interface, group: Ipv4Addr) -> io::Result<Socket> {
    let protocol = Some(Protocol::from(PROTOCOL_NUMBER));
    let socket = Socket::new(Domain::IPV4, Type::RAW, protocol)?;
    socket.bind_device(Some(interface.name.as_bytes()))?;
    socket.set_multicast_all_v4(false)?;
    socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface.index))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Lets through ARP, and IPv4 with protocol 112.
fn vrrp_and_arp() -> [SockFilter; 7] {
    const LOAD_HALF_WORD: u16 = 0x28;
    const LOAD_OCTET: u16 = 0x30;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    [
        SockFilter::new(LOAD_HALF_WORD, 0, 0, 12),
        SockFilter::new(JUMP_IF_EQUAL, 3, 0, 0x0806),
        SockFilter::new(JUMP_IF_EQUAL, 0, 3, 0x0800),
        SockFilter::new(LOAD_OCTET, 0, 0, 23),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, 112),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

fn read(frame: &[u8], own: MacAddr) -> Option<Frame> {
    let ethernet = EthernetPacket::new(frame)?;
    let mac = ethernet.get_source();
    if ethernet.get_ethertype() == EtherTypes::Ipv4 {
        return Some(Frame::Vrrp {
            mac: mac.octets(),
            packet: ethernet.payload().to_vec(),
        });
    }
    let arp = ArpPacket::new(ethernet.payload())?;
    let is_for_us = arp.get_operation() == ArpOperations::Reply
        && arp.get_target_hw_addr() == own
        && arp.get_sender_hw_addr() != own;
    is_for_us.then(|| Frame::Answer {
        address: arp.get_sender_proto_addr(),
        mac: arp.get_sender_hw_addr().octets(),
    })
}

fn question(mac: MacAddr, address: Ipv4Addr) -> [u8; FRAME_OCTETS] {
    arp_request(mac, Ipv4Addr::UNSPECIFIED, MacAddr::zero(), address)
}

#[cfg(test)]
mod tests {
    use pnet_packet::arp::MutableArpPacket;

    use super::*;
    use crate::announce::ETHERNET_HEADER;

    #[test]
    fn a_question_is_a_probe_that_says_nothing_of_its_sender() {
        let frame = question(
            MacAddr::new(2, 0, 0, 0, 0, 1),
            Ipv4Addr::new(192, 168, 0, 105),
        );
        let hex: String = frame.iter().map(|octet| format!("{octet:02x}")).collect();
        let expected = "ffffffffffff020000000001080600010800060400010200000000\
                        0100000000000000000000c0a80069";
        assert_eq!(hex, expected);
    }

    #[test]
    fn only_answers_to_this_node_count() {
        let (own, other) = (
            MacAddr::new(2, 0, 0, 0, 0, 1),
            MacAddr::new(2, 0, 0, 0, 0, 2),
        );
        let address = Ipv4Addr::new(192, 168, 0, 105);
        let mut frame = question(other, Ipv4Addr::UNSPECIFIED);
        assert_eq!(read(&frame, own), None);
        let mut arp = MutableArpPacket::new(&mut frame[ETHERNET_HEADER..]).expect("long enough");
        arp.set_operation(ArpOperations::Reply);
        arp.set_sender_proto_addr(address);
        arp.set_target_hw_addr(own);
        let mac = other.octets();
        assert_eq!(read(&frame, own), Some(Frame::Answer { address, mac }));
        assert_eq!(read(&frame, other), None);
        assert_eq!(read(&frame[..20], own), None);
    }
}
