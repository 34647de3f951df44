use super::*;

const NEVER: Duration = Duration::ZERO;

fn policy(weight: u16) -> Policy {
    Policy {
        weight,
        max_fails: 1,
        fail_timeout: Duration::from_secs(10),
        backup: false,
        max_conns: 0,
        ready: true,
    }
}

fn group(weights: &[u16]) -> Group {
    Group::new(
        Method::RoundRobin,
        weights.iter().map(|&weight| policy(weight)),
    )
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn pick(group: &mut Group, now: Duration, tried: &Tried) -> Option<usize> {
    match group.pick(now, tried, |_| 0) {
        Pick::Server(index) => Some(index),
        Pick::Full | Pick::Nobody => None,
    }
}

fn picks(group: &mut Group, now: Duration, count: usize) -> Vec<Option<usize>> {
    (0..count)
        .map(|_| pick(group, now, &Tried::default()))
        .collect()
}

#[test]
fn order_is_that_of_nginx() {
    let cases: [(&[u16], &[usize]); 3] = [
        (&[5, 1, 1], &[0, 0, 1, 0, 2, 0, 0]),
        (&[1, 1], &[0, 1, 0, 1]),
        (&[2, 1], &[0, 1, 0, 0, 1, 0]),
    ];
    for (weights, order) in cases {
        let order: Vec<_> = order.iter().map(|&index| Some(index)).collect();
        assert_eq!(
            picks(&mut group(weights), NEVER, order.len()),
            order,
            "{weights:?}"
        );
    }
}

#[test]
fn tried_server_is_not_asked_again() {
    let mut group = group(&[1, 1]);
    let mut tried = Tried::default();
    tried.add(0);
    assert_eq!(pick(&mut group, NEVER, &tried), Some(1));
    tried.add(1);
    assert_eq!(pick(&mut group, NEVER, &tried), None);
}

#[test]
fn server_that_is_down_is_not_asked() {
    let mut group = group(&[1, 1]);
    group.set_up(0, false);
    assert_eq!(picks(&mut group, NEVER, 3), [Some(1); 3]);
    group.set_up(1, false);
    assert_eq!(pick(&mut group, NEVER, &Tried::default()), None);
    group.set_up(0, true);
    assert_eq!(pick(&mut group, NEVER, &Tried::default()), Some(0));
}

#[test]
fn failed_server_is_banned_for_its_time_and_then_tried_once() {
    let mut group = group(&[1, 1]);
    assert!(group.handle_failure(0, seconds(100)));
    assert_eq!(picks(&mut group, seconds(110), 4), [Some(1); 4]);
    let after = picks(&mut group, seconds(111), 4);
    assert_eq!(
        after.iter().filter(|&&pick| pick == Some(0)).count(),
        1,
        "{after:?}"
    );
}

#[test]
fn server_that_answers_after_its_ban_is_in_the_round_again() {
    let mut group = group(&[1, 1]);
    group.handle_failure(0, seconds(100));
    while pick(&mut group, seconds(111), &Tried::default()) != Some(0) {}
    group.handle_success(0);
    let after = picks(&mut group, seconds(111), 4);
    assert_eq!(
        after.iter().filter(|&&pick| pick == Some(0)).count(),
        2,
        "{after:?}"
    );
}

#[test]
fn failures_count_within_their_window_only() {
    let mut group = Group::new(
        Method::RoundRobin,
        [
            Policy {
                max_fails: 2,
                ..policy(1)
            },
            policy(1),
        ],
    );
    assert!(!group.handle_failure(0, seconds(100)));
    assert!(!group.handle_failure(0, seconds(120)));
    assert!(group.handle_failure(0, seconds(121)));
}

#[test]
fn lone_server_is_never_banned() {
    let mut group = group(&[1]);
    assert!(!group.handle_failure(0, seconds(1)));
    assert_eq!(pick(&mut group, seconds(1), &Tried::default()), Some(0));
}

#[test]
fn reload_keeps_the_ban_and_the_verdict() {
    let mut old = group(&[1, 1, 1]);
    old.handle_failure(2, seconds(100));
    old.set_up(0, false);
    let mut new = group(&[1, 1, 1]);
    new.carry_over(0, &old, 2);
    new.carry_over(1, &old, 0);
    assert_eq!(picks(&mut new, seconds(101), 3), [Some(2); 3]);
}

#[test]
fn backup_is_asked_when_no_other_can_be() {
    let backup = Policy {
        backup: true,
        ..policy(1)
    };
    let mut group = Group::new(Method::RoundRobin, [backup, policy(1), policy(1), backup]);
    assert_eq!(picks(&mut group, NEVER, 2), [Some(1), Some(2)]);
    group.set_up(1, false);
    group.handle_failure(2, seconds(100));
    assert_eq!(picks(&mut group, seconds(100), 2), [Some(0), Some(3)]);
    let mut tried = Tried::default();
    tried.add(0);
    tried.add(3);
    assert_eq!(pick(&mut group, seconds(100), &tried), None);
    group.set_up(1, true);
    assert_eq!(picks(&mut group, seconds(100), 2), [Some(1); 2]);
}

#[test]
fn server_that_is_not_ready_is_never_asked() {
    let maintained = Policy {
        ready: false,
        ..policy(9)
    };
    let mut group = Group::new(Method::LeastConn, [maintained, policy(1)]);
    assert_eq!(picks(&mut group, NEVER, 3), [Some(1); 3]);
    group.set_up(1, false);
    assert_eq!(group.pick(NEVER, &Tried::default(), |_| 0), Pick::Nobody);
}

/// The loads of all servers, and who is picked one after another while each pick adds to them.
#[test]
fn fewest_connections_for_the_weight_win_and_equals_take_turns() {
    let cases: [(&[u16], &[u32], &[usize]); 5] = [
        (&[1, 1, 1], &[2, 0, 1], &[1, 1, 2, 2, 0, 1]),
        (&[2, 1], &[2, 1], &[0, 1, 0]),
        (&[2, 1], &[0, 0], &[0, 1, 0]),
        (&[3, 1], &[3, 0], &[1, 0, 1, 0, 0]),
        (&[1000, 1], &[999, 0], &[1, 0]),
    ];
    for (weights, loads, order) in cases {
        let policies = weights.iter().map(|&weight| policy(weight));
        let mut group = Group::new(Method::LeastConn, policies);
        let mut loads = loads.to_vec();
        for &expected in order {
            let picked = group.pick(NEVER, &Tried::default(), |index| loads[index]);
            assert_eq!(picked, Pick::Server(expected), "{weights:?} {loads:?}");
            loads[expected] += 1;
        }
    }
}

#[test]
fn server_with_all_the_connections_it_may_have_is_passed_over() {
    for method in [Method::RoundRobin, Method::LeastConn] {
        let limited = |max_conns, backup| Policy {
            max_conns,
            backup,
            ..policy(1)
        };
        let mut group = Group::new(
            method,
            [limited(1, false), limited(2, false), limited(1, true)],
        );
        let tried = Tried::default();
        let mut pick = |loads: [u32; 3]| group.pick(NEVER, &tried, |index| loads[index]);
        assert_eq!(pick([1, 1, 0]), Pick::Server(1));
        assert_eq!(pick([1, 2, 0]), Pick::Server(2));
        assert_eq!(pick([1, 2, 1]), Pick::Full);
        assert_eq!(pick([1, 9, 1]), Pick::Full);
        group.set_up(0, false);
        group.set_up(1, false);
        let mut pick = |loads: [u32; 3]| group.pick(NEVER, &tried, |index| loads[index]);
        assert_eq!(pick([0, 0, 1]), Pick::Full);
        group.set_up(2, false);
        assert_eq!(group.pick(NEVER, &tried, |_| 9), Pick::Nobody);
    }
}

#[test]
fn connections_are_asked_for_only_where_they_matter() {
    let mut group = group(&[1, 1]);
    let picked = group.pick(NEVER, &Tried::default(), |_| panic!("nobody needs to know"));
    assert_eq!(picked, Pick::Server(0));
}

proptest::proptest! {
    /// Over one round, each server is asked as often as its weight says.
    #[test]
    fn shares_are_exact(weights in proptest::collection::vec(1_u16..20, 1..8)) {
        let mut group = group(&weights);
        let round = weights.iter().map(|&weight| usize::from(weight)).sum();
        let picks = picks(&mut group, NEVER, round);
        for (index, &weight) in weights.iter().enumerate() {
            let share = picks.iter().filter(|&&pick| pick == Some(index)).count();
            proptest::prop_assert_eq!(share, usize::from(weight));
        }
    }

    /// Nobody is picked who has more connections for its weight than another.
    #[test]
    fn least_conn_is_least(
        servers in proptest::collection::vec((1_u16..1000, 0_u32..5000), 1..8),
    ) {
        let policies = servers.iter().map(|&(weight, _)| policy(weight));
        let mut group = Group::new(Method::LeastConn, policies);
        let picked = group.pick(NEVER, &Tried::default(), |index| servers[index].1);
        let Pick::Server(picked) = picked else { panic!("{picked:?}") };
        let (weight, load) = servers[picked];
        for &(other_weight, other_load) in &servers {
            let (ours, theirs) = (load * u32::from(other_weight), other_load * u32::from(weight));
            proptest::prop_assert!(ours <= theirs);
        }
    }
}
