//! What is said of a router to the supervisor.

use std::net::IpAddr;

use core_vrrp::{Cause, Discard, Router as Core, Share, State, Transition, Verdict};
use ipc::event::TransitionEvent;
use ipc::status::{Band, RouterState, RouterStatus, RouterTrack, TrackShare};
use ipc::vrrp::{RouterSpec, TrackVerdict};
use platform::clock::unix_ms;

/// What is counted that the core does not see.
pub(super) struct OutsideCore {
    /// Packets that never reached it.
    pub(super) lost: u64,
    /// Gratuitous ARP packets and unsolicited neighbour advertisements.
    pub(super) announcements_sent: u64,
}

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

    /// The router as it is now.
    pub(super) fn status(
        &self,
        spec: &RouterSpec,
        core: &Core,
        outside: &OutsideCore,
    ) -> RouterStatus {
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
            base_priority: spec.priority,
            band: band(core.band()),
            track_proxy: spec.track_proxy,
            tracks: tracks(spec, core),
            since_unix_ms: self.at_unix_ms,
            cause: self.cause.clone(),
            addresses: addresses(spec),
            master: core
                .master()
                .map(|master| (master.address, master.priority.get())),
            adverts_sent: counters.sent,
            adverts_received: counters.received,
            discarded: discarded
                .chain([("queue_full", outside.lost)])
                .filter(|(_, count)| *count > 0)
                .map(|(why, count)| (why.to_owned(), count))
                .collect(),
            address_list_differs: counters.address_list_differs,
            message_only_checksums: counters.message_only_checksums,
            became_master: counters.became_master,
            ceased_master: counters.ceased_master,
            releases_sent: counters.releases_sent,
            releases_received: counters.releases_received,
            announcements_sent: outside.announcements_sent,
            contested: counters.contested,
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

fn band(band: core_vrrp::Band) -> Band {
    match band {
        core_vrrp::Band::Healthy => Band::Healthy,
        core_vrrp::Band::Degraded => Band::Degraded,
        core_vrrp::Band::Unhealthy => Band::Unhealthy,
    }
}

/// The core has the tracks in the order of the spec.
fn tracks(spec: &RouterSpec, core: &Core) -> Vec<RouterTrack> {
    let tracks = spec.tracks.iter().zip(core.tracks());
    let track = |(track, (_, verdict, share)): (&ipc::vrrp::Track, (_, Option<Verdict>, Share))| {
        RouterTrack {
            subject: track.subject.clone(),
            verdict: verdict.map(verdict_of),
            share: match share {
                Share::Adds(weight) => TrackShare::Adds(weight),
                Share::Degraded => TrackShare::Degraded,
                Share::Unhealthy => TrackShare::Unhealthy,
                Share::Fault => TrackShare::Fault,
            },
        }
    };
    tracks.map(track).collect()
}

fn verdict_of(verdict: Verdict) -> TrackVerdict {
    match verdict {
        Verdict::Up => TrackVerdict::Up,
        Verdict::Down => TrackVerdict::Down,
        Verdict::Value(value) => TrackVerdict::Value(value),
        Verdict::NoValue => TrackVerdict::Unrunnable,
    }
}

fn addresses(spec: &RouterSpec) -> Vec<IpAddr> {
    spec.held().map(|held| held.address).collect()
}
