//! How much a peer may send before it is read.
//!
//! Who waits for octets of one stream must not have to wait for whoever reads another: they may have
//! nothing to do with each other but the way. So the window of a connection covers those of all its
//! streams. What is unread of a connection is limited by these then: 64 KiB for each stream, which is
//! what a connection of HTTP/1 may take.

/// Octets of one stream.
pub(super) const STREAM: u32 = 64 * 1024 - 1;

/// More streams share what so many have: where their number has no limit, the memory has.
const STREAMS_MAX: u32 = 256;

/// Octets of a connection with at most so many streams.
///
/// Half as much again as they have: what was read is announced when it comes to half of what the peer may
/// still send, and the peer may have promised all that to streams that nobody reads.
pub(super) const fn connection(streams: u32) -> u32 {
    let covered = if streams < STREAMS_MAX {
        streams
    } else {
        STREAMS_MAX
    };
    STREAM / 2 * 3 * covered
}
