//! `evenkeel doctor`: listens on the network for a while, and says what is wrong.
//!
//! What it means is `core_vrrp::diagnosis`'s; here it is looked, asked and printed. It neither needs a
//! running instance nor disturbs one.

mod lookout;
mod node;
mod subject;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::process::ExitCode;
use std::time::Duration;

use core_vrrp::diagnosis::{Diagnosis, Firewall, Heard, Link, Observations, Severity, diagnose};
use core_vrrp::{Spec, WallTime};
use platform::interfaces::{Interface, Interfaces};
use settings::{Settings, VirtualRouter};

use self::lookout::{Look, Lookout, carrier};
use super::{FAILED, fail, source};
use crate::cli::Doctor;

/// How long is listened at least, unless told otherwise.
const SECONDS_MIN: u64 = 5;

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
    let link_locals = node::link_locals(settings, &interfaces)?;
    let nodes = own_addresses(settings);
    let lookout = Lookout {
        settings,
        interfaces: &interfaces,
        link_locals: &link_locals,
        nodes: &nodes,
    };
    let began = WallTime(platform::clock::walltime());
    let looks = lookout.look(listening)?;
    let scene = Scene {
        began,
        listened: listening,
        looks,
        held: node::addresses(&Interfaces::open()?.list()?)?,
        firewall: node::firewall(),
        interfaces: &interfaces,
    };
    let mut is_well = true;
    for router in &settings.virtual_routers {
        let link_local = link_locals.get(router.interface.value());
        let link_local = link_local.copied().unwrap_or(Ipv6Addr::UNSPECIFIED);
        let Some(spec) = subject::spec(settings, router, link_local) else {
            continue;
        };
        let observations = scene.observations(settings, router, &spec);
        let diagnosis = diagnose(&spec, &nodes, &observations);
        is_well &= print(settings, router, spec.source, &diagnosis);
    }
    Ok(is_well)
}

/// What `[nodes]` says, of both families.
fn own_addresses(settings: &Settings) -> Vec<IpAddr> {
    let nodes = settings.nodes.iter();
    let both = nodes.flat_map(|node| [node.own(false), node.own(true)]);
    both.flatten().collect()
}

/// What was seen, of all virtual routers.
struct Scene<'s> {
    began: WallTime,
    listened: Duration,
    looks: BTreeMap<String, Look>,
    /// All addresses of this node.
    held: Vec<IpAddr>,
    firewall: Firewall,
    interfaces: &'s [Interface],
}

impl Scene<'_> {
    /// What of it is about one virtual router.
    fn observations(
        &self,
        settings: &Settings,
        router: &VirtualRouter,
        spec: &Spec,
    ) -> Observations {
        let name = router.interface.value();
        let on_it = self.looks.get(name.as_str());
        let answers = self.looks.values().flat_map(|look| &look.answers);
        let is_virtual = |address: &IpAddr| spec.addresses.contains(address);
        let setting = |setting| match router.is_ipv6() {
            false => node::setting(name, setting),
            true => 0,
        };
        let link = self.interfaces.iter().find(|it| it.name == *name);
        Observations {
            began: Some(self.began),
            listened: self.listened,
            link: link.map(|interface| Link {
                is_up: interface.is_up,
                mac: interface.mac.unwrap_or_default(),
            }),
            packets: on_it.map(|look| look.packets.clone()).unwrap_or_default(),
            delivered: on_it.map(|look| look.delivered.clone()).unwrap_or_default(),
            held: self.held.iter().copied().filter(is_virtual).collect(),
            answers: answers.copied().collect(),
            elsewhere: (router.addresses.iter())
                .filter(|address| carrier(router, address) != name)
                .map(|address| address.address)
                .collect(),
            has_twin: settings.virtual_routers.iter().any(|other| {
                other.is_ipv6() != router.is_ipv6()
                    && other.interface.value() == name
                    && other.vrid.value() == router.vrid.value()
            }),
            arp_ignore: setting("arp_ignore"),
            rp_filter: setting("rp_filter"),
            firewall: self.firewall.clone(),
        }
    }
}

/// Prints it; returns whether all is well.
fn print(settings: &Settings, router: &VirtualRouter, own: IpAddr, diagnosis: &Diagnosis) -> bool {
    println!(
        "\n{}: vrid {} on {}",
        router.name,
        router.vrid.value(),
        router.interface.value()
    );
    for heard in &diagnosis.heard {
        let Heard {
            speaker,
            node,
            priority,
            adverts,
        } = heard;
        let name = match node {
            Some(node) if *node == own => settings.node.name.as_str(),
            Some(node) => name_of(settings, *node),
            None => "unknown",
        };
        println!("  heard {speaker} ({name}): {adverts} adverts, priority {priority}");
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

fn name_of(settings: &Settings, address: IpAddr) -> &str {
    let mut nodes = settings.nodes.iter();
    let node = nodes.find(|node| node.own(address.is_ipv6()) == Some(address));
    node.map_or("unknown", |node| node.name.as_str())
}
