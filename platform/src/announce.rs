//! Tells everybody on a link which MAC address an address has: gratuitous ARP for IPv4, unsolicited
//! neighbour advertisements for IPv6.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::IntoRawFd;
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use pnet_base::MacAddr;
use pnet_datalink::{Channel, ChannelType, Config, DataLinkSender, NetworkInterface};
use pnet_packet::arp::{ArpHardwareTypes, ArpOperations, MutableArpPacket};
use pnet_packet::ethernet::{EtherType, EtherTypes, MutableEthernetPacket};
use pnet_packet::icmpv6::ndp::{
    MutableNdpOptionPacket, MutableNeighborAdvertPacket, NdpOptionType, NdpOptionTypes,
    NeighborAdvertFlags,
};
use pnet_packet::icmpv6::{self, Icmpv6Packet, Icmpv6Type, Icmpv6Types};
use pnet_packet::ip::IpNextHeaderProtocols;
use pnet_packet::ipv6::MutableIpv6Packet;

use crate::interfaces::Interface;

pub(crate) const ETHERNET_HEADER: usize = 14;
const ARP_OCTETS: usize = 28;
pub(crate) const FRAME_OCTETS: usize = ETHERNET_HEADER + ARP_OCTETS;

const IPV6_HEADER: usize = 40;
/// A message of neighbour discovery and its one option, in octets.
const DISCOVERY_OCTETS: u16 = 32;
pub(crate) const DISCOVERY_FRAME: usize = ETHERNET_HEADER + IPV6_HEADER + 32;
/// Of neighbour discovery, so that nothing from beyond the link is believed (RFC 4861 §7.1.2).
const HOP_LIMIT: u8 = 255;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// How long a frame may wait for room in the send buffer, while the router waits for it.
const ROOM_WITHIN: Duration = Duration::from_millis(5);

/// Announces addresses on one interface.
pub struct Announcer {
    sender: Box<dyn DataLinkSender>,
    mac: MacAddr,
    /// Whether the node forwards IPv6 packets that come in there.
    is_router: bool,
}

