//! What a node does when its core says so: in its kernel, and on the wire.

use std::rc::Rc;

use core_vrrp::{Effect, Priority, Route, State, Transport, encode};

use crate::node::{Frame, Hold};
use crate::record::{Moment, Told};
use crate::rules;
use crate::scenario::KERNEL_LATE_MAX;
use crate::world::{Happening, Kind, World};

impl World {
    pub(crate) fn perform(&mut self, index: usize, effect: Effect, told: Told, at: &Moment<'_>) {
        match effect {
            Effect::AddAddresses | Effect::RenewLease => self.perform_hold(index, effect, at),
            Effect::RemoveAddresses => {
                self.nodes[index].hold = Hold::No;
                self.say(|_| format!("node {index} holds nothing"));
            }
            Effect::SendAdvert(priority) => self.perform_send(index, priority, at),
            Effect::Announce { times } => self.perform_announce(index, times, at),
            Effect::Transition(change) => {
                self.say(|_| {
                    format!(
                        "node {index}: {:?} to {:?}: {}",
                        change.from, change.to, change.cause
                    )
                });
                if change.to != State::Master {
                    self.nodes[index].gave_up_at = None;
                }
                if !self.nodes[index].record.explains(&change, told, at) {
                    self.fail(&format!(
                        "node {index} has no reason for {change:?} after {told:?}"
                    ));
                }
                self.check_change(index, &change);
            }
            // The others are told to people.
            _ => {}
        }
    }

    fn perform_hold(&mut self, index: usize, effect: Effect, at: &Moment<'_>) {
        let late = self.dice.duration(KERNEL_LATE_MAX);
        let now = self.now;
        let node = &mut self.nodes[index];
        let is_master = at.state == State::Master;
        if is_master && node.record.is_forgotten(at) {
            self.fail(&format!(
                "node {index} goes on although it was silent for too long"
            ));
        }
        let node = &mut self.nodes[index];
        if !node.holds(now) {
            node.held_since = now;
        }
        node.hold = match at.spec.lease {
            Some(lease) => Hold::Until(now + lease + late),
            None => Hold::ForEver,
        };
        if effect == Effect::AddAddresses {
            self.say(|_| format!("node {index} holds the address"));
        }
    }

    fn perform_send(&mut self, index: usize, priority: Priority, at: &Moment<'_>) {
        let now = self.now;
        let node = &mut self.nodes[index];
        node.record.said(priority, at);
        if priority == Priority::RELEASE {
            node.gave_up_at = Some(now);
            node.quiet_until = now + rules::handover(&at.spec.protocol);
        } else {
            node.said_at = now;
            node.gave_up_at = None;
        }
        self.say(|_| format!("node {index} says {priority}"));
        let node = &self.nodes[index];
        if !node.link_up {
            return;
        }
        let Some(router) = &node.router else { return };
        let mut frames: Vec<(Option<usize>, Rc<Frame>)> = Vec::new();
        let frame_to = |destination| {
            let route = Route {
                source: node.address,
                destination,
            };
            let mut octets = Vec::with_capacity(64);
            encode(
                &router.advert(priority),
                route,
                router.checksum(),
                1,
                &mut octets,
            );
            Rc::new(Frame { route, octets })
        };
        match &at.spec.transport {
            Transport::Multicast => frames.push((None, frame_to(at.spec.group()))),
            Transport::Unicast { peers, .. } => {
                for peer in peers {
                    let to = self.nodes.iter().position(|node| node.address == *peer);
                    frames.push((to, frame_to(*peer)));
                }
            }
        }
        for (to, frame) in frames {
            for peer in 0..self.nodes.len() {
                if peer != index && to.is_none_or(|to| to == peer) {
                    self.send_to(index, peer, &frame);
                }
            }
        }
        self.teach(index, Kind::Switch);
    }

    fn send_to(&mut self, from: usize, to: usize, frame: &Rc<Frame>) {
        let is_rough = !self.link.is_whole();
        for at in self
            .link
            .carry(self.now, from, to, &mut self.dice)
            .into_iter()
            .flatten()
        {
            self.watch.rough_under_way += u32::from(is_rough);
            let frame = Rc::clone(frame);
            self.schedule(
                at,
                Happening::Arrives {
                    to,
                    frame,
                    is_rough,
                },
            );
        }
    }

    fn perform_announce(&mut self, index: usize, times: u8, at: &Moment<'_>) {
        self.say(|_| format!("node {index} announces {times} times"));
        let node = &mut self.nodes[index];
        node.announced_at = self.now;
        if at.state != State::Master || node.gave_up_at.is_some() {
            node.led_at = self.now;
        }
        for _ in 0..times {
            self.teach(index, Kind::Client);
            self.teach(index, Kind::Switch);
        }
    }

    /// Sends a frame from which neighbours of this kind learn.
    fn teach(&mut self, from: usize, kind: Kind) {
        if !self.nodes[from].link_up {
            return;
        }
        let is_rough = !self.link.is_whole();
        for neighbour in 0..self.neighbours.len() {
            if self.neighbours[neighbour].kind != kind {
                continue;
            }
            let to = self.nodes.len() + neighbour;
            for at in self
                .link
                .carry(self.now, from, to, &mut self.dice)
                .into_iter()
                .flatten()
            {
                self.watch.rough_under_way += u32::from(is_rough);
                self.schedule(
                    at,
                    Happening::Learns {
                        neighbour,
                        from,
                        is_rough,
                    },
                );
            }
        }
    }
}
