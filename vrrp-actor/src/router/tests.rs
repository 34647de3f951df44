//! A router's configuration for tests: that of the article.

use std::net::IpAddr;
use std::time::Duration;

use ipc::vrrp::{
    AnnounceSpec, Auth, Failback, OnUnhealthy, Pass, RouterSpec, Transport, VirtualAddress,
};

/// Version 2, unicast, with a password.
pub(crate) fn spec() -> RouterSpec {
    RouterSpec {
        name: "gateway".into(),
        interface: "em1".into(),
        vrid: 101,
        vmac: false,
        version: 2,
        advert_interval: Duration::from_secs(1),
        priority: 200,
        transport: Transport::Unicast {
            source: IpAddr::from([192, 168, 0, 101]),
            peers: vec![IpAddr::from([192, 168, 0, 102])],
            min_ttl: 255,
        },
        checksum: None,
        auth: Some(Auth::Pass(Pass(*b"testpass"))),
        failback: Failback::Auto(Duration::ZERO),
        on_unhealthy: OnUnhealthy::Abdicate,
        sync_group: None,
        notify_priority_changes: false,
        addresses: vec![VirtualAddress {
            address: IpAddr::from([192, 168, 0, 105]),
            prefix_len: 32,
            interface: None,
            label: None,
            scope: 0,
        }],
        excluded_addresses: Vec::new(),
        lease_seconds: Some(2),
        tracks: Vec::new(),
        track_proxy: true,
        announce: AnnounceSpec {
            repeat: 5,
            delay: Duration::from_secs(5),
            refresh: Duration::from_secs(60),
            interval: Duration::ZERO,
        },
        startup_delay: Duration::ZERO,
        down_timer_adverts: 3,
    }
}
