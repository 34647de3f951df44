//! The promises, looked at whenever something has happened.
//!
//! A network is *whole* when all that is sent arrives, once, in order and in time, when nothing of
//! worse times is still under way, and when all nodes of version 2 have the same interval (others
//! would not listen to one another, RFC 3768 §7.1). On a whole network:
//!
//! * **One owner.** Two nodes whose processes run both have the address only until one of them has
//!   spoken and has been answered; at a hand-over only until the successor's first advert is there.
//!   A node that is dead or frozen has lost the address before anybody takes over from its silence,
//!   if its lease can be that short. While the network is not whole two owners are unavoidable.
//! * **An owner.** Nobody has the address only for as long as the slowest candidate's
//!   Master_Down_Interval, from when something last went wrong; during a planned change never.
//! * **Health.** An owner that falls ill is rid of the address when the weakest of those that are
//!   well has waited its Skew_Time, unless it is to do as keepalived does.
//! * **A reason.** See [`crate::record`].
//! * **Neighbours that know.** All point at the owner: as soon as its burst has arrived, when it
//!   took over or met a rival; else with its next announcement.
//! * **Peace.** When everything has settled nothing moves, and nobody who may take over from a worse
//!   Master is better than the owner.

use std::time::Duration;

use core_vrrp::{Cause, Failback, Protocol, State, Time, Transition};

use crate::node::Process;
use crate::rules;
use crate::world::{Kind, World};

/// Bursts of announcements for the same reason are at least so far apart.
const BURST_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Watch {
    /// `None` while the network is not.
    whole_since: Option<Time>,
    /// When something last happened to a node.
    disturbed_at: Time,
    /// What was sent while the network was not whole and has not arrived.
    pub(crate) rough_under_way: u32,
    /// Nodes that answer for the address, a bit each.
    owners: u8,
    rivalry: Option<Rivalry>,
    /// By when neighbours know who won the last one, if anything promises it.
    settled: Option<Settled>,
    /// The only owner, if its process runs, and since when.
    single: Option<(usize, Time)>,
    /// The longest interval that a Backup can have learned.
    longest: Duration,
    /// The shortest, now or before.
    shortest: Duration,
    /// Nothing may move.
    pub(crate) is_still: bool,
    /// Somebody must have the address all the time.
    pub(crate) is_seamless: bool,
    /// The owner that fell ill while another node is well, and until when it may be it.
    pub(crate) leaves: Option<(usize, Time)>,
}

/// Several owners whose processes run, on a whole network.
#[derive(Debug)]
struct Rivalry {
    since: Time,
    rivals: u8,
    /// When one of them spoke first.
    first_word: Option<Time>,
    /// One of them gave up when perhaps nobody could hear it, and says nothing more: the others do
    /// not learn that there was a rival.
    is_quiet: bool,
}

#[derive(Debug)]
struct Settled {
    at: Time,
    known_by: Option<Time>,
}

impl Watch {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            whole_since: Some(now),
            disturbed_at: now,
            rough_under_way: 0,
            owners: 0,
            rivalry: None,
            settled: None,
            single: None,
            longest: Duration::ZERO,
            shortest: Duration::MAX,
            is_still: false,
            is_seamless: false,
            leaves: None,
        }
    }

    /// Something happens to a node.
    pub(crate) fn disturb(&mut self, now: Time) {
        self.disturbed_at = now;
        self.is_seamless = false;
        self.leaves = None;
    }

    /// A node could not hear, or can hear again: whatever was said before does not count.
    pub(crate) fn restart(&mut self, now: Time) {
        self.whole_since = self.whole_since.map(|_| now);
        self.rivalry = None;
    }
}

impl World {
    fn agrees(&self) -> bool {
        let first = &self.nodes[0].spec.protocol;
        let is_v2 = matches!(first, Protocol::V2 { .. });
        !is_v2 || self.nodes.iter().all(|node| node.spec.protocol == *first)
    }

