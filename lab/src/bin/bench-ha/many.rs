//! Several hundred virtual routers on one pair: what the Master's VRRP process costs, and how late
//! its adverts are.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use lab::{Capture, Instance, Moment};

use crate::contender::{Contender, Rig, wait_for};
use crate::figure::Figure;

/// Virtual routers.
const ROUTERS: u8 = 250;

/// How long they are watched.
const WATCH: Duration = Duration::from_secs(10);

pub(crate) fn routers(contender: Contender) -> Vec<Figure> {
    let rig = Rig::with(contender, &instances());
    // Second announcements follow after 5 s.
    wait_for(Moment::now() + Duration::from_secs(7));
    let capture = Capture::at(&rig.lan, "proxy102");
    let master = rig.first.vrrp();
    let (begun, used_before) = (Moment::now(), processor_time(&master));
    wait_for(begun + WATCH);
    let (ended, used_after) = (Moment::now(), processor_time(&master));
    let mut seen: HashMap<u8, Moment> = HashMap::new();
    let mut lateness = Vec::new();
    for advert in capture.stop().adverts() {
        if advert.source != "192.168.0.101" || !(begun..ended).contains(&advert.at) {
            continue;
        }
        if let Some(before) = seen.insert(advert.vrid, advert.at) {
            let pause = advert.at.since(before);
            lateness.push(pause.saturating_sub(contender.interval));
        }
    }
    assert_eq!(seen.len(), usize::from(ROUTERS), "routers that advertise");
    lateness.sort();
    let used = used_after.saturating_sub(used_before);
    let share = used.as_secs_f64() / ended.since(begun).as_secs_f64();
    vec![
        Figure::time("CPU a minute", Duration::from_secs_f64(60.0 * share)),
        Figure::time("p99 late", percentile(&lateness, 99)),
    ]
}

/// The article's, and others with an address each.
fn instances() -> Vec<Instance> {
    let others = (1..=ROUTERS).filter(|vrid| *vrid != 101);
    let others = others.map(|vrid| Instance {
        name: format!("VR{vrid}"),
        vrid,
        addresses: vec![format!("192.168.1.{vrid}")],
    });
    std::iter::once(Instance::article()).chain(others).collect()
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let index = sorted.len() * percent / 100;
    sorted.get(index).copied().unwrap_or(Duration::ZERO)
}

/// What the processes have used so far: the first field of schedstat of each thread, in nanoseconds
/// (`stat` counts in hundredths of a second).
fn processor_time(pids: &[u32]) -> Duration {
    let threads = pids.iter().flat_map(|pid| {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
        tasks.flatten().map(|task| task.path().join("schedstat"))
    });
    let used = threads.filter_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        text.split(' ').next()?.parse().ok()
    });
    used.map(Duration::from_nanos).sum()
}
