//! What goes into a router and what comes out of it.

use std::fmt;
use std::net::IpAddr;

use crate::checks::Discard;
use crate::group::Accord;
use crate::hmac::WallTime;
use crate::packet::{ChecksumForm, Received, Route, claimed_source, decode, decode_ipv6};
use crate::spec::Spec;
use crate::units::Priority;

/// The state of a router, in the words of those who use VRRP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not started yet, or finished.
    Initialize,
    /// Listens to the Master, ready to take over.
    Backup,
    /// Holds the addresses.
    Master,
    /// Cannot take part.
    Fault,
}

/// What a router finds on its node when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// None of its addresses.
    Nothing,
    /// Its addresses: a predecessor of this process died while it was Master.
    Leftovers,
    /// Its addresses, left in good order by a predecessor that was Master a moment ago: its peers
    /// have noticed nothing, and need not.
    Succession,
}

/// What a router is told.
#[derive(Debug)]
pub enum Event<'a> {
    /// What the clock on the wall says at this moment: what trailers carry, and are compared with.
    /// Told before the start, and from then on so often that it is noticed when somebody sets it. A
    /// router without HMAC need not be told.
    WallClock(WallTime),
    /// Begin. Sent once, first.
    Start(Found),
    /// The node is ready to serve: from now on the router may become Master.
    MayLead,
    /// A well-formed advert came in on the router's interface.
    Advert(Received<'a>),
    /// A packet that is no well-formed advert came in.
    Malformed(Discard, Option<IpAddr>),
    /// The time of [`crate::Router::poll_timeout`] has come.
    Timeout,
    /// A track was checked.
    Track {
        /// Its name in the spec; other names change nothing.
        name: &'a str,
        /// What came out.
        verdict: Verdict,
    },
    /// The node's own proxy serves, or does not; counts only where the spec tracks it.
    Proxy {
        /// Whether it does.
        well: bool,
    },
    /// The interface can carry packets, or cannot. A router starts with one that can.
    Link {
        /// Whether it can.
        up: bool,
    },
    /// A neighbour said that an address is at this MAC address, which is not ours.
    Contested {
        /// One of the virtual addresses.
        address: IpAddr,
        /// Where it is said to be.
        mac: [u8; 6],
    },
    /// The sync group of this router has come to another agreement.
    Group(Accord),
    /// The configuration of this router changed.
    Reload(Box<Spec>),
    /// Give up in good order. Done when [`crate::Router::is_finished`].
    Shutdown,
}

/// What came out of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is well.
    Up,
    /// It is not.
    Down,
    /// A number, which the weight multiplies.
    Value(i16),
    /// There should be a number and is none: a fault where it would have been multiplied.
    NoValue,
}

impl<'a> Event<'a> {
    /// The event that an IPv4 packet with protocol 112 is.
    pub fn of_packet(packet: &'a [u8]) -> Self {
        match decode(packet) {
            Ok(received) => Self::Advert(received),
            Err(reason) => Self::Malformed(reason, claimed_source(packet)),
        }
    }

    /// The event that an IPv6 packet with protocol 112 is, of which `message` is what follows its
    /// headers.
    pub fn of_ipv6(route: Route, hop_limit: u8, message: &'a [u8]) -> Self {
        match decode_ipv6(route, hop_limit, message) {
            Ok(received) => Self::Advert(received),
            Err(reason) => Self::Malformed(reason, Some(route.source)),
        }
    }
}

