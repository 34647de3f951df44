//! Measures what the scenarios only bound, and prints it as a table for the README.
//!
//! `cargo run --release -p lab --bin measure [RUNS [WORD]]`, as root; the programs of the same profile
//! must be built. Each figure is taken in RUNS (5 unless told) networks of its own, one after the
//! other; with WORD, only those of scenarios whose name has it.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use lab::{Capture, Connections, Load, Moment, Pair, Signal, VIP, signal, wait_until};

const LONG: Duration = Duration::from_secs(60);

/// Requests a second that the pair answers meanwhile.
const RATE: u32 = 500;

/// How long everything is watched after the harm.
const AFTER: Duration = Duration::from_secs(6);

fn main() -> ExitCode {
    let runs = match std::env::args().nth(1).map(|runs| runs.parse::<usize>()) {
        None => 5,
        Some(Ok(runs)) if runs > 0 => runs,
        Some(_) => {
            eprintln!("usage: measure [RUNS [WORD]]");
            return ExitCode::from(2);
        }
    };
    let word = std::env::args().nth(2).unwrap_or_default();
    let chosen = SCENARIOS
        .iter()
        .filter(|scenario| scenario.what.contains(&word));
    println!(
        "| on the master, at {RATE} requests a second | what | promised | median of {runs} | worst |"
    );
    println!("| --- | --- | --- | --- | --- |");
    for scenario in chosen {
        let taken: Vec<Vec<Figure>> = (0..runs).map(|_| (scenario.measure)()).collect();
        print_rows(scenario.what, &taken);
    }
    ExitCode::SUCCESS
}

struct Scenario {
    what: &'static str,
    measure: fn() -> Vec<Figure>,
}

struct Figure {
    what: &'static str,
    promised: &'static str,
    value: Value,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Count(usize),
    Time(Duration),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Time(time) if *time >= Duration::from_secs(1) => {
                write!(f, "{:.2} s", time.as_secs_f64())
            }
            Self::Time(time) => write!(f, "{} ms", time.as_millis()),
        }
    }
}

fn print_rows(what: &str, taken: &[Vec<Figure>]) {
    let Some(first) = taken.first() else {
        return;
    };
    for (column, figure) in first.iter().enumerate() {
        let mut values: Vec<Value> = taken
            .iter()
            .filter_map(|run| run.get(column))
            .map(|figure| figure.value)
            .collect();
        values.sort();
        let (Some(median), Some(worst)) = (values.get(values.len() / 2), values.last()) else {
            continue;
        };
        let name = if column == 0 { what } else { "" };
        let (row, promised) = (figure.what, figure.promised);
        println!("| {name} | {row} | {promised} | {median} | {worst} |");
    }
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        what: "one worker killed",
        measure: || workers_harmed(Signal::Kill, 1, "100 ms"),
    },
    Scenario {
        what: "all workers killed",
        measure: || workers_harmed(Signal::Kill, 2, "200 ms"),
    },
    Scenario {
        what: "all workers frozen",
        measure: || workers_harmed(Signal::Stop, 2, "1 s"),
    },
    Scenario {
        what: "supervisor killed",
        measure: || node_harmed(|pair| pair.first.signal(Signal::Kill)),
    },
    Scenario {
        what: "vrrp-actor killed",
        measure: || node_harmed(|pair| signal(Signal::Kill, &pair.first.pids_of("vrrp"))),
    },
    Scenario {
        what: "supervisor and vrrp-actor killed",
        measure: || {
            node_harmed(|pair| {
                let mut victims = pair.first.pids_of("vrrp");
                victims.push(pair.first.supervisor());
                signal(Signal::Kill, &victims);
            })
        },
    },
    Scenario {
        what: "everything killed",
        measure: || node_harmed(|pair| signal(Signal::Kill, &pair.first.all_pids())),
    },
    Scenario {
        what: "everything frozen",
        measure: || node_harmed(|pair| signal(Signal::Stop, &pair.first.all_pids())),
    },
    Scenario {
        what: "SIGHUP, five times",
        measure: reloaded,
    },
    Scenario {
        what: "SIGTERM",
        measure: stopped,
    },
];

