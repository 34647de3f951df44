//! `retries` of an upstream.

use std::num::NonZeroU8;

use crate::item::{Item, Table};

/// When a request is sent again, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How many servers are asked at most, the first included; 1 to 16. Default: 2.
    pub tries: NonZeroU8,
    /// What has to have happened. Default: connect and stale.
    pub on: Vec<RetryCause>,
    /// How many of an upstream's requests in a worker may be such that were sent again, in percent, 0
    /// to 100; ten may always. Default: 20.
    pub budget: u8,
}

/// Why a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryCause {
    /// No connection could be made.
    Connect,
    /// A kept connection was dead.
    Stale,
    /// The server took too long.
    Timeout,
    /// The server answered 502, or what is none.
    BadGateway,
    /// The server answered 503.
    Unavailable,
    /// The server answered 504.
    GatewayTimeout,
}

const CAUSES: &[(&str, RetryCause)] = &[
    ("connect", RetryCause::Connect),
    ("stale", RetryCause::Stale),
    ("timeout", RetryCause::Timeout),
    ("502", RetryCause::BadGateway),
    ("503", RetryCause::Unavailable),
    ("504", RetryCause::GatewayTimeout),
];

impl Default for Retries {
    fn default() -> Self {
        Self {
            tries: NonZeroU8::MIN.saturating_add(1),
            on: vec![RetryCause::Connect, RetryCause::Stale],
            budget: 20,
        }
    }
}

impl Retries {
    pub(super) fn read(mut table: Table<'_>) -> Option<Self> {
        let defaults = Self::default();
        let tries = table.or("tries", defaults.tries, |item| {
            NonZeroU8::new(item.number(1..=16)?)
        });
        let on = table.or("on", defaults.on, |item| {
            item.list(|entry| entry.one_of(CAUSES))
        });
        let budget = table.or("budget", defaults.budget, percent);
        table.finish();
        Some(Self {
            tries: tries?,
            on: on?,
            budget: budget?,
        })
    }
}

/// "20%".
fn percent(item: &Item<'_>) -> Option<u8> {
    let text = item.string()?;
    let number = text.strip_suffix('%').and_then(|it| it.parse().ok());
    match number {
        Some(percent @ 0..=100) => Some(percent),
        _ => item.error(
            format!("{text:?} is no share"),
            "write it as \"20%\", from 0% to 100%",
        ),
    }
}