/// What is to be done, in the order given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Hold all addresses of the spec, and none that an earlier spec had, with the lease of the
    /// spec as their lifetime. Done before the next effect.
    AddAddresses,
    /// Hold none of them. Done before the next effect.
    RemoveAddresses,
    /// Set the lifetime of the held addresses to the lease again.
    RenewLease,
    /// Send an advert with this priority.
    SendAdvert(Priority),
    /// Send so many gratuitous ARP packets for each address.
    Announce {
        /// How many.
        times: u8,
    },
    /// The state changed: tell people.
    Transition(Transition),
    /// The effective priority changed and the state did not: tell those who want to know.
    PriorityChanged {
        /// Backup or Master.
        state: State,
        /// What it was.
        from: Priority,
        /// What it is.
        to: Priority,
    },
    /// This Master finds one of its addresses claimed by somebody else, for the first time in a
    /// minute: tell people. It is counted, and neighbours are told already.
    Contested {
        /// The address.
        address: IpAddr,
        /// The MAC address that it is said to be at.
        mac: [u8; 6],
    },
    /// A peer's checksum over IPv4 has another form than this router is set to send, and its last
    /// advert had not; it is listened to all the same. Some peers discard what they do not send.
    ChecksumDiffers {
        /// Who sent it.
        source: IpAddr,
        /// The form that it has.
        heard: ChecksumForm,
    },
    /// A packet was not listened to; it is counted already.
    Discarded {
        /// Why.
        reason: Discard,
        /// Who sent it, where the packet says so.
        source: Option<IpAddr>,
    },
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// The state that was left.
    pub from: State,
    /// The state that was entered.
    pub to: State,
    /// The effective priority at that time.
    pub priority: Priority,
    /// Why.
    pub cause: Cause,
}

/// Why a state was left. Its display is a short phrase for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was started.
    Started,
    /// It was started where a predecessor had died as Master.
    Resumed,
    /// It was started where a predecessor had left the addresses to it.
    Succeeded,
    /// It owns the addresses, so it need not wait.
    Owner,
    /// No Master was heard for long enough.
    MasterSilent,
    /// The Master said that it gives up.
    MasterReleased,
    /// It is better than the Master.
    Outranks(Peer),
    /// A better router is Master.
    Outranked(Peer),
    /// Another router took over what this one gave up.
    HandedOver(Peer),
    /// This one gave up and nobody took over in time.
    NobodyTookOver,
    /// Its sync group gave up.
    GroupGaveUp,
    /// The process did not run for so long that others must have taken over.
    Overslept,
    /// It cannot take part.
    Fault(FaultCause),
    /// What kept it from taking part is gone.
    Recovered,
    /// It was told to.
    Shutdown,
}

/// Why a router cannot take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCause {
    /// Its interface is down or missing.
    Link,
    /// A track failed that is to be a fault.
    Track,
    /// Another member of its sync group cannot take part.
    Group,
}

/// Another router that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its own address.
    pub address: IpAddr,
    /// The priority that it said.
    pub priority: Priority,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => f.write_str("started"),
            Self::Succeeded => f.write_str("goes on after an upgrade"),
            Self::Resumed => f.write_str("restarted while holding the addresses"),
            Self::Owner => f.write_str("owner of the addresses"),
            Self::MasterSilent => f.write_str("no master heard"),
            Self::MasterReleased => f.write_str("the master gave up"),
            Self::Outranks(over) => {
                write!(
                    f,
                    "better than {} (priority {})",
                    over.address, over.priority
                )
            }
            Self::Outranked(by) => write!(f, "{} has priority {}", by.address, by.priority),
            Self::HandedOver(to) => {
                write!(
                    f,
                    "handed over to {} (priority {})",
                    to.address, to.priority
                )
            }
            Self::NobodyTookOver => f.write_str("gave up, nobody took over"),
            Self::GroupGaveUp => f.write_str("its sync group gave up"),
            Self::Overslept => f.write_str("was not running, others may have taken over"),
            Self::Fault(FaultCause::Link) => f.write_str("interface down"),
            Self::Fault(FaultCause::Track) => f.write_str("a tracked check failed"),
            Self::Fault(FaultCause::Group) => f.write_str("another of its sync group failed"),
            Self::Recovered => f.write_str("recovered"),
            Self::Shutdown => f.write_str("stopped"),
        }
    }
}

/// A buffer of effects, filled by the router and emptied by the caller, who keeps it: once it has
/// grown to what a router needs at once, nothing is allocated any more.
#[derive(Debug, Default)]
pub struct Effects(Vec<Effect>);

impl Effects {
    pub(crate) fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    /// Takes out all effects, in the order in which they are to be performed.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect> {
        self.0.drain(..)
    }
}
