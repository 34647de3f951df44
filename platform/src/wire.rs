//! Looks at an interface from both sides of this node's firewall: VRRP and who has which address as
//! they are on the link, and VRRP as programs get to see it, over IPv4 and IPv6. Nothing is taken from anybody: whoever else listens
//! goes on hearing the same. The interface is not made promiscuous.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{SockaddrStorage, recvfrom};
use pnet_base::MacAddr;
use pnet_datalink::{Channel, ChannelType, Config, DataLinkReceiver, DataLinkSender};
use pnet_packet::Packet as _;
use pnet_packet::arp::{ArpOperations, ArpPacket};
use pnet_packet::ethernet::{EtherTypes, EthernetPacket};
use pnet_packet::ip::IpNextHeaderProtocols;
use pnet_packet::ipv6::Ipv6Packet;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockFilter, Socket, Type};

use crate::announce::{FRAME_OCTETS, arp_request, card, neighbour_solicitation};
use crate::claims::{advertised, arp_sender};
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
    /// Behind the firewall, for each family that the interface has.
    delivered: Vec<Socket>,
    mac: MacAddr,
}

/// A frame on the link, in or out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An IP packet of protocol 112, over either family, padding and all.
    Vrrp {
        /// Its sender's Ethernet address.
        mac: [u8; 6],
        /// From the IP header on.
        packet: Vec<u8>,
    },
    /// Somebody answered a question of this node.
    Answer {
        /// The address that was asked for.
        address: IpAddr,
        /// Who has it.
        mac: [u8; 6],
    },
}

impl Wire {
    /// Begins to look. Joins the groups on the interface, as a router would, as far as it has their
    /// families. Needs CAP_NET_RAW.
    ///
    /// # Errors
    /// The system's; an interface without a MAC address of Ethernet's form is unsupported.
    pub fn open(interface: &Interface, groups: [IpAddr; 2]) -> io::Result<Self> {
        let mac = interface.mac.ok_or(io::ErrorKind::Unsupported)?;
        let mac = MacAddr::from(mac);
        // Deaf until it is bound, so that what comes in is of this interface and has been filtered.
        let deaf = Socket::new(Domain::PACKET, Type::RAW, None)?;
        deaf.attach_filter(&vrrp_and_answers())?;
        let config = Config {
            channel_type: ChannelType::Layer2,
            promiscuous: false,
            read_timeout: Some(PATIENCE),
            write_timeout: Some(ROOM_WITHIN),
            // Closed by pnet, also when it fails.
            socket_fd: Some(deaf.into_raw_fd()),
            ..Config::default()
        };
        let Channel::Ethernet(sender, receiver) =
            pnet_datalink::channel(&card(interface, mac), config)?
        else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut delivered = Vec::new();
        for group in groups {
            match behind_firewall(interface, group) {
                Ok(socket) => delivered.push(socket),
                Err(error) if group.is_ipv6() && is_without_family(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            sender,
            receiver,
            delivered,
            mac,
        })
    }

    /// Asks the link by ARP who has `address`, without saying anything about this node's own
    /// (RFC 5227 §2.1.1). This node itself does not answer.
    ///
    /// # Errors
    /// The system's: ENETDOWN, or no room in the send buffer in time.
    pub fn ask(&mut self, address: Ipv4Addr) -> io::Result<()> {
        self.send(&question(self.mac, address))
    }

    /// Asks the link by neighbour discovery who has `address`. Those who have it answer to `source`,
    /// an address of this interface. A question without a source, as ARP knows it, would be answered
    /// to everybody, who would then believe the last answer (RFC 4861 §7.2.4).
    ///
    /// # Errors
    /// The system's: ENETDOWN, or no room in the send buffer in time.
    pub fn solicit(&mut self, address: Ipv6Addr, source: Ipv6Addr) -> io::Result<()> {
        self.send(&neighbour_solicitation(self.mac, source, address))
    }

    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.sender
            .send_to(frame, None)
            .unwrap_or(Err(io::ErrorKind::WriteZero.into()))
    }

    /// The next frame, waiting a moment for it; `None` when there was none in that moment.
    ///
    /// # Errors
    /// The system's: ENETDOWN when the interface goes down.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        match self.receiver.next() {
            Ok(frame) => Ok(read(frame, self.mac.octets())),
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
    pub fn next_delivered(&mut self) -> Option<IpAddr> {
        self.delivered.iter().find_map(|socket| {
            let (_, sender) = recvfrom::<SockaddrStorage>(socket.as_raw_fd(), &mut [0]).ok()?;
            let sender = sender?;
            let over_ipv4 = sender.as_sockaddr_in().map(|it| it.ip().into());
            over_ipv4.or_else(|| sender.as_sockaddr_in6().map(|it| it.ip().into()))
        })
    }
}

