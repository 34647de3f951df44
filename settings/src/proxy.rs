//! `[proxy]`, and below it `[listeners.NAME]` and `[[routes]]`: what comes in, and where it goes.

mod address;
mod limits;
mod listener;
mod route;

pub(crate) use address::socket_address;
pub use limits::{Limits, ListenerTimeouts};
pub use listener::{AccessLog, Listener, ListenerProtocol, LogFormat, ProxyProtocol};
pub(crate) use route::path;
pub use route::{Route, RouteAction};

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::item::{Item, Table};

/// What a client or server may take for one step: a timeout of a day is none.
const STEP_TIMES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(86_400);
/// More workers than any machine has cores.
const WORKERS_MAX: u16 = 1_024;

/// The proxy as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// How many processes. Default: one for each core.
    pub workers: Workers,
    /// How long a worker that ends may take to serve what it has begun, 0 s to 1 d. Default: 30 s.
    pub drain_timeout: Duration,
    /// The same for tunnels: WebSockets and TCP, 0 s to 1 d. Default: 10 min.
    pub tunnel_drain_timeout: Duration,
}

/// How many worker processes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// One for each core.
    Auto,
    /// This many, up to 1024.
    Exactly(NonZeroU16),
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            workers: Workers::Auto,
            drain_timeout: Duration::from_secs(30),
            tunnel_drain_timeout: Duration::from_secs(600),
        }
    }
}

impl Proxy {
    pub(crate) fn read(mut table: Table<'_>) -> Option<Self> {
        let defaults = Self::default();
        let workers = table.or("workers", defaults.workers, |item| {
            if item.is_number() {
                return NonZeroU16::new(item.number(1..=WORKERS_MAX)?).map(Workers::Exactly);
            }
            item.one_of(&[("auto", Workers::Auto)])
        });
        let drain_time =
            |item: &Item<'_>| item.duration(Duration::ZERO..=Duration::from_secs(86_400));
        let drain_timeout = table.or("drain_timeout", defaults.drain_timeout, drain_time);
        let tunnel_drain_timeout = table.or(
            "tunnel_drain_timeout",
            defaults.tunnel_drain_timeout,
            drain_time,
        );
        table.finish();
        Some(Self {
            workers: workers?,
            drain_timeout: drain_timeout?,
            tunnel_drain_timeout: tunnel_drain_timeout?,
        })
    }
}

pub(crate) fn step_time(item: &Item<'_>) -> Option<Duration> {
    item.duration(STEP_TIMES)
}