fn begin() -> (Pair, Load) {
    let pair = Pair::start();
    let client = pair.lan.host("client");
    let load = Load::start(
        client,
        &format!("{VIP}:80"),
        "/app/",
        RATE,
        Connections::New,
    );
    let second = RATE as usize;
    wait_until("a second of answers", LONG, || {
        (load.answered() > second).then_some(())
    });
    (pair, load)
}

fn watch_until(end: Moment) {
    wait_until("time has passed", LONG, || {
        (Moment::now() > end).then_some(())
    });
}

fn workers_harmed(harm: Signal, count: usize, promised: &'static str) -> Vec<Figure> {
    let (pair, load) = begin();
    let arrivals = pair.watch.arrivals("proxy102");
    let mut victims = pair.first.pids_of("proxy");
    victims.truncate(count);
    let done = Moment::now();
    signal(harm, &victims);
    let end = done + AFTER;
    watch_until(end);
    let report = load.stop();
    // With others still at work, the harm shows as latency of those who waited in the dead one's
    // queue; with none, as silence.
    let again = match count {
        1 => report.slowest(done - Duration::from_millis(50), end),
        _ => report.longest_silence(done, end),
    };
    let moves = pair.watch.arrivals("proxy102") - arrivals;
    vec![
        Figure {
            what: "serving again after",
            promised,
            value: Value::Time(again),
        },
        Figure {
            what: "failed requests",
            promised: "those in hand",
            value: Value::Count(report.failures().len()),
        },
        Figure {
            what: "moves of the address",
            promised: "0",
            value: Value::Count(moves),
        },
    ]
}

fn node_harmed(harm: impl Fn(&Pair)) -> Vec<Figure> {
    let (pair, load) = begin();
    let done = Moment::now();
    harm(&pair);
    let taken = pair.watch.wait_for_owner("proxy102", LONG);
    watch_until(done + AFTER);
    let report = load.stop();
    vec![
        Figure {
            what: "on the peer after",
            promised: "3.22 s",
            value: Value::Time(taken.since(done)),
        },
        Figure {
            what: "two owners for",
            promised: "100 ms",
            value: Value::Time(pair.watch.longest_overlap()),
        },
        Figure {
            what: "no answers for",
            promised: "",
            value: Value::Time(report.longest_silence(done, done + AFTER)),
        },
    ]
}

fn reloaded() -> Vec<Figure> {
    let (pair, load) = begin();
    let capture = Capture::start(&pair.lan);
    let begun = Moment::now();
    let since = pair.first.since();
    for round in 1..=5 {
        pair.first.signal(Signal::Hup);
        watch_until(begun + Duration::from_millis(700) * round);
    }
    watch_until(begun + AFTER);
    let report = load.stop();
    let recording = capture.stop();
    let pause = recording.longest_pause("192.168.0.101", begun, Moment::now());
    vec![
        Figure {
            what: "failed requests",
            promised: "0",
            value: Value::Count(report.failures().len()),
        },
        Figure {
            what: "longest pause between adverts",
            promised: "1.10 s",
            value: Value::Time(pause),
        },
        Figure {
            what: "transitions",
            promised: "0",
            value: Value::Count(usize::from(pair.first.since() != since)),
        },
    ]
}

fn stopped() -> Vec<Figure> {
    let (mut pair, load) = begin();
    let asked = Moment::now();
    pair.first.signal(Signal::Term);
    let taken = pair.watch.wait_for_owner("proxy102", LONG);
    let absence = pair.watch.longest_absence(asked);
    pair.first.wait_for_end();
    watch_until(asked + AFTER);
    let report = load.stop();
    vec![
        Figure {
            what: "on the peer after",
            promised: "215 ms",
            value: Value::Time(taken.since(asked)),
        },
        Figure {
            what: "no owner for",
            promised: "0 ms",
            value: Value::Time(absence),
        },
        Figure {
            what: "failed requests in the worst second",
            promised: "2",
            value: Value::Count(report.failures_in_worst_second()),
        },
    ]
}
