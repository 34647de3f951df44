//! Tells the supervisor what the routers do: each transition at once, their state soon after it and
//! else once a second when it changed.

use std::time::Duration;

use core_vrrp::Time;
use ipc::event::TransitionEvent;
use ipc::status::{RouterStatus, TimerStatus};
use ipc::vrrp::{FromVrrp, Vrrp};
use link::child::Supervisor;

/// The longest that a change of counters waits.
const PERIOD: Duration = Duration::from_secs(1);

/// Between two reports of everything, however much happens: some hundred routers may change their
/// state one after the other.
const PAUSE: Duration = Duration::from_millis(100);

/// What was reported, and when to report next.
pub(crate) struct Reporter {
    supervisor: Supervisor<Vrrp>,
    routers: Vec<RouterStatus>,
    timers: TimerStatus,
    reported: Time,
    due: Time,
    is_silent: bool,
}

impl Reporter {
    pub(crate) fn new(supervisor: Supervisor<Vrrp>) -> Self {
        let never = Time(Duration::ZERO);
        Self {
            supervisor,
            routers: Vec::new(),
            timers: TimerStatus::default(),
            reported: never,
            due: never,
            is_silent: false,
        }
    }

    /// Reports a change of state; that of everything is to follow.
    pub(crate) fn transition(&mut self, event: TransitionEvent) {
        self.tell(FromVrrp::Transition(event));
        self.hurry();
    }

    /// Reports what is to be told people and changes nothing that is shown.
    pub(crate) fn event(&mut self, event: FromVrrp) {
        self.tell(event);
    }

    /// Something changed that people must not wait for.
    pub(crate) fn hurry(&mut self) {
        self.due = self.due.min(self.reported + PAUSE);
    }

    /// Reports nothing any more: a successor does.
    pub(crate) fn fall_silent(&mut self) {
        self.is_silent = true;
    }

    /// When everything is to be reported.
    pub(crate) fn due(&self) -> Time {
        self.due
    }

    /// Reports how everything is at `now`.
    pub(crate) fn report(&mut self, now: Time, routers: Vec<RouterStatus>, timers: TimerStatus) {
        self.reported = now;
        self.due = now + PERIOD;
        if self.is_silent {
            return;
        }
        if self.routers != routers {
            self.routers.clone_from(&routers);
            self.tell(FromVrrp::Status(routers));
        }
        if self.timers != timers {
            self.timers.clone_from(&timers);
            self.tell(FromVrrp::Timers(timers));
        }
    }

    fn tell(&mut self, message: FromVrrp) {
        if let Err(error) = self.supervisor.send(message) {
            // Either the supervisor is gone, and this process ends; or it is stuck, and will be told
            // how things are when it goes on. A transition that is lost is in the log at least.
            tracing::warn!("cannot report to the supervisor: {error}");
        }
    }
}
