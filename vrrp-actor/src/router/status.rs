//! What is said of a router to the supervisor.

use std::net::IpAddr;

use core_vrrp::{Cause, Discard, Router as Core, State, Transition};
use ipc::event::TransitionEvent;
use ipc::status::{RouterState, RouterStatus};
use ipc::vrrp::RouterSpec;
use platform::clock::unix_ms;

/// When and why the present state was entered.
#[derive(Clone, Debug)]
pub(super) struct Entered {
    at_unix_ms: u64,
    cause: String,
}

impl Entered {
    /// Now, without a cause.
    pub(super) fn at_start() -> Self {
        Self {
            at_unix_ms: unix_ms(),
            cause: "not started".into(),
        }
    }

    /// Now, by this transition.
    pub(super) fn by(transition: &Transition) -> Self {
        Self {
            at_unix_ms: unix_ms(),
            cause: transition.cause.to_string(),
        }
    }

    /// The transition, as people are told of it.
    pub(super) fn event(&self, spec: &RouterSpec, transition: &Transition) -> TransitionEvent {
        TransitionEvent {
            at_unix_ms: self.at_unix_ms,
            router: spec.name.clone(),
            from: state(transition.from),
            to: state(transition.to),
            priority: transition.priority.get(),
            cause: self.cause.clone(),
            addresses: addresses(spec),
            planned: matches!(transition.cause, Cause::Started | Cause::Shutdown),
        }
    }

    /// The router as it is now; `lost` packets never reached it.
    pub(super) fn status(&self, spec: &RouterSpec, core: &Core, lost: u64) -> RouterStatus {
        let counters = core.counters();
        let discarded = Discard::ALL
            .iter()
            .map(|why| (why.name(), counters.discarded(*why)));
        RouterStatus {
            name: spec.name.clone(),
            vrid: spec.vrid,
            interface: spec.interface.clone(),
            state: state(core.state()),
            priority: core.effective_priority().get(),
            since_unix_ms: self.at_unix_ms,
            cause: self.cause.clone(),
            addresses: addresses(spec),
            master: core
                .master()
                .map(|master| (master.address, master.priority.get())),
            adverts_sent: counters.sent,
            adverts_received: counters.received,
            discarded: discarded
                .chain([("queue_full", lost)])
                .filter(|(_, count)| *count > 0)
                .map(|(why, count)| (why.to_owned(), count))
                .collect(),
            address_list_differs: counters.address_list_differs,
            message_only_checksums: counters.message_only_checksums,
            became_master: counters.became_master,
        }
    }
}

/// The state, in the words of people.
pub(crate) fn state(state: State) -> RouterState {
    match state {
        State::Initialize => RouterState::Stop,
        State::Backup => RouterState::Backup,
        State::Master => RouterState::Master,
        State::Fault => RouterState::Fault,
    }
}

fn addresses(spec: &RouterSpec) -> Vec<IpAddr> {
    spec.held().map(|held| held.address).collect()
}
