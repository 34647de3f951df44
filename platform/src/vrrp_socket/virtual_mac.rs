//! Hearing what comes from the MAC address of the interface itself, which another node has too.

use std::io;
use std::os::fd::OwnedFd;

use nix::libc;
use socket2::{Domain, SockAddr, SockFilter, Socket, Type};

const ETHERTYPE_IPV4: u16 = 0x0800;

const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_OCTET: u16 = 0x30;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const ACCEPT: SockFilter = SockFilter::new(RETURN, 0, 0, u32::MAX);
const REFUSE: SockFilter = SockFilter::new(RETURN, 0, 0, 0);

/// SKF_LL_OFF: what is before the packet, from the first octet of the Ethernet header on.
const ETHERNET: u32 = 0xffe0_0000;
const ETHERNET_SOURCE: u32 = ETHERNET + 6;

/// Where the protocol stands in an IPv4 header.
const IPV4_PROTOCOL: u32 = 9;

/// Lets through what comes from a MAC address.
pub(super) fn from_mac([a, b, c, d, e, f]: [u8; 6]) -> [SockFilter; 6] {
    let first = u32::from_be_bytes([a, b, c, d]);
    let last = u32::from(u16::from_be_bytes([e, f]));
    [
        SockFilter::new(LOAD_WORD, 0, 0, ETHERNET_SOURCE),
        SockFilter::new(JUMP_IF_EQUAL, 0, 3, first),
        SockFilter::new(LOAD_HALF, 0, 0, ETHERNET_SOURCE + 4),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, last),
        ACCEPT,
        REFUSE,
    ]
}

/// A socket that hears IPv4 packets of a protocol before the kernel judges them: on an interface
/// without an address it may take none for its own (`rp_filter`).
pub(super) fn unjudged(interface_index: u32, protocol: u32, mac: [u8; 6]) -> io::Result<OwnedFd> {
    // Deaf until it is bound, so that what comes in is of this interface and has been filtered.
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, None)?;
    let mut filter = vec![
        SockFilter::new(LOAD_OCTET, 0, 0, IPV4_PROTOCOL),
        SockFilter::new(JUMP_IF_EQUAL, 1, 0, protocol),
        REFUSE,
    ];
    filter.extend(from_mac(mac));
    socket.attach_filter(&filter)?;
    socket.bind(&ipv4_of(interface_index)?)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[expect(
    unsafe_code,
    reason = "nothing safe makes the address of a packet socket"
)]
fn ipv4_of(interface_index: u32) -> io::Result<SockAddr> {
    let index = i32::try_from(interface_index).map_err(io::Error::other)?;
    let family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    let octets = u32::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    // SAFETY: the storage is all zeros, which is a value of the structure, and has room for every
    // kind of address; family and length are set to those of the one that is written.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let link = storage.cast::<libc::sockaddr_ll>();
            (*link).sll_family = family;
            (*link).sll_protocol = ETHERTYPE_IPV4.to_be();
            (*link).sll_ifindex = index;
            *length = octets;
            Ok(())
        })
    }?;
    Ok(address)
}

/// The packet without what fills a short frame up. One whose header cannot be right stays as it is,
/// and will not decode.
pub(super) fn without_padding(packet: &[u8]) -> &[u8] {
    let length = match packet {
        [_, _, high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => return packet,
    };
    packet.get(..usize::from(length)).unwrap_or(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_ends_where_its_header_says() {
        // packet, octets that are left of it
        let cases: [(&[u8], usize); 4] = [
            (&[0x45, 0, 0, 6, 1, 2, 0, 0], 6),
            (&[0x45, 0, 0, 8, 1, 2, 3, 4], 8),
            (&[0x45, 0, 0, 9, 1, 2, 3, 4], 8),
            (&[0x45, 0, 0], 3),
        ];
        for (packet, left) in cases {
            assert_eq!(without_padding(packet), &packet[..left]);
        }
    }
}
