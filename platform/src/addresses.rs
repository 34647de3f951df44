//! Virtual addresses on interfaces: put there for a limited time, taken away, found again.
//!
//! What is put there carries IFA_PROTO 112 (VRRP's number; Linux 5.18 and later), so that it can be
//! told from what an administrator or DHCP put there.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use nix::errno::Errno;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressMessage, AddressProtocol, AddressScope, CacheInfo,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::route_socket::RouteSocket;

/// The mark of an address that we own.
const IFA_PROTO_VRRP: AddressProtocol = AddressProtocol::Other(112);

/// The longest name or label of an interface, in octets.
const LABEL_OCTETS_MAX: usize = 15;

/// An address on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The interface's number.
    pub interface_index: u32,
    /// The address.
    pub address: Ipv4Addr,
    /// 0 to 32.
    pub prefix_len: u8,
    /// As rtnetlink numbers it: 0 global, 200 site, 253 link, 254 host.
    pub scope: u8,
    /// The label that old tools show, at most 15 octets; a longer one is cut. `None`: the name of
    /// the interface.
    pub label: Option<String>,
}

impl Assignment {
    /// Whether both mean the same address as the kernel counts: one interface can have an address
    /// once for each prefix length.
    pub fn is_same_address(&self, other: &Self) -> bool {
        (self.interface_index, self.address, self.prefix_len)
            == (other.interface_index, other.address, other.prefix_len)
    }

    fn message(&self) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = self.prefix_len;
        message.header.scope = AddressScope::from(self.scope);
        message.header.index = self.interface_index;
        let address = IpAddr::V4(self.address);
        message.attributes = vec![
            AddressAttribute::Local(address),
            AddressAttribute::Address(address),
            AddressAttribute::Protocol(IFA_PROTO_VRRP),
        ];
        if let Some(label) = &self.label {
            let label = label
                .chars()
                .filter(char::is_ascii)
                .take(LABEL_OCTETS_MAX)
                .collect();
            message.attributes.push(AddressAttribute::Label(label));
        }
        message
    }
}

/// Puts addresses on interfaces and takes them away. Each call is done when it returns.
#[derive(Debug)]
pub struct Addresses(RouteSocket);

impl Addresses {
    /// Opens the way to the kernel. Changing addresses needs CAP_NET_ADMIN at the time of the change.
    ///
    /// # Errors
    /// The system's, when there is no netlink.
    pub fn open() -> io::Result<Self> {
        RouteSocket::open().map(Self)
    }

    /// Puts the address there, or gives it a new lease if it is there. Without another call the
    /// kernel takes it away after `lease_seconds`; `None` leaves it there for ever.
    ///
    /// # Errors
    /// The kernel's: ENODEV without the interface, EPERM without the capability.
    pub fn hold(&mut self, assignment: &Assignment, lease_seconds: Option<u32>) -> io::Result<()> {
        let mut message = assignment.message();
        let seconds = lease_seconds.unwrap_or(u32::MAX);
        let mut lifetime = CacheInfo::default();
        lifetime.ifa_valid = seconds;
        lifetime.ifa_preferred = seconds;
        message
            .attributes
            .push(AddressAttribute::CacheInfo(lifetime));
        let request = RouteNetlinkMessage::NewAddress(message);
        self.0.change(request, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Takes the address away. Returns whether it was there.
    ///
    /// # Errors
    /// The kernel's, unless it says that there is no such address or interface.
    pub fn release(&mut self, assignment: &Assignment) -> io::Result<bool> {
        let request = RouteNetlinkMessage::DelAddress(assignment.message());
        match self.0.change(request, 0) {
            Ok(()) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All IPv4 addresses on this machine that carry our mark, whoever of us put them there.
    ///
    /// # Errors
    /// The kernel's.
    pub fn owned(&mut self) -> io::Result<Vec<Assignment>> {
        Ok(self
            .list()?
            .into_iter()
            .filter(|(_, is_ours)| *is_ours)
            .map(|(it, _)| it)
            .collect())
    }

    /// All IPv4 addresses on this machine, whoever put them there.
    ///
    /// # Errors
    /// The kernel's.
    pub fn all(&mut self) -> io::Result<Vec<Assignment>> {
        Ok(self.list()?.into_iter().map(|(it, _)| it).collect())
    }

    /// The first address of an interface that is not virtual: the source of multicast adverts.
    ///
    /// # Errors
    /// The kernel's.
    pub fn primary(&mut self, interface_index: u32) -> io::Result<Option<Ipv4Addr>> {
        let mut others = self.list()?.into_iter().filter(|(_, is_ours)| !is_ours);
        let primary = others.find(|(found, _)| found.interface_index == interface_index);
        Ok(primary.map(|(found, _)| found.address))
    }

    fn list(&mut self) -> io::Result<Vec<(Assignment, bool)>> {
        let mut request = AddressMessage::default();
        request.header.family = AddressFamily::Inet;
        let answers = self.0.list(&RouteNetlinkMessage::GetAddress(request))?;
        Ok(answers.iter().filter_map(read).collect())
    }
}

/// An IPv4 address of a dump, and whether it carries our mark.
fn read(answer: &RouteNetlinkMessage) -> Option<(Assignment, bool)> {
    let RouteNetlinkMessage::NewAddress(message) = answer else {
        return None;
    };
    let mut local = None;
    let mut label = None;
    let mut is_ours = false;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(IpAddr::V4(address)) => local = Some(*address),
            AddressAttribute::Label(text) => label = Some(text.clone()),
            AddressAttribute::Protocol(protocol) => is_ours = *protocol == IFA_PROTO_VRRP,
            _ => {}
        }
    }
    let assignment = Assignment {
        interface_index: message.header.index,
        address: local?,
        prefix_len: message.header.prefix_len,
        scope: u8::from(message.header.scope),
        label,
    };
    Some((assignment, is_ours))
}

fn is_absent(error: &io::Error) -> bool {
    let absent = [Errno::EADDRNOTAVAIL, Errno::ENODEV];
    error
        .raw_os_error()
        .is_some_and(|code| absent.contains(&Errno::from_raw(code)))
}
