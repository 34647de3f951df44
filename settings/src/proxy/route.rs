//! `[[routes]]`: which requests go where.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::address::network;
use crate::item::{Item, Table};
use crate::report::Spanned;

/// RFC 1035 §2.3.4.
const HOST_OCTETS_MAX: usize = 253;

/// Which requests go where. The host decides, then the longest path that is a prefix of a request's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Names of [`crate::Settings::listeners`], at least one where there is any. Default: all.
    pub listeners: Vec<String>,
    /// Names in lower case, or "*.example.org" for all names below. Empty, the default: any host that
    /// no other route of the listener names.
    pub hosts: Vec<Spanned<String>>,
    /// A prefix of paths, beginning with a slash; no two routes of a listener and a host have the
    /// same. Default: "/".
    pub path: Spanned<String>,
    /// What is done.
    pub action: RouteAction,
    /// Whether clients may go on in WebSocket; only where it relays. Default, `None`: true.
    pub websocket: Option<Spanned<bool>>,
    /// Who may; empty, the default: everybody who is not denied.
    pub allow: Vec<IpNet>,
    /// Who may not. Default: nobody.
    pub deny: Vec<IpNet>,
}

/// What a route does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteAction {
    /// Relays it to a server of [`crate::Settings::upstreams`], by its name.
    Upstream(String),
    /// Answers with the virtual routers and their states.
    StatusPage,
    /// Answers with nginx's seven numbers.
    StubStatus,
}

impl Route {
    pub(crate) fn read(item: &Item<'_>) -> Option<Self> {
        let mut table = item.table()?;
        let listeners = listeners(&mut table);
        let hosts = table.or("host", Vec::new(), hosts);
        let root = item.spanned("/".to_owned());
        let path = table.or("path", root, path);
        let action = action(&mut table);
        let websocket = table.maybe("websocket", |item| {
            let relays = !matches!(
                action,
                Some(RouteAction::StatusPage | RouteAction::StubStatus)
            );
            if !relays {
                return item.error(
                    "\"websocket\" is for what goes to an upstream",
                    "leave it out: this route answers by itself",
                );
            }
            Some(item.spanned(item.boolean()?))
        });
        let allow = table.or("allow", Vec::new(), |item| item.list(network));
        let deny = table.or("deny", Vec::new(), |item| item.list(network));
        table.finish();
        Some(Self {
            listeners: listeners?,
            hosts: hosts?,
            path: path?,
            action: action?,
            websocket: websocket?,
            allow: allow?,
            deny: deny?,
        })
    }
}

/// One name, or a list of names without repetition; all listeners where it is left out.
fn listeners(table: &mut Table<'_>) -> Option<Vec<String>> {
    let all = table.item().context().names("listeners");
    let Some(item) = table.get("listener") else {
        return Some(all);
    };
    let listener = |item: &Item<'_>| item.reference("listeners", "listener");
    let chosen = if item.is_list() {
        item.filled_list(listener)?
    } else {
        vec![listener(&item)?]
    };
    let chosen: BTreeSet<String> = chosen.iter().map(|name| name.value().clone()).collect();
    Some(chosen.into_iter().collect())
}

/// One host, or a list of them.
fn hosts(item: &Item<'_>) -> Option<Vec<Spanned<String>>> {
    if item.is_list() {
        item.filled_list(host)
    } else {
        host(item).map(|host| vec![host])
    }
}

/// A host name or an IPv4 address, or an asterisk for what stands before a name (RFC 1123 §2.1).
fn host(item: &Item<'_>) -> Option<Spanned<String>> {
    let text = item.filled_string()?;
    let lower = text.to_ascii_lowercase();
    let host = lower.strip_suffix('.').unwrap_or(&lower);
    let name = host.strip_prefix("*.").unwrap_or(host);
    let is_label = |label: &str| {
        let mut octets = label.bytes();
        matches!(label.len(), 1..=63)
            && octets.all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
    };
    if host.len() <= HOST_OCTETS_MAX && name.split('.').all(is_label) {
        return Some(item.spanned(host.to_owned()));
    }
    let advice = if !text.is_ascii() {
        "write it as clients send it, beginning with \"xn--\""
    } else if text.starts_with('[') {
        "routes do not tell IPv6 addresses apart; listeners do"
    } else if text.contains(':') {
        "leave out the port: the listener has it"
    } else if text.contains('*') {
        "an asterisk stands first, and for whole labels: \"*.example.org\""
    } else {
        "write it as \"api.example.org\" or \"*.example.org\""
    };
    item.error(format!("{text:?} is no host"), advice)
}

/// RFC 3986 §3.3: a path that a request can have as it stands, without query and fragment.
pub(crate) fn path(item: &Item<'_>) -> Option<Spanned<String>> {
    let path = item.string()?;
    if !path.starts_with('/') {
        return item.error(
            format!("{} must begin with \"/\", not be {path:?}", item.name()),
            format!("write it as \"/{path}\""),
        );
    }
    if let Some(bad) = path
        .chars()
        .find(|&c| !c.is_ascii_graphic() || "?#".contains(c))
    {
        return item.error(
            format!("a path cannot have {bad:?}"),
            "write it percent-encoded",
        );
    }
    Some(item.spanned(path))
}

/// The one action that a route has.
fn action(table: &mut Table<'_>) -> Option<RouteAction> {
    let upstream = table.maybe("upstream", |item| {
        let name = item.reference("upstreams", "upstream")?;
        Some(RouteAction::Upstream(name.value().clone()))
    });
    let mut page = |key, action: RouteAction| {
        table.or(key, None, |item| {
            item.boolean().map(|on| on.then_some(action))
        })
    };
    let status_page = page("status_page", RouteAction::StatusPage);
    let stub_status = page("stub_status", RouteAction::StubStatus);
    let mut actions = [upstream?, status_page?, stub_status?]
        .into_iter()
        .flatten();
    let expected = "give one of upstream, status_page = true and stub_status = true";
    match (actions.next(), actions.next()) {
        (Some(action), None) => Some(action),
        (None, _) => table.item().error("this route does nothing", expected),
        (Some(_), Some(_)) => table.item().error("this route does two things", expected),
    }
}
