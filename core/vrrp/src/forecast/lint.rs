//! What in a virtual router's priorities is probably not meant.

use super::{Befallen, Case, Contender, Failure, Standing, all_up};
use crate::priority::unbounded;
use crate::spec::{Failback, TrackEffect};
use crate::units::Priority;

/// Something that is probably not meant. Nodes are indices into the contenders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lint {
    /// A track fails on the node that owns the addresses, and they stay there.
    Unmoved {
        /// The node.
        node: usize,
        /// The track.
        track: String,
        /// Why they stay.
        why: Unmoved,
    },
    /// With everything well two nodes are equal only because a priority cannot be above 254 or
    /// below 1.
    Clamped {
        /// The nodes.
        nodes: [usize; 2],
        /// What their priorities would be.
        sums: [i32; 2],
        /// What they are.
        priority: Priority,
    },
    /// Two nodes have the same priority: the higher address owns at first, then whoever does.
    Equal {
        /// The nodes; the first has the higher address.
        nodes: [usize; 2],
        /// Their priority.
        priority: Priority,
    },
    /// Nothing but the end of the node that owns the addresses moves them.
    NeverMoves,
    /// Every node has a track without weight: when it fails on all of them, nobody owns the
    /// addresses, though all could.
    Orphans,
    /// A node that would be first does not take the addresses back when it recovers.
    NoReturn {
        /// The node.
        node: usize,
    },
}

/// Why a failed track moves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmoved {
    /// An owner's priority (255) is changed by no weight.
    AddressOwner,
    /// With it down the node has still as much as the best of the others.
    Gap {
        /// What the node has left.
        left: Priority,
        /// The best of the others.
        rival: usize,
        /// What that has.
        rival_priority: Priority,
    },
    /// A better node is there, and does not preempt.
    NoPreempt {
        /// That node.
        rival: usize,
    },
}

/// What is to be said, the table of cases given; its first case is that nothing fails.
pub(super) fn lints(contenders: &[Contender], cases: &[Case]) -> Vec<Lint> {
    let Some((first, failing)) = cases.split_first() else {
        return Vec::new();
    };
    let [Some(owner)] = *first.owners.as_slice() else {
        return Vec::new();
    };
    if contenders.len() < 2 {
        return Vec::new();
    }
    let mut lints = equals(contenders, first);
    let alone = |case: &&Case| {
        matches!(case.failures.as_slice(), [one] if one.node == owner
            && one.failure != Failure::Down)
    };
    let singles: Vec<&Case> = failing.iter().filter(alone).collect();
    lints.extend(singles.iter().filter_map(|case| unmoved(contenders, case)));
    if singles.iter().all(|case| case.owners == [Some(owner)]) {
        lints.push(Lint::NeverMoves);
    }
    let has_fatal = |contender: &Contender| {
        contender
            .tracks
            .iter()
            .any(|it| it.effect == TrackEffect::Weight(0))
    };
    if contenders.iter().all(has_fatal) {
        lints.push(Lint::Orphans);
    }
    if contenders[owner].failback == Failback::Manual {
        lints.push(Lint::NoReturn { node: owner });
    }
    lints
}

/// Pairs of nodes that nothing but their address tells apart.
fn equals(contenders: &[Contender], first: &Case) -> Vec<Lint> {
    let mut lints = Vec::new();
    for (a, one) in contenders.iter().enumerate() {
        for (b, other) in contenders.iter().enumerate().skip(a + 1) {
            let (Some(priority), Some(others)) = (able(first, a), able(first, b)) else {
                continue;
            };
            if priority != others {
                continue;
            }
            let sum = |contender: &Contender| unbounded(contender.priority, &all_up(contender));
            let sums = [sum(one), sum(other)];
            lints.push(if sums[0] == sums[1] {
                let nodes = if one.address > other.address {
                    [a, b]
                } else {
                    [b, a]
                };
                Lint::Equal { nodes, priority }
            } else {
                Lint::Clamped {
                    nodes: [a, b],
                    sums,
                    priority,
                }
            });
        }
    }
    lints
}

fn able(case: &Case, node: usize) -> Option<Priority> {
    match case.standings.get(node) {
        Some(Standing::Able { priority, .. }) => Some(*priority),
        _ => None,
    }
}

/// For a case of one failed track on the owner: why it moves nothing, if it does not.
fn unmoved(contenders: &[Contender], case: &Case) -> Option<Lint> {
    let [
        Befallen {
            node,
            failure: Failure::Track(track),
        },
    ] = case.failures.as_slice()
    else {
        return None;
    };
    let left = able(case, *node)?;
    if case.owners != [Some(*node)] {
        return None;
    }
    let others = (0..contenders.len()).filter(|other| other != node);
    let ranked = others.filter_map(|other| Some((able(case, other)?, other)));
    let (rival_priority, rival) = ranked.max()?;
    let why = if contenders[*node].priority == Priority::OWNER {
        Unmoved::AddressOwner
    } else if rival_priority > left {
        Unmoved::NoPreempt { rival }
    } else {
        Unmoved::Gap {
            left,
            rival,
            rival_priority,
        }
    };
    Some(Lint::Unmoved {
        node: *node,
        track: track.clone(),
        why,
    })
}
