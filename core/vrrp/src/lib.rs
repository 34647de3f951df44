//! VRRP: packets, checks, timers and the state machine, without I/O.
//!
//! Time comes in as [`Time`], packets come in as bytes, and everything that is to be done comes out
//! as an [`Effect`]. The caller keeps one timer, set to [`Router::poll_timeout`].
//!
//! Version 2 (RFC 3768, with the password of RFC 2338) over IPv4, and version 3 (RFC 9568) over IPv4
//! and IPv6, as keepalived speaks them.

mod address_list;
mod announce;
mod checks;
mod checksum;
pub mod diagnosis;
mod event;
pub mod forecast;
mod group;
mod hmac;
mod packet;
mod priority;
mod router;
mod spec;
mod timer;
mod units;

pub use address_list::AddressList;
pub use announce::AnnouncePlan;
pub use checks::{Counters, Discard};
pub use event::{
    Cause, Effect, Effects, Event, FaultCause, Found, Peer, State, Transition, Verdict,
};
pub use group::{Accord, Course, Group, Member, Outcome, Part};
pub use hmac::{AntiReplay, HmacAuth, Key, Mode, Signature, Signed, WallTime};
pub use packet::{
    Advert, Auth, ChecksumForm, GROUP, GROUP_V6, PROTOCOL_NUMBER, Password, Protocol, Received,
    Route, TTL, decode, decode_ipv6, encode, encode_signed,
};
pub use priority::{Band, Share};
pub use router::Router;
pub use spec::{Failback, OnUnhealthy, Spec, Track, TrackEffect, Transport};
pub use timer::{handover, master_down, skew};
pub use units::{Centiseconds, Priority, Seconds, Time, Vrid};
