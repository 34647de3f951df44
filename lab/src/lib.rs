//! End-to-end tests in network namespaces with the real peers: the harness.
//!
//! A scenario builds a [`Lan`] of hosts, starts real programs on them ([`Node`], [`Keepalived`],
//! [`HttpStub`], [`SmtpServer`]), does to them what the world does to machines, and looks from
//! outside: [`Capture`] at the wire, [`AddressWatch`] at the kernel's addresses, [`Load`] at what a
//! client gets. None of these instruments shares code with the product.
//!
//! It is not a library for others: what goes wrong here fails the test with a panic that says what
//! was waited for or which command answered what.

mod address_watch;
mod capture;
mod certificate;
mod frr;
mod http_stub;
mod keepalived;
mod lan;
mod load;
mod moment;
mod nginx;
mod node;
mod pair;
mod peer;
mod process;
mod smtp;
mod stream;
mod tool;

pub use address_watch::AddressWatch;
pub use capture::{Advert, Capture, Recording};
pub use certificate::Certificate;
pub use frr::Frr;
pub use http_stub::{Answer, HttpStub, Request};
pub use keepalived::{Check, Instance, Keepalived, KeepalivedSetup, Protocol, Transport};
pub use lan::{Host, Lan, clean_up_on_interrupt};
pub use load::{Connections, Load, LoadReport, Outcome, Sample};
pub use moment::Moment;
pub use nginx::Nginx;
pub use node::{Node, Titled, program};
pub use pair::{Pair, paced_configuration, pair_configuration};
pub use peer::PYTHON;
pub use process::{Running, Signal, signal};
pub use smtp::{Mail, SmtpServer};
pub use stream::accept;
pub use tool::{answer, exit_status, run, succeeds, wait_until};

/// The article's virtual address.
pub const VIP: &str = "192.168.0.105";
/// The article's virtual router.
pub const ROUTER: &str = "YN_API_GATEWAY";
