//! What the processes say to each other: one enum per directed edge, the configuration snapshots
//! that travel with them, and the encoding.
//!
//! This crate holds no socket and knows no process: the channel is `link`, the descriptors are
//! `platform`'s. Everything decoded here comes from another process and is checked: lengths before
//! they are believed, versions before anything else, and a packet must be used up to its last byte.

pub mod admin;
pub mod check;
pub mod codec;
pub mod control;
pub mod event;
pub mod lifecycle;
pub mod mac;
pub mod notify;
pub mod proxy;
pub mod status;
pub mod vrrp;

pub use lifecycle::{Child, FromChild, Role, ToChild, Welcome};

/// The version of all messages of this crate, the first thing either side says. Both ends come from
/// one build (a restart runs the image that is running), so another version is refused.
pub const VERSION: u16 = 1;
