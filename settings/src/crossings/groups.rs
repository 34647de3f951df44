//! Sync groups: their members must order the nodes alike, or they would never agree on who is
//! Master.

use std::cmp::Ordering;

use crate::item::Context;
use crate::report::Spanned;
use crate::router::{Track, TrackSubject};
use crate::{Settings, VirtualRouter};

/// A member, with the name of its group and where that stands.
type Member<'s> = (&'s VirtualRouter, &'s Spanned<String>);

/// Reports members that would order the nodes differently.
pub(super) fn check(context: &Context<'_>, settings: &Settings) {
    for group in groups(settings) {
        let Some(((first, _), others)) = group.split_first() else {
            continue;
        };
        for (member, name) in &group {
            check_ranks(context, member, name);
        }
        for (other, name) in others {
            if let Some((what, advice)) = difference(first, other) {
                let message = format!(
                    "virtual routers {:?} and {:?} of sync group {:?} differ in {what}",
                    first.name,
                    other.name,
                    name.value()
                );
                context.error(name.position(), message, advice);
            }
        }
    }
}

/// Reports groups that do nothing.
pub(super) fn warn(context: &Context<'_>, settings: &Settings) {
    for group in groups(settings) {
        if let [(router, name)] = group.as_slice() {
            let message = format!(
                "virtual router {:?} is alone in sync group {:?}",
                router.name,
                name.value()
            );
            let advice = "give another one the same sync_group, or leave it out";
            context.warning(name.position(), message, advice);
        }
    }
}

/// The members of each group, in the order of the file.
fn groups(settings: &Settings) -> Vec<Vec<Member<'_>>> {
    let mut groups: Vec<Vec<Member<'_>>> = Vec::new();
    for router in &settings.virtual_routers {
        let Some(name) = &router.sync_group else {
            continue;
        };
        let of_name = |group: &&mut Vec<Member<'_>>| {
            group
                .first()
                .is_some_and(|(_, it)| it.value() == name.value())
        };
        match groups.iter_mut().find(of_name) {
            Some(group) => group.push((router, name)),
            None => groups.push(vec![(router, name)]),
        }
    }
    groups
}

/// Equal priorities are decided by addresses, in each member by others.
fn check_ranks(context: &Context<'_>, router: &VirtualRouter, name: &Spanned<String>) {
    let priorities = &router.priorities;
    for (index, (node, priority)) in priorities.iter().enumerate() {
        let mut others = priorities.iter().skip(index + 1);
        if let Some((other, _)) = others.find(|(_, other)| other == priority) {
            let message = format!(
                "nodes {node:?} and {other:?} have the same priority in sync group {:?}",
                name.value()
            );
            let advice = format!("write priority = {{ {node} = 150, {other} = 100 }}");
            context.error(router.priority.position(), message, advice);
        }
    }
}

/// In what two members differ that they must not, and what to write.
fn difference(one: &VirtualRouter, other: &VirtualRouter) -> Option<(&'static str, &'static str)> {
    if ranks(one) != ranks(other) {
        return Some((
            "which node is better",
            "let \"priority\" order the nodes alike in all of them",
        ));
    }
    if weights(one) != weights(other) {
        return Some((
            "what they track with a weight",
            "track it in all of them with the same weight; bands and weight 0 count for all anyway",
        ));
    }
    if !weights(one).is_empty() && one.priorities != other.priorities {
        return Some((
            "priority, which weights are added to",
            "give all of them the same priorities, or use bands instead of weights",
        ));
    }
    if one.failback != other.failback {
        return Some(("failback", "write the same \"failback\" in all of them"));
    }
    if one.on_unhealthy != other.on_unhealthy {
        return Some((
            "on_unhealthy",
            "write the same \"on_unhealthy\" in all of them",
        ));
    }
    None
}

/// For every pair of nodes which one is better.
fn ranks(router: &VirtualRouter) -> Vec<Ordering> {
    let priorities = &router.priorities;
    let mut ranks = Vec::new();
    for (index, (_, one)) in priorities.iter().enumerate() {
        ranks.extend(
            priorities
                .iter()
                .skip(index + 1)
                .map(|(_, other)| one.cmp(other)),
        );
    }
    ranks
}

/// The tracks that change priorities, in no particular order.
fn weights(router: &VirtualRouter) -> Vec<(u8, &str, i16)> {
    let weighted = |track: &'_ Track| track.effect.weight().filter(|weight| *weight != 0);
    let mut weights: Vec<(u8, &str, i16)> = (router.tracks.iter())
        .filter_map(|track| {
            let (kind, name) = match &track.subject {
                TrackSubject::Script(name) => (0, name),
                TrackSubject::Interface(name) => (1, name.value()),
                TrackSubject::File(name) => (2, name),
                TrackSubject::Process(name) => (3, name),
            };
            Some((kind, name.as_str(), weighted(track)?))
        })
        .collect();
    weights.sort_unstable();
    weights
}
