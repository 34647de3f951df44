//! `[cluster]`, `[nodes.NAME]` and `[global]`: who we are, and what concerns all processes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::item::{Context, Item, Table};
use crate::report::Spanned;
use crate::words::{near, quoted_list};

/// The user and the group that children run as unless something else is given.
const DEFAULT_ACCOUNT: &str = "evenkeel";
/// The longest name of a user that Linux's tools make.
const ACCOUNT_OCTETS_MAX: usize = 32;

/// What all nodes are together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// In mails, metrics and logs. Default: "evenkeel".
    pub name: String,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            name: "evenkeel".to_owned(),
        }
    }
}

impl Cluster {
    pub(crate) fn read(mut table: Table<'_>) -> Option<Self> {
        let name = table.or("name", Self::default().name, Item::line);
        table.finish();
        Some(Self { name: name? })
    }
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The name, as `--node` gives it.
    pub name: String,
    /// The node's own address: the source of its adverts, the destination of its peers'.
    pub address: Spanned<Ipv4Addr>,
    /// The same over IPv6. Default: none.
    pub address6: Option<Spanned<Ipv6Addr>>,
}

impl Node {
    pub(crate) fn read(name: &str, mut table: Table<'_>) -> Option<Self> {
        let address = table.required("address", ipv4_address);
        let address6 = table.maybe("address6", ipv6_address);
        // Merged already where it is this node's; its shape is that of the whole file.
        if let Some(over) = table.get("override") {
            over.table()?;
        }
        table.finish();
        Some(Self {
            name: name.to_owned(),
            address: address?,
            address6: address6?,
        })
    }

    /// Its address of a family.
    pub fn own(&self, is_ipv6: bool) -> Option<IpAddr> {
        self.own_at(is_ipv6).map(|address| *address)
    }

    /// Its address of a family, with its place.
    pub(crate) fn own_at(&self, is_ipv6: bool) -> Option<Spanned<IpAddr>> {
        let (address, position) = if is_ipv6 {
            let address = self.address6.as_ref()?;
            (IpAddr::from(**address), address.position())
        } else {
            (IpAddr::from(*self.address), self.address.position())
        };
        Some(Spanned::new(address, position.clone()))
    }
}

/// An address of either family that a host can have.
pub(crate) fn unicast_address(item: &Item<'_>) -> Option<Spanned<IpAddr>> {
    parsed(item, "an IP address")
}

fn ipv4_address(item: &Item<'_>) -> Option<Spanned<Ipv4Addr>> {
    parsed(item, "an IPv4 address")
}

fn ipv6_address(item: &Item<'_>) -> Option<Spanned<Ipv6Addr>> {
    parsed(item, "an IPv6 address")
}

fn parsed<A>(item: &Item<'_>, kind: &str) -> Option<Spanned<A>>
where
    A: FromStr + Copy + Into<IpAddr>,
{
    let text = item.string()?;
    let Ok(address) = text.parse::<A>() else {
        let advice = if text.contains('/') {
            "leave out the prefix length"
        } else {
            ""
        };
        return item.error(
            format!("{} must be {kind}, not {text:?}", item.name()),
            advice,
        );
    };
    if !is_unicast(address.into()) {
        return item.error(
            format!("{text} is no address that a host can have"),
            "give the unicast address of one host",
        );
    }
    Some(item.spanned(address))
}

/// Whether a host can have the address.
pub(crate) fn is_unicast(address: IpAddr) -> bool {
    let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    !(address.is_unspecified() || address.is_multicast() || is_broadcast)
}

/// This node among all.
pub(crate) fn this_node(context: &Context<'_>, nodes: &[Node], name: &str) -> Option<Node> {
    let names = context.names("nodes");
    if names.iter().any(|known| known == name) {
        // Where it is not among those that could be read, that has been reported.
        return nodes.iter().find(|node| node.name == name).cloned();
    }
    let advice = near(name, &names).map_or_else(
        || "give its name with --node or EVENKEEL_NODE, or add it".to_owned(),
        |near| format!("{near} give it with --node or EVENKEEL_NODE"),
    );
    let known = quoted_list(&names);
    let message = format!("this node is called {name:?}, but [nodes] has {known}");
    context.error(&context.position_of_section("nodes"), message, advice);
    None
}

/// What concerns all processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Global {
    /// Who the children run as. Default: "evenkeel".
    pub user: Spanned<String>,
    /// The group they run in. Default: "evenkeel".
    pub group: Spanned<String>,
    /// The log of the processes.
    pub log: Log,
    /// Whether the process that speaks VRRP runs before all others, with its memory locked, as far as
    /// is permitted. Default: true.
    pub realtime: bool,
}

impl Global {
    pub(crate) fn read(mut table: Table<'_>) -> Option<Self> {
        let defaults = Self::default_at(table.item());
        let user = table.or("user", defaults.user, account);
        let group = table.or("group", defaults.group, account);
        let log = table.or_empty("log", defaults.log, Log::read);
        let realtime = table.or("realtime", defaults.realtime, Item::boolean);
        table.finish();
        Some(Self {
            user: user?,
            group: group?,
            log: log?,
            realtime: realtime?,
        })
    }

    /// What holds where the section is left out.
    pub(crate) fn default_at(item: &Item<'_>) -> Self {
        Self {
            user: item.spanned(DEFAULT_ACCOUNT.to_owned()),
            group: item.spanned(DEFAULT_ACCOUNT.to_owned()),
            log: Log {
                level: LogLevel::Info,
                target: LogTarget::Stderr,
            },
            realtime: true,
        }
    }
}

/// The name of a user or group.
pub(crate) fn account(item: &Item<'_>) -> Option<Spanned<String>> {
    let name = item.line()?;
    if name.len() > ACCOUNT_OCTETS_MAX || name.contains([':', '/', ' ']) {
        return item.error(
            format!("{name:?} cannot be the name of a user or group"),
            "give one that `getent passwd` or `getent group` shows",
        );
    }
    Some(item.spanned(name))
}

/// The log of the processes, not that of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Default: info.
    pub level: LogLevel,
    /// Default: stderr.
    pub target: LogTarget,
}

impl Log {
    fn read(mut table: Table<'_>) -> Option<Self> {
        let level = table.or("level", LogLevel::Info, |item| item.one_of(LogLevel::WORDS));
        let target = table.or("target", LogTarget::Stderr, LogTarget::read);
        table.finish();
        Some(Self {
            level: level?,
            target: target?,
        })
    }
}

/// How much is logged; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What may fail.
    Warn,
    /// What changed.
    Info,
    /// What was decided.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    const WORDS: &[(&str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];

    /// The word in the configuration, which is also that of log filters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Where the log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// To the standard error output, where systemd and terminals take it.
    Stderr,
    /// To the end of a file.
    File(Spanned<PathBuf>),
}

impl LogTarget {
    fn read(item: &Item<'_>) -> Option<Self> {
        let target = item.line()?;
        match target.as_str() {
            "stderr" => Some(Self::Stderr),
            path if path.starts_with('/') => item.absolute_path().map(Self::File),
            _ => item.error(
                format!("\"target\" must be \"stderr\" or an absolute path, not {target:?}"),
                near(&target, &["stderr"]).unwrap_or_default(),
            ),
        }
    }
}
