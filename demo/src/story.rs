//! Events and states in the words of an operator. Pure.

use std::net::{IpAddr, Ipv4Addr};

use ipc::event::{Event, What};
use ipc::lifecycle::Role;
use ipc::status::RouterState;

/// What happened on `node`, as a sentence.
pub(crate) fn of_event(node: &str, event: &Event) -> String {
    match &event.what {
        What::Transition(transition) => of_transition(
            node,
            &transition.router,
            transition.to,
            &transition.addresses,
            &transition.cause,
        ),
        What::GroupTransition(group) => {
            format!("{node}: sync group {} is {}", group.group, group.to)
        }
        What::PriorityChanged(change) => format!(
            "{node}: the priority of {} is {} instead of {}",
            change.router, change.to, change.from
        ),
        What::Contested(contest) => {
            format!("{node}: somebody else claims {}", contest.address)
        }
        What::ProcessDied { role, slot, how } => {
            format!(
                "{node}: {} ended by {how}; it is replaced",
                process(*role, *slot)
            )
        }
        What::ProcessHung {
            role,
            slot,
            silent_ms,
        } => format!(
            "{node}: {} was silent for {silent_ms} ms; it is killed and replaced",
            process(*role, *slot)
        ),
        What::ProxyIll => format!("{node}: its proxy no longer serves"),
        What::ProxyWell => format!("{node}: its proxy serves again"),
        What::ServerDown {
            address, reason, ..
        } => {
            format!("{node}: back end {address} is down: {reason}")
        }
        What::ServerUp { address, .. } => format!("{node}: back end {address} is up"),
        What::ScriptChanged { script, up, reason } => {
            let verdict = if *up { "well" } else { "ill" };
            format!("{node}: script {script} says {verdict}: {reason}")
        }
        What::FileChanged { file, reason, .. } => format!("{node}: file {file}: {reason}"),
        What::ProcessChanged {
            process, reason, ..
        } => format!("{node}: process {process}: {reason}"),
        What::Started { version } => format!("{node} starts, version {version}"),
        What::Stopping => format!("{node} was told to stop"),
        What::Reloaded { changes, .. } => {
            format!("{node} has a new configuration: {}", changes.join("; "))
        }
        What::ReloadRefused { errors } => {
            format!("{node} refused a new configuration: {}", errors.join("; "))
        }
        What::EventsLost { count } => format!("{node} lost {count} events"),
        What::Test => format!("{node}: a test message"),
    }
}

fn of_transition(
    node: &str,
    router: &str,
    state: RouterState,
    addresses: &[IpAddr],
    cause: &str,
) -> String {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let addresses = addresses.join(", ");
    match state {
        RouterState::Master => format!("{node} takes {addresses} ({router}): {cause}"),
        RouterState::Backup => format!("{node} stands by for {addresses} ({router}): {cause}"),
        RouterState::Fault => format!("{node} cannot own {addresses} ({router}): {cause}"),
        RouterState::Stop => format!("{node} gives {addresses} up ({router}): {cause}"),
    }
}

fn process(role: Role, slot: u16) -> String {
    match role {
        Role::Proxy => format!("proxy worker {slot}"),
        Role::Vrrp | Role::Check | Role::Notify | Role::Admin => format!("the {role} process"),
    }
}

/// Who owns `address`, since when and why. `cause` is the owner's own word for it; `holders` are
/// dead nodes whose kernel has not yet let go of it.
pub(crate) fn of_ownership(
    address: Ipv4Addr,
    owners: &[&str],
    holders: &[&str],
    for_ms: u64,
    cause: Option<&str>,
) -> String {
    let so_long = duration(for_ms);
    let mut said = match owners {
        [] => format!("nobody has owned {address} for {so_long}"),
        [owner] => format!("{owner} has owned {address} for {so_long}"),
        several => format!(
            "{} have both owned {address} for {so_long}",
            several.join(" and ")
        ),
    };
    if let Some(cause) = cause {
        said = format!("{said}: {cause}");
    }
    for holder in holders {
        said = format!("{said}; the kernel of {holder} holds it until the lease ends");
    }
    said
}

/// A while that is read at a glance: "0.4 s", "3 s", "2 min 5 s".
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..2 => format!("{seconds}.{} s", ms % 1000 / 100),
        2..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use ipc::event::{Severity, TransitionEvent};

    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 105);

    #[test]
    fn events_are_told_in_plain_words() {
        let transition = TransitionEvent {
            at_unix_ms: 0,
            router: "gateway-a".into(),
            from: RouterState::Backup,
            to: RouterState::Master,
            priority: 100,
            cause: "master timed out".into(),
            addresses: vec![ADDRESS.into()],
            planned: false,
        };
        for (what, said) in [
            (
                What::Transition(transition),
                "proxy102 takes 192.168.0.105 (gateway-a): master timed out",
            ),
            (
                What::ProcessDied {
                    role: Role::Proxy,
                    slot: 1,
                    how: "signal 9".into(),
                },
                "proxy102: proxy worker 1 ended by signal 9; it is replaced",
            ),
            (
                What::ProcessHung {
                    role: Role::Vrrp,
                    slot: 0,
                    silent_ms: 512,
                },
                "proxy102: the vrrp process was silent for 512 ms; it is killed and replaced",
            ),
        ] {
            let event = Event {
                at_unix_ms: 0,
                severity: Severity::Info,
                what,
            };
            assert_eq!(of_event("proxy102", &event), said);
        }
    }

    #[test]
    fn ownership_is_told_with_its_cause() {
        for (owners, holders, cause, said) in [
            (
                &[][..],
                &[][..],
                None,
                "nobody has owned 192.168.0.105 for 3 s",
            ),
            (
                &["proxy102"],
                &[],
                Some("master timed out"),
                "proxy102 has owned 192.168.0.105 for 3 s: master timed out",
            ),
            (
                &["proxy102"],
                &["proxy101"],
                None,
                "proxy102 has owned 192.168.0.105 for 3 s; \
                 the kernel of proxy101 holds it until the lease ends",
            ),
            (
                &["proxy101", "proxy102"],
                &[],
                None,
                "proxy101 and proxy102 have both owned 192.168.0.105 for 3 s",
            ),
        ] {
            assert_eq!(of_ownership(ADDRESS, owners, holders, 3_400, cause), said);
        }
    }

    #[test]
    fn durations_are_read_at_a_glance() {
        for (ms, said) in [
            (0, "0.0 s"),
            (490, "0.4 s"),
            (1_999, "1.9 s"),
            (59_999, "59 s"),
            (125_000, "2 min 5 s"),
            (7_380_000, "2 h 3 min"),
        ] {
            assert_eq!(duration(ms), said);
        }
    }
}
