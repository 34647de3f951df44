//! From the supervisor's snapshot to what the core understands.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;
use std::time::Duration;

use core_vrrp::{
    AnnouncePlan, AntiReplay, Auth, Centiseconds, ChecksumForm, Failback, HmacAuth, Key, Mode,
    OnUnhealthy, Password, Priority, Protocol, Seconds, Spec, Track, TrackEffect, Transport,
    Verdict, Vrid,
};
use ipc::vrrp::{RouterSpec, TrackSubject, TrackVerdict, VrrpSnapshot};

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
        hmac: match &router.auth {
            Some(ipc::vrrp::Auth::Hmac(auth)) => Some(hmac(auth)?),
            Some(ipc::vrrp::Auth::Pass(_)) | None => None,
        },
        priority: Priority::new(router.priority).ok_or("its priority is 0")?,
        checksum: router.checksum.map(|form| match form {
            ipc::vrrp::ChecksumForm::Message => ChecksumForm::Message,
            ipc::vrrp::ChecksumForm::PseudoHeader => ChecksumForm::PseudoHeader,
        }),
        failback: failback(router.failback),
        on_unhealthy: match router.on_unhealthy {
            ipc::vrrp::OnUnhealthy::Abdicate => OnUnhealthy::Abdicate,
            ipc::vrrp::OnUnhealthy::Deprioritise => OnUnhealthy::Deprioritise,
        },
        source,
        transport,
        addresses,
        tracks: router.tracks.iter().map(track).collect(),
        track_proxy: router.track_proxy,
        is_grouped: router.sync_group.is_some(),
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

fn hmac(auth: &ipc::vrrp::HmacAuth) -> Result<HmacAuth, String> {
    let key = |(id, key): &(u8, ipc::vrrp::HmacKey)| {
        let id = NonZeroU8::new(*id).ok_or("one of its keys has the number 0")?;
        let key = Key::new(&key.0).ok_or("one of its keys has not 32 to 64 octets")?;
        Ok::<_, &str>((id, key))
    };
    let keys = auth.keys.iter().map(key).collect::<Result<_, _>>()?;
    let active = NonZeroU8::new(auth.active).ok_or("its active key is 0")?;
    let mode = match auth.mode {
        ipc::vrrp::HmacMode::Enforce => Mode::Enforce,
        ipc::vrrp::HmacMode::Permissive => Mode::Permissive,
        ipc::vrrp::HmacMode::ReceiveOnly => Mode::ReceiveOnly,
    };
    let anti_replay = match auth.time_window {
        Some(window) => AntiReplay::Time { window },
        None => AntiReplay::Monotonic,
    };
    let auth = HmacAuth::new(keys, active, mode, anti_replay);
    Ok(auth.ok_or("its active key is none of its keys")?)
}

fn track(track: &ipc::vrrp::Track) -> Track {
    Track {
        name: track.subject.to_string(),
        effect: match track.effect {
            ipc::vrrp::TrackEffect::Weight(weight) => TrackEffect::Weight(weight),
            ipc::vrrp::TrackEffect::Degraded => TrackEffect::Degraded,
            ipc::vrrp::TrackEffect::Unhealthy => TrackEffect::Unhealthy,
        },
    }
}

fn failback(failback: ipc::vrrp::Failback) -> Failback {
    match failback {
        ipc::vrrp::Failback::Auto(wait) => Failback::Auto(wait),
        ipc::vrrp::Failback::After(wait) => Failback::After(wait),
        ipc::vrrp::Failback::Manual => Failback::Manual,
    }
}

/// What the core is told of a verdict on `subject`.
pub(crate) fn verdict(subject: &TrackSubject, verdict: TrackVerdict) -> Verdict {
    match (verdict, subject) {
        (TrackVerdict::Up, _) => Verdict::Up,
        (TrackVerdict::Unrunnable, TrackSubject::File(_)) => Verdict::NoValue,
        (TrackVerdict::Down | TrackVerdict::Unrunnable, _) => Verdict::Down,
        (TrackVerdict::Value(value), _) => Verdict::Value(value),
    }
}

fn protocol(router: &RouterSpec) -> Result<Protocol, String> {
    let interval = router.advert_interval;
    let centiseconds = interval.as_millis() / 10;
    let is_exact = |unit: Duration| interval.as_nanos().is_multiple_of(unit.as_nanos());
    match (router.version, &router.auth) {
        (2, Some(ipc::vrrp::Auth::Hmac(_))) => Err("version 2 has no HMAC".into()),
        (2, _) => {
            let seconds = u8::try_from(interval.as_secs()).ok().and_then(Seconds::new);
            let interval = seconds
                .filter(|_| is_exact(Duration::from_secs(1)))
                .ok_or("in version 2 its interval must be 1 to 255 whole seconds")?;
            let auth = match router.auth {
                Some(ipc::vrrp::Auth::Pass(pass)) => Auth::Pass(Password::new(pass.0)),
                _ => Auth::None,
            };
            Ok(Protocol::V2 { interval, auth })
        }
        (3, Some(ipc::vrrp::Auth::Pass(_))) => Err("version 3 has no password".into()),
        (3, _) => {
            let interval = u16::try_from(centiseconds)
                .ok()
                .and_then(Centiseconds::new)
                .filter(|_| is_exact(Duration::from_millis(10)))
                .ok_or("in version 3 its interval must be 10 ms to 40.95 s in steps of 10 ms")?;
            Ok(Protocol::V3 { interval })
        }
        (version, _) => Err(format!("there is no version {version}")),
    }
}

#[cfg(test)]
mod tests {
    use ipc::vrrp::{HmacKey, HmacMode};

    use super::*;
    use crate::router::tests::spec;

    fn signed() -> ipc::vrrp::HmacAuth {
        ipc::vrrp::HmacAuth {
            keys: vec![(1, HmacKey(vec![7; 32]))],
            active: 1,
            mode: HmacMode::Enforce,
            time_window: None,
        }
    }

    /// A router of version 3 with an HMAC, changed.
    fn sign(router: &mut RouterSpec, change: impl Fn(&mut ipc::vrrp::HmacAuth)) {
        let mut auth = signed();
        change(&mut auth);
        router.version = 3;
        router.auth = Some(ipc::vrrp::Auth::Hmac(auth));
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_a_sentence() {
        type Change = fn(&mut RouterSpec);
        let cases: [(Change, &str); 14] = [
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
                    (it.version, it.auth) = (3, None);
                    it.advert_interval = Duration::from_millis(15);
                },
                "gateway: in version 3 its interval must be 10 ms to 40.95 s in steps of 10 ms",
            ),
            (
                |it| it.name = "other".into(),
                "other: vrid 101 is on em1 twice",
            ),
            (|it| it.vrid = 102, "gateway: there are two of this name"),
            (
                |it| it.auth = Some(ipc::vrrp::Auth::Hmac(signed())),
                "gateway: version 2 has no HMAC",
            ),
            (
                |it| sign(it, |auth| auth.active = 2),
                "gateway: its active key is none of its keys",
            ),
            (
                |it| sign(it, |auth| auth.active = 0),
                "gateway: its active key is 0",
            ),
            (
                |it| sign(it, |auth| auth.keys.push((0, HmacKey(vec![7; 32])))),
                "gateway: one of its keys has the number 0",
            ),
            (
                |it| sign(it, |auth| auth.keys.push((3, HmacKey(vec![7; 31])))),
                "gateway: one of its keys has not 32 to 64 octets",
            ),
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
