//! Sync groups: virtual routers of a node that are Master, Backup or in Fault together.
//!
//! A group has no timers and sends nothing. Each member says how it stands after every event, the
//! group says what all have agreed on when that has changed, and every member is told
//! ([`crate::Event::Group`]). What a member does because of it leads to no other agreement than the
//! one it was told of, so this comes to an end at once.

use crate::event::State;
use crate::priority::Band;

/// How a member stands by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// What part it takes.
    pub part: Part,
    /// Whether something of its own keeps it from taking part.
    pub has_fault: bool,
    /// How well its own tracks say that the node is.
    pub band: Band,
}

/// The part that a member takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Not started yet, or finished.
    Out,
    /// Backup.
    Follows,
    /// Backup whose time to become Master has come.
    Ready,
    /// Master.
    Leads,
    /// Master that has said that it gives up.
    HandsOver,
    /// In Fault.
    Fault,
}

impl Part {
    const fn state(self) -> State {
        match self {
            Self::Out => State::Initialize,
            Self::Follows | Self::Ready => State::Backup,
            Self::Leads | Self::HandsOver => State::Master,
            Self::Fault => State::Fault,
        }
    }
}

/// What the members have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accord {
    /// One of them cannot take part, so none does.
    pub has_fault: bool,
    /// The worst of their bands, which is that of all.
    pub band: Band,
    /// Whether to be Master.
    pub course: Course,
}

/// Whether to be Master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Nothing is agreed on: each stays what it is.
    None,
    /// All are Master or could be: all become it.
    Lead,
    /// One is Backup and has to stay it: all become it.
    Follow,
}

impl Accord {
    /// Before anything was said, and of a router that is in no group.
    pub const NONE: Self = Self {
        has_fault: false,
        band: Band::Healthy,
        course: Course::None,
    };
}

/// What a member's word has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// All members have to be told this, the one that spoke too.
    pub accord: Option<Accord>,
    /// All members are in the state that comes second, and were in the first when that was last so.
    pub transition: Option<(State, State)>,
}

/// The members of a sync group, by numbers that the caller chooses.
#[derive(Debug)]
pub struct Group {
    members: Vec<Member>,
    accord: Accord,
    state: State,
}

impl Group {
    /// So many members, all of them out.
    pub fn new(members: usize) -> Self {
        let out = Member {
            part: Part::Out,
            has_fault: false,
            band: Band::Healthy,
        };
        Self {
            members: vec![out; members],
            accord: Accord::NONE,
            state: State::Initialize,
        }
    }

    /// Notes how the member of this number stands. A number that is too great changes nothing.
    pub fn note(&mut self, number: usize, member: Member) -> Outcome {
        if let Some(known) = self.members.get_mut(number) {
            *known = member;
        }
        let accord = self.agree();
        let is_new = accord != self.accord;
        self.accord = accord;
        Outcome {
            accord: is_new.then_some(accord),
            transition: self.transition(),
        }
    }

    /// What was agreed on last: what a member that comes later has to be told.
    pub fn accord(&self) -> Accord {
        self.accord
    }

    fn agree(&self) -> Accord {
        let bands = self.members.iter().map(|member| member.band);
        let has_fault = self.members.iter().any(|member| member.has_fault);
        Accord {
            has_fault,
            band: bands.min().unwrap_or(Band::Healthy),
            course: self.course(),
        }
    }

    /// keepalived's rule: a group becomes Master when every member's time has come, and stays Backup
    /// as long as one of them hears a Master. Whoever let the first one decide would go to and fro
    /// where nodes hear each other on one link and not on another.
    fn course(&self) -> Course {
        let is_any = |part: Part| self.members.iter().any(|member| member.part == part);
        if is_any(Part::Fault) {
            Course::None
        } else if is_any(Part::Follows) {
            Course::Follow
        } else if is_any(Part::Out) || is_any(Part::HandsOver) {
            self.accord.course
        } else {
            Course::Lead
        }
    }

    fn transition(&mut self) -> Option<(State, State)> {
        let mut states = self.members.iter().map(|member| member.part.state());
        let common = states.next()?;
        if common == self.state || states.any(|state| state != common) {
            return None;
        }
        Some((std::mem::replace(&mut self.state, common), common))
    }
}