    /// Looks at what has become of the world.
    pub(crate) fn observe(&mut self) {
        let now = self.now;
        let is_whole = self.link.is_whole() && self.watch.rough_under_way == 0 && self.agrees();
        self.watch.whole_since = is_whole.then(|| self.watch.whole_since.unwrap_or(now));
        let (mut owners, mut rivals) = (0_u8, 0_u8);
        let Watch {
            mut longest,
            mut shortest,
            ..
        } = self.watch;
        for (index, node) in self.nodes.iter().enumerate() {
            longest = longest.max(node.spec.protocol.interval());
            shortest = shortest.min(node.spec.protocol.interval());
            if node.answers(now) {
                owners |= 1 << index;
                rivals |= u8::from(node.acts()) << index;
            }
        }
        self.watch.longest = longest;
        self.watch.shortest = shortest;
        self.watch.owners = owners;
        self.observe_rivals(if is_whole { rivals } else { 0 });
        let is_single = owners.count_ones() == 1 && rivals == owners;
        let index = usize::try_from(owners.trailing_zeros()).expect("few");
        self.watch.single = match self.watch.single {
            Some((single, since)) if is_single && single == index => Some((single, since)),
            _ => is_single.then_some((index, now)),
        };
    }

    fn observe_rivals(&mut self, rivals: u8) {
        let now = self.now;
        if rivals.count_ones() < 2 {
            let ended = self.watch.rivalry.take().filter(|_| rivals != 0);
            if let Some(rivalry) = ended {
                let winner = usize::try_from(rivals.trailing_zeros()).expect("few");
                // Who dies does not tell the winner that he was there.
                let is_quiet = self
                    .rivals(rivalry.rivals & !rivals)
                    .any(|loser| !loser.acts() || !loser.link_up);
                let known_by = if rivalry.is_quiet || is_quiet {
                    self.single_due(winner, now)
                } else {
                    self.known_after_rivalry(winner)
                };
                self.watch.settled = Some(Settled { at: now, known_by });
            }
            return;
        }
        let known = self.watch.rivalry.take();
        let mut rivalry = match known {
            Some(known) if rivals & !known.rivals == 0 => Rivalry { rivals, ..known },
            _ => Rivalry {
                since: now,
                rivals,
                first_word: None,
                is_quiet: false,
            },
        };
        let has_spoken = self.rivals(rivals).any(|node| {
            node.gave_up_at.is_none() && node.said_at >= rivalry.since && node.said_at == now
        });
        if rivalry.first_word.is_none() && has_spoken {
            rivalry.first_word = Some(now);
        }
        let whole_since = self.watch.whole_since.unwrap_or(now);
        rivalry.is_quiet |= self
            .rivals(rivals)
            .any(|node| node.gave_up_at.is_some_and(|gave_up| gave_up < whole_since));
        self.watch.rivalry = Some(rivalry);
    }

    fn rivals(&self, bits: u8) -> impl Iterator<Item = &crate::node::Node> {
        let is_rival = move |index: &usize| bits & (1 << index) != 0;
        (0..self.nodes.len())
            .filter(is_rival)
            .map(|index| &self.nodes[index])
    }

    /// When a rivalry is over at the latest. Whoever speaks first is answered by all who are better
    /// (RFC 9568 §6.4.3), and they are heard by all who are worse. Who hands over is quiet until
    /// that is over, and gives in to whoever speaks.
    fn rivalry_ends(&self, rivalry: &Rivalry) -> Time {
        let next_word = |node: &crate::node::Node| match node.gave_up_at {
            Some(_) => node.quiet_until.max(rivalry.since),
            None => (node.said_at + node.spec.protocol.interval()).max(rivalry.since),
        };
        let words = self.rivals(rivalry.rivals).map(next_word);
        let first_word = rivalry
            .first_word
            .or_else(|| words.min().map(|word| word + self.latency.timer));
        let serious = self
            .rivals(rivalry.rivals)
            .filter(|node| node.gave_up_at.is_none());
        let is_handover = serious.count() <= 1 && rivalry.first_word.is_some();
        let answered = if is_handover {
            self.latency.link
        } else {
            rules::exchange(&self.latency)
        };
        let ends = first_word.unwrap_or(rivalry.since) + answered;
        // Who is better now may have been worse when it spoke: one exchange more.
        if self.watch.disturbed_at >= rivalry.since {
            ends.max(self.watch.disturbed_at + 2 * rules::exchange(&self.latency))
        } else {
            ends
        }
    }

