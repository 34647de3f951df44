//! What happens to the Master once, while a client asks every 2 ms.

use std::time::Duration;

use lab::{Capture, Load, Moment, Signal, signal};

use crate::contender::{Contender, LONG, RATE, Rig, wait_for, wait_out_of_step};
use crate::figure::{Figure, Value};

/// How long a proxy that nobody misses is watched.
const FROZEN_WATCH: Duration = Duration::from_secs(6);

/// Adverts of this many intervals cover a takeover and what may follow it.
const AFTERMATH: u32 = 6;

/// A pair under load, and the moment at which it was harmed.
struct Harmed {
    rig: Rig,
    load: Load,
    at: Moment,
    arrivals: usize,
    contender: Contender,
}

impl Harmed {
    fn new(contender: Contender, harm: impl FnOnce(&mut Rig)) -> Self {
        let mut rig = Rig::start(contender);
        let load = rig.load("client", "/app/", RATE);
        let arrivals = rig.arrivals();
        wait_out_of_step(contender.interval);
        let at = Moment::now();
        harm(&mut rig);
        Self {
            rig,
            load,
            at,
            arrivals,
            contender,
        }
    }

    /// Waits until requests have been answered again for a while, but no longer than `most`.
    fn wait_for_recovery(&self, most: Duration) {
        const SLICE: Duration = Duration::from_millis(100);
        // A third of what is asked in a slice, in so many slices one after the other.
        const STEADY: u32 = 8;
        let enough = usize::try_from(RATE / 10 / 3).unwrap_or(usize::MAX);
        let mut steady = 0;
        let mut answered = self.load.answered();
        let mut next = self.at + SLICE;
        while steady < STEADY && Moment::now() < self.at + most {
            wait_for(next);
            next = next + SLICE;
            let now = self.load.answered();
            steady = if now - answered > enough {
                steady + 1
            } else {
                0
            };
            answered = now;
        }
    }

    fn aftermath(&self) -> Duration {
        (self.contender.interval * AFTERMATH).max(Duration::from_secs(3))
    }

    /// Silent for how long, how many failed, how often the address moved.
    fn what_clients_saw(self) -> Vec<Figure> {
        let end = Moment::now();
        let report = self.load.stop();
        let silence = report.longest_silence(self.at, end);
        vec![
            Figure::of("silent", Value::within(silence, end.since(self.at))),
            Figure::count("failed", report.failures().len()),
            Figure::count("moves", self.rig.arrivals() - self.arrivals),
        ]
    }

    /// For how long two nodes had the address, and what clients saw of it.
    fn what_owners_did(self) -> Vec<Figure> {
        let begun = self.rig.watch.overlap_begun();
        let overlap = self.rig.watch.longest_overlap();
        let watched = begun.map_or(Duration::MAX, |begun| Moment::now().since(begun));
        let mut figures = vec![Figure::of("two owners", Value::within(overlap, watched))];
        figures.extend(self.what_clients_saw().into_iter().take(2));
        figures
    }
}

pub(crate) fn one_worker_killed(contender: Contender) -> Vec<Figure> {
    let harmed = Harmed::new(contender, |rig| {
        if let Some(worker) = rig.first.workers().first() {
            signal(Signal::Kill, &[*worker]);
        }
    });
    harmed.wait_for_recovery(LONG);
    harmed.what_clients_saw()
}

pub(crate) fn proxy_killed(contender: Contender) -> Vec<Figure> {
    let harmed = Harmed::new(contender, |rig| rig.first.kill_proxy());
    harmed.wait_for_recovery(LONG);
    harmed.what_clients_saw()
}

pub(crate) fn proxy_frozen(contender: Contender) -> Vec<Figure> {
    let harmed = Harmed::new(contender, |rig| signal(Signal::Stop, &rig.first.workers()));
    harmed.wait_for_recovery(FROZEN_WATCH);
    harmed.what_clients_saw()
}

pub(crate) fn stopped(contender: Contender) -> Vec<Figure> {
    let harmed = Harmed::new(contender, |rig| rig.first.stop());
    harmed.wait_for_recovery(LONG);
    harmed.what_clients_saw()
}

pub(crate) fn powered_off(contender: Contender) -> Vec<Figure> {
    let harmed = Harmed::new(contender, |rig| {
        let everything = rig.first.everything();
        rig.lan.unplug("proxy101");
        signal(Signal::Kill, &everything);
    });
    harmed.wait_for_recovery(LONG);
    harmed.what_clients_saw()
}

pub(crate) fn vrrp_killed(contender: Contender) -> Vec<Figure> {
    owners(contender, |rig| signal(Signal::Kill, &rig.first.vrrp()))
}

pub(crate) fn daemon_killed(contender: Contender) -> Vec<Figure> {
    owners(contender, |rig| signal(Signal::Kill, &rig.first.daemon()))
}

pub(crate) fn everything_frozen(contender: Contender) -> Vec<Figure> {
    owners(contender, |rig| {
        signal(Signal::Stop, &rig.first.everything())
    })
}

fn owners(contender: Contender, harm: impl FnOnce(&mut Rig)) -> Vec<Figure> {
    let harmed = Harmed::new(contender, harm);
    harmed.rig.watch.wait_for_owner("proxy102", LONG);
    wait_for(harmed.at + harmed.aftermath());
    harmed.what_owners_did()
}

/// Told five times to read its configuration again.
pub(crate) fn reloaded(contender: Contender) -> Vec<Figure> {
    const TIMES: u32 = 5;
    const PAUSE: Duration = Duration::from_millis(700);
    let mut capture = None;
    let harmed = Harmed::new(contender, |rig| {
        capture = Some(Capture::start(&rig.lan));
        let begun = Moment::now();
        for time in 1..=TIMES {
            rig.first.reload();
            wait_for(begun + PAUSE * time);
        }
    });
    wait_for(Moment::now() + 2 * contender.interval);
    let recording = capture.expect("it was started").stop();
    let pause = recording.longest_pause("192.168.0.101", harmed.at, Moment::now());
    let mut figures = harmed.what_clients_saw();
    figures.retain(|figure| figure.what != "silent");
    figures.push(Figure::time("longest pause between adverts", pause));
    figures
}
