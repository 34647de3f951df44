//! The names of keepalived-exporter and nginx-prometheus-exporter, for what we know.
//!
//! Both export counters whose names do not end in `_total`. They are written as gauges, which is
//! what keepalived-exporter declared them as, and the only kind that every parser reads.

use std::fmt;

use ipc::status::{NodeStatus, RouterState, RouterStatus, TrackStatus};
use ipc::vrrp::TrackSubject;

use super::families::{Families, Labels};

/// Our reasons to discard an advert, by the counter of keepalived that counts the same.
const DISCARDED: [(&str, &str, &[&str]); 6] = [
    (
        "keepalived_packet_len_err",
        "Adverts of a wrong length.",
        &["length"],
    ),
    (
        "keepalived_advert_interval_err",
        "Adverts with another interval than ours.",
        &["interval"],
    ),
    (
        "keepalived_ip_ttl_err",
        "Adverts with a TTL other than 255.",
        &["ttl"],
    ),
    (
        "keepalived_invalid_type_rcvd",
        "Packets that are no adverts.",
        &["type"],
    ),
    (
        "keepalived_authtype_mismatch",
        "Adverts with another kind of authentication than ours.",
        &["auth_type", "hmac_missing", "hmac_unexpected"],
    ),
    (
        "keepalived_auth_failure",
        "Adverts with a wrong password or signature.",
        &[
            "auth_password",
            "hmac_malformed",
            "hmac_stale",
            "hmac_unknown_key",
            "hmac_wrong",
            "hmac_replay",
        ],
    ),
];

/// keepalived-exporter's set.
pub(super) fn write_keepalived(families: &mut Families<'_>, node: &NodeStatus) -> fmt::Result {
    let routers = &node.routers;
    families.gauge(
        "keepalived_up",
        "Whether there is a status; always 1.",
        1_u64,
    )?;
    families.gauges(
        "keepalived_vrrp_state",
        "The state of a virtual router: 0 stopped, 1 Backup, 2 Master, 3 Fault.",
        routers.iter().flat_map(|router| {
            router.addresses.iter().map(|address| {
                let [iname, intf, vrid] = of_router(router);
                let address = ("ip_address", address.to_string());
                ([iname, intf, vrid, address], state_number(router.state))
            })
        }),
    )?;
    let mut count = |name: &str, help: &str, of: &dyn Fn(&RouterStatus) -> u64| {
        let samples = routers.iter().map(|router| (of_router(router), of(router)));
        families.gauges(name, help, samples)
    };
    count("keepalived_advert_rcvd", "Adverts received.", &|router| {
        router.adverts_received
    })?;
    count("keepalived_advert_sent", "Adverts sent.", &|router| {
        router.adverts_sent
    })?;
    count(
        "keepalived_become_master",
        "How often the router became Master.",
        &|router| router.became_master,
    )?;
    count(
        "keepalived_release_master",
        "How often the router ceased to be Master.",
        &|router| router.ceased_master,
    )?;
    count(
        "keepalived_pri_zero_sent",
        "Adverts of priority 0 sent.",
        &|router| router.releases_sent,
    )?;
    count(
        "keepalived_pri_zero_rcvd",
        "Adverts of priority 0 received.",
        &|router| router.releases_received,
    )?;
    count(
        "keepalived_addr_list_err",
        "Adverts with another list of addresses than ours.",
        &|router| router.address_list_differs,
    )?;
    for (name, help, reasons) in DISCARDED {
        count(name, help, &|router| discarded(router, reasons))?;
    }
    write_scripts(families, &node.tracks)
}

fn write_scripts(families: &mut Families<'_>, tracks: &[TrackStatus]) -> fmt::Result {
    let scripts = tracks.iter().filter_map(|track| match &track.subject {
        TrackSubject::Script(name) => {
            let up = u64::from(track.verdict.is_up());
            Some(([("name", name.clone())], up))
        }
        _ => None,
    });
    families.gauges(
        "keepalived_script_status",
        "Whether a track script succeeds: 1 or 0.",
        scripts,
    )
}

/// nginx-prometheus-exporter's set.
pub(super) fn write_nginx(families: &mut Families<'_>, node: &NodeStatus) -> fmt::Result {
    let traffic = &node.traffic;
    families.gauge(
        "nginx_up",
        "Whether the node's own proxy serves: 1 or 0.",
        u64::from(node.proxy_well),
    )?;
    for (name, help, value) in [
        (
            "nginx_connections_accepted",
            "Accepted client connections.",
            traffic.accepted,
        ),
        (
            "nginx_connections_active",
            "Active client connections.",
            traffic.active,
        ),
        (
            "nginx_connections_handled",
            "Handled client connections.",
            traffic.handled,
        ),
        (
            "nginx_connections_reading",
            "Connections whose request head is being read.",
            traffic.reading,
        ),
        (
            "nginx_connections_waiting",
            "Idle client connections.",
            traffic.waiting,
        ),
        (
            "nginx_connections_writing",
            "Connections that are being answered.",
            traffic.writing,
        ),
    ] {
        families.gauge(name, help, value)?;
    }
    families.counter(
        "nginx_http_requests",
        "Requests of clients.",
        traffic.requests,
    )
}

fn of_router(router: &RouterStatus) -> Labels<3> {
    [
        ("iname", router.name.clone()),
        ("intf", router.interface.clone()),
        ("vrid", router.vrid.to_string()),
    ]
}

/// As keepalived numbers its states.
const fn state_number(state: RouterState) -> u64 {
    match state {
        RouterState::Stop => 0,
        RouterState::Backup => 1,
        RouterState::Master => 2,
        RouterState::Fault => 3,
    }
}

fn discarded(router: &RouterStatus, reasons: &[&str]) -> u64 {
    let of_these = |(reason, _): &&(String, u64)| reasons.contains(&reason.as_str());
    router
        .discarded
        .iter()
        .filter(of_these)
        .map(|(_, count)| count)
        .sum()
}
