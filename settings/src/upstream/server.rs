//! `servers` of an upstream.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use crate::item::Item;
use crate::proxy::{socket_address, step_time};
use crate::report::Spanned;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its address; names are not looked up.
    pub address: Spanned<SocketAddr>,
    /// Its share of the requests, 1 to 1000. Default: 1.
    pub weight: NonZeroU16,
    /// Failures within `fail_timeout` after which it is left alone for as long; 0: never.
    /// Default: 1.
    pub max_fails: u16,
    /// 1 ms to 1 d. Default: 10 s.
    pub fail_timeout: Duration,
    /// Whether it is asked only when no other can be. Default: false.
    pub backup: bool,
    /// Connections that the whole node may have with it; `None`, written 0, the default: no limit.
    pub max_conns: Option<NonZeroU32>,
    /// Default: ready.
    pub state: ServerState,
}

/// What an administrator wants of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// It is asked.
    Ready,
    /// It gets no more requests; it is still checked.
    Drain,
    /// It gets no more requests, and is not checked.
    Maint,
}

const STATES: &[(&str, ServerState)] = &[
    ("ready", ServerState::Ready),
    ("drain", ServerState::Drain),
    ("maint", ServerState::Maint),
];

impl Server {
    pub(super) fn read(item: &Item<'_>) -> Option<Self> {
        if item.is_string() {
            let advice = "write it as { address = \"192.168.0.201:80\" }";
            return item.error("a server must be a table, not a string", advice);
        }
        let mut table = item.table()?;
        let address = table.required("address", |item| {
            let address = socket_address(item)?;
            if address.ip().is_unspecified() {
                return item.error(format!("{} is no server's address", address.ip()), "");
            }
            Some(address)
        });
        let weight = table.or("weight", NonZeroU16::MIN, |item| {
            NonZeroU16::new(item.number(1..=1_000)?)
        });
        let max_fails = table.or("max_fails", 1, |item| item.number(0..=u16::MAX));
        let fail_timeout = table.or("fail_timeout", Duration::from_secs(10), step_time);
        let backup = table.or("backup", false, Item::boolean);
        let max_conns = table.or("max_conns", None, |item| {
            item.number(0..=u32::MAX).map(NonZeroU32::new)
        });
        let state = table.or("state", ServerState::Ready, |item| item.one_of(STATES));
        table.finish();
        Some(Self {
            address: address?,
            weight: weight?,
            max_fails: max_fails?,
            fail_timeout: fail_timeout?,
            backup: backup?,
            max_conns: max_conns?,
            state: state?,
        })
    }
}
