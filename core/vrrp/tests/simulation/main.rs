//! Many nodes on a bad network, from a seed.

mod dice;
mod link;
mod node;
mod record;
mod rules;
mod scenario;
mod watch;
mod weather;
mod world;

use scenario::Profile;
use world::World;

/// Seeds of each weather in `make test`; the first is the weather's number.
const SEEDS: u64 = 2_600;

fn live(seeds: impl Iterator<Item = u64>) {
    for seed in seeds {
        World::new(seed, false).live();
    }
}

fn all_of(profile: Profile) {
    let seeds = 0..4 * SEEDS;
    live(seeds.filter(|seed| Profile::of(*seed) == profile));
}

#[test]
fn calm_weather() {
    all_of(Profile::Calm);
}

#[test]
fn dying_nodes() {
    all_of(Profile::Nodes);
}

#[test]
fn a_bad_network() {
    all_of(Profile::Network);
}

#[test]
fn storms() {
    all_of(Profile::Storm);
}

#[test]
fn replay() {
    let seed =
        std::env::var_os("SEED").map(|seed| seed.to_string_lossy().parse().expect("a number"));
    let mut world = World::new(seed.unwrap_or(7), true);
    world.live();
    for line in world.take_story() {
        println!("{line}");
    }
}
