//! Our own metrics.

use std::fmt;
use std::time::Duration;

use ipc::status::{
    Band, NodeStatus, ProcessStatus, RouterState, RouterStatus, ServerStatus, TimerStatus,
    TrackShare, TrackStatus, UpstreamTraffic,
};

use super::families::{Families, Labels};

/// Everything that the node says of itself.
pub(super) fn write(families: &mut Families<'_>, node: &NodeStatus) -> fmt::Result {
    write_node(families, node)?;
    write_routers(families, &node.routers)?;
    write_shares(families, &node.routers)?;
    write_adverts(families, &node.routers)?;
    write_life(families, &node.routers)?;
    write_timers(families, &node.timers)?;
    write_servers(families, &node.servers)?;
    write_tracks(families, &node.tracks)?;
    write_processes(families, &node.processes)?;
    write_traffic(families, node)
}

fn write_node(families: &mut Families<'_>, node: &NodeStatus) -> fmt::Result {
    let build = [
        ("version", node.version.clone()),
        ("cluster", node.cluster.clone()),
        ("node", node.node.clone()),
    ];
    families.gauges(
        "evenkeel_build_info",
        "The version, the cluster and the node; always 1.",
        [(build, 1_u64)],
    )?;
    families.gauge(
        "evenkeel_start_time_seconds",
        "When the supervisor started, in seconds since 1970.",
        seconds(node.started_unix_ms),
    )?;
    families.gauge(
        "evenkeel_config_generation",
        "The generation of the configuration in force; goes up by one at each reload.",
        node.generation,
    )?;
    families.gauge(
        "evenkeel_proxy_well",
        "Whether the node's own proxy serves: 1 or 0.",
        u64::from(node.proxy_well),
    )
}

fn write_routers(families: &mut Families<'_>, routers: &[RouterStatus]) -> fmt::Result {
    const STATES: [RouterState; 4] = [
        RouterState::Stop,
        RouterState::Backup,
        RouterState::Master,
        RouterState::Fault,
    ];
    families.gauges(
        "evenkeel_vrrp_state",
        "The state of a virtual router: 1 for the one that it is in, 0 for the others.",
        routers.iter().flat_map(|router| {
            STATES.map(|state| {
                let labels = [
                    ("router", router.name.clone()),
                    ("interface", router.interface.clone()),
                    ("vrid", router.vrid.to_string()),
                    ("state", state.to_string()),
                ];
                (labels, u64::from(router.state == state))
            })
        }),
    )?;
    families.gauges(
        "evenkeel_vrrp_priority",
        "The effective priority of a virtual router, with all weights.",
        routers
            .iter()
            .map(|router| (of_router(router), u64::from(router.priority))),
    )?;
    families.gauges(
        "evenkeel_vrrp_state_entered_timestamp_seconds",
        "When a virtual router entered its state, in seconds since 1970.",
        routers
            .iter()
            .map(|router| (of_router(router), seconds(router.since_unix_ms))),
    )?;
    families.gauges(
        "evenkeel_vrrp_heard_master_priority",
        "The priority of the Master that a virtual router heard last.",
        routers.iter().filter_map(|router| {
            let (address, priority) = router.master?;
            let [name] = of_router(router);
            Some((
                [name, ("address", address.to_string())],
                u64::from(priority),
            ))
        }),
    )
}

fn write_adverts(families: &mut Families<'_>, routers: &[RouterStatus]) -> fmt::Result {
    families.counters(
        "evenkeel_vrrp_adverts_sent",
        "Adverts that a virtual router sent.",
        routers
            .iter()
            .map(|router| (of_router(router), router.adverts_sent)),
    )?;
    families.counters(
        "evenkeel_vrrp_adverts_received",
        "Adverts that a virtual router accepted.",
        routers
            .iter()
            .map(|router| (of_router(router), router.adverts_received)),
    )?;
    families.counters(
        "evenkeel_vrrp_adverts_discarded",
        "Adverts that a virtual router discarded, by reason.",
        routers.iter().flat_map(|router| {
            router.discarded.iter().map(|(reason, count)| {
                let [name] = of_router(router);
                ([name, ("reason", reason.clone())], *count)
            })
        }),
    )?;
    families.counters(
        "evenkeel_vrrp_address_list_differs",
        "Adverts that a virtual router accepted with another list of addresses.",
        routers
            .iter()
            .map(|router| (of_router(router), router.address_list_differs)),
    )?;
    families.counters(
        "evenkeel_vrrp_message_only_checksums",
        "Adverts of version 3 that a virtual router accepted with a checksum of the message alone.",
        routers
            .iter()
            .map(|router| (of_router(router), router.message_only_checksums)),
    )?;
    families.counters(
        "evenkeel_vrrp_releases_sent",
        "Adverts of priority 0 that a virtual router sent, to give up.",
        routers
            .iter()
            .map(|router| (of_router(router), router.releases_sent)),
    )?;
    families.counters(
        "evenkeel_vrrp_releases_received",
        "Adverts of priority 0 that a virtual router accepted.",
        routers
            .iter()
            .map(|router| (of_router(router), router.releases_received)),
    )
}

