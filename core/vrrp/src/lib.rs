//! VRRP: packets, checks, timers and the state machine, without I/O.
//!
//! Time comes in as [`Time`], packets come in as bytes, and everything that is to be done comes out
//! as an [`Effect`]. The caller keeps one timer, set to [`Router::poll_timeout`].
//!
//! Version 2 (RFC 3768, with the password of RFC 2338) and version 3 (RFC 9568), both over IPv4, as
//! keepalived speaks them.

mod announce;
mod checks;
mod checksum;
pub mod diagnosis;
mod event;
pub mod forecast;
mod packet;
mod priority;
mod router;
mod spec;
mod timer;
mod units;

pub use announce::AnnouncePlan;
pub use checks::{Counters, Discard};
pub use event::{Cause, Effect, Effects, Event, FaultCause, Found, Peer, State, Transition};
pub use packet::{
    Advert, Auth, ChecksumForm, GROUP, Octets, PROTOCOL_NUMBER, Password, Protocol, Received,
    Route, decode, encode,
};
pub use router::Router;
pub use spec::{Spec, Track, Transport};
pub use timer::{handover, master_down, skew};
pub use units::{Centiseconds, Priority, Seconds, Time, Vrid};
