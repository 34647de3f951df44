//! The state machine as a table: what happens, when, and what the router does about it. Each case
//! names the clause that it pins.
//!
//! Unless a case says otherwise: version 2, an advert each second, priority 200 (skew 218.75 ms, down
//! after 3218.75 ms), own address .101, one unicast peer .102, one packet per announcement.

mod backup;
mod bands;
mod checksums;
mod contested;
mod corners;
mod counted;
mod failback;
mod group;
mod group_pair;
mod handover;
mod master;
mod packets;
mod play;
mod receiving;
mod start;
mod tracks;
