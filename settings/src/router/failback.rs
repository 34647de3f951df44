//! When an address goes back to a node that has recovered, and what a node does that gets worse.

use std::num::NonZeroU8;
use std::time::Duration;

use super::reader::up_to;
use crate::item::{Item, Table};
use crate::report::Spanned;

/// When a Backup takes over from a Master of lower priority. Of one that is less well than itself it
/// always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failback {
    /// When it has heard it for so long, 0 s to 1000 s (`preempt_delay`). Default, with 0 s.
    Auto(Duration),
    /// When it has heard it for so long, 1 ms to 1 d, and was well all the time.
    After(Duration),
    /// Never (`preempt = false`).
    Manual,
}

/// What a Master does when it gets worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnhealthy {
    /// Gives up at once, if a peer takes over.
    Abdicate,
    /// Says so with its next advert, as keepalived.
    Deprioritise,
}

impl OnUnhealthy {
    pub(super) const WORDS: &[(&str, Self)] = &[
        ("abdicate", Self::Abdicate),
        ("deprioritise", Self::Deprioritise),
    ];
}

/// Reads `failback`, and keepalived's `preempt` and `preempt_delay`, which say part of it.
pub(super) fn failback(
    table: &mut Table<'_>,
    priorities: Option<&[(String, Spanned<NonZeroU8>)]>,
) -> Option<Failback> {
    let given = table.get("failback");
    let preempt = table.get("preempt");
    let delay = table.get("preempt_delay");
    let failback = match (&given, &preempt) {
        (Some(_), Some(preempt)) => {
            return preempt.error(
                "\"preempt\" says what \"failback\" says",
                "leave it out: preempt = false is failback = \"manual\", true is \"auto\"",
            );
        }
        (Some(given), None) => read_failback(given)?,
        (None, Some(preempt)) if !preempt.boolean()? => Failback::Manual,
        (None, _) => Failback::Auto(Duration::ZERO),
    };
    let failback = match &delay {
        Some(delay) => delayed(delay, failback, given.is_some())?,
        None => failback,
    };
    match given.or(preempt) {
        Some(item) if !matches!(failback, Failback::Auto(_)) => of_no_owner(&item, priorities?)?,
        _ => {}
    }
    Some(failback)
}

fn read_failback(item: &Item<'_>) -> Option<Failback> {
    if item.is_table() {
        let mut table = item.table()?;
        let after = table.required("after", |item| {
            item.duration(Duration::from_millis(1)..=Duration::from_secs(86_400))
        });
        table.finish();
        return after.map(Failback::After);
    }
    let words = [
        ("auto", Failback::Auto(Duration::ZERO)),
        ("manual", Failback::Manual),
    ];
    if !item.is_string() {
        return item.error(
            format!("{} must be \"auto\", \"manual\" or a table", item.name()),
            "write a table as { after = \"30s\" }",
        );
    }
    item.one_of(&words)
}

fn delayed(delay: &Item<'_>, failback: Failback, is_given: bool) -> Option<Failback> {
    let wait = up_to(delay, 1_000)?;
    match failback {
        Failback::Auto(_) => Some(Failback::Auto(wait)),
        Failback::Manual if !is_given => {
            if !wait.is_zero() {
                delay.warning(
                    "\"preempt_delay\" has no effect",
                    "preempt = false never preempts",
                );
            }
            Some(failback)
        }
        Failback::After(_) => delay.error(
            "\"preempt_delay\" contradicts \"failback\", which has a time of its own",
            "leave it out: { after = ... } is the longer of the two",
        ),
        Failback::Manual => delay.error(
            "\"preempt_delay\" contradicts failback = \"manual\", which never preempts",
            "leave it out, or write failback = { after = ... }",
        ),
    }
}

/// RFC 9568 §6.1: the owner of the addresses always preempts.
fn of_no_owner(item: &Item<'_>, priorities: &[(String, Spanned<NonZeroU8>)]) -> Option<()> {
    let mut priorities = priorities.iter();
    match priorities.find(|(_, priority)| priority.get() == u8::MAX) {
        Some((node, _)) => item.error(
            format!("node {node:?} has priority 255: the owner takes the addresses back at once"),
            "write priority = 254, or leave this out (RFC 9568 §6.1)",
        ),
        None => Some(()),
    }
}
