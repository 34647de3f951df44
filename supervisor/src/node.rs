//! Node: what is known of this node, for status pages, for children that start again, and for
//! people.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ipc::event::Event;
use ipc::status::{
    NodeStatus, ProcessStatus, RouterStatus, ServerStatus, TimerStatus, TrackStatus, Traffic,
};
use ipc::vrrp::{TrackSubject, TrackVerdict};
use platform::counters::SharedCounters;
use platform::gauges::{STATES_AT, SharedGauges};
use settings::{Server, ServerState, Settings, Upstream};

use crate::child::ChildId;
use crate::legacy::Knowledge;

/// The verdict on a server.
#[derive(Clone, Debug)]
struct ServerVerdict {
    up: bool,
    reason: String,
    since_unix_ms: u64,
}

/// The verdict on a track.
#[derive(Clone, Debug)]
struct TrackKnown {
    verdict: TrackVerdict,
    reason: String,
    since_unix_ms: u64,
}

/// What is known.
#[derive(Debug)]
pub(crate) struct Node {
    started_unix_ms: u64,
    routers: Vec<RouterStatus>,
    timers: TimerStatus,
    servers: BTreeMap<(String, SocketAddr), ServerVerdict>,
    tracks: BTreeMap<TrackSubject, TrackKnown>,
    processes: BTreeMap<ChildId, ProcessStatus>,
}

impl Node {
    /// Knows nothing yet.
    pub(crate) fn new(now_unix_ms: u64) -> Self {
        Self {
            started_unix_ms: now_unix_ms,
            routers: Vec::new(),
            timers: TimerStatus::default(),
            servers: BTreeMap::new(),
            tracks: BTreeMap::new(),
            processes: BTreeMap::new(),
        }
    }

    /// The vrrp-actor has said how its routers are. Answers whether one of them has changed its
    /// state or priority, which what pages show must not lag behind.
    pub(crate) fn handle_routers(&mut self, routers: Vec<RouterStatus>) -> bool {
        let shown = |routers: &[RouterStatus]| {
            let shown = routers.iter().map(|router| (router.state, router.priority));
            shown.collect::<Vec<_>>()
        };
        let changed = shown(&self.routers) != shown(&routers);
        self.routers = routers;
        changed
    }

    /// The vrrp-actor has said how late its timers are, which is shown with the next status.
    pub(crate) fn handle_timers(&mut self, timers: TimerStatus) {
        self.timers = timers;
    }

    /// The health-checker has decided on a server.
    pub(crate) fn handle_server(
        &mut self,
        key: (String, SocketAddr),
        up: bool,
        reason: String,
        now_unix_ms: u64,
    ) {
        self.servers.insert(
            key,
            ServerVerdict {
                up,
                reason,
                since_unix_ms: now_unix_ms,
            },
        );
    }

    /// The health-checker has decided on a track.
    pub(crate) fn handle_track(
        &mut self,
        subject: TrackSubject,
        verdict: TrackVerdict,
        reason: String,
        now_unix_ms: u64,
    ) {
        self.tracks.insert(
            subject,
            TrackKnown {
                verdict,
                reason,
                since_unix_ms: now_unix_ms,
            },
        );
    }

    /// A process runs; it is not in service yet.
    pub(crate) fn handle_started(&mut self, child: ChildId, pid: u32, now_unix_ms: u64) {
        let process = self.process(child);
        process.restarts += u64::from(process.since_unix_ms != 0);
        process.pid = Some(pid);
        process.in_service = false;
        process.since_unix_ms = now_unix_ms;
    }

    /// Its configuration is in force.
    /// Whether it was not in service before.
    pub(crate) fn handle_in_service(&mut self, child: ChildId) -> bool {
        !std::mem::replace(&mut self.process(child).in_service, true)
    }

    /// It ended.
    pub(crate) fn handle_ended(&mut self, child: ChildId) {
        let process = self.process(child);
        process.pid = None;
        process.in_service = false;
    }

    /// A new configuration: verdicts on what it does not name are forgotten.
    pub(crate) fn handle_settings(&mut self, settings: &Settings) {
        self.servers
            .retain(|(upstream, address), _| is_checked(settings, upstream, *address));
        self.tracks
            .retain(|subject, _| is_tracked(settings, subject));
    }

