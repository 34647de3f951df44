//! Events for the tests.

use ipc::Role;
use ipc::event::{ContestEvent, Event, GroupEvent, PriorityEvent, Severity, TransitionEvent, What};
use ipc::mac::Mac;
use ipc::status::RouterState;

use crate::journal::line::Entry;

/// Monday, 14 December 2015, 16:27:10.250 UTC.
pub(crate) const AT: u64 = 1_450_110_430_250;

pub(crate) fn entry(seq: u64, what: What) -> Entry {
    Entry {
        seq,
        boot: "b0".into(),
        node: "proxy101".into(),
        event: Event {
            at_unix_ms: AT,
            severity: Severity::Warning,
            what,
        },
    }
}

pub(crate) fn transition(from: RouterState, to: RouterState, cause: &str) -> TransitionEvent {
    TransitionEvent {
        at_unix_ms: AT,
        router: "YN_API_GATEWAY".into(),
        from,
        to,
        priority: 202,
        cause: cause.into(),
        addresses: vec![[192, 168, 0, 105].into()],
        planned: false,
    }
}

pub(crate) fn master() -> Entry {
    let what = transition(RouterState::Backup, RouterState::Master, "master timed out");
    entry(41, What::Transition(what))
}

pub(crate) fn every_kind() -> Vec<What> {
    let (upstream, address) = ("app".to_owned(), ([192, 168, 0, 201], 80).into());
    vec![
        master().event.what,
        What::GroupTransition(GroupEvent {
            group: "edge".into(),
            routers: vec!["YN_API_GATEWAY".into(), "other".into()],
            from: RouterState::Backup,
            to: RouterState::Master,
            planned: false,
        }),
        What::PriorityChanged(PriorityEvent {
            router: "YN_API_GATEWAY".into(),
            state: RouterState::Master,
            from: 202,
            to: 2,
        }),
        What::Contested(ContestEvent {
            router: "YN_API_GATEWAY".into(),
            address: [192, 168, 0, 105].into(),
            mac: Mac([2, 0, 0, 0, 0, 10]),
        }),
        What::ProcessDied {
            role: Role::Proxy,
            slot: 1,
            how: "signal 9".into(),
        },
        What::ProcessHung {
            role: Role::Vrrp,
            slot: 0,
            silent_ms: 512,
        },
        What::ProxyIll,
        What::ProxyWell,
        What::ServerDown {
            upstream: upstream.clone(),
            address,
            reason: "connection refused".into(),
        },
        What::ServerUp { upstream, address },
        What::ScriptChanged {
            script: "chk_gateway".into(),
            up: false,
            reason: "exit status 1".into(),
        },
        What::FileChanged {
            file: "maintenance".into(),
            value: Some(-20),
            reason: "contains -20".into(),
        },
        What::ProcessChanged {
            process: "nginx".into(),
            up: false,
            reason: "0 run, 1 must".into(),
        },
        What::Started {
            version: "0.1.0".into(),
        },
        What::Stopping,
        What::Reloaded {
            generation: 2,
            changes: vec!["route / changed".into()],
        },
        What::ReloadRefused {
            errors: vec!["unknown key".into()],
        },
        What::EventsLost { count: 3 },
        What::Test,
    ]
}
