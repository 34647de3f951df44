//! Who will own the addresses of a virtual router when this and that fails.
//!
//! It follows the rules of [`crate::Router`] without its timers: everything is well at first, then
//! things fail one after the other, in every order, and after each the nodes settle. Nothing
//! recovers. Where orders end differently, all ends are told.

mod lint;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub use lint::{Lint, Unmoved};

use crate::event::Verdict;
use crate::priority::{Band, Tracks, effective, has_bands};
use crate::spec::{Failback, Track};
use crate::units::Priority;

/// Up to so many things that can fail, every combination of them is looked at; beyond, only one
/// and two at a time.
pub const FAILURES_COMBINED_MAX: usize = 10;

/// One node's part in a virtual router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender {
    /// Its own address, which breaks ties.
    pub address: IpAddr,
    /// The priority before tracks change it.
    pub priority: Priority,
    /// When it takes over from a Master of its own band that has a lower priority.
    pub failback: Failback,
    /// Whether the health of its proxy counts.
    pub track_proxy: bool,
    /// What moves its priority. Of a virtual router in a sync group, what moves that of any member.
    pub tracks: Vec<Track>,
    /// Whether it is in a sync group.
    pub is_grouped: bool,
}

/// What can befall a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The track of this name is down.
    Track(String),
    /// Its proxy does not serve.
    Proxy,
    /// It is off, or cut off from the network.
    Down,
}

/// A failure and the node that it befalls, as an index into the contenders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Befallen {
    /// The node.
    pub node: usize,
    /// What.
    pub failure: Failure,
}

/// What a node is worth with what has failed on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is not there.
    Down,
    /// A track without weight failed.
    Fault,
    /// It can own the addresses.
    Able {
        /// Its effective priority.
        priority: Priority,
        /// How well it is.
        band: Band,
    },
}

/// One combination of failures and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What has failed; empty: nothing.
    pub failures: Vec<Befallen>,
    /// What each contender is worth then.
    pub standings: Vec<Standing>,
    /// Who may own the addresses then, `None` for nobody; several when it depends on which failure
    /// came first. Never empty.
    pub owners: Vec<Option<usize>>,
}

/// What will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// Nothing fails, then each failure alone, then more and more at once. Left out are
    /// combinations that another one tells already: one of the failures changes no priority beside
    /// the others, or befalls a node that would not own the addresses anyway.
    pub cases: Vec<Case>,
    /// Whether every combination was looked at, and not only one and two failures at a time.
    pub is_complete: bool,
    /// What is probably not meant.
    pub lints: Vec<Lint>,
}

/// Looks ahead for the nodes of one virtual router.
pub fn forecast(contenders: &[Contender]) -> Forecast {
    let failures = possible(contenders);
    let is_complete = failures.len() <= FAILURES_COMBINED_MAX;
    let depth = if is_complete { failures.len() } else { 2 };
    let mut ends = BTreeMap::new();
    let mut cases = Vec::new();
    for combination in combinations(failures.len(), depth) {
        let chosen = |index: &usize| failures.get(*index).cloned();
        let befallen: Vec<Befallen> = combination.iter().filter_map(chosen).collect();
        let end = End::reach(contenders, &combination, &befallen, &ends);
        if is_telling(contenders, &befallen, &end) {
            cases.push(Case {
                failures: befallen,
                standings: end.standings.clone(),
                owners: end.owners.iter().copied().collect(),
            });
        }
        ends.insert(combination, end);
    }
    let lints = lint::lints(contenders, &cases);
    Forecast {
        cases,
        is_complete,
        lints,
    }
}

/// Everything that can fail, node by node.
fn possible(contenders: &[Contender]) -> Vec<Befallen> {
    let of_one = |(node, contender): (usize, &Contender)| {
        let names: BTreeSet<&str> = contender
            .tracks
            .iter()
            .map(|track| track.name.as_str())
            .collect();
        let tracks = names.into_iter().map(|name| Failure::Track(name.into()));
        let proxy = contender.track_proxy.then_some(Failure::Proxy);
        let failures = tracks.chain(proxy).chain([Failure::Down]);
        failures
            .map(|failure| Befallen { node, failure })
            .collect::<Vec<_>>()
    };
    contenders.iter().enumerate().flat_map(of_one).collect()
}