    fn process(&mut self, child: ChildId) -> &mut ProcessStatus {
        self.processes.entry(child).or_insert(ProcessStatus {
            role: child.role,
            slot: child.slot,
            pid: None,
            in_service: false,
            restarts: 0,
            since_unix_ms: 0,
        })
    }

    /// Whether a child's configuration is in force.
    pub(crate) fn is_in_service(&self, child: ChildId) -> bool {
        self.processes
            .get(&child)
            .is_some_and(|process| process.in_service)
    }

    /// What the image before this one knew.
    pub(crate) fn handle_knowledge(&mut self, knowledge: &Knowledge, now_unix_ms: u64) {
        for (upstream, address, up, reason) in &knowledge.servers {
            self.handle_server(
                (upstream.clone(), *address),
                *up,
                reason.clone(),
                now_unix_ms,
            );
        }
        for (subject, verdict, reason) in &knowledge.tracks {
            self.handle_track(subject.clone(), *verdict, reason.clone(), now_unix_ms);
        }
    }

    /// What the next image should know.
    pub(crate) fn knowledge(
        &self,
        generation: u64,
        may_lead: bool,
        events: Vec<Event>,
    ) -> Knowledge {
        let servers = self.servers.iter().map(|((upstream, address), verdict)| {
            (
                upstream.clone(),
                *address,
                verdict.up,
                verdict.reason.clone(),
            )
        });
        let tracks = self
            .tracks
            .iter()
            .map(|(subject, known)| (subject.clone(), known.verdict, known.reason.clone()));
        Knowledge {
            generation,
            may_lead,
            servers: servers.collect(),
            tracks: tracks.collect(),
            events,
        }
    }

    /// The processes that run.
    pub(crate) fn pids(&self) -> impl Iterator<Item = (ChildId, u32)> {
        let processes = self.processes.iter();
        processes.filter_map(|(&child, process)| Some((child, process.pid?)))
    }

    /// The verdicts on tracks.
    pub(crate) fn tracks(&self) -> Vec<(TrackSubject, TrackVerdict)> {
        let tracks = self.tracks.iter();
        tracks
            .map(|(subject, known)| (subject.clone(), known.verdict))
            .collect()
    }

    /// The verdicts on servers.
    pub(crate) fn servers(&self) -> Vec<(String, SocketAddr, bool)> {
        let servers = self.servers.iter();
        servers
            .map(|((upstream, address), known)| (upstream.clone(), *address, known.up))
            .collect()
    }

    /// Children that are not in service, in words.
    pub(crate) fn missing(&self) -> Vec<String> {
        let missing = self
            .processes
            .values()
            .filter(|process| !process.in_service);
        missing
            .map(|process| format!("{} {}", process.role, process.slot))
            .collect()
    }

    /// Everything, for showing.
    pub(crate) fn status(
        &self,
        settings: &Settings,
        generation: u64,
        proxy_well: bool,
        counters: &SharedCounters,
        gauges: &SharedGauges,
    ) -> NodeStatus {
        NodeStatus {
            cluster: settings.cluster.name.clone(),
            node: settings.node.name.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            generation,
            started_unix_ms: self.started_unix_ms,
            proxy_well,
            routers: self.routers.clone(),
            timers: self.timers.clone(),
            servers: self.server_statuses(settings),
            tracks: self.track_statuses(),
            processes: self.processes.values().cloned().collect(),
            traffic: Traffic::new(
                |counter| counters.sum(counter.index()),
                |state| gauges.sum(STATES_AT + state.index()).into(),
            ),
        }
    }

    fn track_statuses(&self) -> Vec<TrackStatus> {
        let tracks = self.tracks.iter();
        tracks
            .map(|(subject, known)| TrackStatus {
                subject: subject.clone(),
                verdict: known.verdict,
                reason: known.reason.clone(),
                since_unix_ms: known.since_unix_ms,
            })
            .collect()
    }

