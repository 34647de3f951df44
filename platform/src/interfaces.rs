//! Network interfaces: what they are now, and that something about them changed.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use tokio::io::unix::AsyncFd;

use crate::route_socket::RouteSocket;
use crate::watch;

/// RTMGRP_LINK, the group that hears of every change of an interface.
const LINK_GROUP: u32 = 1;

/// One change is said in less; what is longer is cut, since only its coming counts.
const NOTICE_OCTETS: usize = 8 * 1024;

/// An interface as it is at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its number, which a new interface of the same name does not share.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MAC address, where it has one of Ethernet's form.
    pub mac: Option<[u8; 6]>,
    /// Whether it is switched on and has a carrier.
    pub is_up: bool,
}

/// Lists interfaces.
#[derive(Debug)]
pub struct Interfaces(RouteSocket);

impl Interfaces {
    /// Opens the way to the kernel.
    ///
    /// # Errors
    /// The system's, when there is no netlink.
    pub fn open() -> io::Result<Self> {
        RouteSocket::open().map(Self)
    }

    /// All interfaces of this network namespace.
    ///
    /// # Errors
    /// The kernel's.
    pub fn list(&mut self) -> io::Result<Vec<Interface>> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self.0.list(&request)?;
        Ok(answers.iter().filter_map(read).collect())
    }
}

fn read(answer: &RouteNetlinkMessage) -> Option<Interface> {
    let RouteNetlinkMessage::NewLink(message) = answer else {
        return None;
    };
    let mut name = None;
    let mut mac = None;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = Some(text.clone()),
            LinkAttribute::Address(octets) => mac = octets.as_slice().try_into().ok(),
            _ => {}
        }
    }
    Some(Interface {
        index: message.header.index,
        name: name?,
        mac,
        is_up: message
            .header
            .flags
            .contains(LinkFlags::Up | LinkFlags::Running),
    })
}

/// Tells that interfaces changed. What they are now is a question for [`Interfaces::list`]: a notice
/// can be lost, a list cannot.
#[derive(Debug)]
pub struct Changes(AsyncFd<OwnedFd>);

impl Changes {
    /// Begins to watch. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The system's.
    pub fn watch() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let route = SockProtocol::NetlinkRoute;
        let notices = socket(AddressFamily::Netlink, SockType::Raw, flags, route)?;
        bind(notices.as_raw_fd(), &NetlinkAddr::new(0, LINK_GROUP))?;
        watch::descriptor(notices).map(Self)
    }

    /// Returns when something changed since the last call. Notices that did not fit the socket's
    /// buffer count as a change, too.
    ///
    /// # Errors
    /// The system's, other than notices lost.
    pub async fn next(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            let mut is_changed = false;
            while let Ok(outcome) = ready.try_io(|socket| drain_one(socket.get_ref())) {
                outcome?;
                is_changed = true;
            }
            if is_changed {
                return Ok(());
            }
        }
    }
}

/// Takes one notice from the socket.
fn drain_one(notices: &OwnedFd) -> io::Result<()> {
    match recv(
        notices.as_raw_fd(),
        &mut [0; NOTICE_OCTETS],
        MsgFlags::empty(),
    ) {
        Ok(_) | Err(Errno::ENOBUFS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
