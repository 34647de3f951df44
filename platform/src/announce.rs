//! Gratuitous ARP: tells everybody on a link whose MAC address an IPv4 address has.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::IntoRawFd;
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use pnet_base::MacAddr;
use pnet_datalink::{Channel, ChannelType, Config, DataLinkSender, NetworkInterface};
use pnet_packet::arp::{ArpHardwareTypes, ArpOperations, MutableArpPacket};
use pnet_packet::ethernet::{EtherTypes, MutableEthernetPacket};

use crate::interfaces::Interface;

pub(crate) const ETHERNET_HEADER: usize = 14;
const ARP_OCTETS: usize = 28;
pub(crate) const FRAME_OCTETS: usize = ETHERNET_HEADER + ARP_OCTETS;

/// How long a frame may wait for room in the send buffer, while the router waits for it.
const ROOM_WITHIN: Duration = Duration::from_millis(5);

/// Announces addresses on one interface.
pub struct Announcer {
    sender: Box<dyn DataLinkSender>,
    mac: MacAddr,
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
        let card = NetworkInterface {
            name: interface.name.clone(),
            description: String::new(),
            index: interface.index,
            mac: Some(mac),
            ips: Vec::new(),
            flags: 0,
        };
        match pnet_datalink::channel(&card, config)? {
            Channel::Ethernet(sender, _) => Ok(Self { sender, mac }),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Sends one gratuitous ARP packet for `address`.
    ///
    /// # Errors
    /// The system's: ENETDOWN, or no room in the send buffer in time.
    pub fn announce(&mut self, address: Ipv4Addr) -> io::Result<()> {
        let frame = gratuitous_arp(self.mac, address);
        self.sender
            .send_to(&frame, None)
            .unwrap_or(Err(io::ErrorKind::WriteZero.into()))
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
    if let Some(mut ethernet) = MutableEthernetPacket::new(header) {
        ethernet.set_destination(MacAddr::broadcast());
        ethernet.set_source(mac);
        ethernet.set_ethertype(EtherTypes::Arp);
    }
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
}
