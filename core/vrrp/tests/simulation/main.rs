//! Many nodes on a bad network in virtual time, from a seed: a failure names its seed, and the seed
//! replays it.
//!
//! **The model.** Two to five nodes, each with a machine (a kernel that holds the address, ends
//! leases late and answers for it; a clock, which may stand while the machine sleeps) and a process
//! that the core lives in. The link carries each packet to each station by itself: late by at most a
//! tenth of the interval and in order when it is whole; else lost, doubled, overtaken, up to five
//! intervals late, or deaf in one direction or between two sides. Two neighbours learn from what
//! reaches them where the address is. What the nodes are (version, family, intervals, priorities,
//! leases, tracks, failback ...) and what happens to them comes from the seed: they freeze, die,
//! lose their power or their link, sleep, fall ill, are upgraded, reloaded, stopped and started.
//!
//! **The promises** are in [`watch`] and [`record`]; the arithmetic that they are measured by is in
//! [`rules`], apart from that of the core. They are looked at whenever something has happened.
//!
//! Seeds of `make test` are always the same. `make soak` takes others.

mod dice;
mod link;
mod node;
mod perform;
mod record;
mod rules;
mod scenario;
mod watch;
mod weather;
mod world;

use scenario::Profile;
use world::World;

/// Seeds in `make test`, a quarter for each weather.
const SEEDS: u64 = 10_000;
/// Seeds of one call of the soak; its first one is given.
const SOAK_SEEDS: u64 = 1_000;

fn live(seeds: impl Iterator<Item = u64>, profile: Profile) {
    for seed in seeds.filter(|seed| Profile::of(*seed) == profile) {
        World::new(seed, false).live();
    }
}

#[test]
fn calm_weather() {
    live(0..SEEDS, Profile::Calm);
}

#[test]
fn dying_nodes() {
    live(0..SEEDS, Profile::Nodes);
}

#[test]
fn a_bad_network() {
    live(0..SEEDS, Profile::Network);
}

#[test]
fn storms() {
    live(0..SEEDS, Profile::Storm);
}

/// Goes on where the others end; `FROM` is the first seed.
#[test]
fn soak() {
    let from = number("FROM").unwrap_or(SEEDS);
    for seed in from..from.saturating_add(SOAK_SEEDS) {
        World::new(seed, false).live();
    }
}

/// Tells the whole story of the world of `SEED`, which is the same each time.
#[test]
fn replay() {
    let seed = number("SEED").unwrap_or(59);
    let told = [(); 2].map(|()| {
        let mut world = World::new(seed, true);
        world.live();
        world.take_story()
    });
    let [story, again] = told;
    for line in &story {
        println!("{line}");
    }
    assert!(story.len() > 10, "nothing happened: {story:?}");
    assert_eq!(story, again, "the same seed told another story");
}

/// A number from the environment of the test, not of the core.
fn number(name: &str) -> Option<u64> {
    let value = std::env::var_os(name)?;
    Some(value.to_str()?.parse().expect("a number"))
}
