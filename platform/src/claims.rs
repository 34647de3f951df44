//! Hears who says that an address is his: the sender of an ARP packet, the target of an IPv6
//! neighbour advertisement. The kernel throws away everything about other addresses, so that a busy
//! link costs nothing. What this node says itself is not heard.

use std::collections::BTreeSet;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::task::{Context, Poll};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessageOwned, LinkAddr, MsgFlags, SockaddrStorage, recvfrom, recvmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use tokio::io::unix::AsyncFd;

use crate::watch;

const ETHERTYPE_ARP: u16 = 0x0806;
const ICMPV6: i32 = 58;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// What is from beyond the link is not believed (RFC 4861 §7.1.2).
const HOP_LIMIT: i32 = 255;
/// Target link-layer address (RFC 4861 §4.6.1).
const OPTION_TARGET: u8 = 2;

/// Where things stand in an Ethernet frame with ARP for IPv4 (RFC 826).
const ARP_SENDER_MAC: usize = 22;
const ARP_SENDER: usize = 28;
/// Where things stand in a neighbour advertisement (RFC 4861 §4.4).
const TARGET: usize = 8;
const OPTIONS: usize = 24;

/// The longest of what is looked at; what a frame has behind it is cut.
const OCTETS_MAX: usize = 256;

/// What the kernel takes as one filter: `BPF_MAXINSNS`.
const INSTRUCTIONS_MAX: usize = 4096;

/// Somebody says that an address is his.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The number of the interface that it came in on.
    pub interface_index: u32,
    /// The address.
    pub address: IpAddr,
    /// The MAC address that it is said to be at.
    pub mac: [u8; 6],
}

/// Listens on all interfaces. Closed when dropped.
#[derive(Debug)]
pub struct ClaimWatch {
    arp: AsyncFd<OwnedFd>,
    /// None where there is no IPv6.
    neighbours: Option<AsyncFd<OwnedFd>>,
    addresses: BTreeSet<IpAddr>,
    octets: Vec<u8>,
    control: Vec<u8>,
}

impl ClaimWatch {
    /// Begins to listen, to nothing yet. Needs CAP_NET_RAW. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// The system's: EPERM without the capability.
    pub fn open() -> io::Result<Self> {
        let protocol = Protocol::from(i32::from(ETHERTYPE_ARP.to_be()));
        let arp = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        let protocol = Protocol::from(ICMPV6);
        let neighbours = match Socket::new(Domain::IPV6, Type::RAW, Some(protocol)) {
            Ok(socket) => {
                setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
                setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
                Some(watched(socket)?)
            }
            Err(error) if error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32) => None,
            Err(error) => return Err(error),
        };
        let mut watch = Self {
            arp: watched(arp)?,
            neighbours,
            addresses: BTreeSet::new(),
            octets: vec![0; OCTETS_MAX],
            control: cmsg_space!(libc::in6_pktinfo, i32),
        };
        watch.filter()?;
        Ok(watch)
    }

    /// The addresses that are watched from now on.
    ///
    /// # Errors
    /// The system's, when it takes no filter; everything goes on as before then.
    pub fn set_addresses(&mut self, addresses: BTreeSet<IpAddr>) -> io::Result<()> {
        if self.addresses == addresses {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.addresses, addresses);
        self.filter().inspect_err(|_| self.addresses = before)
    }

    /// Ready when something has come in since the last time that this was ready: all claims must be
    /// taken then.
    pub fn poll_arrival(&self, context: &mut Context<'_>) -> Poll<()> {
        let sockets = [Some(&self.arp), self.neighbours.as_ref()];
        // Each is asked, or it would not wake us.
        let ready = sockets.into_iter().flatten().filter(|socket| {
            let ready = socket.poll_read_ready(context);
            ready
                .map(|ready| drop(ready.map(|mut ready| ready.clear_ready())))
                .is_ready()
        });
        if ready.count() > 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// The next claim, if one has come in.
    pub fn next_claim(&mut self) -> Option<Claim> {
        loop {
            let claim = match self.next_arp() {
                Some(claim) => claim,
                None => self.next_advertisement()?,
            };
            // What came in before there was a filter, or is more than a filter can tell.
            if let Some(claim) = claim.filter(|claim| self.addresses.contains(&claim.address)) {
                return Some(claim);
            }
        }
    }

    /// `Some(None)`: something that is no claim.
    fn next_arp(&mut self) -> Option<Option<Claim>> {
        let number = self.arp.get_ref().as_raw_fd();
        let (length, from) = received(|| recvfrom::<LinkAddr>(number, &mut self.octets))?;
        let claim = || {
            let (address, mac) = arp_sender(self.octets.get(..length)?)?;
            Some(Claim {
                interface_index: u32::try_from(from?.ifindex()).ok()?,
                address: address.into(),
                mac,
            })
        };
        Some(claim())
    }

    fn next_advertisement(&mut self) -> Option<Option<Claim>> {
        let number = self.neighbours.as_ref()?.get_ref().as_raw_fd();
        let (mut interface, mut hop_limit) = (None, None);
        let length = received(|| {
            let mut into = [IoSliceMut::new(&mut self.octets)];
            let control = Some(self.control.as_mut_slice());
            let message =
                recvmsg::<SockaddrStorage>(number, &mut into, control, MsgFlags::empty())?;
            for said in message.cmsgs().into_iter().flatten() {
                match said {
                    ControlMessageOwned::Ipv6PacketInfo(route) => {
                        interface = Some(route.ipi6_ifindex);
                    }
                    ControlMessageOwned::Ipv6HopLimit(left) => hop_limit = Some(left),
                    _ => {}
                }
            }
            Ok(message.bytes)
        })?;
        let claim = || {
            let (address, mac) = advertised(self.octets.get(..length)?)?;
            (hop_limit == Some(HOP_LIMIT)).then_some(Claim {
                interface_index: interface?,
                address: address.into(),
                mac,
            })
        };
        Some(claim())
    }

    fn filter(&mut self) -> io::Result<()> {
        SockRef::from(self.arp.get_ref()).attach_filter(&arp_filter(&self.addresses))?;
        if let Some(neighbours) = &self.neighbours {
            let filter = advertisement_filter(&self.addresses);
            SockRef::from(neighbours.get_ref()).attach_filter(&filter)?;
        }
        Ok(())
    }
}

