//! `evenkeel doctor`: listens on the network for a while, and says what is wrong.
//!
//! What it means is `core_vrrp::diagnosis`'s; here it is looked, asked and printed. It neither needs a
//! running instance nor disturbs one.

mod node;
mod subject;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use core_vrrp::diagnosis::{Diagnosis, Link, Mac, Observations, Severity, Sighting, diagnose};
use core_vrrp::{GROUP, WallTime};
use platform::interfaces::{Interface, Interfaces};
use platform::wire::{Frame, Wire};
use settings::{Settings, VirtualRouter};

use super::{FAILED, fail, source};
use crate::cli::Doctor;

/// How long is listened at least, unless told otherwise.
const SECONDS_MIN: u64 = 5;

/// So long before the end the link is asked who has which address: late, so that a takeover under
/// way does not look like two owners.
const ASK_BEFORE_END: Duration = Duration::from_millis(700);

/// Between two questions for the same address, of which one may be lost.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Packets that are kept for an interface; more come from a storm, of which these are enough.
const SIGHTINGS_MAX: usize = 100_000;

/// Listens, and prints what was found. Ends with 1 when something is wrong.
pub(super) fn perform(arguments: &Doctor) -> ExitCode {
    if !platform::privilege::is_root() {
        return fail(FAILED, "only root may listen on the network");
    }
    let settings = match settings::load(&source(&arguments.config)) {
        Ok(settings) => settings,
        Err(report) => {
            eprintln!("{report}");
            return ExitCode::from(FAILED);
        }
    };
    for warning in &settings.warnings {
        eprintln!("{warning}");
    }
    let seconds = (arguments.seconds).unwrap_or_else(|| seconds_enough(&settings));
    println!("listening for {seconds} s on node {}", settings.node.name);
    match examine(&settings, Duration::from_secs(seconds)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => fail(FAILED, error),
    }
}

/// Long enough for every router to say something, and for its silence to mean something.
fn seconds_enough(settings: &Settings) -> u64 {
    let routers = settings.virtual_routers.iter();
    let longest = routers.map(|it| 4 * *it.advert_interval.value()).max();
    let seconds = longest.unwrap_or_default().as_secs().saturating_add(1);
    seconds.max(SECONDS_MIN)
}

/// Whether everything is well.
fn examine(settings: &Settings, listening: Duration) -> io::Result<bool> {
    let interfaces = Interfaces::open()?.list()?;
    let began = WallTime(platform::clock::walltime());
    let looks = look(settings, &interfaces, listening)?;
    let held = node::addresses(&Interfaces::open()?.list()?)?;
    let firewall = node::firewall();
    let nodes: Vec<IpAddr> = (settings.nodes.iter())
        .map(|node| IpAddr::from(*node.address.value()))
        .collect();
    let mut is_well = true;
    for router in &settings.virtual_routers {
        if router.is_ipv6() {
            let (name, vrid) = (&router.name, router.vrid.value());
            println!("\n{name}: vrid {vrid} is of IPv6, which the doctor does not listen to");
            continue;
        }
        let Some(spec) = subject::spec(settings, router) else {
            continue;
        };
        let name = router.interface.value();
        let on_it = looks.get(name.as_str());
        let answers = looks.values().flat_map(|look| &look.answers);
        let is_ours = |address: &IpAddr| router.addresses.iter().any(|it| it.address == *address);
        let observations = Observations {
            began: Some(began),
            listened: listening,
            link: (interfaces.iter())
                .find(|interface| interface.name == *name)
                .map(|interface| Link {
                    is_up: interface.is_up,
                    mac: interface.mac.unwrap_or_default(),
                }),
            packets: on_it.map(|look| look.packets.clone()).unwrap_or_default(),
            delivered: on_it.map(|look| look.delivered.clone()).unwrap_or_default(),
            held: (held.iter())
                .filter(|address| is_ours(address))
                .copied()
                .collect(),
            answers: answers
                .filter(|(address, _)| is_ours(address))
                .copied()
                .collect(),
            elsewhere: (router.addresses.iter())
                .filter(|address| carrier(router, address) != name)
                .map(|address| address.address)
                .collect(),
            arp_ignore: node::setting(name, "arp_ignore"),
            rp_filter: node::setting(name, "rp_filter"),
            firewall: firewall.clone(),
        };
        let diagnosis = diagnose(&spec, &nodes, &observations);
        is_well &= print(settings, router, &diagnosis);
    }
    Ok(is_well)
}