    fn server_statuses(&self, settings: &Settings) -> Vec<ServerStatus> {
        let mut statuses = Vec::new();
        for upstream in &settings.upstreams {
            for server in &upstream.servers {
                let address = *server.address.value();
                let is_checked = is_asked(upstream, server);
                let verdict = self.servers.get(&(upstream.name.clone(), address));
                let verdict = verdict.filter(|_| is_checked);
                statuses.push(ServerStatus {
                    upstream: upstream.name.clone(),
                    address,
                    up: verdict.is_none_or(|verdict| verdict.up),
                    reason: match verdict {
                        Some(verdict) => verdict.reason.clone(),
                        None if is_checked => "not checked yet".into(),
                        None if server.state == ServerState::Maint => "maint, not checked".into(),
                        None => "not checked".into(),
                    },
                    since_unix_ms: verdict
                        .map_or(self.started_unix_ms, |verdict| verdict.since_unix_ms),
                });
            }
        }
        statuses
    }
}

/// Whether the configuration has this script, this file or these processes.
pub(crate) fn is_tracked(settings: &Settings, subject: &TrackSubject) -> bool {
    match subject {
        TrackSubject::Script(name) => settings.scripts.iter().any(|it| it.name == *name),
        TrackSubject::File(name) => settings.files.iter().any(|it| it.name == *name),
        TrackSubject::Process(name) => settings.processes.iter().any(|it| it.name == *name),
        // Watched by the vrrp-actor, which alone knows.
        TrackSubject::Interface(_) => false,
    }
}

/// Whether the configuration has this server, and has it checked.
pub(crate) fn is_checked(settings: &Settings, upstream: &str, address: SocketAddr) -> bool {
    settings.upstreams.iter().any(|known| {
        let mut servers = known.servers.iter();
        known.name == upstream
            && servers.any(|server| *server.address.value() == address && is_asked(known, server))
    })
}

/// Whether the server is checked, as one of this upstream.
pub(crate) fn is_asked(upstream: &Upstream, server: &Server) -> bool {
    upstream.check.is_some() && server.state != ServerState::Maint
}

#[cfg(test)]
mod tests {
    use settings::Source;

    use super::*;

    /// Three servers in these states, checked or not.
    fn settings(states: [&str; 3], check: &str) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("evenkeel.toml");
        let servers = (1..).zip(states).map(|(number, state)| {
            format!("{{ address = \"192.0.2.{number}:80\", state = \"{state}\" }}")
        });
        let servers = servers.collect::<Vec<_>>().join(", ");
        let text = format!(
            "[nodes.a]\naddress = \"192.0.2.9\"\n[listeners.web]\nbind = [\"192.0.2.9:80\"]\n\
             [[routes]]\nupstream = \"app\"\n[upstreams.app]\nservers = [{servers}]\n{check}\n"
        );
        std::fs::write(&file, text).unwrap();
        let source = Source {
            file,
            node: "a".into(),
            environment: Vec::new(),
        };
        settings::load(&source).unwrap_or_else(|report| panic!("{report}"))
    }

    #[test]
    fn verdicts_are_shown_of_servers_that_are_checked() {
        const CHECK: &str = "check = { tcp = true }";
        let (down, unknown) = ((false, "connection refused"), (true, "not checked yet"));
        let (maint, unchecked) = ((true, "maint, not checked"), (true, "not checked"));
        let cases = [
            (["ready", "drain", "ready"], CHECK, [down, down, unknown]),
            (["maint", "drain", "maint"], CHECK, [maint, down, maint]),
            (
                ["maint", "drain", "ready"],
                "",
                [maint, unchecked, unchecked],
            ),
            // What was known before maintenance is no news after it.
            (
                ["ready", "ready", "ready"],
                CHECK,
                [unknown, unknown, unknown],
            ),
        ];
        let mut node = Node::new(0);
        for number in [1, 2] {
            let key = (
                "app".to_owned(),
                SocketAddr::from(([192, 0, 2, number], 80)),
            );
            node.handle_server(key, false, "connection refused".into(), 1);
        }
        for (states, check, expected) in cases {
            let settings = settings(states, check);
            node.handle_settings(&settings);
            let shown = node.server_statuses(&settings);
            let shown = shown
                .iter()
                .map(|server| (server.up, server.reason.as_str()));
            assert_eq!(shown.collect::<Vec<_>>(), expected, "{states:?} {check}");
        }
    }
}