    /// Time goes on to `to`, and nothing happens meanwhile.
    pub(crate) fn check_until(&self, to: Time) {
        if let Some(rivalry) = &self.watch.rivalry
            && to > self.rivalry_ends(rivalry)
        {
            self.fail(&format!("two owners for too long: {rivalry:?}"));
        }
        let Some(whole_since) = self.watch.whole_since else {
            return;
        };
        if to > self.now && self.watch.owners == 0 {
            if self.watch.is_seamless {
                self.fail("nobody has the address during a planned change");
            }
            if self.owner_due(whole_since).is_some_and(|due| to > due) {
                self.fail("nobody has the address");
            }
        }
        if let (Some((owner, _)), Some((leaves, by))) = (self.watch.single, self.watch.leaves)
            && owner == leaves
            && to > by
        {
            self.fail(&format!(
                "node {owner} is ill and goes on, and others are well"
            ));
        }
        if let Some((owner, since)) = self.watch.single {
            self.check_neighbours(owner, since.max(whole_since), to);
        }
    }

    /// By when somebody must have taken over: when the timer of the slowest has run out.
    fn owner_due(&self, whole_since: Time) -> Option<Time> {
        let from = self.watch.disturbed_at.max(whole_since);
        let candidates = self.nodes.iter().filter(|node| node.is_candidate(self.now));
        let due = candidates.map(|node| {
            let priority = node.priority();
            let protocol = Self::slowest(node, self.watch.longest);
            let wait = rules::down(&protocol, &node.spec, priority);
            let begun = Time(node.record.not_before.0 + node.lag).max(from);
            begun + wait.max(rules::release_wait(&protocol, &node.spec, priority))
        });
        due.max()
            .map(|due| due + self.latency.link + self.latency.timer)
    }

    /// The node's protocol with the longest interval that it can have learned.
    fn slowest(node: &crate::node::Node, longest: Duration) -> Protocol {
        match node.spec.protocol {
            Protocol::V3 { .. } => {
                let centiseconds = u16::try_from(longest.as_millis() / 10).expect("short");
                let interval = core_vrrp::Centiseconds::new(centiseconds).expect("in range");
                Protocol::V3 { interval }
            }
            v2 @ Protocol::V2 { .. } => v2,
        }
    }

    fn check_neighbours(&self, owner: usize, since: Time, to: Time) {
        for neighbour in &self.neighbours {
            if neighbour.points_at.is_none_or(|node| node == owner) {
                continue;
            }
            let known_by = match neighbour.kind {
                Kind::Switch => self.frame_due(owner, since),
                Kind::Client => self.announcement_due(owner, since),
            };
            if known_by.is_some_and(|known_by| to > known_by) {
                self.fail(&format!(
                    "{neighbour:?} does not know that {owner} is the owner"
                ));
            }
        }
    }

