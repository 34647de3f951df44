//! What is to be said below a table: what looks as if it moved the addresses and does not, and what
//! comes as a surprise.

use std::net::IpAddr;

use core_vrrp::forecast::{Lint, Unmoved};
use settings::Transport;

use super::table::Table;
use super::track_name;

impl Table<'_> {
    pub(super) fn notes(&self) -> Vec<String> {
        let lints = self.forecast.lints.iter();
        let mut notes: Vec<String> = lints.filter_map(|lint| self.note(lint)).collect();
        let strangers = self.strangers();
        if !strangers.is_empty() {
            let strangers: Vec<String> = strangers.iter().map(IpAddr::to_string).collect();
            notes.push(format!(
                "{} may own them too: peers that are not in [nodes], of unknown priority",
                strangers.join(", ")
            ));
        }
        notes
    }

    /// Unicast peers of which only the address is known.
    fn strangers(&self) -> Vec<IpAddr> {
        let mut strangers = Vec::new();
        for router in self.routers {
            let Transport::Unicast { peers, .. } = &router.transport else {
                continue;
            };
            for peer in peers.iter().map(|peer| *peer.value()) {
                let mut nodes = self.settings.nodes.iter();
                if nodes.all(|node| node.own(peer.is_ipv6()) != Some(peer))
                    && !strangers.contains(&peer)
                {
                    strangers.push(peer);
                }
            }
        }
        strangers
    }

    fn note(&self, lint: &Lint) -> Option<String> {
        Some(match lint {
            Lint::Unmoved { node, track, why } => {
                if self.is_said(track) {
                    return None;
                }
                self.unmoved(*node, track, *why)
            }
            Lint::Clamped {
                nodes: [one, other],
                sums: [sum, other_sum],
                priority,
            } => format!(
                "{} would have {sum} and {} {other_sum}; both have {priority}, because a priority \
                 is 1 to 254: lower the priorities, so that the weights have room",
                self.node(*one),
                self.node(*other),
            ),
            Lint::Equal {
                nodes: [high, low],
                priority,
            } => format!(
                "{} and {} have the same priority, {priority}: when both begin at once, the higher \
                 address ({}) owns; afterwards it stays where it is",
                self.node(*high),
                self.node(*low),
                self.node(*high),
            ),
            Lint::NeverMoves => {
                "no failed check moves the addresses, only the end of their owner".to_owned()
            }
            Lint::Orphans => {
                "every node tracks something with weight 0: when it fails everywhere, \
                              nobody owns the addresses; with a weight or band, the best node would"
                    .to_owned()
            }
            Lint::NoReturn { node } => format!(
                "without failback {} does not take the addresses back when it is well again",
                self.node(*node)
            ),
        })
    }

    fn unmoved(&self, node: usize, track: &str, why: Unmoved) -> String {
        let node = self.node(node);
        match why {
            Unmoved::AddressOwner => {
                format!("{track} moves nothing: {node} has priority 255, which no weight changes")
            }
            Unmoved::Gap {
                left,
                rival,
                rival_priority,
            } => format!(
                "{track} moves nothing: {node} has {left} without it, and {} {rival_priority}; \
                 the weight must be above the gap",
                self.node(rival)
            ),
            Unmoved::NoPreempt { rival } => format!(
                "{track} moves nothing: {} does not preempt; a band would move them, and weight 0",
                self.node(rival)
            ),
        }
    }

    /// Whether a warning stands at the weight of this track already.
    fn is_said(&self, name: &str) -> bool {
        let tracks = self.routers.iter().flat_map(|router| &router.tracks);
        let mut weights = tracks
            .filter(|track| track_name(&track.subject) == name)
            .map(|track| track.effect.position());
        let warnings = &self.settings.warnings;
        weights.any(|position| warnings.iter().any(|warning| warning.position == *position))
    }
}
