//! Virtual addresses on interfaces: put there for a limited time, taken away, found again.
//!
//! What is put there carries IFA_PROTO 112 (VRRP's number; Linux 5.18 and later), so that it can be
//! told from what an administrator or DHCP put there.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::errno::Errno;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol,
    AddressScope, CacheInfo,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::route_socket::RouteSocket;

/// The mark of an address that we own.
const IFA_PROTO_VRRP: AddressProtocol = AddressProtocol::Other(112);

/// Puts an address there, whether it is there or not.
const PUT: u16 = NLM_F_CREATE | NLM_F_REPLACE;

/// The longest name or label of an interface, in octets.
const LABEL_OCTETS_MAX: usize = 15;

/// An address on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The interface's number.
    pub interface_index: u32,
    /// The address.
    pub address: IpAddr,
    /// 0 to 32, of IPv6 addresses to 128.
    pub prefix_len: u8,
    /// As rtnetlink numbers it: 0 global, 200 site, 253 link, 254 host. That of an IPv6 address
    /// follows from the address, whatever is asked for.
    pub scope: u8,
    /// The label that old tools show, at most 15 octets; a longer one is cut. `None`: the name of
    /// the interface. IPv6 addresses have none.
    pub label: Option<String>,
}

impl Assignment {
    /// Whether both mean the same address as the kernel counts: one interface can have an IPv4
    /// address once for each prefix length, and an IPv6 address once.
    pub fn is_same_address(&self, other: &Self) -> bool {
        let identity = |it: &Self| {
            let prefix_len = it.address.is_ipv4().then_some(it.prefix_len);
            (it.interface_index, it.address, prefix_len)
        };
        identity(self) == identity(other)
    }

    fn lease(&self, seconds: Option<u32>) -> AddressMessage {
        let mut message = self.message();
        let seconds = seconds.unwrap_or(u32::MAX);
        let mut lifetime = CacheInfo::default();
        lifetime.ifa_valid = seconds;
        // An address that is not preferred answers as any other does, and is not chosen for what the
        // node itself begins (RFC 6724 §5, rule 3): that would end when the address moves. Over IPv4
        // the kernel begins with the address of the route.
        lifetime.ifa_preferred = match self.address {
            IpAddr::V4(_) => seconds,
            IpAddr::V6(_) => 0,
        };
        let lifetime = AddressAttribute::CacheInfo(lifetime);
        message.attributes.push(lifetime);
        message
    }

