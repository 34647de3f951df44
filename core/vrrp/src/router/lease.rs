//! When a Master makes the kernel's lease of its addresses begin anew.
//!
//! The lease is what takes the addresses from a node that is dead or frozen. Its peers count from
//! the last advert that they heard, so that a lease which is renewed after that ends later than one
//! that is renewed with it: by up to an interval. It is renewed with the adverts, and between them
//! only for as long as it still ends in time.

use std::time::Duration;

use super::{Router, Turn};
use crate::event::Effect;
use crate::units::Time;

/// Renewals in the life of a lease, if it can be renewed at all times.
const RENEWALS: u32 = 5;
/// Between two renewals at most, if so.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// How late the kernel may take an address away: 0.46 s was measured on Linux 6.18.
const KERNEL_LATENESS: Duration = Duration::from_millis(500);

impl Router {
    /// Renews the lease if it is time, given when the last advert was sent: now, if it is about to
    /// be. Called with every advert.
    pub(super) fn renew_if_due(
        &self,
        renew_at: &mut Option<Time>,
        said_at: Time,
        turn: &mut Turn<'_>,
    ) {
        let Some(due) = *renew_at else { return };
        let is_now_or_never = said_at == turn.now && !self.ends_in_time(due, said_at);
        if turn.now < due && !is_now_or_never {
            return;
        }
        if self.ends_in_time(turn.now, said_at) {
            turn.push(Effect::RenewLease);
            *renew_at = self.next_renewal(said_at, turn);
        } else {
            *renew_at = Some(said_at + self.spec.protocol.interval());
        }
    }

    /// When to renew a lease that begins now.
    pub(super) fn next_renewal(&self, said_at: Time, turn: &Turn<'_>) -> Option<Time> {
        let lease = self.spec.lease?;
        let next = turn.now + (lease / RENEWALS).min(PAUSE_MAX);
        if self.ends_in_time(next, said_at) {
            Some(next)
        } else {
            Some(said_at + self.spec.protocol.interval())
        }
    }

    /// Whether a lease that is renewed then ends before a peer that heard the last advert takes
    /// over. Where intervals are too short for that, it makes no difference.
    fn ends_in_time(&self, renewed_at: Time, said_at: Time) -> bool {
        let spec = &self.spec;
        let patience = spec.protocol.interval() * u32::from(spec.down_timer_adverts);
        let life = spec.lease.unwrap_or_default() + KERNEL_LATENESS;
        let slack = patience.checked_sub(life);
        slack.is_none_or(|slack| renewed_at.since(said_at) <= slack)
    }
}
