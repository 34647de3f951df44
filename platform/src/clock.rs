//! The clocks. Cores never look at them; shells do, here.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::timerfd::{
    ClockId as TimerClock, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags,
};
use nix::time::{ClockId, clock_gettime};
use tokio::io::unix::AsyncFd;

use crate::watch;

/// Time since boot, suspended time included: what VRRP's timers run on, so that a machine that
/// slept knows that it did.
pub fn boottime() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// Time since 1970, as the clock on the wall has it: somebody may set it.
pub fn walltime() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
}

/// Milliseconds since 1970, for people and journals.
pub fn unix_ms() -> u64 {
    u64::try_from(walltime().as_millis()).unwrap_or(u64::MAX)
}

/// An alarm clock on the time of [`boottime`], for the event loop. It is right to some microseconds,
/// where the event loop's own timers are to two milliseconds, and setting it asks for no memory.
#[derive(Debug)]
pub struct Alarm {
    clock: TimerFd,
    /// The same clock, as the event loop sees it.
    ringing: AsyncFd<OwnedFd>,
}

impl Alarm {
    /// One that is not set. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let clock = TimerFd::new(TimerClock::CLOCK_BOOTTIME, flags)?;
        let ringing = watch::readable(clock.as_fd().try_clone_to_owned()?)?;
        Ok(Self { clock, ringing })
    }

    /// Lets it ring at this time, and at no other; at once when the time has passed.
    ///
    /// # Errors
    /// The system's.
    pub fn set(&self, at: Duration) -> io::Result<()> {
        // Zero would switch it off.
        let at = Expiration::OneShot(at.max(Duration::from_nanos(1)).into());
        Ok(self.clock.set(at, TimerSetTimeFlags::TFD_TIMER_ABSTIME)?)
    }

    /// Ready when it has rung since the last time that this was ready.
    pub fn poll_rung(&self, context: &mut Context<'_>) -> Poll<()> {
        // Setting it takes back what it says to readers, so nobody has to read.
        self.ringing
            .poll_read_ready(context)
            .map(|ready| drop(ready.map(|mut ready| ready.clear_ready())))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn an_alarm_rings_at_its_time_and_each_time_that_it_is_set() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let alarm = Alarm::new().expect("an alarm");
            for wait in [Duration::from_millis(3), Duration::ZERO] {
                let at = boottime() + wait;
                alarm.set(at).expect("set");
                poll_fn(|context| alarm.poll_rung(context)).await;
                assert!(boottime() >= at, "it rang {wait:?} too early");
            }
            alarm.set(Duration::ZERO).expect("set");
            poll_fn(|context| alarm.poll_rung(context)).await;
        });
    }
}