    /// The owner's next advert also tells switches where its virtual MAC address is; whoever says
    /// something else is answered.
    fn frame_due(&self, owner: usize, since: Time) -> Option<Time> {
        let node = &self.nodes[owner];
        let others = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != owner);
        let contradicted = others.map(|(_, other)| other.said_at).max()?;
        let from = since
            .max(node.acts_since)
            .max(node.led_at)
            .max(self.watch.disturbed_at);
        let next = from + node.spec.protocol.interval();
        let due = next.max(contradicted) + rules::exchange(&self.latency);
        node.gave_up_at.is_none().then_some(due)
    }

    /// By when neighbours have an announcement of the owner that is newer than any other.
    fn announcement_due(&self, owner: usize, since: Time) -> Option<Time> {
        let node = &self.nodes[owner];
        if node.gave_up_at.is_some() {
            return None;
        }
        let settled = self
            .watch
            .settled
            .as_ref()
            .filter(|settled| settled.at >= since.max(node.led_at));
        if let Some(settled) = settled {
            return settled.known_by;
        }
        let others = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != owner);
        let is_last = others.fold(true, |is_last, (_, other)| {
            is_last && other.announced_at + self.latency.link < node.led_at
        });
        if node.led_at >= self.watch.whole_since? && is_last {
            return Some(since.max(node.led_at) + self.latency.link + self.latency.timer);
        }
        self.single_due(owner, since.max(node.acts_since))
    }

    /// The second burst, which a rival provokes whatever the plan.
    fn second_burst_due(&self, owner: usize, from: Time) -> Time {
        let plan = &self.nodes[owner].spec.announce;
        from + plan.delay.max(BURST_PAUSE) + self.burst_lasts(owner)
    }

    /// The next of the single announcements for ever after, if the plan has them.
    fn single_due(&self, owner: usize, from: Time) -> Option<Time> {
        let plan = &self.nodes[owner].spec.announce;
        let pause = plan.refresh.max(plan.delay).max(BURST_PAUSE);
        (!plan.refresh.is_zero()).then(|| from + pause + self.burst_lasts(owner))
    }

    fn burst_lasts(&self, owner: usize) -> Duration {
        let plan = &self.nodes[owner].spec.announce;
        plan.interval * u32::from(plan.repeat) + self.latency.link + self.latency.timer
    }

    /// The winner announces when it has met a rival, unless it began a burst just now: then a second
    /// one follows.
    fn known_after_rivalry(&self, winner: usize) -> Option<Time> {
        let (now, node) = (self.now, &self.nodes[winner]);
        let answer = rules::exchange(&self.latency) + self.latency.link;
        let others = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != winner);
        let rival = others.map(|(_, other)| other.announced_at).max()?;
        let was_heard = self
            .watch
            .whole_since
            .is_some_and(|whole| node.announced_at >= whole);
        let has_just_told = node.announced_at + answer >= now;
        if has_just_told && was_heard && rival + self.latency.link < node.announced_at {
            return Some(now + self.latency.link);
        }
        let is_over = rival + self.latency.link < now;
        if is_over && !has_just_told && node.announced_at + BURST_PAUSE + answer < now {
            return Some(now + answer);
        }
        Some(self.second_burst_due(winner, now))
    }

    /// A node has changed its state.
    pub(crate) fn check_change(&self, index: usize, change: &Transition) {
        if self.watch.is_still {
            self.fail(&format!("node {index} moves in calm weather: {change:?}"));
        }
        if change.cause == Cause::MasterSilent && change.to == State::Master {
            self.check_silent(index);
        }
    }

    /// Nobody who is dead or frozen may have the address when somebody takes over from his silence,
    /// if his lease can be shorter than that.
    fn check_silent(&self, successor: usize) {
        let Some(whole_since) = self.watch.whole_since else {
            return;
        };
        let waited_by = {
            let node = &self.nodes[successor];
            node.record.goes_by(&node.spec).interval()
        };
        for (index, node) in self.nodes.iter().enumerate() {
            let is_dead = matches!(node.process, Process::Frozen | Process::Dead);
            if index != successor
                && is_dead
                && node.answers(self.now)
                && node.gave_up_at.is_none()
                && node.said_at >= whole_since
                // Who has not heard it goes by its own interval.
                && waited_by >= node.spec.protocol.interval()
                && rules::lease_ends_in_time(&node.spec, self.watch.shortest)
            {
                self.fail(&format!(
                    "node {successor} takes over from {index}, which is {:?}, said so {:?} ago, and holds {:?}",
                    node.process,
                    self.now.since(node.said_at),
                    node.hold
                ));
            }
        }
    }

    /// Nobody who would take over from a worse Master is better than the owner.
    pub(crate) fn check_best(&self) {
        let Some((owner, _)) = self.watch.single else {
            if self.nodes.iter().any(|node| node.is_candidate(self.now)) {
                self.fail("there is not one owner after all has settled");
            }
            return;
        };
        let worth = self.nodes[owner].priority();
        for (index, node) in self.nodes.iter().enumerate() {
            if node.is_candidate(self.now)
                && rules::patience(&node.spec, node.priority(), worth).is_some()
            {
                self.fail(&format!("node {index} is better than the owner {owner}"));
            }
        }
    }

    /// How long it takes until everything has settled: somebody takes over, and is taken over from.
    pub(crate) fn settling(&self) -> Duration {
        let specs = self.nodes.iter().map(|node| &node.spec);
        let slowest = specs.map(|spec| {
            let skew = match spec.protocol {
                Protocol::V2 { .. } => Duration::from_secs(1),
                Protocol::V3 { .. } => self.watch.longest,
            };
            let down = self.watch.longest * (u32::from(spec.down_timer_adverts) + 1) + skew;
            let release = skew + Duration::from_millis(250) + 3 * self.watch.longest;
            let patience = match spec.failback {
                Failback::Auto(patience) | Failback::After(patience) => patience,
                Failback::Manual => Duration::ZERO,
            };
            2 * down.max(release) + patience + spec.startup_delay + release
        });
        slowest.max().unwrap_or_default()
    }
}
