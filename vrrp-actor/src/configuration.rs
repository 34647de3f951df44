//! From the supervisor's snapshot to what the core understands.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use core_vrrp::{
    AnnouncePlan, Auth, Centiseconds, ChecksumForm, Password, Priority, Protocol, Seconds, Spec,
    Track, Transport, Vrid,
};
use ipc::vrrp::{RouterSpec, TrackSubject, VrrpSnapshot};

/// Checks a whole configuration.
///
/// # Errors
/// A sentence for the operator, about the first router that cannot be run.
pub(crate) fn inspect(snapshot: &VrrpSnapshot) -> Result<(), String> {
    let mut names = BTreeSet::new();
    let mut identities = BTreeSet::new();
    for router in &snapshot.routers {
        let name = &router.name;
        core_spec(router, no_source(router)).map_err(|why| format!("{name}: {why}"))?;
        if !names.insert(name) {
            return Err(format!("{name}: there are two of this name"));
        }
        let is_ipv6 = no_source(router).is_ipv6();
        if !identities.insert((&router.interface, router.vrid, is_ipv6)) {
            let (interface, vrid) = (&router.interface, router.vrid);
            return Err(format!("{name}: vrid {vrid} is on {interface} twice"));
        }
    }
    Ok(())
}

/// Where adverts come from while nothing better is known; its family is that of the router.
pub(crate) fn no_source(router: &RouterSpec) -> IpAddr {
    match router.addresses.first().map(|first| first.address) {
        Some(IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        Some(IpAddr::V4(_)) | None => Ipv4Addr::UNSPECIFIED.into(),
    }
}

/// What the core is told; `source` is where adverts come from when the router does not say.
///
/// # Errors
/// A phrase, when a value is out of its range.
pub(crate) fn core_spec(router: &RouterSpec, source: IpAddr) -> Result<Spec, String> {
    if router.addresses.is_empty() || router.addresses.len() > usize::from(u8::MAX) {
        return Err("it must have 1 to 255 addresses".into());
    }
    let (source, transport) = match &router.transport {
        ipc::vrrp::Transport::Multicast { source: own } => {
            (own.unwrap_or(source), Transport::Multicast)
        }
        ipc::vrrp::Transport::Unicast {
            source,
            peers,
            min_ttl,
        } => {
            let peers = peers.clone();
            let min_ttl = *min_ttl;
            (*source, Transport::Unicast { peers, min_ttl })
        }
    };
    let addresses: Vec<IpAddr> = router.addresses.iter().map(|it| it.address).collect();
    if addresses.iter().any(|it| it.is_ipv6() != source.is_ipv6()) {
        return Err("its addresses are not all of one family".into());
    }
    if source.is_ipv6() && router.version != 3 {
        return Err("over IPv6 there is only version 3".into());
    }
    let announce = &router.announce;
    Ok(Spec {
        vrid: Vrid::new(router.vrid).ok_or("its vrid is 0")?,
        protocol: protocol(router)?,
        priority: Priority::new(router.priority).ok_or("its priority is 0")?,
        checksum: router.checksum.map(|form| match form {
            ipc::vrrp::ChecksumForm::Message => ChecksumForm::Message,
            ipc::vrrp::ChecksumForm::PseudoHeader => ChecksumForm::PseudoHeader,
        }),
        preempt: router.preempt,
        preempt_delay: router.preempt_delay,
        source,
        transport,
        addresses,
        tracks: router.tracks.iter().map(track).collect(),
        lease: router
            .lease_seconds
            .map(|seconds| Duration::from_secs(seconds.into())),
        announce: AnnouncePlan {
            repeat: announce.repeat,
            interval: announce.interval,
            delay: announce.delay,
            refresh: announce.refresh,
        },
        startup_delay: router.startup_delay,
        down_timer_adverts: router.down_timer_adverts.max(1),
    })
}

/// The name by which the core knows what is tracked.
pub(crate) fn track_name(subject: &TrackSubject) -> String {
    match subject {
        TrackSubject::Script(name) => format!("script {name}"),
        TrackSubject::Interface(name) => format!("interface {name}"),
    }
}

fn track(track: &ipc::vrrp::Track) -> Track {
    Track {
        name: track_name(&track.subject),
        weight: track.weight,
    }
}

fn protocol(router: &RouterSpec) -> Result<Protocol, String> {
    let interval = router.advert_interval;
    let centiseconds = interval.as_millis() / 10;
    let is_exact = |unit: Duration| interval.as_nanos().is_multiple_of(unit.as_nanos());
    match (router.version, router.auth_pass) {
        (2, pass) => {
            let seconds = u8::try_from(interval.as_secs()).ok().and_then(Seconds::new);
            let interval = seconds
                .filter(|_| is_exact(Duration::from_secs(1)))
                .ok_or("in version 2 its interval must be 1 to 255 whole seconds")?;
            let auth = pass.map_or(Auth::None, |octets| Auth::Pass(Password::new(octets)));
            Ok(Protocol::V2 { interval, auth })
        }
        (3, None) => {
            let interval = u16::try_from(centiseconds)
                .ok()
                .and_then(Centiseconds::new)
                .filter(|_| is_exact(Duration::from_millis(10)))
                .ok_or("in version 3 its interval must be 10 ms to 40.95 s in steps of 10 ms")?;
            Ok(Protocol::V3 { interval })
        }
        (3, Some(_)) => Err("version 3 has no password".into()),
        (version, _) => Err(format!("there is no version {version}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::tests::spec;

    #[test]
    fn what_cannot_be_run_is_refused_with_a_sentence() {
        type Change = fn(&mut RouterSpec);
        let cases: [(Change, &str); 9] = [
            (|it| it.vrid = 0, "gateway: its vrid is 0"),
            (|it| it.priority = 0, "gateway: its priority is 0"),
            (|it| it.version = 4, "gateway: there is no version 4"),
            (
                |it| it.addresses.clear(),
                "gateway: it must have 1 to 255 addresses",
            ),
            (
                |it| it.advert_interval = Duration::from_millis(1500),
                "gateway: in version 2 its interval must be 1 to 255 whole seconds",
            ),
            (|it| it.version = 3, "gateway: version 3 has no password"),
            (
                |it| {
                    (it.version, it.auth_pass) = (3, None);
                    it.advert_interval = Duration::from_millis(15);
                },
                "gateway: in version 3 its interval must be 10 ms to 40.95 s in steps of 10 ms",
            ),
            (
                |it| it.name = "other".into(),
                "other: vrid 101 is on em1 twice",
            ),
            (|it| it.vrid = 102, "gateway: there are two of this name"),
        ];
        for (change, expected) in cases {
            let mut changed = spec();
            change(&mut changed);
            let mut routers = vec![changed];
            let is_about_two = expected.contains("tw");
            if is_about_two {
                routers.insert(0, spec());
            }
            let snapshot = VrrpSnapshot {
                node: "proxy101".into(),
                routers,
                succession: None,
            };
            assert_eq!(inspect(&snapshot), Err(expected.to_owned()));
        }
        let snapshot = VrrpSnapshot {
            node: "proxy101".into(),
            routers: vec![spec()],
            succession: None,
        };
        assert_eq!(inspect(&snapshot), Ok(()));
    }
}
