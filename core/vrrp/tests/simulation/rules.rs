//! What the RFCs promise, reckoned independently of the core: this is what the core is measured by.

use std::time::Duration;

use core_vrrp::{Failback, OnUnhealthy, Priority, Protocol, Spec, TrackEffect};

use crate::scenario::{KERNEL_LATE_MAX, Latency};

/// Skew_Time: of version 2 a part of a second (RFC 3768 §6.1), of version 3 the same part of the
/// interval (RFC 9568 §6.1).
pub(crate) fn skew(protocol: &Protocol, priority: Priority) -> Duration {
    let whole = match protocol {
        Protocol::V2 { .. } => Duration::from_secs(1),
        Protocol::V3 { interval } => Duration::from_millis(10) * u32::from(interval.get()),
    };
    let part_us = whole.as_micros() * u128::from(256 - u32::from(priority.get())) / 256;
    Duration::from_micros(u64::try_from(part_us).expect("short"))
}

/// Master_Down_Interval, which RFC 9568 calls Active_Down_Interval.
pub(crate) fn down(protocol: &Protocol, spec: &Spec, priority: Priority) -> Duration {
    protocol.interval() * u32::from(spec.down_timer_adverts) + skew(protocol, priority)
}

/// How long somebody who gave up waits for a successor: until the weakest would have spoken, and
/// 250 ms for a busy machine.
pub(crate) fn handover(protocol: &Protocol) -> Duration {
    skew(protocol, Priority::RELEASE) + Duration::from_millis(250)
}

/// Whether priorities 1 and 2 say here that a node is unhealthy or degraded.
pub(crate) fn has_bands(spec: &Spec) -> bool {
    let weighs = |effect| matches!(effect, TrackEffect::Weight(_));
    spec.track_proxy || !spec.tracks.iter().all(|track| weighs(track.effect))
}

/// How well a node is that says this priority: 2, or 1 when degraded, or 0.
pub(crate) fn band(spec: &Spec, priority: Priority) -> u8 {
    match priority.get() {
        number @ (0..=2) if has_bands(spec) => number.saturating_sub(1),
        _ => 2,
    }
}

/// How long a Backup waits when the Master gives up: Skew_Time (RFC 9568 §6.4.2). Who is not well
/// leaves it to those who are, and to the Master itself, until its hand-over must be over; the
/// degraded go before the unhealthy.
pub(crate) fn release_wait(protocol: &Protocol, spec: &Spec, own: Priority) -> Duration {
    let band = band(spec, own);
    if band == 2 || spec.on_unhealthy == OnUnhealthy::Deprioritise {
        return skew(protocol, own);
    }
    let interval = protocol.interval();
    let silent = down(protocol, spec, own).max(handover(protocol) + 2 * interval);
    silent + interval * u32::from(1 - band)
}

/// For how long a Backup hears a worse Master before it does not listen to it any more; `None`: it
/// always does. The owner of the addresses never does (RFC 9568 §6.1), nor does who is better off.
pub(crate) fn patience(spec: &Spec, own: Priority, master: Priority) -> Option<Duration> {
    if own <= master {
        return None;
    }
    if own == Priority::OWNER || band(spec, own) > band(spec, master) {
        return Some(Duration::ZERO);
    }
    match spec.failback {
        Failback::Auto(patience) => Some(patience),
        Failback::After(patience) if band(spec, own) == 2 => Some(patience),
        Failback::After(_) | Failback::Manual => None,
    }
}

/// What a Backup of version 3 goes by when it hears its Master (RFC 9568 §6.4.2); in version 2
/// everybody goes by his own.
pub(crate) fn learned(own: &Protocol, heard: &Protocol) -> Protocol {
    match (own, heard) {
        (Protocol::V3 { .. }, Protocol::V3 { .. }) => *heard,
        _ => *own,
    }
}

/// Whether the kernel takes the address of a node that is dead or frozen away before any peer can
/// have waited long enough. `interval` is the shortest that a peer may go by.
pub(crate) fn lease_ends_in_time(spec: &Spec, interval: Duration) -> bool {
    spec.lease.is_some_and(|lease| {
        lease + KERNEL_LATE_MAX <= interval * u32::from(spec.down_timer_adverts)
    })
}

/// How long a word and the answer to it take on a whole network.
pub(crate) fn exchange(latency: &Latency) -> Duration {
    2 * latency.link + latency.timer
}