/// A raw socket gets a packet when the firewall has let it in.
fn behind_firewall(interface: &Interface, group: IpAddr) -> io::Result<Socket> {
    let protocol = Some(Protocol::from(PROTOCOL_NUMBER));
    let socket = Socket::new(Domain::for_address((group, 0).into()), Type::RAW, protocol)?;
    socket.bind_device(Some(interface.name.as_bytes()))?;
    match group {
        IpAddr::V4(group) => {
            let index = InterfaceIndexOrAddress::Index(interface.index);
            socket.set_multicast_all_v4(false)?;
            socket.join_multicast_v4_n(&group, &index)?;
        }
        IpAddr::V6(group) => {
            socket.set_multicast_all_v6(false)?;
            socket.join_multicast_v6(&group, interface.index)?;
        }
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Whether the machine, or the interface, has no IPv6.
fn is_without_family(error: &io::Error) -> bool {
    let absent = [Errno::EAFNOSUPPORT, Errno::EINVAL, Errno::EADDRNOTAVAIL];
    let code = error.raw_os_error().map(Errno::from_raw);
    code.is_some_and(|code| absent.contains(&code))
}

/// Lets through ARP, IP of either family with protocol 112, and neighbour advertisements.
fn vrrp_and_answers() -> [SockFilter; 13] {
    const LOAD_HALF_WORD: u16 = 0x28;
    const LOAD_OCTET: u16 = 0x30;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    // Jumps say how many instructions are left out, if equal and if not.
    [
        SockFilter::new(LOAD_HALF_WORD, 0, 0, 12),
        SockFilter::new(JUMP_IF_EQUAL, 9, 0, 0x0806),
        SockFilter::new(JUMP_IF_EQUAL, 0, 2, 0x0800),
        SockFilter::new(LOAD_OCTET, 0, 0, 23),
        SockFilter::new(JUMP_IF_EQUAL, 6, 7, 112),
        SockFilter::new(JUMP_IF_EQUAL, 0, 6, 0x86dd),
        SockFilter::new(LOAD_OCTET, 0, 0, 20),
        SockFilter::new(JUMP_IF_EQUAL, 3, 0, 112),
        SockFilter::new(JUMP_IF_EQUAL, 0, 3, 58),
        SockFilter::new(LOAD_OCTET, 0, 0, 54),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, 136),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// What an Ethernet frame says that has passed the filter, to an interface with the MAC address `own`;
/// `None`: nothing of interest.
pub fn read(frame: &[u8], own: [u8; 6]) -> Option<Frame> {
    let ethernet = EthernetPacket::new(frame)?;
    let vrrp = || Frame::Vrrp {
        mac: ethernet.get_source().octets(),
        packet: ethernet.payload().to_vec(),
    };
    let is_for_us = ethernet.get_destination().octets() == own;
    let (address, mac) = match ethernet.get_ethertype() {
        EtherTypes::Ipv4 => return Some(vrrp()),
        EtherTypes::Ipv6 => {
            let packet = Ipv6Packet::new(ethernet.payload())?;
            if packet.get_next_header() != IpNextHeaderProtocols::Icmpv6 {
                return Some(vrrp());
            }
            let is_of_link = packet.get_hop_limit() == u8::MAX;
            let (target, mac) = advertised(packet.payload())?;
            (is_for_us && is_of_link).then_some((IpAddr::from(target), mac))?
        }
        _ => {
            let arp = ArpPacket::new(ethernet.payload())?;
            let is_answer = arp.get_operation() == ArpOperations::Reply
                && arp.get_target_hw_addr().octets() == own;
            let (address, mac) = arp_sender(frame)?;
            is_answer.then_some((IpAddr::from(address), mac))?
        }
    };
    (mac != own).then_some(Frame::Answer { address, mac })
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
        assert_eq!(read(&frame, own.octets()), None);
        let mut arp = MutableArpPacket::new(&mut frame[ETHERNET_HEADER..]).expect("long enough");
        arp.set_operation(ArpOperations::Reply);
        arp.set_sender_proto_addr(address);
        arp.set_target_hw_addr(own);
        let (address, mac) = (IpAddr::from(address), other.octets());
        assert_eq!(
            read(&frame, own.octets()),
            Some(Frame::Answer { address, mac })
        );
        assert_eq!(read(&frame, other.octets()), None);
        assert_eq!(read(&frame[..20], own.octets()), None);
    }

    #[test]
    fn only_advertisements_to_this_node_count() {
        let (own, other) = (
            MacAddr::new(2, 0, 0, 0, 0, 1),
            MacAddr::new(2, 0, 0, 0, 0, 2),
        );
        let address = "fd00::105".parse().expect("an address");
        let source = "fe80::2".parse().expect("an address");
        let mut frame = neighbour_solicitation(other, source, address);
        assert_eq!(read(&frame, own.octets()), None, "a question");
        let kind = ETHERNET_HEADER + 40;
        let option = kind + 24;
        (frame[kind], frame[option]) = (136, 2);
        assert_eq!(read(&frame, own.octets()), None, "to everybody");
        frame[..6].copy_from_slice(&own.octets());
        let answer = Frame::Answer {
            address: address.into(),
            mac: other.octets(),
        };
        assert_eq!(read(&frame, own.octets()), Some(answer));
        for length in 0..frame.len() {
            assert_eq!(
                read(&frame[..length], own.octets()),
                None,
                "{length} octets"
            );
        }
        let hop_limit = ETHERNET_HEADER + 7;
        frame[hop_limit] = 254;
        assert_eq!(read(&frame, own.octets()), None, "from beyond the link");
    }
}
