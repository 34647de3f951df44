//! Which events a sink gets. No I/O.

use ipc::event::{Event, Severity, What};
use ipc::notify::{SinkKind, SinkSpec};

/// A sink's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    routers: Vec<String>,
    classes: Vec<String>,
    severity_min: Severity,
    quiet: bool,
}

impl Filter {
    /// The choice that `spec` describes. Mail and short messages reach people, who are not to be
    /// woken for what was to be expected; logs and programs get all of it.
    pub(crate) fn new(spec: &SinkSpec) -> Self {
        Self {
            routers: spec.routers.clone(),
            classes: spec.classes.clone(),
            severity_min: spec.severity_min,
            quiet: matches!(spec.kind, SinkKind::Mail(_) | SinkKind::Sms(_)),
        }
    }

    /// Whether the sink gets `event`.
    pub(crate) fn accepts(&self, event: &Event) -> bool {
        let class = event.what.class();
        if event.severity < self.severity_min || !self.classes.iter().any(|chosen| chosen == class)
        {
            return false;
        }
        match &event.what {
            What::Transition(transition) => {
                self.routers.contains(&transition.router) && !(self.quiet && transition.planned)
            }
            What::GroupTransition(group) => {
                let is_chosen = group.routers.iter().any(|name| self.routers.contains(name));
                is_chosen && !(self.quiet && group.planned)
            }
            What::PriorityChanged(change) => self.routers.contains(&change.router),
            What::Contested(contest) => self.routers.contains(&contest.router),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use ipc::event::{GroupEvent, PriorityEvent};
    use ipc::status::RouterState;

    use super::*;
    use crate::examples;

    fn filter(quiet: bool, classes: &[&str], severity_min: Severity) -> Filter {
        Filter {
            routers: vec!["YN_API_GATEWAY".into()],
            classes: classes.iter().map(|class| (*class).to_owned()).collect(),
            severity_min,
            quiet,
        }
    }

    fn transition(router: &str, planned: bool) -> What {
        let mut transition = examples::transition(RouterState::Stop, RouterState::Backup, "start");
        transition.router = router.into();
        transition.planned = planned;
        What::Transition(transition)
    }

    fn group(router: &str, planned: bool) -> What {
        What::GroupTransition(GroupEvent {
            group: "edge".into(),
            routers: vec!["third".into(), router.into()],
            from: RouterState::Master,
            to: RouterState::Backup,
            planned,
        })
    }

    fn priority(router: &str) -> What {
        What::PriorityChanged(PriorityEvent {
            router: router.into(),
            state: RouterState::Master,
            from: 200,
            to: 2,
        })
    }

    #[test]
    fn each_gets_what_it_asked_for() {
        let all = ["transition", "server"];
        let (low, high) = (Severity::Info, Severity::Error);
        let ours = "YN_API_GATEWAY";
        let up = What::ServerUp {
            upstream: "app".into(),
            address: ([127, 0, 0, 1], 80).into(),
        };
        // quiet, classes, severity_min, what (a warning), whether it is sent
        let cases = [
            (false, &all[..], low, transition(ours, false), true),
            (false, &all[..], low, transition("other", false), false),
            (false, &all[1..], low, transition(ours, false), false),
            (false, &all[..], high, transition(ours, false), false),
            (false, &all[..], low, transition(ours, true), true),
            (true, &all[..], low, transition(ours, true), false),
            (true, &all[..], low, transition(ours, false), true),
            (true, &all[..], low, up.clone(), true),
            (false, &all[..1], low, up, false),
            (false, &all[..], low, What::Stopping, false),
            (false, &all[..], low, group(ours, false), true),
            (false, &all[..], low, group("other", false), false),
            (true, &all[..], low, group(ours, true), false),
            (true, &["priority"], low, priority(ours), true),
            (true, &["priority"], low, priority("other"), false),
            (true, &all[..], low, priority(ours), false),
        ];
        for (quiet, classes, severity_min, what, sent) in cases {
            let case = format!("{quiet} {classes:?} {severity_min} {what:?}");
            let event = examples::entry(1, what).event;
            assert_eq!(
                filter(quiet, classes, severity_min).accepts(&event),
                sent,
                "{case}"
            );
        }
    }
}