    fn message(&self) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.family = match self.address {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        message.header.prefix_len = self.prefix_len;
        message.header.scope = AddressScope::from(self.scope);
        message.header.index = self.interface_index;
        message.attributes = vec![
            AddressAttribute::Local(self.address),
            AddressAttribute::Address(self.address),
            AddressAttribute::Protocol(IFA_PROTO_VRRP),
        ];
        if self.address.is_ipv6() {
            // VRRP says who has the address. Detecting duplicates would keep it from being used for
            // a second, and for ever if its last owner still answers.
            let usable_at_once = AddressFlags::Nodad;
            message
                .attributes
                .push(AddressAttribute::Flags(usable_at_once));
        } else if let Some(label) = &self.label {
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

/// Requests for addresses with leases, written once and sent many times.
#[derive(Clone, Debug, Default)]
pub struct Renewals(Vec<u8>);

impl Renewals {
    /// Adds a request.
    pub fn add(&mut self, assignment: &Assignment, lease_seconds: Option<u32>) {
        let request = RouteNetlinkMessage::NewAddress(assignment.lease(lease_seconds));
        RouteSocket::write(request, PUT, &mut self.0);
    }

    /// Adds all requests of another list.
    pub fn append(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The size of all requests, in octets. The kernel takes some hundred thousand in one go.
    pub fn octets(&self) -> usize {
        self.0.len()
    }

    /// Removes all requests; their room is kept.
    pub fn clear(&mut self) {
        self.0.clear();
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
        let request = RouteNetlinkMessage::NewAddress(assignment.lease(lease_seconds));
        self.0.change(request, PUT)
    }

    /// Does what [`Addresses::hold`] does for many addresses at once, as they stand in `renewals`.
    ///
    /// # Errors
    /// The kernel's, about one of them; the others are done.
    pub fn renew(&mut self, renewals: &Renewals) -> io::Result<()> {
        self.0.change_all(&renewals.0)
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

    /// All addresses on this machine that carry our mark, whoever of us put them there.
    ///
    /// # Errors
    /// The kernel's.
    pub fn owned(&mut self) -> io::Result<Vec<Assignment>> {
        Ok(self
            .list()?
            .into_iter()
            .filter(|it| it.is_ours)
            .map(|it| it.assignment)
            .collect())
    }

    /// All addresses on this machine, whoever put them there.
    ///
    /// # Errors
    /// The kernel's.
    pub fn all(&mut self) -> io::Result<Vec<Assignment>> {
        Ok(self.list()?.into_iter().map(|it| it.assignment).collect())
    }

    /// The first IPv4 address of an interface that is not virtual: the source of multicast adverts
    /// (RFC 9568 §5.1.1.1).
    ///
    /// # Errors
    /// The kernel's.
    pub fn primary(&mut self, interface_index: u32) -> io::Result<Option<Ipv4Addr>> {
        let own = self.native(interface_index)?;
        Ok(own.into_iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }))
    }

    /// The first link-local IPv6 address of an interface that is not virtual: the source of
    /// multicast adverts (RFC 9568 §5.1.2.1).
    ///
    /// # Errors
    /// The kernel's.
    pub fn link_local(&mut self, interface_index: u32) -> io::Result<Option<Ipv6Addr>> {
        let own = self.native(interface_index)?;
        Ok(own.into_iter().find_map(|address| match address {
            IpAddr::V6(address) => address.is_unicast_link_local().then_some(address),
            IpAddr::V4(_) => None,
        }))
    }

    /// The addresses of an interface that are its own and can be sent from: those with our mark are
    /// not among them.
    ///
    /// # Errors
    /// The kernel's.
    pub fn native(&mut self, interface_index: u32) -> io::Result<Vec<IpAddr>> {
        let found = self.list()?.into_iter();
        let own = found.filter(|it| it.is_usable && !it.is_ours);
        Ok(own
            .map(|it| it.assignment)
            .filter(|it| it.interface_index == interface_index)
            .map(|it| it.address)
            .collect())
    }

    fn list(&mut self) -> io::Result<Vec<Found>> {
        let mut request = AddressMessage::default();
        request.header.family = AddressFamily::Unspec;
        let answers = self.0.list(&RouteNetlinkMessage::GetAddress(request))?;
        Ok(answers.iter().filter_map(read).collect())
    }
}

/// An address of a dump.
struct Found {
    assignment: Assignment,
    /// Whether it carries our mark.
    is_ours: bool,
    /// Whether it can be sent from: it is not being checked for duplicates, nor found to be one.
    is_usable: bool,
}

fn read(answer: &RouteNetlinkMessage) -> Option<Found> {
    let RouteNetlinkMessage::NewAddress(message) = answer else {
        return None;
    };
    let mut local = None;
    let mut address = None;
    let mut label = None;
    let mut is_ours = false;
    for attribute in &message.attributes {
        match attribute {
            // The other end of a link with two ends; else, and always over IPv6, the address.
            AddressAttribute::Address(it) => address = Some(*it),
            AddressAttribute::Local(it) => local = Some(*it),
            AddressAttribute::Label(text) => label = Some(text.clone()),
            AddressAttribute::Protocol(protocol) => is_ours = *protocol == IFA_PROTO_VRRP,
            _ => {}
        }
    }
    let assignment = Assignment {
        interface_index: message.header.index,
        address: local.or(address)?,
        prefix_len: message.header.prefix_len,
        scope: u8::from(message.header.scope),
        label,
    };
    let unusable = AddressHeaderFlags::Tentative | AddressHeaderFlags::Dadfailed;
    Some(Found {
        assignment,
        is_ours,
        is_usable: !message.header.flags.intersects(unusable),
    })
}

fn is_absent(error: &io::Error) -> bool {
    let absent = [Errno::EADDRNOTAVAIL, Errno::ENODEV];
    error
        .raw_os_error()
        .is_some_and(|code| absent.contains(&Errno::from_raw(code)))
}
