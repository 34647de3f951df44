//! What a new configuration changes, and what of that a running instance cannot take over yet.

use settings::{Report, Settings};

/// The changes, a phrase each, for the operator and the journal.
///
/// # Errors
/// What needs a restart, with its place.
pub(crate) fn between(old: &Settings, new: &Settings) -> Result<Vec<String>, Report> {
    let mut report = Report::new();
    for (fixed, place, what) in [
        (
            old.node.name == new.node.name,
            new.node.address.position(),
            "the node's name",
        ),
        (
            old.node.address == new.node.address,
            new.node.address.position(),
            "the node's address",
        ),
        (
            old.node.address6.is_none() || old.node.address6 == new.node.address6,
            new.node.address.position(),
            "the node's IPv6 address",
        ),
        (
            old.cluster == new.cluster,
            new.node.address.position(),
            "the cluster's name",
        ),
        (
            old.global == new.global,
            new.global.user.position(),
            "[global]",
        ),
        (
            old.proxy.workers == new.proxy.workers,
            new.node.address.position(),
            "proxy.workers",
        ),
        (
            old.admin == new.admin,
            new.admin
                .bind
                .as_ref()
                .map_or(new.node.address.position(), |bind| bind.position()),
            "admin.bind",
        ),
    ] {
        if !fixed {
            let message = format!("{what} cannot be changed by a reload");
            report.push(place, message, "restart the instance to change it");
        }
    }
    if report.has_errors() {
        return Err(report);
    }
    let mut changes = Vec::new();
    named(
        &mut changes,
        "virtual router",
        &old.virtual_routers,
        &new.virtual_routers,
        |r| &r.name,
    );
    named(
        &mut changes,
        "script",
        &old.scripts,
        &new.scripts,
        |script| &script.name,
    );
    named(&mut changes, "file", &old.files, &new.files, |it| &it.name);
    named(
        &mut changes,
        "process",
        &old.processes,
        &new.processes,
        |it| &it.name,
    );
    named(
        &mut changes,
        "listener",
        &old.listeners,
        &new.listeners,
        |listener| &listener.name,
    );
    named(
        &mut changes,
        "upstream",
        &old.upstreams,
        &new.upstreams,
        |upstream| &upstream.name,
    );
    named(
        &mut changes,
        "notification",
        &old.notify,
        &new.notify,
        |sink| &sink.name,
    );
    if old.routes != new.routes {
        changes.push(format!(
            "routes changed: {} before, {} now",
            old.routes.len(),
            new.routes.len()
        ));
    }
    if old.proxy.drain_timeout != new.proxy.drain_timeout {
        changes.push("proxy.drain_timeout changed".into());
    }
    if old.proxy.tunnel_drain_timeout != new.proxy.tunnel_drain_timeout {
        changes.push("proxy.tunnel_drain_timeout changed".into());
    }
    if old.nodes != new.nodes {
        changes.push("other nodes changed".into());
    }
    Ok(changes)
}

fn named<T: PartialEq>(
    changes: &mut Vec<String>,
    kind: &str,
    old: &[T],
    new: &[T],
    name: impl Fn(&T) -> &String,
) {
    for entry in new {
        match old.iter().find(|known| name(known) == name(entry)) {
            None => changes.push(format!("{kind} {} added", name(entry))),
            Some(known) if known != entry => {
                changes.push(format!("{kind} {} changed", name(entry)))
            }
            Some(_) => {}
        }
    }
    for entry in old
        .iter()
        .filter(|known| new.iter().all(|entry| name(entry) != name(known)))
    {
        changes.push(format!("{kind} {} removed", name(entry)));
    }
}