fn watched(socket: Socket) -> io::Result<AsyncFd<OwnedFd>> {
    socket.set_nonblocking(true)?;
    watch::readable(socket.into())
}

/// `None`: nothing more waits. ENETDOWN and the like are said once and pass.
fn received<T>(mut receive: impl FnMut() -> nix::Result<T>) -> Option<T> {
    loop {
        match receive() {
            Ok(received) => return Some(received),
            Err(Errno::EAGAIN) => return None,
            Err(_) => {}
        }
    }
}

/// The sender of an ARP packet, question or answer, for IPv4 on Ethernet, whose frame this is.
pub fn arp_sender(frame: &[u8]) -> Option<(Ipv4Addr, [u8; 6])> {
    const IPV4_ON_ETHERNET: [u8; 6] = [0, 1, 8, 0, 6, 4];
    if frame.get(14..20)? != IPV4_ON_ETHERNET {
        return None;
    }
    let mac = frame.get(ARP_SENDER_MAC..ARP_SENDER)?.try_into().ok()?;
    let address: [u8; 4] = frame.get(ARP_SENDER..ARP_SENDER + 4)?.try_into().ok()?;
    Some((address.into(), mac))
}

/// What a neighbour advertisement says, of which `message` is what follows the IPv6 headers: the
/// target, and where it is.
pub fn advertised(message: &[u8]) -> Option<(Ipv6Addr, [u8; 6])> {
    if *message.first()? != NEIGHBOUR_ADVERTISEMENT {
        return None;
    }
    let target: [u8; 16] = message.get(TARGET..OPTIONS)?.try_into().ok()?;
    let mut options = message.get(OPTIONS..)?;
    // Kind, length in units of eight octets, contents (RFC 4861 §4.6). A length of zero is none.
    while let [kind, units, ..] = options {
        let (option, rest) = options.split_at_checked(usize::from(*units) * 8)?;
        if option.is_empty() {
            return None;
        }
        if *kind == OPTION_TARGET {
            return Some((target.into(), option.get(2..8)?.try_into().ok()?));
        }
        options = rest;
    }
    None
}

const LOAD_WORD: u16 = 0x20;
const LOAD_OCTET: u16 = 0x30;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const ACCEPT: SockFilter = SockFilter::new(RETURN, 0, 0, u32::MAX);
const REFUSE: SockFilter = SockFilter::new(RETURN, 0, 0, 0);

