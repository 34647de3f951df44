//! The sync groups of this node: carries what a member says to its group, and what the group has
//! agreed on to its members.

use core_vrrp::{Accord, Group, State};
use ipc::event::GroupEvent;

use crate::router::{Router, router_state};

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Groups(Vec<SyncGroup>);

/// One of them.
#[derive(Debug)]
struct SyncGroup {
    name: String,
    /// Names of routers, by their numbers in the group.
    members: Vec<String>,
    /// Where among the node's routers each is; `None` when it has finished.
    places: Vec<Option<usize>>,
    agreed: Group,
    /// Its members may have been told of another agreement in an earlier configuration.
    is_new: bool,
}

/// The members of a group are to be told what it has agreed on.
#[derive(Debug)]
pub(crate) struct Order {
    /// The group's place.
    pub(crate) group: usize,
    /// What.
    pub(crate) accord: Accord,
}

impl Groups {
    /// Another configuration is in force. A group that has the same members goes on as it is.
    pub(crate) fn configure(&mut self, routers: &[Router]) {
        let old = std::mem::take(&mut self.0);
        for router in routers.iter().filter(|router| router.leaving().is_none()) {
            let Some(name) = &router.spec().sync_group else {
                continue;
            };
            let member = router.spec().name.clone();
            match self.0.iter_mut().find(|group| group.name == *name) {
                Some(group) => group.members.push(member),
                None => self.0.push(SyncGroup {
                    name: name.clone(),
                    members: vec![member],
                    places: Vec::new(),
                    agreed: Group::new(0),
                    is_new: true,
                }),
            }
        }
        for group in &mut self.0 {
            group.agreed = Group::new(group.members.len());
        }
        for known in old {
            let is_it = |group: &&mut SyncGroup| {
                (&group.name, &group.members) == (&known.name, &known.members)
            };
            if let Some(group) = self.0.iter_mut().find(is_it) {
                group.agreed = known.agreed;
                group.is_new = known.is_new;
            }
        }
        self.locate(routers);
    }

    /// Routers have come or gone.
    pub(crate) fn locate(&mut self, routers: &[Router]) {
        for group in &mut self.0 {
            let members = group.members.iter();
            let place = |name: &String| {
                let is_it = |it: &Router| it.spec().name == *name;
                let stays = |it: &Router| is_it(it) && it.leaving().is_none();
                let staying = routers.iter().position(stays);
                staying.or_else(|| routers.iter().position(is_it))
            };
            group.places = members.map(place).collect();
        }
    }

    /// Lets all members say how they stand. What has changed of a group's state goes to `tell`; the
    /// first group that has come to another agreement is returned, and its members are to be told
    /// before this is called again.
    pub(crate) fn poll(
        &mut self,
        routers: &[Router],
        mut tell: impl FnMut(GroupEvent),
    ) -> Option<Order> {
        for (place, group) in self.0.iter_mut().enumerate() {
            let mut is_new = std::mem::take(&mut group.is_new);
            for (number, router) in group.places.iter().enumerate() {
                let Some(router) = router.and_then(|router| routers.get(router)) else {
                    continue;
                };
                let outcome = group.agreed.note(number, router.member());
                is_new |= outcome.accord.is_some();
                if let Some(transition) = outcome.transition {
                    tell(event(&group.name, &group.members, transition));
                }
            }
            if is_new {
                return Some(Order {
                    group: place,
                    accord: group.agreed.accord(),
                });
            }
        }
        None
    }

    /// Where the members of a group are.
    pub(crate) fn places(&self, group: usize) -> impl Iterator<Item = usize> {
        let places = self.0.get(group).map(|group| group.places.as_slice());
        places.unwrap_or_default().iter().copied().flatten()
    }
}

fn event(group: &str, routers: &[String], (from, to): (State, State)) -> GroupEvent {
    GroupEvent {
        group: group.to_owned(),
        routers: routers.to_vec(),
        from: router_state(from),
        to: router_state(to),
        // The first Backup after a start, and a stop.
        planned: [from, to].contains(&State::Initialize),
    }
}
