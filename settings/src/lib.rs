//! The configuration file: reading, checking, pointing at errors.
//!
//! [`load`] reads the file and everything that goes over it, and answers with [`Settings`], whose
//! types cannot hold what is wrong: every name in them exists, every default is filled in, what
//! differs between nodes is decided for this one. Whatever is wrong with the text comes back at
//! once, as a [`Report`] that shows lines. What only the running system can tell (a port in use, an
//! interface that is missing) is not checked here; the [`Position`]s that stand beside such values
//! are for those who check it.

mod cluster;
mod crossings;
mod item;
mod layers;
mod notify;
mod proxy;
mod report;
mod router;
mod script;
mod text;
mod tls;
mod track;
mod units;
mod upstream;
mod words;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;

pub use cluster::{Cluster, Global, Log, LogLevel, LogTarget, Node};
pub use notify::{
    EventClass, HttpUrl, Mail, MailTls, Secret, Severity, Sink, SinkKind, Sms, SmsMethod, Syslog,
    Webhook,
};
pub use proxy::{
    AccessLog, Limits, Listener, ListenerProtocol, ListenerTimeouts, LogFormat, Proxy,
    ProxyProtocol, Route, RouteAction, Workers,
};
pub use report::{Finding, Level, Position, Report, Spanned};
pub use router::{
    Announce, Auth, ChecksumForm, Failback, HmacAuth, HmacKey, HmacMode, Lease, OnUnhealthy, Pass,
    Scope, Track, TrackEffect, TrackSubject, Transport, Version, VirtualAddress, VirtualRouter,
};
pub use script::{Script, ScriptInit};
pub use tls::{CertificateFiles, ClientAuth, ListenerTls, UpstreamTls};
pub use track::{TrackFile, TrackProcess};
pub use upstream::{
    Balance, Check, KeepAlive, Probe, Protocol, ProxyVersion, Retries, RetryCause, Server,
    ServerState, Upstream, UpstreamTimeouts,
};

use item::Context;

/// Where the configuration comes from. All of it is given, so that reading depends on nothing else.
#[derive(Clone, Debug)]
pub struct Source {
    /// The configuration file. `conf.d/*.toml` beside it is read after it, in name order.
    pub file: PathBuf,
    /// The name of this node, one of `[nodes]`.
    pub node: String,
    /// The environment: `EVENKEEL__SECTION__KEY` overrides one value, and `{ env = "NAME" }` takes
    /// a string from it. Everything else in it is ignored.
    pub environment: Vec<(String, String)>,
}

/// A configuration that can be used as it stands. Its parts can be compared: they are equal when they
/// mean the same, wherever the lines are.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What all nodes are together.
    pub cluster: Cluster,
    /// This node.
    pub node: Node,
    /// All nodes, this one too, in the order of the file.
    pub nodes: Vec<Node>,
    /// What concerns all processes.
    pub global: Global,
    /// `[virtual_routers.NAME]`, in the order of the file.
    pub virtual_routers: Vec<VirtualRouter>,
    /// `[scripts.NAME]`, tracked or not.
    pub scripts: Vec<Script>,
    /// `[files.NAME]`, tracked or not.
    pub files: Vec<TrackFile>,
    /// `[processes.NAME]`, tracked or not.
    pub processes: Vec<TrackProcess>,
    /// `[proxy]`.
    pub proxy: Proxy,
    /// `[listeners.NAME]`.
    pub listeners: Vec<Listener>,
    /// `[[routes]]`, in the order of the file.
    pub routes: Vec<Route>,
    /// `[upstreams.NAME]`.
    pub upstreams: Vec<Upstream>,
    /// `[notify.NAME]`.
    pub notify: Vec<Sink>,
    /// `[admin]`.
    pub admin: Admin,
    /// What can be used but is probably not meant, in the order of the file.
    pub warnings: Vec<Finding>,
}

/// The admin process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The TCP address of the dashboard and metrics, beside the Unix socket. Default: none.
    pub bind: Option<Spanned<SocketAddr>>,
}