/// All sets of at most `depth` of the numbers below `count`, the smaller sets first.
fn combinations(count: usize, depth: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    let mut grown_from = 0;
    for _ in 0..depth {
        let grown_to = all.len();
        for index in grown_from..grown_to {
            let next = all[index].last().map_or(0, |last| last + 1);
            for number in next..count {
                let mut longer = all[index].clone();
                longer.push(number);
                all.push(longer);
            }
        }
        grown_from = grown_to;
    }
    all
}

/// Where a combination of failures ends.
struct End {
    standings: Vec<Standing>,
    owners: BTreeSet<Option<usize>>,
    /// Who owns the addresses at the end or on the way there.
    involved: BTreeSet<usize>,
}

impl End {
    /// From the ends of all combinations with one failure fewer.
    fn reach(
        contenders: &[Contender],
        combination: &[usize],
        befallen: &[Befallen],
        ends: &BTreeMap<Vec<usize>, Self>,
    ) -> Self {
        let standings = standings(contenders, befallen);
        let mut owners = BTreeSet::new();
        let mut involved = BTreeSet::new();
        for last in combination {
            let before: Vec<usize> = (combination.iter().copied())
                .filter(|index| index != last)
                .collect();
            let Some(before) = ends.get(&before) else {
                continue;
            };
            let after = |owner: &Option<usize>| next_owner(contenders, &standings, *owner);
            owners.extend(before.owners.iter().map(after));
            involved.extend(&before.involved);
        }
        if combination.is_empty() {
            owners.insert(next_owner(contenders, &standings, None));
        }
        involved.extend(owners.iter().flatten());
        Self {
            standings,
            owners,
            involved,
        }
    }
}

/// Whether a combination says something that those with one failure fewer do not.
fn is_telling(contenders: &[Contender], befallen: &[Befallen], end: &End) -> bool {
    let matters = |one: &Befallen| {
        let others: Vec<Befallen> = (befallen.iter())
            .filter(|other| *other != one)
            .cloned()
            .collect();
        end.involved.contains(&one.node) && standings(contenders, &others) != end.standings
    };
    befallen.len() < 2 || befallen.iter().all(matters)
}

fn standings(contenders: &[Contender], befallen: &[Befallen]) -> Vec<Standing> {
    let of_one = |(node, contender)| {
        let failures = befallen.iter().filter(|one| one.node == node);
        standing(contender, failures.map(|one| &one.failure))
    };
    contenders.iter().enumerate().map(of_one).collect()
}

fn standing<'f>(contender: &Contender, failures: impl Iterator<Item = &'f Failure>) -> Standing {
    let mut tracks = all_up(contender);
    let mut proxy = Band::Healthy;
    for failure in failures {
        match failure {
            Failure::Track(name) => tracks.note(name, Verdict::Down),
            Failure::Proxy => proxy = Band::Unhealthy,
            Failure::Down => return Standing::Down,
        }
    }
    if tracks.failed() {
        return Standing::Fault;
    }
    let band = tracks.band().min(proxy);
    Standing::Able {
        priority: effective(contender.priority, &tracks, band, contender.has_bands()),
        band,
    }
}

fn all_up(contender: &Contender) -> Tracks {
    let mut tracks = Tracks::new(&contender.tracks);
    for track in &contender.tracks {
        tracks.note(&track.name, Verdict::Up);
    }
    tracks
}

impl Contender {
    fn has_bands(&self) -> bool {
        self.is_grouped || has_bands(self.track_proxy, &self.tracks)
    }

    /// Whether it takes over from a Master of this priority that is in its own band.
    fn preempts(&self, own: Priority, other: Priority) -> bool {
        own > other && (self.failback != Failback::Manual || own == Priority::OWNER)
    }
}

/// Who owns the addresses when the nodes have settled, where `owner` owned them before.
fn next_owner(
    contenders: &[Contender],
    standings: &[Standing],
    owner: Option<usize>,
) -> Option<usize> {
    let able = || {
        let both = contenders.iter().zip(standings).enumerate();
        both.filter_map(|(node, (contender, standing))| match *standing {
            Standing::Able { priority, band } => Some((band, priority, contender.address, node)),
            Standing::Down | Standing::Fault => None,
        })
    };
    let owning = able().find(|(.., node)| Some(*node) == owner);
    let Some((band, priority, ..)) = owning else {
        // Whoever is ill leaves it to those who are not; of equals, the higher address stays.
        return able().max().map(|(.., node)| node);
    };
    let successor = able().filter(|(other, their, _, node)| {
        let contender = contenders.get(*node);
        *other > band || contender.is_some_and(|it| it.preempts(*their, priority))
    });
    successor.max().map(|(.., node)| node).or(owner)
}
