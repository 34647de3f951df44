//! Interfaces with a MAC address of their own on top of others: macvlan in private mode, so that two
//! on one interface do not talk to one another.
//!
//! What is made here is marked by its alias (`ip link` shows it), with a remark of whoever made it, so
//! that it can be told from what others made, and found again by another process.

use std::io;

use nix::net::if_::if_nametoindex;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
};

use crate::interfaces::Interface;
use crate::route_socket::RouteSocket;

/// How an alias of ours begins.
const MARK: &str = "evenkeel ";

/// Less than IFALIASZ, 256.
const ALIAS_OCTETS_MAX: usize = 250;

/// The group that interfaces are put in to be removed together; a number that nobody else has.
const CONDEMNED: u32 = 0x6576_6b6c;

/// One that carries our mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualInterface {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The number of the interface that it is on top of.
    pub parent_index: u32,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// What was said about it when it was made.
    pub remark: String,
}

impl VirtualInterface {
    /// As one among all interfaces, switched on.
    pub fn interface(&self) -> Interface {
        Interface {
            index: self.index,
            name: self.name.clone(),
            mac: Some(self.mac),
            is_up: true,
        }
    }
}

/// Makes, finds and removes them. Each call is done when it returns. Changes need CAP_NET_ADMIN.
#[derive(Debug)]
pub struct VirtualInterfaces(RouteSocket);

impl VirtualInterfaces {
    /// Opens the way to the kernel.
    ///
    /// # Errors
    /// The system's, when there is no netlink.
    pub fn open() -> io::Result<Self> {
        RouteSocket::open().map(Self)
    }

    /// All that carry our mark, whoever of us made them.
    ///
    /// # Errors
    /// The kernel's.
    pub fn owned(&mut self) -> io::Result<Vec<VirtualInterface>> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self.0.list(&request)?;
        Ok(answers.iter().filter_map(read).collect())
    }

    /// Makes one, switched off, without a mark, and returns its number.
    ///
    /// # Errors
    /// The kernel's: EEXIST when there is an interface of this name, EOPNOTSUPP when the kernel has
    /// no macvlan.
    pub fn make(&mut self, name: &str, parent_index: u32, mac: [u8; 6]) -> io::Result<u32> {
        let private = InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Private)]);
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Link(parent_index),
            LinkAttribute::Address(mac.to_vec()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::MacVlan),
                LinkInfo::Data(private),
            ]),
        ];
        let request = RouteNetlinkMessage::NewLink(message);
        self.0.change(request, NLM_F_CREATE | NLM_F_EXCL)?;
        Ok(if_nametoindex(name)?)
    }

    /// Marks one as ours; a long `remark` is cut.
    ///
    /// # Errors
    /// The kernel's.
    pub fn mark(&mut self, index: u32, remark: &str) -> io::Result<()> {
        let mut alias = format!("{MARK}{remark}");
        alias.truncate(alias.floor_char_boundary(ALIAS_OCTETS_MAX));
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes = vec![LinkAttribute::IfAlias(alias)];
        self.0.change(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Switches one on or off. One that is off sends nothing, and has no IPv6 addresses.
    ///
    /// # Errors
    /// The kernel's: EADDRINUSE when another one on the same interface with the same MAC address is on.
    pub fn switch(&mut self, index: u32, is_on: bool) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.change_mask = LinkFlags::Up;
        if is_on {
            message.header.flags = LinkFlags::Up;
        }
        self.0.change(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Removes those that have these numbers, with their addresses, all at once: one after the other,
    /// the kernel would wait some 20 ms for each.
    ///
    /// # Errors
    /// The kernel's, ENODEV for one that is gone; the others are removed.
    pub fn remove(&mut self, indices: &[u32]) -> io::Result<()> {
        let mut outcome = Ok(());
        for index in indices {
            let mut message = LinkMessage::default();
            message.header.index = *index;
            message.attributes = vec![LinkAttribute::Group(CONDEMNED)];
            let condemned = self.0.change(RouteNetlinkMessage::SetLink(message), 0);
            outcome = outcome.and(condemned);
        }
        let mut message = LinkMessage::default();
        message.attributes = vec![LinkAttribute::Group(CONDEMNED)];
        let removed = self.0.change(RouteNetlinkMessage::DelLink(message), 0);
        outcome.and(removed)
    }
}

fn read(answer: &RouteNetlinkMessage) -> Option<VirtualInterface> {
    let RouteNetlinkMessage::NewLink(message) = answer else {
        return None;
    };
    let (mut name, mut parent, mut mac, mut remark) = (None, None, None, None);
    let mut is_macvlan = false;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = Some(text.clone()),
            LinkAttribute::Link(index) => parent = Some(*index),
            LinkAttribute::Address(octets) => mac = octets.as_slice().try_into().ok(),
            LinkAttribute::IfAlias(alias) => remark = alias.strip_prefix(MARK),
            LinkAttribute::LinkInfo(said) => {
                is_macvlan = said.contains(&LinkInfo::Kind(InfoKind::MacVlan));
            }
            _ => {}
        }
    }
    let remark = remark.filter(|_| is_macvlan)?;
    Some(VirtualInterface {
        index: message.header.index,
        name: name?,
        parent_index: parent?,
        mac: mac?,
        remark: remark.to_owned(),
    })
}
