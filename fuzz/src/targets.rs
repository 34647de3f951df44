//! The targets.

mod adverts;
mod frames;
mod heads;
mod hellos;
mod machine;
mod mappings;
mod messages;
mod prefaces;
mod texts;

use crate::Target;

/// All of them.
pub const TARGETS: &[Target] = &[
    adverts::IPV4,
    adverts::IPV6,
    adverts::SIGNED,
    machine::MACHINE,
    frames::LINK,
    frames::CLAIMS,
    messages::PACKETS,
    messages::SNAPSHOTS,
    messages::CHANNEL,
    messages::CONTROL,
    heads::REQUESTS,
    heads::RESPONSES,
    heads::CHUNKED,
    mappings::REQUESTS,
    mappings::RESPONSES,
    prefaces::PROXY_HEADERS,
    hellos::CLIENT_HELLOS,
    texts::SETTINGS,
];

fn leave(_: &mut Vec<u8>) {}