impl Announcer {
    /// Opens a way to send frames on the interface. Needs CAP_NET_RAW. Nothing is received on it,
    /// so that the traffic of the interface is not copied to it.
    ///
    /// # Errors
    /// The system's; an interface without a MAC address of Ethernet's form is unsupported.
    pub fn open(interface: &Interface) -> io::Result<Self> {
        let mac = interface
            .mac
            .ok_or(io::ErrorKind::Unsupported)
            .map(MacAddr::from)?;
        let flags = SockFlag::SOCK_CLOEXEC;
        // No protocol: a packet socket without one receives nothing.
        let silent = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        let config = Config {
            channel_type: ChannelType::Layer3(0),
            promiscuous: false,
            write_timeout: Some(ROOM_WITHIN),
            read_buffer_size: 0,
            write_buffer_size: 0,
            // Closed by pnet, also when it fails.
            socket_fd: Some(silent.into_raw_fd()),
            ..Config::default()
        };
        match pnet_datalink::channel(&card(interface, mac), config)? {
            Channel::Ethernet(sender, _) => Ok(Self {
                sender,
                mac,
                is_router: forwards_ipv6(&interface.name),
            }),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Announces `address` once.
    ///
    /// # Errors
    /// The system's: ENETDOWN, or no room in the send buffer in time.
    pub fn announce(&mut self, address: IpAddr) -> io::Result<()> {
        let sent = match address {
            IpAddr::V4(address) => {
                let frame = gratuitous_arp(self.mac, address);
                self.sender.send_to(&frame, None)
            }
            IpAddr::V6(address) => {
                let frame = neighbour_advertisement(self.mac, address, self.is_router);
                self.sender.send_to(&frame, None)
            }
        };
        sent.unwrap_or(Err(io::ErrorKind::WriteZero.into()))
    }
}

/// An interface as pnet names it.
pub(crate) fn card(interface: &Interface, mac: MacAddr) -> NetworkInterface {
    NetworkInterface {
        name: interface.name.clone(),
        description: String::new(),
        index: interface.index,
        mac: Some(mac),
        ips: Vec::new(),
        flags: 0,
    }
}

/// The form that keepalived uses: a request, sender and target both the address, the target's MAC
/// address all ones (RFC 9568 §6.4.2, errata 7947 and 7949).
fn gratuitous_arp(mac: MacAddr, address: Ipv4Addr) -> [u8; FRAME_OCTETS] {
    arp_request(mac, address, MacAddr::broadcast(), address)
}

/// An ARP request to everybody.
pub(crate) fn arp_request(
    mac: MacAddr,
    sender: Ipv4Addr,
    target_mac: MacAddr,
    target: Ipv4Addr,
) -> [u8; FRAME_OCTETS] {
    let mut frame = [0; FRAME_OCTETS];
    let (header, payload) = frame.split_at_mut(ETHERNET_HEADER);
    write_ethernet(header, mac, MacAddr::broadcast(), EtherTypes::Arp);
    if let Some(mut arp) = MutableArpPacket::new(payload) {
        arp.set_hardware_type(ArpHardwareTypes::Ethernet);
        arp.set_protocol_type(EtherTypes::Ipv4);
        arp.set_hw_addr_len(6);
        arp.set_proto_addr_len(4);
        arp.set_operation(ArpOperations::Request);
        arp.set_sender_hw_addr(mac);
        arp.set_sender_proto_addr(sender);
        arp.set_target_hw_addr(target_mac);
        arp.set_target_proto_addr(target);
    }
    frame
}

/// Unsolicited, to everybody, to replace what they know (RFC 9568 §6.4.2, RFC 4861 §7.2.6). Whoever
/// has the address for its router strikes it off when the advertisement says that it is none
/// (RFC 4861 §7.2.5).
fn neighbour_advertisement(
    mac: MacAddr,
    address: Ipv6Addr,
    is_router: bool,
) -> [u8; DISCOVERY_FRAME] {
    let router = if is_router {
        NeighborAdvertFlags::Router
    } else {
        0
    };
    let advertisement = Discovery {
        kind: Icmpv6Types::NeighborAdvert,
        flags: NeighborAdvertFlags::Override | router,
        target: address,
        option: NdpOptionTypes::TargetLLAddr,
        source: address,
        destination: ALL_NODES,
    };
    advertisement.frame(mac)
}

/// Asks whoever has an address to tell `source` where it is (RFC 4861 §7.2.2).
pub(crate) fn neighbour_solicitation(
    mac: MacAddr,
    source: Ipv6Addr,
    address: Ipv6Addr,
) -> [u8; DISCOVERY_FRAME] {
    let [.., a, b, c] = address.octets();
    let solicitation = Discovery {
        kind: Icmpv6Types::NeighborSolicit,
        flags: 0,
        target: address,
        option: NdpOptionTypes::SourceLLAddr,
        source,
        // The solicited-node group (RFC 4291 §2.7.1).
        destination: Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]),
    };
    solicitation.frame(mac)
}

/// A message of neighbour discovery to a group. Advertisements and solicitations have the same
/// form, with other flags (RFC 4861 §4.3, §4.4).
struct Discovery {
    kind: Icmpv6Type,
    flags: u8,
    target: Ipv6Addr,
    /// What the sender's MAC address is said to be.
    option: NdpOptionType,
    source: Ipv6Addr,
    destination: Ipv6Addr,
}

