//! Sync groups: what a group makes of its members, and what a member does about it.

use core_vrrp::{Accord, Band, Course, Group as Members, Member, Part, Spec, State};

use crate::play::On::*;
use crate::play::*;

const LEADING: Accord = Accord {
    course: Course::Lead,
    ..Accord::NONE
};
const FOLLOWING: Accord = Accord {
    course: Course::Follow,
    ..Accord::NONE
};
const FAULTY: Accord = Accord {
    has_fault: true,
    ..Accord::NONE
};

fn member(part: Part) -> Member {
    Member {
        part,
        has_fault: false,
        band: Band::Healthy,
    }
}

/// What part which member takes, one after the other.
type Steps<'a> = &'a [(usize, Part)];

#[test]
fn what_a_group_agrees_on() {
    use Part::{Fault, Follows, HandsOver, Leads, Out, Ready};
    // the parts of two members one after the other, and the course after each
    let cases: [(&str, Steps<'_>, &[Course]); 8] = [
        (
            "all start: Backup",
            &[(0, Follows), (1, Follows)],
            &[Course::Follow, Course::Follow],
        ),
        (
            "one whose time has come waits for the others",
            &[(0, Follows), (1, Follows), (0, Ready), (1, Ready)],
            &[Course::Follow, Course::Follow, Course::Follow, Course::Lead],
        ),
        (
            "on the way to Master it stays so",
            &[(0, Ready), (1, Ready), (0, Leads), (1, Leads)],
            &[Course::None, Course::Lead, Course::Lead, Course::Lead],
        ),
        (
            "one steps down: all do",
            &[(0, Leads), (1, Leads), (0, Follows)],
            &[Course::None, Course::Lead, Course::Follow],
        ),
        (
            "a hand-over is no step down before it is at its end",
            &[(0, Leads), (1, Leads), (0, HandsOver), (0, Leads)],
            &[Course::None, Course::Lead, Course::Lead, Course::Lead],
        ),
        (
            "a stop is no step down",
            &[
                (0, Leads),
                (1, Leads),
                (0, HandsOver),
                (1, HandsOver),
                (0, Out),
            ],
            &[
                Course::None,
                Course::Lead,
                Course::Lead,
                Course::Lead,
                Course::Lead,
            ],
        ),
        (
            "a member in fault: nothing is agreed on",
            &[(0, Leads), (1, Leads), (0, Fault)],
            &[Course::None, Course::Lead, Course::None],
        ),
        ("a member that there is not", &[(7, Leads)], &[Course::None]),
    ];
    for (case, parts, courses) in cases {
        let mut group = Members::new(2);
        let seen: Vec<Course> = (parts.iter())
            .map(|(number, part)| {
                group.note(*number, member(*part));
                group.accord().course
            })
            .collect();
        assert_eq!(seen, courses, "{case}");
    }
}

#[test]
fn faults_and_bands_are_those_of_all() {
    let mut group = Members::new(3);
    let one = |has_fault, band| Member {
        part: Part::Leads,
        has_fault,
        band,
    };
    let cases = [
        (0, one(false, Band::Degraded), (false, Band::Degraded)),
        (1, one(true, Band::Unhealthy), (true, Band::Unhealthy)),
        (0, one(false, Band::Healthy), (true, Band::Unhealthy)),
        (2, one(true, Band::Degraded), (true, Band::Unhealthy)),
        (1, one(false, Band::Healthy), (true, Band::Degraded)),
        (2, one(false, Band::Healthy), (false, Band::Healthy)),
    ];
    for (number, member, expected) in cases {
        group.note(number, member);
        let accord = group.accord();
        assert_eq!((accord.has_fault, accord.band), expected);
        let again = group.note(number, member);
        assert_eq!(again.accord, None, "nothing is said twice");
    }
}

#[test]
fn a_transition_of_the_group_is_one_of_all_its_members() {
    let mut group = Members::new(2);
    let (stop, backup, master) = (State::Initialize, State::Backup, State::Master);
    let cases = [
        (0, Part::Follows, None),
        (1, Part::Follows, Some((stop, backup))),
        (0, Part::Ready, None),
        (0, Part::Leads, None),
        (1, Part::Leads, Some((backup, master))),
        (0, Part::HandsOver, None),
        (0, Part::Follows, None),
        (0, Part::Leads, None),
        (1, Part::Follows, None),
        (0, Part::Follows, Some((master, backup))),
    ];
    for (number, part, expected) in cases {
        let outcome = group.note(number, member(part));
        assert_eq!(outcome.transition, expected, "{number} {part:?}");
    }
}

/// A member of a group.
pub(crate) fn grouped() -> Spec {
    Spec {
        is_grouped: true,
        ..usual()
    }
}

#[test]
fn what_a_member_does_about_it() {
    let leading = || {
        vec![
            (0, Start, "Backup: started"),
            (0, MayLead, ""),
            (3_218_750, Wake, ""),
            (3_300_000, Group(LEADING), LEAD),
        ]
    };
    let led = |steps: Vec<Step>| {
        let mut all = leading();
        all.extend(steps);
        all
    };
    let cases: Vec<(&str, Spec, Vec<Step>)> = vec![
        (
            "it becomes Master when its own time and that of the group have come",
            grouped(),
            led(vec![(4_300_000, Wake, "say 200")]),
        ),
        (
            "it is not elected before its own time has come",
            grouped(),
            backup_then(vec![(1_000_000, Group(LEADING), "")]),
        ),
        (
            "nor when it has heard a Master since",
            grouped(),
            backup_then(vec![
                (3_218_750, Wake, ""),
                (3_300_000, Hear(210), ""),
                (3_400_000, Group(LEADING), ""),
            ]),
        ),
        (
            "an owner waits for its group too",
            Spec {
                priority: priority(255),
                ..grouped()
            },
            vec![
                (0, MayLead, ""),
                (0, Start, "Backup: started"),
                (
                    10,
                    Group(LEADING),
                    "add, announce 1, say 255, Master: owner of the addresses",
                ),
            ],
        ),
        (
            "the group steps down: it hands over and does not come back by itself",
            grouped(),
            led(vec![
                (4_000_000, Group(FOLLOWING), "say 0, say 0"),
                (5_250_000, Wake, "remove, Backup: its sync group gave up"),
            ]),
        ),
        (
            "or its peer takes over first",
            grouped(),
            led(vec![
                (4_000_000, Group(FOLLOWING), "say 0, say 0"),
                (
                    4_001_000,
                    Hear(199),
                    "remove, Backup: handed over to 192.168.0.102 (priority 199)",
                ),
            ]),
        ),
        (
            "another one fails: so does it, and hands over first",
            grouped(),
            led(vec![
                (4_000_000, Group(FAULTY), "say 0, say 0"),
                (
                    4_001_000,
                    Hear(199),
                    "remove, Fault: another of its sync group failed",
                ),
                (9_000_000, Group(Accord::NONE), "Backup: recovered"),
            ]),
        ),
        (
            "its own fault is gone, another one's is not",
            grouped(),
            backup_then(vec![
                (1_000_000, Link(false), "Fault: interface down"),
                (1_000_000, Group(FAULTY), ""),
                (2_000_000, Link(true), ""),
                (3_000_000, Group(Accord::NONE), "Backup: recovered"),
            ]),
        ),
        (
            "another one is degraded: so is it",
            grouped(),
            led(vec![(
                4_000_000,
                Group(Accord {
                    band: Band::Degraded,
                    ..LEADING
                }),
                "say 0, say 0, 200 to 2",
            )]),
        ),
        (
            "who is in no group is told in vain",
            usual(),
            master_then(vec![(4_000_000, Group(FAULTY), "")]),
        ),
    ];
    for (case, spec, steps) in cases {
        play(case, spec, &steps);
    }
}