fn carrier<'r>(router: &'r VirtualRouter, address: &'r settings::VirtualAddress) -> &'r str {
    let own = address.interface.as_ref();
    own.map_or(router.interface.value(), |interface| interface.value())
}

/// What was seen on one interface.
#[derive(Debug, Default)]
struct Look {
    packets: Vec<Sighting>,
    delivered: Vec<IpAddr>,
    answers: Vec<(IpAddr, Mac)>,
}

/// Looks at all interfaces that routers use, at the same time. Those that are missing or down are
/// left out.
fn look(
    settings: &Settings,
    interfaces: &[Interface],
    listening: Duration,
) -> io::Result<BTreeMap<String, Look>> {
    let mut wanted: BTreeMap<&str, BTreeSet<Ipv4Addr>> = BTreeMap::new();
    for router in &settings.virtual_routers {
        wanted.entry(router.interface.value()).or_default();
        for address in &router.addresses {
            if let IpAddr::V4(asked_for) = address.address {
                let asked = wanted.entry(carrier(router, address)).or_default();
                asked.insert(asked_for);
            }
        }
    }
    let mut lookouts = Vec::new();
    for (name, asked) in wanted {
        let usable = |interface: &&Interface| interface.name == name && interface.is_up;
        let Some(interface) = interfaces.iter().find(usable) else {
            continue;
        };
        let wire = Wire::open(interface, GROUP).map_err(|error| on(name, &error))?;
        let lookout = thread::spawn(move || look_at(wire, &asked, listening));
        lookouts.push((name.to_owned(), lookout));
    }
    let mut looks = BTreeMap::new();
    for (name, lookout) in lookouts {
        let panicked = |_| io::Error::other("the thread that listens panicked");
        let look = lookout.join().map_err(panicked).flatten();
        let look = look.map_err(|error| on(&name, &error))?;
        looks.insert(name, look);
    }
    Ok(looks)
}

/// The error with its interface.
fn on(interface: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{interface}: {error}"))
}

fn look_at(mut wire: Wire, asked: &BTreeSet<Ipv4Addr>, listening: Duration) -> io::Result<Look> {
    let mut look = Look::default();
    let begin = Instant::now();
    let mut ask_at = listening.saturating_sub(ASK_BEFORE_END);
    let mut rounds_left = 2;
    while begin.elapsed() < listening {
        if rounds_left > 0 && begin.elapsed() >= ask_at {
            for address in asked {
                wire.ask(*address)?;
            }
            rounds_left -= 1;
            ask_at += ASK_AGAIN;
        }
        match wire.next_frame()? {
            Some(Frame::Vrrp { mac, packet }) if look.packets.len() < SIGHTINGS_MAX => {
                look.packets.push(Sighting {
                    at: begin.elapsed(),
                    mac,
                    octets: packet,
                });
            }
            Some(Frame::Answer { address, mac })
                if asked.contains(&address) && !look.answers.contains(&(address.into(), mac)) =>
            {
                look.answers.push((address.into(), mac));
            }
            _ => {}
        }
        while let Some(sender) = wire.next_delivered() {
            if look.delivered.len() < SIGHTINGS_MAX {
                look.delivered.push(sender.into());
            }
        }
    }
    Ok(look)
}

/// Prints it; returns whether all is well.
fn print(settings: &Settings, router: &VirtualRouter, diagnosis: &Diagnosis) -> bool {
    println!(
        "\n{}: vrid {} on {}",
        router.name,
        router.vrid.value(),
        router.interface.value()
    );
    for (address, priority, adverts) in &diagnosis.heard {
        let known = settings
            .nodes
            .iter()
            .find(|node| IpAddr::from(*node.address.value()) == *address);
        let name = known.map_or("unknown", |node| node.name.as_str());
        println!("  heard {address} ({name}): {adverts} adverts, priority {priority}");
    }
    for finding in &diagnosis.findings {
        let severity = finding.severity().name();
        println!("  {severity} [{}]: {finding}.", finding.code());
        println!("    {}.", finding.advice());
    }
    let is_well = (diagnosis.findings.iter()).all(|it| it.severity() == Severity::Note);
    if is_well {
        println!("  nothing wrong");
    }
    is_well
}