/// Reads and checks a configuration.
///
/// # Errors
///
/// Everything that is wrong with it, with warnings among it; nothing can be used then.
pub fn load(source: &Source) -> Result<Settings, Report> {
    let mut report = Report::new();
    let Some(merged) = layers::read(source, &mut report) else {
        return Err(report);
    };
    let context = Context {
        merged: &merged,
        environment: &source.environment,
        report: RefCell::new(report),
    };
    let settings = read_settings(&context, &source.node);
    if let Some(settings) = &settings {
        crossings::check(&context, settings);
    }
    if let Some(settings) = &settings
        && !context.report.borrow().has_errors()
    {
        crossings::warn(&context, settings);
    }
    let mut report = context.report.into_inner();
    report.finish(&merged.texts);
    match settings {
        Some(settings) if !report.has_errors() => Ok(Settings {
            warnings: report.into_findings(),
            ..settings
        }),
        _ => Err(report),
    }
}

/// Reads all sections, so that all errors are found, and puts them together if there were none.
fn read_settings(context: &Context<'_>, node_name: &str) -> Option<Settings> {
    let mut root = context.root().table()?;
    let cluster = root.or_empty("cluster", Cluster::default(), Cluster::read);
    let nodes = match root.get("nodes") {
        Some(item) => item.named(Node::read),
        None => {
            let advice = format!("add [nodes.{node_name}] with its address, and the other nodes");
            context.error(
                &context.position_of_section("nodes"),
                "there are no nodes".into(),
                advice,
            );
            None
        }
    };
    let node = nodes
        .as_ref()
        .and_then(|nodes| cluster::this_node(context, nodes, node_name));
    let here = context.root();
    let global = match root.get("global") {
        Some(item) => item.table().and_then(Global::read),
        None => Some(Global::default_at(&here)),
    };
    let user = global
        .as_ref()
        .map(|global| global.user.value().clone())
        .unwrap_or_default();
    let scripts = root.or("scripts", Vec::new(), |item| {
        item.named(|name, table| Script::read(name, table, &user))
    });
    let files = root.or("files", Vec::new(), |item| item.named(TrackFile::read));
    let processes = root.or("processes", Vec::new(), |item| {
        item.named(TrackProcess::read)
    });
    let reader = router::Reader {
        node_name,
        node_names: context.names("nodes"),
        nodes: nodes.as_deref().unwrap_or_default(),
        scripts: scripts.as_deref().unwrap_or_default(),
        files: files.as_deref().unwrap_or_default(),
        processes: processes.as_deref().unwrap_or_default(),
    };
    let virtual_routers = root.or("virtual_routers", Vec::new(), |item| {
        item.named(|name, table| reader.read(name, table))
    });
    let proxy = root.or_empty("proxy", Proxy::default(), Proxy::read);
    let listeners = root.or("listeners", Vec::new(), |item| item.named(Listener::read));
    let routes = root.or("routes", Vec::new(), |item| item.readable(Route::read));
    let upstreams = root.or("upstreams", Vec::new(), |item| item.named(Upstream::read));
    let notify = root.or("notify", Vec::new(), |item| item.named(Sink::read));
    let admin = root.or_empty("admin", Admin { bind: None }, Admin::read);
    root.finish();
    Some(Settings {
        cluster: cluster?,
        node: node?,
        nodes: nodes?,
        global: global?,
        virtual_routers: virtual_routers?,
        scripts: scripts?,
        files: files?,
        processes: processes?,
        proxy: proxy?,
        listeners: listeners?,
        routes: routes?,
        upstreams: upstreams?,
        notify: notify?,
        admin: admin?,
        warnings: Vec::new(),
    })
}

impl Admin {
    fn read(mut table: item::Table<'_>) -> Option<Self> {
        let bind = table.maybe("bind", proxy::socket_address);
        table.finish();
        Some(Self { bind: bind? })
    }
}
