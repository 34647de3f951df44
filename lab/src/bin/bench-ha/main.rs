//! What happens to a pair when its Master is harmed: Evenkeel beside keepalived with nginx, in one run,
//! as a table for the README.
//!
//! `cargo run --release -p lab --bin bench-ha [RUNS [WORD]]`, as root; the programs of the same profile
//! must be built. Every figure is taken in RUNS (5 unless told) networks of its own, one after the
//! other; with WORD, only those of scenarios whose name has it.

mod contender;
mod figure;
mod harm;
mod many;
mod split;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use contender::{Contender, Whose};
use figure::{Bound, Figure, Runs};

const SECOND: Duration = Duration::from_secs(1);
const TENTH: Duration = Duration::from_millis(100);
const HUNDREDTH: Duration = Duration::from_millis(10);
const ALL: &[Duration] = &[SECOND, TENTH, HUNDREDTH];

/// What may be late beyond the protocol's own time.
const MARGIN: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let runs = match arguments.next().map(|runs| runs.parse::<usize>()) {
        None => 5,
        Some(Ok(runs)) if runs > 0 => runs,
        Some(_) => {
            eprintln!("usage: bench-ha [RUNS [WORD]]");
            return ExitCode::from(2);
        }
    };
    let word = arguments.next().unwrap_or_default();
    if let Err(error) = lab::clean_up_on_interrupt() {
        eprintln!("bench-ha: cannot listen for Ctrl-C: {error}");
        return ExitCode::FAILURE;
    }
    let chosen: Vec<&Scenario> = SCENARIOS
        .iter()
        .filter(|scenario| scenario.name.contains(&word))
        .collect();
    println!("Medians of {runs} runs (worst), a request every 2 ms on a new connection.\n");
    println!(
        "| on the Master | adverts every | keepalived 2.2.7 + nginx | Evenkeel | theirs / ours | must reach | reached |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let begun = Instant::now();
    for scenario in chosen {
        scenario.print(runs);
    }
    println!(
        "\nby `make bench-ha RUNS={runs}`, in {} s",
        begun.elapsed().as_secs()
    );
    ExitCode::SUCCESS
}

struct Scenario {
    name: &'static str,
    intervals: &'static [Duration],
    measure: fn(Contender) -> Vec<Figure>,
    /// What must be reached at the contender's pace.
    bounds: fn(Contender) -> Vec<Bound>,
    /// How many times as many runs ours has: what must never happen is looked for longer.
    diligence: usize,
}

impl Scenario {
    const fn new(
        name: &'static str,
        intervals: &'static [Duration],
        measure: fn(Contender) -> Vec<Figure>,
        bounds: fn(Contender) -> Vec<Bound>,
    ) -> Self {
        Self {
            name,
            intervals,
            measure,
            bounds,
            diligence: 1,
        }
    }

    fn print(&self, runs: usize) {
        for interval in self.intervals {
            let [theirs, ours] = [Whose::Theirs, Whose::Ours].map(|whose| Contender {
                whose,
                interval: *interval,
            });
            let bounds = (self.bounds)(ours);
            let theirs = self.run(theirs, runs);
            let ours = self.run(ours, runs * self.diligence);
            let missed = ours.missed(&bounds);
            println!(
                "| {} | {} s | {} | {} | {} | {} | {} |",
                self.name,
                interval.as_secs_f64(),
                theirs.cell(),
                ours.cell(),
                theirs.times(&ours),
                listed(&bounds),
                match missed.as_slice() {
                    [] => "yes".to_owned(),
                    missed => format!("**no: {}**", missed.join(", ")),
                }
            );
        }
    }

    fn run(&self, contender: Contender, runs: usize) -> Runs {
        let mut taken = Runs::default();
        for number in 1..=runs {
            let figures = (self.measure)(contender);
            eprintln!(
                "{}, {contender}, {number} of {runs}: {}",
                self.name,
                listed(&figures)
            );
            taken.push(figures);
        }
        taken
    }
}

fn listed<T: ToString>(parts: &[T]) -> String {
    let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
    parts.join(", ")
}

const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "one worker killed",
        &[SECOND],
        harm::one_worker_killed,
        |_| {
            vec![
                Bound::time("silent", TENTH),
                Bound::count("moves", 0).always(),
            ]
        },
    ),
    Scenario::new("proxy killed", ALL, harm::proxy_killed, |_| {
        let silent = Bound::time("silent", Duration::from_millis(60));
        vec![silent, Bound::count("moves", 0).always()]
    }),
    Scenario::new("proxy frozen", ALL, harm::proxy_frozen, |_| {
        vec![Bound::time("silent", SECOND)]
    }),
    Scenario::new("graceful stop", ALL, harm::stopped, |_| {
        vec![Bound::count("failed", 2)]
    }),
    Scenario::new("power off", ALL, harm::powered_off, |contender| {
        vec![Bound::time("silent", contender.down_interval() + MARGIN)]
    }),
    Scenario::new(
        "VRRP process killed -9",
        &[SECOND],
        harm::vrrp_killed,
        // Its successor hands over, and holds the address until the peer's first advert is there.
        |_| vec![Bound::time("two owners", MARGIN).always()],
    ),
    Scenario::new("HA daemon killed -9", ALL, harm::daemon_killed, two_owners),
    Scenario::new(
        "everything frozen",
        &[SECOND],
        harm::everything_frozen,
        two_owners,
    ),
    Scenario::new(
        "reload, five times",
        &[SECOND],
        harm::reloaded,
        |contender| {
            let pause = contender.interval + contender.interval / 10;
            vec![
                Bound::count("failed", 0),
                Bound::count("moves", 0).always(),
                Bound::time("longest pause between adverts", pause),
            ]
        },
    ),
    Scenario {
        diligence: 4,
        ..Scenario::new("split heals", &[SECOND, TENTH], split::healed, |_| {
            vec![Bound::count("black hole", 0)]
        })
    },
    Scenario::new("250 virtual routers", &[TENTH], many::routers, |_| {
        vec![
            Bound::time("CPU a minute", Duration::from_secs(4)),
            Bound::time("p99 late", HUNDREDTH),
        ]
    }),
    Scenario::new(
        "split heals on a busy machine",
        &[HUNDREDTH],
        split::healed_while_busy,
        |_| vec![Bound::count("moves", 0).always()],
    ),
];

/// A lease of 2 s is shorter than the down interval of adverts each second, and than no other here. The
/// events of two kernels' addresses are told apart to a millisecond.
fn two_owners(contender: Contender) -> Vec<Bound> {
    let bound = |most| Bound::time("two owners", most);
    vec![if contender.interval == SECOND {
        bound(Duration::from_millis(1)).always()
    } else {
        bound(Duration::from_millis(2_100))
    }]
}
