//! The operating system: sockets, processes, privileges, network interfaces. The only crate with
//! `unsafe` and the only one that calls nix, socket2, pnet and rtnetlink. It decides nothing.

pub mod accept;
pub mod addresses;
pub mod announce;
pub mod claims;
pub mod clock;
pub mod counters;
pub mod daemon;
pub mod directory;
pub mod folders;
pub mod gauges;
pub mod interface_settings;
pub mod interfaces;
pub mod isolate;
pub mod listen;
pub mod memfd;
pub mod privilege;
pub mod process;
pub mod processes;
pub mod realtime;
pub mod resources;
pub mod seqpacket;
pub mod shortage;
pub mod silence;
pub mod terminal;
pub mod topology;
pub mod virtual_interfaces;
pub mod vrrp_socket;
pub mod watch;
pub mod wire;

mod route_socket;
mod shared;