/// Lets ARP packets through whose sender is one of the addresses.
fn arp_filter(addresses: &BTreeSet<IpAddr>) -> Vec<SockFilter> {
    let mut filter = vec![SockFilter::new(LOAD_WORD, 0, 0, 28)];
    for address in addresses {
        if let IpAddr::V4(address) = address {
            filter.push(SockFilter::new(JUMP_IF_EQUAL, 0, 1, address.to_bits()));
            filter.push(ACCEPT);
        }
    }
    filter.push(REFUSE);
    if filter.len() > INSTRUCTIONS_MAX {
        return vec![ACCEPT];
    }
    filter
}

/// Lets neighbour advertisements through whose target is one of the addresses.
fn advertisement_filter(addresses: &BTreeSet<IpAddr>) -> Vec<SockFilter> {
    let mut filter = vec![
        SockFilter::new(LOAD_OCTET, 0, 0, 0),
        SockFilter::new(JUMP_IF_EQUAL, 1, 0, u32::from(NEIGHBOUR_ADVERTISEMENT)),
        REFUSE,
    ];
    let beginning = filter.len();
    for address in addresses {
        let IpAddr::V6(address) = address else {
            continue;
        };
        // From each word that differs to the next address: over what is left of this one.
        let bits = address.to_bits();
        for (offset, shift, left) in [(8, 96, 7), (12, 64, 5), (16, 32, 3), (20, 0, 1)] {
            let word = u32::try_from(bits >> shift & u128::from(u32::MAX)).unwrap_or_default();
            filter.push(SockFilter::new(LOAD_WORD, 0, 0, offset));
            filter.push(SockFilter::new(JUMP_IF_EQUAL, 0, left, word));
        }
        filter.push(ACCEPT);
    }
    filter.push(REFUSE);
    if filter.len() > INSTRUCTIONS_MAX {
        filter.truncate(beginning);
        filter.push(ACCEPT);
    }
    filter
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

    fn octets(hex: &str) -> Vec<u8> {
        let digits: Vec<char> = hex.chars().filter(|it| !it.is_whitespace()).collect();
        let pair = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    #[test]
    fn who_sends_arp_claims_an_address() {
        let announcement = "ffffffffffff020000000009 0806 0001080006040001 020000000009 \
                            c0a80069 ffffffffffff c0a80069";
        let frame = octets(announcement);
        let expected = (Ipv4Addr::new(192, 168, 0, 105), MAC);
        assert_eq!(arp_sender(&frame), Some(expected));
        for length in 0..32 {
            assert_eq!(arp_sender(&frame[..length]), None, "{length} octets");
        }
        let mut other = frame;
        other[16] = 9;
        assert_eq!(arp_sender(&other), None, "not for IPv4");
    }

    #[test]
    fn an_advertisement_says_where_its_target_is() {
        let head = "8800000020000000 fd000000000000000000000000000105";
        let target: Ipv6Addr = "fd00::105".parse().unwrap();
        // options, expected
        let cases = [
            ("0201020000000009", Some((target, MAC))),
            ("0e01000000000000 0201020000000009", Some((target, MAC))),
            ("0101020000000009", None),
            ("", None),
            ("0200020000000009", None),
            ("02010200000000", None),
            ("0202020000000009", None),
            ("02", None),
        ];
        for (options, expected) in cases {
            let message = octets(&format!("{head}{options}"));
            assert_eq!(advertised(&message), expected, "{options}");
        }
        assert_eq!(advertised(&octets(head)[..23]), None);
        let question = octets("8700000000000000 fd000000000000000000000000000105 0201020000000009");
        assert_eq!(advertised(&question), None, "a question claims nothing");
    }

    #[test]
    fn so_many_addresses_that_no_filter_can_tell_are_told_here() {
        let of_four = |number: u32| IpAddr::from(Ipv4Addr::from_bits(number));
        let of_six = |number: u32| IpAddr::from(Ipv6Addr::from_bits(number.into()));
        for (count, is_told_by_kernel) in [(250, true), (3_000, false)] {
            let four: BTreeSet<IpAddr> = (0..count).map(of_four).collect();
            let six: BTreeSet<IpAddr> = (0..count).map(of_six).collect();
            for length in [arp_filter(&four).len(), advertisement_filter(&six).len()] {
                assert!(length <= INSTRUCTIONS_MAX);
                assert_eq!(length > 4, is_told_by_kernel, "{count}");
            }
        }
    }
}