/// How often it was Master, and what it did as such.
fn write_life(families: &mut Families<'_>, routers: &[RouterStatus]) -> fmt::Result {
    families.counters(
        "evenkeel_vrrp_became_master",
        "How often a virtual router became Master.",
        routers
            .iter()
            .map(|router| (of_router(router), router.became_master)),
    )?;
    families.counters(
        "evenkeel_vrrp_ceased_master",
        "How often a virtual router ceased to be Master.",
        routers
            .iter()
            .map(|router| (of_router(router), router.ceased_master)),
    )?;
    families.counters(
        "evenkeel_vrrp_announcements_sent",
        "Gratuitous ARP packets and unsolicited neighbour advertisements of a virtual router.",
        routers
            .iter()
            .map(|router| (of_router(router), router.announcements_sent)),
    )?;
    families.counters(
        "evenkeel_vrrp_contested",
        "How often somebody else claimed an address while a virtual router was Master.",
        routers
            .iter()
            .map(|router| (of_router(router), router.contested)),
    )
}

/// Why the priority is what it is.
fn write_shares(families: &mut Families<'_>, routers: &[RouterStatus]) -> fmt::Result {
    const BANDS: [Band; 3] = [Band::Healthy, Band::Degraded, Band::Unhealthy];
    families.gauges(
        "evenkeel_vrrp_base_priority",
        "The configured priority of a virtual router.",
        routers
            .iter()
            .map(|router| (of_router(router), u64::from(router.base_priority))),
    )?;
    families.gauges(
        "evenkeel_vrrp_band",
        "How well the node of a virtual router is: 1 for the band that it is in, 0 for the others.",
        routers.iter().flat_map(|router| {
            BANDS.map(|band| {
                let [name] = of_router(router);
                let labels = [name, ("band", band.to_string())];
                (labels, u64::from(router.band == band))
            })
        }),
    )?;
    families.gauges(
        "evenkeel_vrrp_track_weight",
        "What a track adds to the priority of a virtual router at present.",
        routers.iter().flat_map(|router| {
            router.tracks.iter().filter_map(|track| {
                let TrackShare::Adds(weight) = track.share else {
                    return None;
                };
                let [name] = of_router(router);
                Some(([name, ("track", track.subject.to_string())], weight))
            })
        }),
    )
}

fn write_timers(families: &mut Families<'_>, timers: &TimerStatus) -> fmt::Result {
    let seconds = |us: u32| f64::from(us) / 1e6;
    let late = Duration::from_micros(timers.late_us).as_secs_f64();
    let buckets = timers.buckets.iter();
    let buckets: Vec<_> = buckets
        .map(|(bound, count)| (seconds(*bound), *count))
        .chain([(f64::INFINITY, timers.count)])
        .collect();
    families.histogram(
        "evenkeel_vrrp_timer_lateness_seconds",
        "How late the timers of virtual routers were: what a busy node does to its adverts.",
        late,
        &buckets,
    )?;
    families.gauge(
        "evenkeel_vrrp_timer_lateness_recent_max_seconds",
        "How late the latest timer of the last half minute or minute was.",
        seconds(timers.recent_max_us),
    )
}

fn write_servers(families: &mut Families<'_>, servers: &[ServerStatus]) -> fmt::Result {
    families.gauges(
        "evenkeel_server_up",
        "Whether a back-end server passes its checks: 1 or 0; 1 where there is no check.",
        servers
            .iter()
            .map(|server| (of_server(server), u64::from(server.up))),
    )?;
    families.gauges(
        "evenkeel_server_changed_timestamp_seconds",
        "When the verdict on a back-end server last changed, in seconds since 1970.",
        servers
            .iter()
            .map(|server| (of_server(server), seconds(server.since_unix_ms))),
    )
}

