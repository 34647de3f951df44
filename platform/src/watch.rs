//! Descriptors watched by the event loop.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::seqpacket::SeqPacket;

/// Watches a descriptor. To be called inside a tokio runtime.
///
/// # Errors
/// When the event loop cannot watch it (a regular file, for one).
#[expect(
    unsafe_code,
    reason = "the event loop knows a descriptor by its number"
)]
pub fn descriptor(owned: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open, and stays the same descriptor, for as long as it is owned.
    Ok(unsafe { AsyncFd::register(owned)? })
}

/// Watches a descriptor that is only read from by the event loop: what it can take is no news. To be
/// called inside a tokio runtime.
///
/// # Errors
/// When the event loop cannot watch it.
#[expect(
    unsafe_code,
    reason = "the event loop knows a descriptor by its number"
)]
pub(crate) fn readable(owned: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open, and stays the same descriptor, for as long as it is owned.
    Ok(unsafe { AsyncFd::register_with_interest(owned, Interest::READABLE)? })
}

/// Watches one end of a socket pair. To be called inside a tokio runtime.
///
/// # Errors
/// When the event loop cannot watch it.
#[expect(
    unsafe_code,
    reason = "the event loop knows a descriptor by its number"
)]
pub fn seqpacket(socket: SeqPacket) -> io::Result<AsyncFd<SeqPacket>> {
    // SAFETY: a SeqPacket holds one OwnedFd that it never replaces.
    Ok(unsafe { AsyncFd::register(socket)? })
}
