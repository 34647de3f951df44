//! `[scripts.NAME]`: programs whose exit status moves the priority of virtual routers.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::cluster::account;
use crate::item::{Item, Table};
use crate::report::Spanned;

/// What changes a priority may be, as in keepalived: 254 would be all of it.
pub(crate) const WEIGHTS: RangeInclusive<i16> = -253..=253;
/// How often a check may run, and how long it may take.
pub(crate) const CHECK_TIMES: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(3_600);

/// A program that is run again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The name.
    pub name: String,
    /// Program, by its absolute path, and arguments.
    pub command: Spanned<Vec<String>>,
    /// Between two beginnings, 10 ms to 1 h; a run still active is not overlapped. Default: 1 s.
    pub interval: Duration,
    /// Until a run is ended and has failed, 10 ms to 1 h. Default: the interval.
    pub timeout: Duration,
    /// What it changes priorities by, where a virtual router does not say otherwise; -253 to 253.
    /// Above zero it is added while the script succeeds, below zero while it fails; zero, the
    /// default, makes the router Fault while it fails.
    pub weight: i16,
    /// Successes in a row that make it well. Default: 1.
    pub rise: NonZeroU16,
    /// Failures in a row that make it ill. Default: 1.
    pub fall: NonZeroU16,
    /// Who runs it. Default: `global.user`.
    pub user: Spanned<String>,
    /// What it counts as before its first result. Default: wait.
    pub init: ScriptInit,
}

/// What a script is before its first result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptInit {
    /// Nothing: routers wait for the first result, which decides at once.
    Wait,
    /// Well.
    Up,
    /// Ill.
    Down,
}

impl ScriptInit {
    const WORDS: &[(&str, Self)] = &[("wait", Self::Wait), ("up", Self::Up), ("down", Self::Down)];
}

impl Script {
    pub(crate) fn read(name: &str, mut table: Table<'_>, global_user: &str) -> Option<Self> {
        let command = table.required("command", Item::command);
        let interval = table.or("interval", Duration::from_secs(1), check_time);
        let timeout = table.maybe("timeout", check_time);
        let weight = table.or("weight", 0, weight);
        let rise = table.or("rise", NonZeroU16::MIN, run_length);
        let fall = table.or("fall", NonZeroU16::MIN, run_length);
        let default_user = table.item().spanned(global_user.to_owned());
        let user = table.or("user", default_user, account);
        let init = table.or("init", ScriptInit::Wait, |item| {
            item.one_of(ScriptInit::WORDS)
        });
        table.finish();
        let interval = interval?;
        Some(Self {
            name: name.to_owned(),
            command: command?,
            interval,
            timeout: timeout?.unwrap_or(interval),
            weight: weight?,
            rise: rise?,
            fall: fall?,
            user: user?,
            init: init?,
        })
    }
}

pub(crate) fn weight(item: &Item<'_>) -> Option<i16> {
    item.number(WEIGHTS)
}

pub(crate) fn check_time(item: &Item<'_>) -> Option<Duration> {
    item.duration(CHECK_TIMES)
}

/// How many results in a row change a verdict.
pub(crate) fn run_length(item: &Item<'_>) -> Option<NonZeroU16> {
    NonZeroU16::new(item.number(1..=1_000)?)
}