impl Discovery {
    fn frame(&self, mac: MacAddr) -> [u8; DISCOVERY_FRAME] {
        let mut frame = [0; DISCOVERY_FRAME];
        let (ethernet, rest) = frame.split_at_mut(ETHERNET_HEADER);
        let (header, message) = rest.split_at_mut(IPV6_HEADER);
        let [.., a, b, c, d] = self.destination.octets();
        // RFC 2464 §7.
        let to_group = MacAddr::new(0x33, 0x33, a, b, c, d);
        write_ethernet(ethernet, mac, to_group, EtherTypes::Ipv6);
        if let Some(mut ip) = MutableIpv6Packet::new(header) {
            ip.set_version(6);
            ip.set_payload_length(DISCOVERY_OCTETS);
            ip.set_next_header(IpNextHeaderProtocols::Icmpv6);
            ip.set_hop_limit(HOP_LIMIT);
            ip.set_source(self.source);
            ip.set_destination(self.destination);
        }
        if let Some(mut packet) = MutableNeighborAdvertPacket::new(message) {
            packet.set_icmpv6_type(self.kind);
            packet.set_flags(self.flags);
            packet.set_target_addr(self.target);
            if let Some(mut option) = MutableNdpOptionPacket::new(packet.get_options_raw_mut()) {
                option.set_option_type(self.option);
                option.set_length(1);
                option.set_data(&mac.octets());
            }
        }
        let sum = Icmpv6Packet::new(message)
            .map(|it| icmpv6::checksum(&it, &self.source, &self.destination));
        if let (Some(sum), Some(mut packet)) = (sum, MutableNeighborAdvertPacket::new(message)) {
            packet.set_checksum(sum);
        }
        frame
    }
}

/// A setting that cannot be read is one that is off.
fn forwards_ipv6(interface: &str) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/forwarding");
    fs::read_to_string(path).is_ok_and(|setting| setting.trim() != "0")
}

fn write_ethernet(header: &mut [u8], from: MacAddr, to: MacAddr, carries: EtherType) {
    if let Some(mut ethernet) = MutableEthernetPacket::new(header) {
        ethernet.set_destination(to);
        ethernet.set_source(from);
        ethernet.set_ethertype(carries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gratuitous_arp_is_that_of_keepalived() {
        let mac = MacAddr::new(2, 0, 0, 0, 0, 1);
        let frame = gratuitous_arp(mac, Ipv4Addr::new(192, 168, 0, 105));
        let hex: String = frame.iter().map(|octet| format!("{octet:02x}")).collect();
        let expected = "ffffffffffff020000000001080600010800060400010200000000\
                        01c0a80069ffffffffffffc0a80069";
        assert_eq!(hex, expected);
    }

    #[test]
    fn neighbour_advertisements_are_those_of_keepalived() {
        let mac = MacAddr::new(2, 0, 0, 0, 0, 1);
        let addresses = [
            (
                "fe80::105",
                false,
                "3333000000010200000000 0186dd6000000000203aff \
                 fe800000000000000000000000000105 ff020000000000000000000000000001 \
                 880055932 0000000 fe800000000000000000000000000105 0201020000000001",
            ),
            (
                "fd00:a::105",
                false,
                "3333000000010200000000 0186dd6000000000203aff \
                 fd00000a000000000000000000000105 ff020000000000000000000000000001 \
                 8800587f2 0000000 fd00000a000000000000000000000105 0201020000000001",
            ),
            (
                "fe80::105",
                true,
                "3333000000010200000000 0186dd6000000000203aff \
                 fe800000000000000000000000000105 ff020000000000000000000000000001 \
                 8800d592a 0000000 fe800000000000000000000000000105 0201020000000001",
            ),
        ];
        for (address, is_router, expected) in addresses {
            let parsed = address.parse().expect("an address");
            let frame = neighbour_advertisement(mac, parsed, is_router);
            let hex: String = frame.iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(hex, expected.replace(' ', ""), "{address}");
        }
    }

    #[test]
    fn a_solicitation_goes_to_those_who_may_have_the_address() {
        let mac = MacAddr::new(2, 0, 0, 0, 0, 1);
        let [source, address] =
            ["fe80::ff:fe00:1", "fd00::1:2:105"].map(|text| text.parse().expect("an address"));
        let frame = neighbour_solicitation(mac, source, address);
        let hex: String = frame.iter().map(|octet| format!("{octet:02x}")).collect();
        let expected = "3333ff020105 020000000001 86dd6000000000203aff \
                        fe80000000000000000000fffe000001 ff0200000000000000000001ff020105 \
                        87007b0c00000000 fd000000000000000000000100020105 0101020000000001";
        assert_eq!(hex, expected.replace(' ', ""));
    }
}