fn write_tracks(families: &mut Families<'_>, tracks: &[TrackStatus]) -> fmt::Result {
    families.gauges(
        "evenkeel_track_up",
        "Whether a script succeeds, a file has a number, enough processes run: 1 or 0.",
        tracks
            .iter()
            .map(|track| (of_track(track), u64::from(track.verdict.is_up()))),
    )?;
    families.gauges(
        "evenkeel_track_changed_timestamp_seconds",
        "When the verdict on a track last changed, in seconds since 1970.",
        tracks
            .iter()
            .map(|track| (of_track(track), seconds(track.since_unix_ms))),
    )
}

fn write_processes(families: &mut Families<'_>, processes: &[ProcessStatus]) -> fmt::Result {
    families.gauges(
        "evenkeel_process_in_service",
        "Whether a process runs with the configuration in force: 1 or 0.",
        processes
            .iter()
            .map(|process| (of_process(process), u64::from(process.in_service))),
    )?;
    families.gauges(
        "evenkeel_process_start_time_seconds",
        "When a process was started, in seconds since 1970.",
        processes
            .iter()
            .map(|process| (of_process(process), seconds(process.since_unix_ms))),
    )?;
    families.counters(
        "evenkeel_process_restarts",
        "How often a process was restarted.",
        processes
            .iter()
            .map(|process| (of_process(process), process.restarts)),
    )
}

fn write_traffic(families: &mut Families<'_>, node: &NodeStatus) -> fmt::Result {
    let traffic = &node.traffic;
    families.counter(
        "evenkeel_connections_accepted",
        "Client connections that the proxy accepted.",
        traffic.accepted,
    )?;
    families.counter(
        "evenkeel_connections_handled",
        "Client connections that the proxy served; the rest was refused by a limit.",
        traffic.handled,
    )?;
    families.counter(
        "evenkeel_proxy_headers_refused",
        "Client connections that were closed for want of a good PROXY header.",
        traffic.headers_refused,
    )?;
    families.counter(
        "evenkeel_tls_handshakes_failed",
        "Client connections that were to begin with a TLS handshake and did not.",
        traffic.handshakes_failed,
    )?;
    families.counter(
        "evenkeel_connections_shed",
        "Client connections that were turned away because descriptors or memory ran out.",
        traffic.shed,
    )?;
    families.counter(
        "evenkeel_connections_limited",
        "Client connections that were turned away because of a limit on their number.",
        traffic.crowded,
    )?;
    families.counter(
        "evenkeel_requests",
        "Requests of clients.",
        traffic.requests,
    )?;
    let states = [
        ("reading", traffic.reading),
        ("writing", traffic.writing),
        ("waiting", traffic.waiting),
    ];
    families.gauge(
        "evenkeel_connections_active",
        "Open client connections.",
        traffic.active,
    )?;
    families.gauges(
        "evenkeel_connections",
        "Open client connections by what they do: a request is read, an answer is written, or \
         nothing happens between two requests.",
        states.map(|(state, count)| ([("state", state.to_owned())], count)),
    )?;
    write_upstreams(families, &traffic.upstreams)
}

fn write_upstreams(families: &mut Families<'_>, traffic: &UpstreamTraffic) -> fmt::Result {
    families.counter(
        "evenkeel_upstream_reuse",
        "Requests that went to a server over a connection that had served before.",
        traffic.reused,
    )?;
    families.counter(
        "evenkeel_upstream_stale",
        "Connections to servers that turned out dead when they were to be used again.",
        traffic.stale,
    )?;
    let reasons = [
        ("connect", traffic.retries_connect),
        ("stale", traffic.retries_stale),
        ("timeout", traffic.retries_timeout),
        ("status", traffic.retries_status),
    ];
    families.counters(
        "evenkeel_retries",
        "Requests that were sent again, by what had happened before.",
        reasons.map(|(reason, count)| ([("reason", reason.to_owned())], count)),
    )?;
    families.counter(
        "evenkeel_retry_budget_exhausted",
        "Requests that were not sent again because too many were at that time.",
        traffic.retries_refused,
    )
}

fn of_router(router: &RouterStatus) -> Labels<1> {
    [("router", router.name.clone())]
}

fn of_server(server: &ServerStatus) -> Labels<2> {
    [
        ("upstream", server.upstream.clone()),
        ("server", server.address.to_string()),
    ]
}

fn of_track(track: &TrackStatus) -> Labels<1> {
    [("track", track.subject.to_string())]
}

fn of_process(process: &ProcessStatus) -> Labels<2> {
    [
        ("role", process.role.to_string()),
        ("slot", process.slot.to_string()),
    ]
}

fn seconds(unix_ms: u64) -> f64 {
    Duration::from_millis(unix_ms).as_secs_f64()
}
